//! Link-layer frames sent as they are (packet(7)), many per system call: the load generator of
//! tests and measurements.
//!
//! What it does not do: receive, pace itself, or complete anything in the frames: addresses,
//! checksums and lengths are the caller's.

use std::ffi::CString;
use std::io;
use std::iter::zip;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use crate::socket::{self, Buffer};

/// Frames per system call: beyond this the call's own cost is lost in that of the frames.
const CHUNK: usize = 64;

/// Bytes of frames that may be on their way (the kernel doubles the figure).
const SEND_BUFFER: i32 = 4 << 20;

/// A socket that sends frames on one interface.
#[derive(Debug)]
pub struct FrameSender {
    fd: OwnedFd,
}

impl FrameSender {
    /// Opens a sender on an interface of the calling thread's network namespace. It receives
    /// nothing, and its frames go past the queueing discipline (`PACKET_QDISC_BYPASS`): where
    /// the interface is slower than we are, frames are lost rather than delayed.
    ///
    /// # Errors
    /// `ENODEV`: no such interface. `EPERM`: no `CAP_NET_RAW`.
    pub fn open(interface: &str) -> io::Result<Self> {
        // Protocol 0: not even a copy of what the interface receives.
        let fd = socket::open(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        bind(fd.as_fd(), interface_index(interface)?)?;
        socket::set_int(fd.as_fd(), libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, 1)?;
        socket::grow(fd.as_fd(), Buffer::Send, SEND_BUFFER)?;
        Ok(Self { fd })
    }

    /// Sends frames in their order, each from its link-layer header on and without checksum of
    /// the frame. Returns how many the kernel took; waits while the send buffer is full.
    ///
    /// # Errors
    /// Only if not even the first was taken: `ENETDOWN` (interface down), `EMSGSIZE` (longer than
    /// the interface carries), `EINVAL` (shorter than a link-layer header), `ENOBUFS` (the
    /// interface's own queue is full). Later frames that fail end the count.
    pub fn send(&self, frames: &[&[u8]]) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(rest) = frames.get(sent..).filter(|rest| !rest.is_empty()) {
            match send_chunk(self.fd.as_fd(), rest) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }
}

fn send_chunk(fd: BorrowedFd<'_>, frames: &[&[u8]]) -> io::Result<usize> {
    // SAFETY: `iovec` and `mmsghdr` are integers and pointers, for which all bits zero is a value
    // (no address, no data, no control messages).
    let (mut parts, mut headers): ([libc::iovec; CHUNK], [libc::mmsghdr; CHUNK]) =
        unsafe { std::mem::zeroed() };
    let mut count = 0;
    for (frame, (part, header)) in zip(frames, zip(&mut parts, &mut headers)) {
        part.iov_base = frame.as_ptr().cast_mut().cast();
        part.iov_len = frame.len();
        header.msg_hdr.msg_iov = ptr::from_mut(part);
        header.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    // SAFETY: the first `count` headers each point to one live part, which points to a live frame
    // that the kernel only reads. `parts` is not moved or touched between here and there.
    let sent =
        socket::checked(unsafe { libc::sendmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count, 0) })?;
    usize::try_from(sent).map_err(io::Error::other)
}

fn interface_index(name: &str) -> io::Result<i32> {
    let name = CString::new(name)?;
    // SAFETY: the pointer is to a live string that ends in a zero byte.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => i32::try_from(index).map_err(io::Error::other),
    }
}

fn bind(fd: BorrowedFd<'_>, interface: i32) -> io::Result<()> {
    // SAFETY: `sockaddr_ll` is plain integers, for which all bits zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET.try_into().map_err(io::Error::other)?;
    address.sll_ifindex = interface;
    // SAFETY: the pointer and the length describe `address`, which lives through the call.
    socket::checked(unsafe {
        libc::bind(
            fd.as_raw_fd(),
            ptr::from_ref(&address).cast(),
            socket::length_of::<libc::sockaddr_ll>(),
        )
    })?;
    Ok(())
}
