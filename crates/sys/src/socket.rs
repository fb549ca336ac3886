//! The few system calls every socket here needs, as safe functions over a borrowed descriptor.
//!
//! Interrupted calls are repeated, so no caller sees `EINTR`, save where a wait ends early. What it does not do: own a
//! descriptor beyond its creation, or know an address family.

use std::io;
use std::iter::zip;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use libc::{c_int, socklen_t};

/// Which of a socket's two buffers.
#[derive(Clone, Copy)]
pub(crate) enum Buffer {
    Send,
    Receive,
}

/// Whether a call may wait for data (up to the socket's receive timeout).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Yes,
    No,
}

/// Datagrams per call of [`receive_batch`]: beyond this the call's own cost is lost in theirs.
pub(crate) const BATCH: usize = 64;

/// Turns the "negative means look at `errno`" of system calls into a result.
pub(crate) fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Repeats a call that a signal interrupted, and gives the count it returned.
pub(crate) fn counted(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        let result = call();
        if let Ok(count) = usize::try_from(result) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// socket(2), close-on-exec.
pub(crate) fn open(family: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket(2) takes three integers and touches no memory of ours.
    let fd = checked(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the call above succeeded, so `fd` is open and nobody else owns it yet.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The size of `T` as the kernel wants it. The types passed here are a few dozen bytes long.
pub(crate) fn length_of<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).unwrap_or(socklen_t::MAX)
}

/// setsockopt(2) with a plain integer.
pub(crate) fn set_int(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `value`, which lives through the call.
    checked(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            ptr::from_ref(&value).cast(),
            length_of::<c_int>(),
        )
    })?;
    Ok(())
}

/// getsockopt(2) of a plain integer.
pub(crate) fn get_int(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut length = length_of::<c_int>();
    // SAFETY: both pointers are to live locals, and `length` is the size of `value`, so the
    // kernel writes no further than `value`.
    checked(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            name,
            ptr::from_mut(&mut value).cast(),
            &raw mut length,
        )
    })?;
    Ok(value)
}

/// How much of the receive buffer is taken, from 0 to 1 (`SO_MEMINFO`, `linux/sock_diag.h`).
pub(crate) fn receive_queue(fd: BorrowedFd<'_>) -> io::Result<f64> {
    /// `SK_MEMINFO_VARS`.
    const VARIABLES: usize = 9;
    let mut memory = [0_u32; VARIABLES];
    let mut length = length_of::<[u32; VARIABLES]>();
    // SAFETY: both pointers are to live locals, and `length` is the size of `memory`, so the
    // kernel writes no further than its end.
    checked(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            memory.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    // SK_MEMINFO_RMEM_ALLOC and SK_MEMINFO_RCVBUF.
    let [taken, size, ..] = memory;
    Ok(f64::from(taken) / f64::from(size.max(1)))
}

/// Asks for a buffer of `bytes`, past the host's `net.core.?mem_max` where we are allowed to
/// (`SO_*BUFFORCE` wants `CAP_NET_ADMIN`), else as large as that limit lets it be.
///
/// Returns what the socket has now, in the kernel's count: twice what was asked for, since it
/// includes its own bookkeeping (socket(7)).
pub(crate) fn grow(fd: BorrowedFd<'_>, which: Buffer, bytes: c_int) -> io::Result<c_int> {
    let (force, polite) = match which {
        Buffer::Send => (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
        Buffer::Receive => (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
    };
    if set_int(fd, libc::SOL_SOCKET, force, bytes).is_err() {
        set_int(fd, libc::SOL_SOCKET, polite, bytes)?;
    }
    get_int(fd, libc::SOL_SOCKET, polite)
}

/// `SO_RCVTIMEO`: how long a waiting [`receive`] waits before `EAGAIN`.
pub(crate) fn limit_wait(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<()> {
    let value = libc::timeval {
        tv_sec: limit.as_secs().try_into().map_err(io::Error::other)?,
        tv_usec: limit.subsec_micros().into(),
    };
    // SAFETY: the pointer and the length describe `value`, which lives through the call.
    checked(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            ptr::from_ref(&value).cast(),
            length_of::<libc::timeval>(),
        )
    })?;
    Ok(())
}

/// send(2) of one datagram on a connected socket.
pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    counted(|| {
        // SAFETY: the pointer and the length are those of a live slice, which is only read.
        unsafe {
            libc::send(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL)
        }
    })
}

/// recv(2) of one datagram.
///
/// A datagram that does not fit `buffer` is an error (`EMSGSIZE`), never a silently shorter one.
/// `EAGAIN` when there is nothing (after the socket's receive timeout when waiting).
pub(crate) fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8], wait: Wait) -> io::Result<usize> {
    // MSG_TRUNC makes the kernel return the datagram's real length (netlink(7), packet(7)).
    let flags =
        if wait == Wait::No { libc::MSG_TRUNC | libc::MSG_DONTWAIT } else { libc::MSG_TRUNC };
    let length = counted(|| {
        // SAFETY: the pointer and the length are those of a live, exclusively borrowed slice; the
        // kernel writes at most that many bytes, whatever length it returns.
        unsafe { libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags) }
    })?;
    if length > buffer.len() {
        Err(io::Error::from_raw_os_error(libc::EMSGSIZE))
    } else {
        Ok(length)
    }
}

/// recvmmsg(2): up to [`BATCH`] datagrams in one call, each into its own `stride` bytes of
/// `buffer`. Returns how many came; the first so many of `lengths` are theirs.
///
/// When waiting, it waits for the first datagram only. Unlike [`receive`], a datagram that does
/// not fit is no error here, since those beside it are whole: its length is greater than `stride`
/// and its end is missing. A signal is `EINTR`, not another wait: the caller counts the time.
pub(crate) fn receive_batch(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    stride: usize,
    lengths: &mut [usize; BATCH],
    wait: Wait,
) -> io::Result<usize> {
    // SAFETY: `iovec` and `mmsghdr` are integers and pointers, for which all bits zero is a value
    // (no address, no data, no control messages).
    let (mut parts, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
        unsafe { std::mem::zeroed() };
    let mut count = 0;
    for (slot, (part, header)) in
        zip(buffer.chunks_exact_mut(stride), zip(&mut parts, &mut headers))
    {
        part.iov_base = slot.as_mut_ptr().cast();
        part.iov_len = slot.len();
        header.msg_hdr.msg_iov = ptr::from_mut(part);
        header.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    let flags = match wait {
        Wait::Yes => libc::MSG_TRUNC | libc::MSG_WAITFORONE,
        Wait::No => libc::MSG_TRUNC | libc::MSG_DONTWAIT,
    };
    // SAFETY: the first `count` headers each point to one live part, which points to a slot of
    // its own in a live, exclusively borrowed slice; the kernel writes no further than the part
    // says. `parts` is not moved or touched in between. No timeout is passed.
    let came = checked(unsafe {
        libc::recvmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count, flags, ptr::null_mut())
    })?;
    let came = usize::try_from(came).map_err(io::Error::other)?;
    for (length, header) in zip(lengths, headers.iter().take(came)) {
        *length = usize::try_from(header.msg_len).map_err(io::Error::other)?;
    }
    Ok(came)
}

/// ppoll(2): whether there is something to read, waiting up to `limit`. The kernel may add the
/// thread's timer slack, 50 microseconds unless set otherwise (prctl(2)).
///
/// A pending socket error counts as readable: the next [`receive`] reports it. A signal ends the
/// wait early with `false`.
pub(crate) fn readable_within(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<bool> {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let limit = libc::timespec {
        tv_sec: limit.as_secs().try_into().map_err(io::Error::other)?,
        tv_nsec: limit.subsec_nanos().into(),
    };
    // SAFETY: the pointers are to one live pollfd, as the count says, and to a live timespec that
    // the kernel does not keep; no signal mask is passed.
    match checked(unsafe { libc::ppoll(&raw mut entry, 1, &raw const limit, ptr::null()) }) {
        Ok(ready) => Ok(ready > 0),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}
