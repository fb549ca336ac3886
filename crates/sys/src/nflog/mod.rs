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
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

pub use copy::Copy;

use crate::netlink::{ACK, Builder, Messages, REQUEST, Socket, netfilter_header, netfilter_type};
use crate::socket::{self, Wait};

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

/// Bytes (the kernel doubles the figure for its bookkeeping): some 10,000 copies of small packets
/// wait here while the reader is busy.
const RECEIVE_BUFFER: i32 = 4 << 20;

/// One call of [`NflogSocket::recv`] waits this long at most.
const IDLE: Duration = Duration::from_millis(250);

/// One call of [`NflogSocket::recv`] reads this many datagrams at most, so that a flood cannot
/// keep the caller from its other duties.
const DATAGRAMS: usize = 64;

/// The largest copy (64 KiB of payload, its attributes), and the largest gathering of copies.
const DATAGRAM_BYTES: usize = 256 * 1024;

/// What one call of [`NflogSocket::recv`] met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// This many copies were handed out.
    Copies(usize),
    /// Nothing came for a quarter of a second (or a signal did).
    Idle,
    /// The receive buffer was full and copies were lost: some time before the next one that is
    /// read. Copies may have been handed out in the same call.
    Overrun,
}

/// A socket bound to one NFLOG group.
///
/// Dropping it gives the group back.
pub struct NflogSocket {
    socket: Socket,
    datagram: Vec<u8>,
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
            Ok(()) => Ok(Self { socket, datagram: vec![0; DATAGRAM_BYTES] }),
        }
    }

    /// Hands the copies that have come to `each`: waits for the first up to 250 ms, then takes
    /// what is there, up to 64 datagrams, without waiting.
    ///
    /// # Errors
    /// Those of recv(2) and poll(2), none of which is expected.
    pub fn recv(&mut self, each: &mut dyn FnMut(Copy<'_>)) -> io::Result<Received> {
        let mut copies = 0;
        let mut waited = false;
        let mut datagrams = 0;
        while datagrams < DATAGRAMS {
            match socket::receive(self.socket.as_fd(), &mut self.datagram, Wait::No) {
                Ok(length) => {
                    datagrams += 1;
                    copies += hand_out(self.datagram.get(..length).unwrap_or_default(), each);
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    return Ok(Received::Overrun);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if datagrams > 0 {
                        break;
                    }
                    if waited || !socket::readable_within(self.socket.as_fd(), IDLE)? {
                        return Ok(Received::Idle);
                    }
                    waited = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Received::Copies(copies))
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
