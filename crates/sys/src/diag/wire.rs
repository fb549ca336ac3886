//! Requests and answers of sock_diag(7) as bytes (linux/inet_diag.h).
//!
//! What it does not do: send or receive them. An answer that does not parse is none.

use std::net::{IpAddr, SocketAddr};

use crate::netlink::Message;

/// `SOCK_DIAG_BY_FAMILY` and `SOCK_DESTROY` (linux/sock_diag.h).
pub(super) const BY_FAMILY: u16 = 20;
pub(super) const DESTROY: u16 = 21;
/// `INET_DIAG_REQ_BYTECODE`.
pub(super) const REQUEST_BYTECODE: u16 = 1;

pub(super) const FAMILY4: u8 = 2; // AF_INET
pub(super) const FAMILY6: u8 = 10; // AF_INET6

/// `TCP_LISTEN`, and `TCP_CLOSE`, in which UDP sockets are that are not connected.
pub(super) const LISTEN: u8 = 10;
pub(super) const CLOSE: u8 = 7;

/// `struct inet_diag_sockid`: two ports, two addresses of 16 bytes, interface, cookie (8 bytes).
const ID: usize = 48;
/// `struct inet_diag_req_v2`: family, protocol, two unused bytes, states (4 bytes), an id.
const REQUEST: usize = 8 + ID;
/// `INET_DIAG_NOCOOKIE`, twice: whichever socket it is.
const ANY_COOKIE: [u8; 8] = [0xff; 8];

/// `INET_DIAG_BC_D_COND`: compares the peer with a `struct inet_diag_hostcond`.
const PEER_CONDITION: u8 = 8;
/// `struct inet_diag_bc_op`, and a `struct inet_diag_hostcond` without its address.
const OPERATION: u8 = 4;
const CONDITION: u8 = 8;
const ANY_PORT: i32 = -1;

/// One socket of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    family: u8,
    pub(super) state: u8,
    /// IPv4 for the IPv4 side of a dual-stack socket.
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
    /// `struct inet_diag_sockid` as it came: what ends exactly this socket.
    id: [u8; ID],
}

impl Entry {
    /// Reads a `struct inet_diag_msg`: family, state, timer, retransmissions, an id, counters.
    pub(super) fn read(message: Message<'_>) -> Option<Self> {
        if message.kind != BY_FAMILY {
            return None;
        }
        let [family, state, ..] = *message.payload.first_chunk::<4>()?;
        let id = *message.payload.get(4..)?.first_chunk::<ID>()?;
        let socket = |port: usize, addr: usize| {
            let port = u16::from_be_bytes(*id.get(port..)?.first_chunk()?);
            let addr = id.get(addr..)?;
            let addr = match family {
                FAMILY4 => IpAddr::from(*addr.first_chunk::<4>()?),
                FAMILY6 => IpAddr::from(*addr.first_chunk::<16>()?).to_canonical(),
                _ => return None,
            };
            Some(SocketAddr::new(addr, port))
        };
        Some(Self { family, state, local: socket(0, 4)?, peer: socket(2, 20)?, id })
    }
}

/// Asks for all sockets in these states, one bit each.
pub(super) fn list_request(family: u8, protocol: u8, states: u32) -> Vec<u8> {
    request(family, protocol, states, &[0; ID])
}

/// Asks for one socket. Both addresses are of the same family.
pub(super) fn look_up_request(
    protocol: u8,
    interface: u32,
    local: SocketAddr,
    peer: SocketAddr,
) -> Vec<u8> {
    let mut id = Vec::with_capacity(ID);
    id.extend_from_slice(&local.port().to_be_bytes());
    id.extend_from_slice(&peer.port().to_be_bytes());
    for address in [local, peer] {
        match address.ip() {
            IpAddr::V4(addr) => {
                id.extend_from_slice(&addr.octets());
                id.extend_from_slice(&[0; 12]);
            }
            IpAddr::V6(addr) => id.extend_from_slice(&addr.octets()),
        }
    }
    id.extend_from_slice(&interface.to_ne_bytes());
    id.extend_from_slice(&ANY_COOKIE);
    request(if local.is_ipv4() { FAMILY4 } else { FAMILY6 }, protocol, u32::MAX, &id)
}

/// Asks to end one socket of a list.
pub(super) fn destroy_request(protocol: u8, entry: &Entry) -> Vec<u8> {
    request(entry.family, protocol, u32::MAX, &entry.id)
}

fn request(family: u8, protocol: u8, states: u32, id: &[u8]) -> Vec<u8> {
    let mut request = Vec::with_capacity(REQUEST);
    request.extend_from_slice(&[family, protocol, 0, 0]);
    request.extend_from_slice(&states.to_ne_bytes());
    request.extend_from_slice(id);
    request
}

/// The first bits of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    addr: IpAddr,
    length: u8,
}

impl Prefix {
    /// `None` when it is longer than its address. Within `::ffff:0:0/96` it becomes IPv4.
    pub(super) fn new(addr: IpAddr, length: u8) -> Option<Self> {
        let mapped = match addr {
            IpAddr::V6(addr) if (96..=128).contains(&length) => addr.to_ipv4_mapped(),
            _ => None,
        };
        if let Some(addr) = mapped {
            return Some(Self { addr: addr.into(), length: length - 96 });
        }
        let longest = if addr.is_ipv4() { 32 } else { 128 };
        (length <= longest).then_some(Self { addr, length })
    }

    pub(super) fn is_ipv4(&self) -> bool {
        self.addr.is_ipv4()
    }

    /// A prefix of no bits.
    pub(super) fn is_everything(&self) -> bool {
        self.length == 0
    }

    /// Whether the address is of the same family and begins with these bits. An IPv4 address in
    /// IPv6 form is of neither: give it as IPv4.
    pub(super) fn contains(&self, addr: IpAddr) -> bool {
        let differing = match (self.addr, addr) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) if b.to_ipv4_mapped().is_none() => {
                (a.to_bits() ^ b.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        differing >= u32::from(self.length)
    }

    /// The kernel's filter for peers in the prefix: one operation. For IPv4 it finds the peers of
    /// dual-stack sockets too (`inet_diag_bc_run()` in net/ipv4/inet_diag.c).
    pub(super) fn filter(&self) -> Vec<u8> {
        let (family, addr) = match self.addr {
            IpAddr::V4(addr) => (FAMILY4, addr.octets().to_vec()),
            IpAddr::V6(addr) => (FAMILY6, addr.octets().to_vec()),
        };
        let length = OPERATION + CONDITION + if self.is_ipv4() { 4 } else { 16 };
        let mut filter = vec![PEER_CONDITION, length]; // on "yes" go to the end: accepted
        filter.extend_from_slice(&u16::from(length + 4).to_ne_bytes()); // on "no" beyond it
        filter.extend_from_slice(&[family, self.length, 0, 0]);
        filter.extend_from_slice(&ANY_PORT.to_ne_bytes());
        filter.extend_from_slice(&addr);
        filter
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::mutilate::every_mutilation;
    use crate::netlink::{Builder, Messages};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn socket(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// The answer for a socket that a request names.
    fn answer(state: u8, request: &[u8]) -> Vec<u8> {
        let message = [&[request[0], state, 0, 0], &request[8..], &[0; 20]].concat();
        let mut builder = Builder::new();
        builder.message(BY_FAMILY, 2, 1, &message, |_| Ok(())).unwrap();
        builder.bytes().to_vec()
    }

    fn read(bytes: &[u8]) -> Option<Entry> {
        Messages::new(bytes).find_map(Entry::read)
    }

    #[test]
    fn what_a_request_names_is_read_from_its_answer() {
        for (local, peer) in
            [("192.0.2.1:22", "198.51.100.7:40000"), ("[2001:db8::1]:22", "[2001:db8:7::7]:40000")]
        {
            let request = look_up_request(6, 3, socket(local), socket(peer));
            assert_eq!(request.len(), REQUEST);
            let entry = read(&answer(1, &request)).unwrap();
            assert_eq!((entry.local, entry.peer, entry.state), (socket(local), socket(peer), 1));
            assert_eq!(destroy_request(6, &entry), request);
        }
    }

    #[test]
    fn the_ipv4_side_of_a_dual_stack_socket_reads_as_ipv4() {
        let request = look_up_request(
            6,
            0,
            socket("[::ffff:192.0.2.1]:22"),
            socket("[::ffff:198.51.100.7]:9"),
        );
        let entry = read(&answer(1, &request)).unwrap();
        assert_eq!(entry.family, FAMILY6);
        assert_eq!(entry.peer, socket("198.51.100.7:9"));
    }

    #[test]
    fn prefixes_contain_their_own_family_only() {
        let prefix = |addr, length| Prefix::new(ip(addr), length).unwrap();
        assert!(prefix("192.0.2.0", 24).contains(ip("192.0.2.255")));
        assert!(!prefix("192.0.2.0", 24).contains(ip("192.0.3.0")));
        assert!(!prefix("192.0.2.0", 24).contains(ip("::c000:200")));
        assert!(prefix("192.0.2.1", 32).contains(ip("192.0.2.1")));
        assert!(!prefix("192.0.2.1", 32).contains(ip("192.0.2.0")));
        assert!(prefix("2001:db8::", 64).contains(ip("2001:db8::ffff:0:0:1")));
        assert!(!prefix("2001:db8::", 64).contains(ip("2001:db8:0:1::")));
        assert!(!prefix("::", 64).contains(ip("192.0.2.1")));
        assert!(!prefix("::", 64).contains(ip("::ffff:192.0.2.1")));
        assert_eq!(prefix("::ffff:192.0.2.0", 120), prefix("192.0.2.0", 24));
        assert!(prefix("::ffff:0:0", 96).is_everything());
        assert!(prefix("::", 0).is_everything() && prefix("0.0.0.0", 0).is_everything());
        assert_eq!(Prefix::new(ip("192.0.2.0"), 33), None);
        assert_eq!(Prefix::new(ip("2001:db8::"), 129), None);
        assert_eq!(Prefix::new(ip("::ffff:192.0.2.0"), 129), None);
    }

    #[test]
    fn the_filter_is_one_condition_on_the_peer() {
        let filter = Prefix::new(ip("192.0.2.0"), 24).unwrap().filter();
        let no = 20u16.to_ne_bytes();
        assert_eq!(filter, [8, 16, no[0], no[1], 2, 24, 0, 0, 255, 255, 255, 255, 192, 0, 2, 0]);
        assert_eq!(Prefix::new(ip("2001:db8::"), 64).unwrap().filter().len(), 28);
    }

    #[test]
    fn no_mutilation_panics() {
        let request = look_up_request(6, 0, socket("[2001:db8::1]:22"), socket("[::1]:9"));
        every_mutilation(&answer(1, &request), |bytes| {
            read(bytes);
        });
    }
}
