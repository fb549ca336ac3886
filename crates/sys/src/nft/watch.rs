//! Being told of each commit to `nf_tables`, by whomever, without reading what was committed.
//!
//! The kernel tells listeners of every element, rule and table of a commit, and last of the commit
//! itself (`NFT_MSG_NEWGEN`). A filter in the kernel (classic BPF, socket(7)) lets only that last
//! message through: one for each commit, however large. A commit that failed brings none, nor
//! does one that changed nothing (such as adding an element that is there).
//!
//! What it does not do: say what changed. Nor does it see what changes without a commit:
//! elements that packets add or the clock removes, counters.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

use libc::sock_filter;

use super::{HEADER, uapi};
use crate::netlink::{Message, Messages, Socket};
use crate::socket;

/// Room for notices that wait to be read, in bytes (the kernel doubles the figure for its own
/// bookkeeping, of which each notice takes less than 1 KiB): some two thousand commits.
const RECEIVE_BUFFER: i32 = 1 << 20;

/// Where the type of a netlink message begins (`struct nlmsghdr`).
const TYPE_AT: u32 = 4;

/// A commit by somebody, possibly by us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The netlink port of the socket it came through; that of our own is
    /// [`Nft::port`](super::Nft::port). Ports are unique among the sockets that are open in a
    /// network namespace.
    pub port: u32,
    /// The process that made it, by its number in the initial PID namespace: more exactly its
    /// thread, whose number is that of the process where it is the first one. It may have ended.
    pub process: Option<u32>,
    /// That thread's name for itself (`/proc/PID/comm`): at most 15 bytes, and anything the
    /// process likes. For messages to people, not for decisions.
    pub name: Option<String>,
}

/// What one call of [`Watch::wait`] met.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Seen {
    /// Somebody committed.
    Commit(Commit),
    /// Nothing came within the wait (or a signal did).
    Idle,
    /// The receive buffer was full and commits went by unseen, of whom and how many nobody knows.
    Overrun,
}

/// Listens to the commits of one network namespace.
#[derive(Debug)]
pub struct Watch {
    socket: Socket,
}

impl Watch {
    /// Listens in the network namespace of the calling thread. Commits from now on are seen.
    ///
    /// # Errors
    /// `EPERM`: no `CAP_NET_ADMIN` in the user namespace that owns the network namespace. Once
    /// open, listening needs no privilege.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::open(libc::NETLINK_NETFILTER)?;
        socket.grow_receive_buffer(RECEIVE_BUFFER)?;
        // The filter first: nothing shall come in before it.
        let fd = socket.as_fd();
        attach(fd, &only(uapi::NEW_GENERATION)?)?;
        let watch = Self { socket };
        watch.listen()?;
        Ok(watch)
    }

    /// Stops listening until [`Self::listen`]: for the time of a large commit of one's own. As long
    /// as anybody listens, the kernel makes a notice of every single element, in a page of its own
    /// and all at once, before the filter throws them away: ten microseconds and 4 KiB each.
    ///
    /// # Errors
    /// None is expected.
    pub fn pause(&self) -> io::Result<()> {
        self.membership(libc::NETLINK_DROP_MEMBERSHIP)
    }

    /// Listens again. What was committed meanwhile is not seen.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn listen(&self) -> io::Result<()> {
        self.membership(libc::NETLINK_ADD_MEMBERSHIP)
    }

    fn membership(&self, option: libc::c_int) -> io::Result<()> {
        socket::set_int(self.socket.as_fd(), libc::SOL_NETLINK, option, libc::NFNLGRP_NFTABLES)
    }

    /// The next commit, waiting for it up to `limit`; zero does not wait.
    ///
    /// # Errors
    /// Those of ppoll(2) and recv(2), none of which is expected.
    pub fn wait(&mut self, limit: Duration) -> io::Result<Seen> {
        if !socket::readable_within(self.socket.as_fd(), limit)? {
            return Ok(Seen::Idle);
        }
        match self.socket.receive_now() {
            Ok(None) => Ok(Seen::Idle),
            Ok(Some(datagram)) => Ok(Messages::new(datagram)
                .find_map(commit)
                // A notice that cannot be read is a commit that nothing is known of.
                .map_or(Seen::Overrun, Seen::Commit)),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(Seen::Overrun),
            Err(error) => Err(error),
        }
    }
}

/// For a caller with a poll loop of its own.
impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn commit(message: Message<'_>) -> Option<Commit> {
    if message.kind != uapi::NEW_GENERATION {
        return None;
    }
    let find = |kind| message.attributes(HEADER).get(kind);
    Some(Commit {
        port: message.port,
        process: find(uapi::generation::PROCESS).and_then(|a| a.be32()),
        name: find(uapi::generation::PROCESS_NAME).map(|a| a.text().to_owned()),
    })
}

/// A program that takes datagrams whose first message is of this type, and no others.
fn only(kind: u16) -> io::Result<[sock_filter; 4]> {
    // The loads of classic BPF are big-endian, and the header is in the order of the host.
    let as_loaded = u32::from(u16::from_be_bytes(kind.to_ne_bytes()));
    let load = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let end = libc::BPF_RET | libc::BPF_K;
    Ok([
        instruction(load, TYPE_AT, 0, 0)?,
        instruction(equal, as_loaded, 0, 1)?,
        instruction(end, u32::MAX, 0, 0)?, // all of it
        instruction(end, 0, 0, 0)?,        // none of it
    ])
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> io::Result<sock_filter> {
    Ok(sock_filter { code: u16::try_from(code).map_err(io::Error::other)?, jt, jf, k })
}

fn attach(fd: BorrowedFd<'_>, program: &[sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the pointer and the length describe `program`, which lives through the call, as do
    // the instructions it points to; the kernel copies them and writes nothing.
    socket::checked(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            ptr::from_ref(&program).cast(),
            socket::length_of::<libc::sock_fprog>(),
        )
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Builder;
    use crate::netlink::mutilate::every_mutilation;

    fn notice() -> Vec<u8> {
        let mut builder = Builder::new();
        builder
            .message(uapi::NEW_GENERATION, 0, 1, &[0; HEADER], |b| {
                b.be32(uapi::generation::ID, 7)?;
                b.be32(uapi::generation::PROCESS, 4711)?;
                b.string(uapi::generation::PROCESS_NAME, "nft")
            })
            .unwrap();
        let mut bytes = builder.bytes().to_vec();
        bytes[12..16].copy_from_slice(&99_u32.to_ne_bytes()); // nlmsg_pid
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Commit> {
        Messages::new(bytes).find_map(commit)
    }

    #[test]
    fn who_committed_is_read() {
        let expected = Commit { port: 99, process: Some(4711), name: Some("nft".into()) };
        assert_eq!(read(&notice()), Some(expected));
    }

    #[test]
    fn no_mutilation_panics() {
        every_mutilation(&notice(), |bytes| {
            read(bytes);
        });
    }
}
