//! The sockets of this network namespace (sock_diag(7)): which ports are served, whether a TCP
//! connection exists, and ending connections.
//!
//! Each call opens a socket of its own in the network namespace of the calling thread.
//!
//! What it does not do: say whose a socket is, watch for changes, or see what only the kernel's
//! connection tracking knows.

mod wire;

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::netlink::{ACK, Builder, DUMP, REQUEST, Socket};
use wire::{Entry, Prefix};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A port that something on this host serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// The IP protocol: 6 for TCP, 17 for UDP.
    pub protocol: u8,
    /// The port.
    pub port: u16,
    /// What it is bound to; `None` for all addresses.
    pub address: Option<IpAddr>,
}

/// The ports with a TCP socket that listens or a UDP socket that is bound and not connected, of
/// both families. Sorted, each once per address. No privilege needed.
///
/// A socket opened or closed while the list is written may be missing from it or still be in it.
///
/// # Errors
/// `ENOENT`: the kernel cannot list sockets of TCP or UDP (`CONFIG_INET_DIAG`,
/// `CONFIG_INET_UDP_DIAG`, or their modules may not be loaded).
pub fn listeners() -> io::Result<Vec<Listener>> {
    let mut socket = Socket::open(libc::NETLINK_SOCK_DIAG)?;
    let mut found = Vec::new();
    for (protocol, states) in [(TCP, 1 << wire::LISTEN), (UDP, 1 << wire::CLOSE)] {
        for family in [wire::FAMILY4, wire::FAMILY6] {
            let header = wire::list_request(family, protocol, states);
            list(&mut socket, &header, None, |entry| {
                if entry.local.port() != 0 && entry.peer.port() == 0 {
                    let address = Some(entry.local.ip().to_canonical());
                    let address = address.filter(|address| !address.is_unspecified());
                    found.push(Listener { protocol, port: entry.local.port(), address });
                }
            })?;
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Whether a TCP socket other than a listener exists for exactly this pair of addresses and
/// ports, in any state: half open (unless it is a SYN cookie, of which the kernel keeps nothing),
/// `TIME_WAIT`, those of a dual-stack listener too. One look-up, no list. No privilege needed.
///
/// Sockets bound to an interface are found by [`has_connection_on`] only; for IPv6 the scope of
/// `peer` counts as the interface. Addresses of different families have no connection.
///
/// # Errors
/// `ENOENT` is none: it means `false`. So a kernel without `CONFIG_INET_DIAG` has no connections;
/// [`listeners`] tells.
pub fn has_connection(local: SocketAddr, peer: SocketAddr) -> io::Result<bool> {
    let scope = if let SocketAddr::V6(peer) = peer { peer.scope_id() } else { 0 };
    has_connection_on(scope, local, peer)
}

/// [`has_connection`] for a packet that came in by this interface: sockets bound to it count, as
/// do those bound to none.
///
/// # Errors
/// Those of [`has_connection`].
pub fn has_connection_on(interface: u32, local: SocketAddr, peer: SocketAddr) -> io::Result<bool> {
    let local = SocketAddr::new(local.ip().to_canonical(), local.port());
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    if local.is_ipv4() != peer.is_ipv4() {
        return Ok(false);
    }
    let mut socket = Socket::open(libc::NETLINK_SOCK_DIAG)?;
    let header = wire::look_up_request(TCP, interface, local, peer);
    let sequence = socket.next_sequence();
    let mut request = Builder::new();
    request.message(wire::BY_FAMILY, REQUEST | ACK, sequence, &header, |_| Ok(()))?;
    let mut found = false;
    let answer = socket.request(request.bytes(), sequence, |message| {
        // Where there is no connection the kernel goes on to look for a listener. The addresses
        // are compared for the same reason: a listener has no peer.
        found |= Entry::read(message).is_some_and(|entry| {
            entry.state != wire::LISTEN && entry.peer == peer && entry.local == local
        });
    });
    match answer {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
        Ok(()) => Ok(found),
    }
}

/// Ends every TCP socket, listeners excepted, whose peer is in the prefix (an address and the
/// length of the prefix in bits): the peer gets a reset where the state allows one, and the
/// program that owns the socket `ECONNABORTED`. Returns how many were ended. Those that end by
/// themselves meanwhile are not counted.
///
/// An IPv4 prefix covers IPv4 peers of dual-stack sockets; an IPv6 prefix never covers IPv4 peers,
/// unless it is within `::ffff:0:0/96`, which is the same as the IPv4 prefix. A prefix of no bits
/// covers nothing: nobody means the whole world.
///
/// The kernel looks through its whole table of connections, once or twice: a millisecond where
/// the table is small, more on hosts with much memory.
///
/// # Errors
/// Both only where there is something to end; what was ended before stays so.
/// - `EPERM`: no `CAP_NET_ADMIN` in the user namespace that owns the network namespace;
/// - `EOPNOTSUPP`: the kernel cannot end sockets (`CONFIG_INET_DIAG_DESTROY`).
///
/// And `EINVAL` where the prefix is longer than its address.
pub fn destroy((addr, length): (IpAddr, u8)) -> io::Result<usize> {
    let prefix =
        Prefix::new(addr, length).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    if prefix.is_everything() {
        return Ok(0);
    }
    let mut socket = Socket::open(libc::NETLINK_SOCK_DIAG)?;
    let families: &[u8] =
        if prefix.is_ipv4() { &[wire::FAMILY4, wire::FAMILY6] } else { &[wire::FAMILY6] };
    let mut ended = 0;
    for family in families {
        let header = wire::list_request(*family, TCP, !(1 << wire::LISTEN));
        let mut entries = Vec::new();
        list(&mut socket, &header, Some(&prefix.filter()), |entry| {
            // The kernel's filter lets IPv4 peers of dual-stack sockets through for `::/64`.
            if entry.state != wire::LISTEN && prefix.contains(entry.peer.ip()) {
                entries.push(entry);
            }
        })?;
        for entry in entries {
            ended += usize::from(end(&mut socket, &entry)?);
        }
    }
    Ok(ended)
}

/// Lists sockets, those that pass a filter of the kernel's if there is one.
fn list(
    socket: &mut Socket,
    header: &[u8],
    filter: Option<&[u8]>,
    mut each: impl FnMut(Entry),
) -> io::Result<()> {
    let sequence = socket.next_sequence();
    let mut request = Builder::new();
    request.message(wire::BY_FAMILY, REQUEST | DUMP, sequence, header, |b| {
        filter.map_or(Ok(()), |filter| b.attribute(wire::REQUEST_BYTECODE, filter))
    })?;
    let end = socket.dump(request.bytes(), sequence, |message| {
        if let Some(entry) = Entry::read(message) {
            each(entry);
        }
    });
    end.map(|_| ()) // the kernel never says of these lists that they were disturbed
}

/// Ends one socket. `false` when it is gone already.
fn end(socket: &mut Socket, entry: &Entry) -> io::Result<bool> {
    let sequence = socket.next_sequence();
    let header = wire::destroy_request(TCP, entry);
    let mut request = Builder::new();
    request.message(wire::DESTROY, REQUEST | ACK, sequence, &header, |_| Ok(()))?;
    match socket.request(request.bytes(), sequence, |_| ()) {
        Ok(()) => Ok(true),
        // ESTALE: its place was taken by another socket, whose cookie is a different one.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESTALE)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
