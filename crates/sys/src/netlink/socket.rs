//! A netlink socket that talks to the kernel and to nobody else.
//!
//! One request at a time: the caller sends, then reads the answers of that request. Answers are
//! told apart by sequence numbers, which are never used twice, so that what an abandoned request
//! left behind is not taken for an answer to the next one.
//!
//! What it does not do: join multicast groups (their door adds that to what it opens here), or several requests in flight.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use super::{DONE, DUMP_INTERRUPTED, ERROR, Message, Messages};
use crate::socket::{self, Buffer, Wait};

/// The longest wait for one answer. The kernel answers netlink requests before `send` returns, so
/// waiting at all means that something is lost.
pub const REPLY_LIMIT: Duration = Duration::from_secs(2);

/// Large enough for any answer: the kernel fills dump datagrams up to 32 KiB when it sees that
/// the reader has the room, and single messages stay below 64 KiB plus their header.
const REPLY_BYTES: usize = 128 * 1024;

/// How many left-over datagrams are read away before the socket is given up as unusable.
/// A dump of a million elements leaves about 1,500.
const STALE_LIMIT: usize = 100_000;

/// A netlink socket of one protocol, connected to the kernel.
pub struct Socket {
    fd: OwnedFd,
    reply: Vec<u8>,
    sequence: u32,
    /// A request was sent and its last answer not seen yet.
    unsettled: bool,
}

/// How a dump ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Dump {
    /// The list is a state the kernel really had.
    Consistent,
    /// Something changed while the list was written (`NLM_F_DUMP_INTR`): entries may be missing
    /// or come twice.
    Interrupted,
}

impl Socket {
    /// Opens a socket for a protocol (`NETLINK_ROUTE`, `NETLINK_NETFILTER` …) in the network
    /// namespace of the calling thread. The socket stays in that namespace.
    ///
    /// Needs no privilege; most requests do.
    pub fn open(protocol: i32) -> io::Result<Self> {
        let fd = socket::open(libc::AF_NETLINK, libc::SOCK_RAW, protocol)?;
        // Errors then come without a copy of the request they refuse: up to 60 KiB each.
        socket::set_int(fd.as_fd(), libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, 1)?;
        // NETLINK_EXT_ACK stays off: its texts find no place in an `io::Error` with a number.
        socket::limit_wait(fd.as_fd(), REPLY_LIMIT)?;
        connect_to_kernel(fd.as_fd())?;
        Ok(Self { fd, reply: vec![0; REPLY_BYTES], sequence: 0, unsettled: false })
    }

    /// Takes over a socket that was [opened](Self::open) by another process and handed to us.
    #[must_use]
    pub(crate) fn inherited(fd: OwnedFd) -> Self {
        Self { fd, reply: vec![0; REPLY_BYTES], sequence: 0, unsettled: false }
    }

    /// The port that the kernel gave this socket (netlink(7)): unique among the sockets of this
    /// protocol that are open in the network namespace, and never 0.
    ///
    /// # Errors
    /// Those of getsockname(2), none of which is expected.
    pub fn port(&self) -> io::Result<u32> {
        let mut address = empty_address();
        let mut length = socket::length_of::<libc::sockaddr_nl>();
        // SAFETY: both pointers are to live locals, and `length` is the size of `address`, so the
        // kernel writes no further than `address`.
        socket::checked(unsafe {
            libc::getsockname(
                self.fd.as_raw_fd(),
                ptr::from_mut(&mut address).cast(),
                &raw mut length,
            )
        })?;
        Ok(address.nl_pid)
    }

    /// The next unused sequence number. Zero is left out: the kernel uses it for notices.
    pub fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        self.sequence
    }

    /// Sends one datagram (one or several messages).
    ///
    /// # Errors
    /// `EMSGSIZE` when it is larger than the send buffer; whatever send(2) says. A refusal of the
    /// content is not an error here but an answer to be read.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.unsettled {
            self.discard_stale()?;
        }
        self.unsettled = true;
        socket::send(self.fd.as_fd(), bytes)?;
        Ok(())
    }

    /// The next datagram of answers.
    ///
    /// # Errors
    /// `ETIMEDOUT` after [`REPLY_LIMIT`]; `ENOBUFS` when answers were lost.
    pub fn receive(&mut self) -> io::Result<&[u8]> {
        let length = self.fill()?;
        Ok(self.reply.get(..length).unwrap_or_default())
    }

    /// The next datagram of answers if there is one already.
    ///
    /// # Errors
    /// `ENOBUFS` when answers were lost.
    pub fn receive_now(&mut self) -> io::Result<Option<&[u8]>> {
        match socket::receive(self.fd.as_fd(), &mut self.reply, Wait::No) {
            Ok(length) => Ok(self.reply.get(..length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Says that the last answer to what was sent has been seen, so that the next request need
    /// not look for left-overs.
    pub fn settle(&mut self) {
        self.unsettled = false;
    }

    /// Sends one request that carries [`ACK`](super::ACK) and hands its answers to `each`, up to
    /// the acknowledgement.
    ///
    /// # Errors
    /// The kernel's refusal, or those of [`receive`](Self::receive).
    pub fn request(
        &mut self,
        bytes: &[u8],
        sequence: u32,
        mut each: impl FnMut(Message<'_>),
    ) -> io::Result<()> {
        self.send(bytes)?;
        loop {
            let length = self.fill()?;
            for message in Messages::new(self.reply.get(..length).unwrap_or_default()) {
                if message.sequence != sequence {
                    continue;
                }
                if message.kind == ERROR {
                    self.unsettled = false;
                    return outcome(message);
                }
                each(message);
            }
        }
    }

    /// Sends one request that carries [`DUMP`](super::DUMP) and hands each entry to `each`.
    ///
    /// # Errors
    /// The kernel's refusal, or those of [`receive`](Self::receive).
    pub fn dump(
        &mut self,
        bytes: &[u8],
        sequence: u32,
        mut each: impl FnMut(Message<'_>),
    ) -> io::Result<Dump> {
        self.send(bytes)?;
        let mut end = Dump::Consistent;
        loop {
            let length = self.fill()?;
            for message in Messages::new(self.reply.get(..length).unwrap_or_default()) {
                if message.sequence != sequence {
                    continue;
                }
                if message.flags & DUMP_INTERRUPTED != 0 {
                    end = Dump::Interrupted;
                }
                if message.kind == DONE || message.kind == ERROR {
                    self.unsettled = false;
                    return outcome(message).map(|()| end);
                }
                each(message);
            }
        }
    }

    /// Lets the socket carry datagrams of about `bytes` to the kernel and returns how long one
    /// may really be.
    pub(crate) fn grow_send_buffer(&self, bytes: i32) -> io::Result<usize> {
        let actual = socket::grow(self.fd.as_fd(), Buffer::Send, bytes)?;
        // netlink_sendmsg() in net/netlink/af_netlink.c refuses what is longer than this.
        Ok(usize::try_from(actual).unwrap_or(0).saturating_sub(32))
    }

    /// Makes room for answers that wait to be read.
    pub(crate) fn grow_receive_buffer(&self, bytes: i32) -> io::Result<()> {
        socket::grow(self.fd.as_fd(), Buffer::Receive, bytes).map(drop)
    }

    /// Reads one datagram into `reply` and returns its length.
    fn fill(&mut self) -> io::Result<usize> {
        socket::receive(self.fd.as_fd(), &mut self.reply, Wait::Yes).map_err(|error| {
            if error.kind() == io::ErrorKind::WouldBlock {
                io::Error::from_raw_os_error(libc::ETIMEDOUT)
            } else {
                error
            }
        })
    }

    /// Reads away what an abandoned request left, which also drives an unfinished dump to its end.
    fn discard_stale(&mut self) -> io::Result<()> {
        for _ in 0..STALE_LIMIT {
            match socket::receive(self.fd.as_fd(), &mut self.reply, Wait::No) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsettled = false;
                    return Ok(());
                }
                // Lost or over-long left-overs are as good as read ones.
                Ok(_) => {}
                Err(error)
                    if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EMSGSIZE)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from_raw_os_error(libc::EBUSY))
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("fd", &self.fd).finish_non_exhaustive()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What an [`ERROR`] or [`DONE`] message says. One too short to say anything is a failure, save
/// the end of a list: very old kernels put no number there.
fn outcome(message: Message<'_>) -> io::Result<()> {
    match message.error() {
        Some(0) => Ok(()),
        None if message.kind == DONE => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code)),
        None => Err(io::Error::from_raw_os_error(libc::EPROTO)),
    }
}

/// Port and groups 0, which is the address of the kernel, and no family yet.
fn empty_address() -> libc::sockaddr_nl {
    // SAFETY: `sockaddr_nl` is plain integers, for which all bits zero is a value.
    unsafe { std::mem::zeroed() }
}

/// Connects to port 0. From then on the kernel refuses datagrams to this socket from any other
/// port (`netlink_getsockbyportid()`), so that every answer read here is the kernel's.
fn connect_to_kernel(fd: BorrowedFd<'_>) -> io::Result<()> {
    let mut address = empty_address();
    address.nl_family = libc::AF_NETLINK.try_into().map_err(io::Error::other)?;
    // SAFETY: the pointer and the length describe `address`, which lives through the call.
    socket::checked(unsafe {
        libc::connect(
            fd.as_raw_fd(),
            ptr::from_ref(&address).cast(),
            socket::length_of::<libc::sockaddr_nl>(),
        )
    })?;
    Ok(())
}
