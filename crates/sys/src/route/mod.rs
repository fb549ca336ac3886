//! What this host's routing says: its addresses, its gateways, the prefixes on its links, and the
//! route to one peer (rtnetlink(7)). No privilege needed.
//!
//! What it does not do: change anything, watch for changes, or resolve next-hop objects where the
//! administrator switched their expansion off (`net.ipv4.nexthop_compat_mode=0`; on by default).

mod metrics;
mod read;

use std::io;
use std::net::{IpAddr, Ipv6Addr};

pub use metrics::{Metrics, Routes};
pub use read::InterfaceAddress;

use crate::netlink::{Builder, DUMP, Dump, Message, REQUEST, Socket};

/// How often a list is read again because it changed meanwhile.
const ATTEMPTS: usize = 8;

/// The addresses of all interfaces, of both families, duplicates included.
pub fn addresses() -> io::Result<Vec<InterfaceAddress>> {
    list(libc::RTM_GETADDR, read::IFADDRMSG, read::address)
}

/// The gateways of all default routes, in every routing table and of both families: single next
/// hops, multipath next hops, and IPv6 gateways of IPv4 routes. Sorted, each once.
///
/// A default route without a gateway (point-to-point links) contributes nothing.
pub fn default_gateways() -> io::Result<Vec<IpAddr>> {
    let mut gateways = list(libc::RTM_GETROUTE, read::RTMSG, read::default_gateways)?;
    gateways.sort_unstable();
    gateways.dedup();
    Ok(gateways)
}

/// The IPv6 prefixes that are reached without a gateway, as network address and length: unicast
/// routes of every table, save default routes and single addresses. Sorted, each once.
pub fn on_link_prefixes6() -> io::Result<Vec<(Ipv6Addr, u8)>> {
    let mut prefixes = list(libc::RTM_GETROUTE, read::RTMSG, read::on_link_prefix6)?;
    prefixes.sort_unstable();
    prefixes.dedup();
    Ok(prefixes)
}

/// Asks for everything of one kind, of all families, until one reading was not disturbed.
fn list<T>(
    kind: u16,
    header_length: usize,
    read: fn(Message<'_>, &mut Vec<T>),
) -> io::Result<Vec<T>> {
    let mut socket = Socket::open(libc::NETLINK_ROUTE)?;
    let mut request = Builder::new();
    let header = vec![0; header_length]; // AF_UNSPEC, and nothing else to filter by
    for _ in 0..ATTEMPTS {
        let sequence = socket.next_sequence();
        request.clear();
        request.message(kind, REQUEST | DUMP, sequence, &header, |_| Ok(()))?;
        let mut items = Vec::new();
        match socket.dump(request.bytes(), sequence, |message| read(message, &mut items))? {
            Dump::Consistent => return Ok(items),
            Dump::Interrupted => {}
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "routing kept changing while it was read"))
}
