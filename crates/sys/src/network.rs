//! Network-layer packets sent as they are out of a chosen interface (packet(7)), many per system
//! call. The kernel writes the link header that the interface wants (Ethernet, VLAN, bridge; none
//! on tun), so that a caller knows the neighbour's address and nothing else of the link.
//!
//! What it does not do: route, look neighbours up, fragment, complete checksums, or receive.
//! Netfilter, connection tracking and the queueing discipline see nothing of these packets.

use std::io;
use std::iter::zip;
use std::mem::offset_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use libc::{c_int, iovec, mmsghdr, sockaddr_ll};

use crate::socket::{self, Buffer};

/// Packets per system call: beyond this the call's own cost is lost in that of the packets.
const CHUNK: usize = 64;

/// Bytes of packets that may be on their way (the kernel doubles the figure).
const SEND_BUFFER: c_int = 4 << 20;

/// The longest address a `struct sockaddr_ll` has room for.
const LONGEST_ADDRESS: usize = 8;

/// One packet and where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// The index of the interface it leaves by.
    pub interface: u32,
    /// The neighbour's link-layer address: six bytes on Ethernet, at most eight, empty where the
    /// link has none. What is shorter than the link's addresses is filled up with zeros.
    pub link_address: &'a [u8],
    /// The packet from its IP header on, checksums included.
    pub packet: &'a [u8],
}

/// A socket that sends on every interface of one network namespace.
#[derive(Debug)]
pub struct NetworkSender {
    fd: OwnedFd,
}

impl NetworkSender {
    /// Opens a sender in the network namespace of the calling thread. It receives nothing, and
    /// its packets go past the queueing discipline (`PACKET_QDISC_BYPASS`): where an interface is
    /// slower than we are, packets are lost rather than delayed.
    ///
    /// # Errors
    /// `EPERM`: no `CAP_NET_RAW` in the user namespace that owns the network namespace.
    pub fn open() -> io::Result<Self> {
        // Protocol 0: not even a copy of what the interfaces receive.
        let fd = socket::open(libc::AF_PACKET, libc::SOCK_DGRAM, 0)?;
        socket::set_int(fd.as_fd(), libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, 1)?;
        socket::grow(fd.as_fd(), Buffer::Send, SEND_BUFFER)?;
        Ok(Self { fd })
    }

    /// Takes over a sender that another process has opened and handed to us.
    #[must_use]
    pub fn inherited(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Sends packets in their order, never waits, and returns how many the kernel took.
    ///
    /// A packet that cannot be sent is left out and those after it are still sent: its interface
    /// is gone (`ENXIO`) or down (`ENETDOWN`), it is longer than the interface carries
    /// (`EMSGSIZE`), the interface's queue or the send buffer is full (`ENOBUFS`, `EAGAIN`), its
    /// link address is longer than eight bytes (`EINVAL` where the link's own are), or it is
    /// neither IPv4 nor IPv6.
    pub fn send(&self, packets: &[Outgoing<'_>]) -> usize {
        let mut rest = packets.iter().filter_map(|out| Some((address(out)?, out.packet)));
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut sent = 0;
        loop {
            chunk.clear();
            chunk.extend(rest.by_ref().take(CHUNK));
            if chunk.is_empty() {
                return sent;
            }
            sent += send_chunk(self.fd.as_fd(), &chunk);
        }
    }
}

/// Sends up to [`CHUNK`] packets and returns how many were taken.
fn send_chunk(fd: BorrowedFd<'_>, packets: &[(sockaddr_ll, &[u8])]) -> usize {
    // SAFETY: `iovec` and `mmsghdr` are integers and pointers, for which all bits zero is a value
    // (no address, no data, no control messages).
    let (mut parts, mut headers): ([iovec; CHUNK], [mmsghdr; CHUNK]) =
        unsafe { std::mem::zeroed() };
    for ((address, packet), (part, header)) in zip(packets, zip(&mut parts, &mut headers)) {
        part.iov_base = packet.as_ptr().cast_mut().cast();
        part.iov_len = packet.len();
        header.msg_hdr.msg_name = ptr::from_ref(address).cast_mut().cast();
        header.msg_hdr.msg_namelen = socket::length_of::<sockaddr_ll>();
        header.msg_hdr.msg_iov = ptr::from_mut(part);
        header.msg_hdr.msg_iovlen = 1;
    }
    let count = packets.len().min(CHUNK);
    let (mut at, mut sent) = (0, 0);
    while let Some(rest) = headers.get_mut(at..count).filter(|rest| !rest.is_empty()) {
        let length = rest.len().try_into().unwrap_or(0);
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let result = socket::counted(|| {
            // SAFETY: the pointer and the length are those of a live slice of headers. Each was
            // given a live address, one live part and through it a live packet above, all of
            // which the kernel only reads; `parts` is not moved or touched in between.
            let taken = unsafe { libc::sendmmsg(fd.as_raw_fd(), rest.as_mut_ptr(), length, flags) };
            isize::try_from(taken).unwrap_or(-1)
        });
        match result {
            Ok(taken) if taken > 0 => {
                at += taken;
                sent += taken;
            }
            // The error is that of the first message: later ones end the count before them.
            _ => at += 1,
        }
    }
    sent
}

/// Where a packet goes, unless it is no IP packet or its link address is too long.
impl AsFd for NetworkSender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn address(out: &Outgoing<'_>) -> Option<sockaddr_ll> {
    let protocol = match out.packet.first()? >> 4 {
        4 => libc::ETH_P_IP,
        6 => libc::ETH_P_IPV6,
        _ => return None,
    };
    // SAFETY: `sockaddr_ll` is plain integers, for which all bits zero is a value.
    let mut address: sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET.try_into().ok()?;
    address.sll_protocol = u16::try_from(protocol).ok()?.to_be();
    address.sll_ifindex = out.interface.try_into().ok()?;
    address.sll_halen = out.link_address.len().try_into().ok()?;
    address.sll_addr.get_mut(..out.link_address.len())?.copy_from_slice(out.link_address);
    Some(address)
}

/// The kernel copies link addresses from where this says to the end.
const _: () =
    assert!(size_of::<sockaddr_ll>() - offset_of!(sockaddr_ll, sll_addr) == LONGEST_ADDRESS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_nibble_says_the_protocol() {
        let of = |first| {
            let packet = [first, 0];
            address(&Outgoing { interface: 7, link_address: &[1, 2, 3, 4, 5, 6], packet: &packet })
        };
        assert_eq!(of(0x45).unwrap().sll_protocol, 0x0800u16.to_be());
        assert_eq!(of(0x60).unwrap().sll_protocol, 0x86ddu16.to_be());
        let four = of(0x4f).unwrap();
        assert_eq!((four.sll_ifindex, four.sll_halen), (7, 6));
        assert_eq!(four.sll_addr, [1, 2, 3, 4, 5, 6, 0, 0]);
        assert!(of(0x50).is_none() && of(0x00).is_none());
    }

    #[test]
    fn what_has_no_place_in_an_address_is_left_out() {
        let out = |interface, link_address, packet| {
            address(&Outgoing { interface, link_address, packet }).is_some()
        };
        assert!(out(1, &[0; LONGEST_ADDRESS], &[0x45]));
        assert!(!out(1, &[0; LONGEST_ADDRESS + 1], &[0x45]));
        assert!(!out(1, &[0; 300], &[0x45]));
        assert!(!out(u32::MAX, &[], &[0x45]));
        assert!(!out(1, &[], &[]));
    }
}
