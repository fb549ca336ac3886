//! Open file descriptors, handed to another process over a connected unix socket (`SCM_RIGHTS`,
//! unix(7), cmsg(3)).
//!
//! Whoever receives one can use it as the sender could: a socket that needed a privilege to open
//! needs none to be read.
//!
//! What it does not do: mark where a message ends (the stream is one of bytes, and its two ends
//! agree on that), say what a descriptor is, or pass credentials.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;

use crate::socket;

/// The most descriptors in one message: more than two processes of one program have to share,
/// and far from the 253 of the kernel (`SCM_MAX_FD`).
pub const MOST: usize = 16;

/// Bytes for one control message of [`MOST`] descriptors: its header and its padding together
/// take less than 64.
const CONTROL: usize = 64 + MOST * size_of::<RawFd>();

/// Room for a control message, aligned as its header (`struct cmsghdr`) wants it.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// A descriptor as control messages carry it: they promise no alignment.
type Number = [u8; size_of::<RawFd>()];

/// What one call of [`receive`] met.
#[derive(Debug)]
pub struct Received {
    /// How many bytes came; the first so many of the buffer are theirs. 0: the other end is
    /// closed.
    pub length: usize,
    /// The descriptors that came with these bytes, in the sender's order. All close on exec.
    pub descriptors: Vec<OwnedFd>,
}

/// Closes every descriptor but standard input, output and error (close_range(2), Linux 5.9): what
/// whoever started this process had open and did not mean for it. To be called before anything is
/// opened; whatever owns one of them would find it closed.
///
/// # Errors
/// `ENOSYS`: the kernel is older.
pub fn close_inherited() -> io::Result<()> {
    const FIRST: libc::c_uint = 3;
    // SAFETY: close_range(2) takes three integers and touches no memory of ours. By our contract
    // nothing of this process owns one of these descriptors yet.
    let done = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sends all of `bytes`, and with the first of them these descriptors. Ours stay open.
///
/// # Errors
/// [`InvalidInput`](io::ErrorKind::InvalidInput): no bytes (descriptors need one to travel with),
/// or more than [`MOST`] descriptors. Those of sendmsg(2): `EPIPE` when the other end is closed,
/// `ETOOMANYREFS` when too many descriptors are under way already. After an error in the middle
/// (`EAGAIN` by a timeout of the socket), how much the other end gets is unknown.
pub fn send(stream: &UnixStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if bytes.is_empty() || descriptors.len() > MOST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a message needs a byte and takes at most {MOST} descriptors"),
        ));
    }
    let mut rest = bytes;
    let mut attached = descriptors;
    while !rest.is_empty() {
        let sent = send_some(stream, rest, attached)?;
        rest = rest.get(sent..).unwrap_or_default();
        attached = &[];
    }
    Ok(())
}

/// Receives what has come: at least one byte (waiting for it, up to the read timeout of
/// `stream`), at most as many as `buffer` takes, and at most `most` descriptors. Bytes of two
/// messages with descriptors never come in one call.
///
/// # Errors
/// [`InvalidData`](io::ErrorKind::InvalidData): there were more than `most` descriptors, or the
/// kernel could not hand out all of them (our limit of open files); those that came are closed
/// again. [`InvalidInput`](io::ErrorKind::InvalidInput): `buffer` is empty, or `most` is more than
/// [`MOST`]. Those of recvmsg(2), `EAGAIN` for the timeout.
pub fn receive(stream: &UnixStream, buffer: &mut [u8], most: usize) -> io::Result<Received> {
    if buffer.is_empty() || most > MOST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a message needs room for a byte and takes at most {MOST} descriptors"),
        ));
    }
    let mut control = Control([0; CONTROL]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut header = empty_header(&mut part);
    header.msg_control = control.0.as_mut_ptr().cast();
    // Not CMSG_SPACE: the padding in it would be room for one descriptor more.
    header.msg_controllen = if most == 0 { 0 } else { control_length(most)? };
    let length = socket::counted(|| {
        // SAFETY: `header` points to one live part, which describes an exclusively borrowed slice,
        // and to `control`, which is longer than the length given with it.
        unsafe { libc::recvmsg(stream.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) }
    })?;
    // Owned before anything is judged, so that an error closes them.
    let descriptors = take_over(&header);
    if header.msg_flags & libc::MSG_CTRUNC != 0 || descriptors.len() > most {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a message came with more descriptors than can be taken ({most} expected)"),
        ));
    }
    Ok(Received { length, descriptors })
}

fn send_some(
    stream: &UnixStream,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut control = Control([0; CONTROL]);
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut header = empty_header(&mut part);
    if !descriptors.is_empty() {
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = control_length(descriptors.len())?;
        attach(&header, descriptors)?;
    }
    socket::counted(|| {
        // SAFETY: `header` points to one live part, which describes a live slice that is only
        // read, and to nothing or to `control`, which `attach` filled up to the length given.
        unsafe { libc::sendmsg(stream.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) }
    })
}

/// A header with these bytes and nothing else.
fn empty_header(part: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: `msghdr` is integers and pointers, for which all bits zero is a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = ptr::from_mut(part);
    header.msg_iovlen = 1;
    header
}

/// The length of a control message with `count` descriptors, its last padding excluded.
fn control_length(count: usize) -> io::Result<usize> {
    let bytes = u32::try_from(count * size_of::<RawFd>()).map_err(io::Error::other)?;
    // SAFETY: CMSG_LEN is arithmetic.
    let length = unsafe { libc::CMSG_LEN(bytes) };
    usize::try_from(length).map_err(io::Error::other)
}

/// Writes the one control message of `header`, whose length is already that of `descriptors`.
fn attach(header: &libc::msghdr, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    // SAFETY: `header` is live; the call compares its length with that of a control message.
    let first = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: the message lies in a `Control`, which is aligned for its header, larger than
    // `control_length(MOST)` and ours alone; `None` is for a header without room.
    let message = unsafe { first.as_mut() }.ok_or_else(|| io::Error::other("no control room"))?;
    message.cmsg_level = libc::SOL_SOCKET;
    message.cmsg_type = libc::SCM_RIGHTS;
    message.cmsg_len = control_length(descriptors.len())?;
    // SAFETY: the data of a message begins behind its header.
    let mut slot = unsafe { libc::CMSG_DATA(first) }.cast::<Number>();
    for descriptor in descriptors {
        // SAFETY: `send` let at most MOST descriptors through, for which there is room.
        unsafe {
            slot.write(descriptor.as_raw_fd().to_ne_bytes());
            slot = slot.add(1);
        }
    }
    Ok(())
}

/// The descriptors in what recvmsg(2) wrote.
fn take_over(header: &libc::msghdr) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    // SAFETY: the kernel set `msg_controllen` to what it wrote of the control room.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: a pointer that is not null is to a whole header inside the control room.
    while let Some(message) = unsafe { next.as_ref() } {
        if (message.cmsg_level, message.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: CMSG_LEN is arithmetic, and the data begins behind the header.
            let (overhead, data) = unsafe { (libc::CMSG_LEN(0), libc::CMSG_DATA(next)) };
            let overhead = usize::try_from(overhead).unwrap_or(usize::MAX);
            let count = message.cmsg_len.saturating_sub(overhead) / size_of::<RawFd>();
            for index in 0..count {
                // SAFETY: the kernel wrote `count` numbers there, each of a descriptor that it
                // opened for us in this call, so that nobody else owns it.
                let number = unsafe { data.cast::<Number>().add(index).read() };
                // SAFETY: as above: it is open, and ours.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(RawFd::from_ne_bytes(number)) });
            }
        }
        // SAFETY: `next` is a message inside `header`.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    descriptors
}

#[cfg(test)]
mod tests;
