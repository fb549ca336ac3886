//! Copies of packets from rules with `log group N` (NFLOG, `linux/netfilter/nfnetlink_log.h`).
//!
//! Every copy is handed out as soon as the kernel made it: by default the kernel gathers packets
//! for up to a second.
//!
//! What it does not do: read packet headers; or count what a full buffer lost, beyond saying
//! that it happened.
//!
//! # Checksums
//! A copy is taken before the network card or the peer would have finished the packet, and
//! carries no flag that says so (queues do, the log does not). On virtual links, loopback and
//! with receive offload the transport checksum may be only that of the pseudo header, not inverted.

mod copy;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

pub use copy::Copy;

use crate::netlink::{ACK, Builder, Messages, REQUEST, Socket, netfilter_header, netfilter_type};
use crate::socket::{self, BATCH, Wait};

/// `NFNL_SUBSYS_ULOG` with `NFULNL_MSG_PACKET` and `NFULNL_MSG_CONFIG`.
const PACKET: u16 = netfilter_type(4, 0);
const CONFIG: u16 = netfilter_type(4, 1);

// `NFULA_CFG_*`, `NFULNL_CFG_CMD_BIND` and `NFULNL_COPY_PACKET`.
const CFG_COMMAND: u16 = 1;
const CFG_MODE: u16 = 2;
const CFG_TIMEOUT: u16 = 4;
const CFG_THRESHOLD: u16 = 5;
const COMMAND_BIND: u8 = 1;
const COPY_PACKET: u8 = 2;

/// `struct nfulnl_msg_config_mode`: whole packets, up to 0xffff bytes (the kernel lowers it to
/// what an attribute can carry).
const MODE: [u8; 6] = [0, 0, 0xff, 0xff, COPY_PACKET, 0];

/// Packets per datagram, and the longest a packet waits for others (10 ms units).
const THRESHOLD: u32 = 1;
const TIMEOUT: u32 = 1;

/// Bytes (the kernel doubles the figure for its bookkeeping): a burst of SYNs, one from each port
/// there is, waits here while other programs have the processor for most of a second.
///
/// The kernel counts 832 bytes for the copy of a packet of up to 100 bytes, 1,280 up to 500 and
/// 4,352 up to 2,048 (measured on Linux 6.18, x86-64), so that 80,000, 52,000 or 15,000 of them
/// fit. It takes the memory only for what waits.
const RECEIVE_BUFFER: i32 = 32 << 20;

/// One call of [`NflogSocket::recv`] waits this long at most.
const IDLE: Duration = Duration::from_millis(250);

/// The room for one datagram: one copy, since [`THRESHOLD`] gathers none, of up to 64 KiB, and up
/// to 1 KiB of other attributes. A flood of copies of any length is read whole, 64 in one call.
///
/// The rooms are 4.3 MiB of addresses but no more memory than copies were long: pages in which
/// the kernel never wrote are not there. The odd end keeps the beginnings of all rooms, where
/// most copies lie, from competing for the same few places of the processor's cache.
const ROOM: usize = 65 * 1024 + 320;

/// What one call of [`NflogSocket::recv`] or [`NflogSocket::recv_within`] met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// This many copies were handed out.
    Copies(usize),
    /// Nothing came within the wait (or a signal did).
    Idle,
    /// The receive buffer was full and copies were lost: after those that wait now, since the
    /// kernel lets nothing more in until all of them are read (`netlink_attachskb()` in
    /// net/netlink/af_netlink.c). Copies may have been handed out in the same call.
    Overrun,
}

/// A socket bound to one NFLOG group.
///
/// Dropping it gives the group back.
pub struct NflogSocket {
    socket: Socket,
    rooms: Vec<u8>,
}

impl NflogSocket {
    /// Binds a group in the network namespace of the calling thread.
    ///
    /// # Errors
    /// - `EBUSY`: another socket, of whatever program, holds the group;
    /// - `EPERM`: no `CAP_NET_ADMIN` in the user namespace that owns the network namespace;
    /// - `EINVAL`: the kernel has no NFLOG.
    pub fn open(group: u16) -> io::Result<Self> {
        let mut socket = Socket::open(libc::NETLINK_NETFILTER)?;
        socket.grow_receive_buffer(RECEIVE_BUFFER)?;
        match bind(&mut socket, group) {
            // For a group that another socket holds, nfulnl_recv_config() says EPERM as well.
            Err(error)
                if error.raw_os_error() == Some(libc::EPERM) && is_permitted(&mut socket)? =>
            {
                Err(io::Error::from_raw_os_error(libc::EBUSY))
            }
            Err(error) => Err(error),
            Ok(()) => {
                socket::limit_wait(socket.as_fd(), IDLE)?;
                Ok(Self { socket, rooms: vec![0; ROOM * BATCH] })
            }
        }
    }

    /// Takes over a bound socket that another process has opened and handed to us.
    #[must_use]
    pub fn inherited(fd: OwnedFd) -> Self {
        Self { socket: Socket::inherited(fd), rooms: vec![0; ROOM * BATCH] }
    }

    /// Hands the copies that have come to `each`: waits for the first up to 250 ms (by the
    /// scheduler's clock, so up to 10 ms more), then takes what is there, up to 64 datagrams, so
    /// that a flood cannot keep the caller from its other duties. One system call in all: to
    /// poll(2) first would make a lone packet some 2 of 24 microseconds later.
    ///
    /// # Errors
    /// Those of recvmmsg(2), none of which is expected.
    pub fn recv(&mut self, each: &mut dyn FnMut(Copy<'_>)) -> io::Result<Received> {
        self.take(Wait::Yes, each)
    }

    /// The same for a caller with something else to do soon: waits for the first copy up to
    /// `wait`, to some 50 microseconds (the timer slack of prctl(2)); zero does not wait at all.
    ///
    /// One system call where copies are there already, three where they have to be waited for.
    ///
    /// # Errors
    /// Those of recvmmsg(2) and ppoll(2), none of which is expected.
    pub fn recv_within(
        &mut self,
        wait: Duration,
        each: &mut dyn FnMut(Copy<'_>),
    ) -> io::Result<Received> {
        let received = self.take(Wait::No, each)?;
        if received != Received::Idle
            || wait.is_zero()
            || !socket::readable_within(self.socket.as_fd(), wait)?
        {
            return Ok(received);
        }
        self.take(Wait::No, each)
    }

    /// How full the queue of copies is: from 0 to 1, by the kernel's count of memory; 0 when it
    /// cannot be asked.
    #[must_use]
    pub fn backlog(&self) -> f64 {
        socket::receive_queue(self.socket.as_fd()).unwrap_or_default()
    }

    fn take(&mut self, wait: Wait, each: &mut dyn FnMut(Copy<'_>)) -> io::Result<Received> {
        let mut lengths = [0; BATCH];
        let fd = self.socket.as_fd();
        let came = match socket::receive_batch(fd, &mut self.rooms, ROOM, &mut lengths, wait) {
            Ok(came) => came,
            Err(error) => {
                return match error.raw_os_error() {
                    Some(libc::ENOBUFS) => Ok(Received::Overrun),
                    Some(libc::EAGAIN | libc::EINTR) => Ok(Received::Idle),
                    _ => Err(error),
                };
            }
        };
        let mut copies = 0;
        let mut lost = false;
        for (room, length) in self.rooms.chunks_exact(ROOM).zip(lengths).take(came) {
            match room.get(..length) {
                Some(datagram) => copies += hand_out(datagram, each),
                // No kernel makes one so long; if one did, its end would be lost.
                None => lost = true,
            }
        }
        Ok(if lost { Received::Overrun } else { Received::Copies(copies) })
    }
}

impl fmt::Debug for NflogSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NflogSocket").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// For a caller with a poll loop of its own.
impl AsFd for NflogSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn bind(socket: &mut Socket, group: u16) -> io::Result<()> {
    let sequence = socket.next_sequence();
    let mut request = Builder::new();
    let header = netfilter_header(0, group);
    // One message, so that no packet meets a group that is bound but not set up.
    request.message(CONFIG, REQUEST | ACK, sequence, &header, |b| {
        b.attribute(CFG_COMMAND, &[COMMAND_BIND])?;
        b.attribute(CFG_MODE, &MODE)?;
        b.be32(CFG_TIMEOUT, TIMEOUT)?;
        b.be32(CFG_THRESHOLD, THRESHOLD)
    })?;
    socket.request(request.bytes(), sequence, |_| ())
}

/// Whether this socket may configure netfilter at all: asks for something the log never grants
/// (`NFULNL_MSG_PACKET` goes one way only), which it refuses with another error than `EPERM` to
/// those who may ask.
fn is_permitted(socket: &mut Socket) -> io::Result<bool> {
    let sequence = socket.next_sequence();
    let mut request = Builder::new();
    let header = netfilter_header(0, 0);
    request.message(PACKET, REQUEST | ACK, sequence, &header, |_| Ok(()))?;
    let answer = socket.request(request.bytes(), sequence, |_| ());
    Ok(answer.err().and_then(|error| error.raw_os_error()) != Some(libc::EPERM))
}

fn hand_out(datagram: &[u8], each: &mut dyn FnMut(Copy<'_>)) -> usize {
    let mut copies = 0;
    for message in Messages::new(datagram).filter(|message| message.kind == PACKET) {
        each(Copy::read(message));
        copies += 1;
    }
    copies
}
