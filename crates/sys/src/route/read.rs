//! Reading the entries of rtnetlink's lists.
//!
//! An entry that does not parse contributes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::netlink::{Attribute, Attributes, Message};

/// The length of `struct ifaddrmsg`: family, prefix length, flags, scope, interface (4 bytes).
pub(super) const IFADDRMSG: usize = 8;
/// The length of `struct rtmsg`: family, lengths of destination and source, TOS, table, protocol,
/// scope, type, flags (4 bytes).
pub(super) const RTMSG: usize = 12;
/// The length of `struct rtnexthop`: length (2 bytes, with attributes), flags, hops, interface.
const RTNEXTHOP: usize = 8;

// linux/if_addr.h and linux/rtnetlink.h.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_GATEWAY: u16 = 5;
const RTA_MULTIPATH: u16 = 9;
const RTA_VIA: u16 = 18;

const FAMILY4: u8 = 2; // AF_INET
const FAMILY6: u8 = 10; // AF_INET6

/// An address of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The index of its interface.
    pub interface: u32,
    /// The address itself, never the peer's on point-to-point links.
    pub addr: IpAddr,
    /// The length of its prefix in bits. On point-to-point links it belongs to the peer's address.
    pub prefix_len: u8,
}

/// A route, as far as it matters here.
struct Route<'a> {
    family: u8,
    destination_length: u8,
    attributes: Attributes<'a>,
}

pub(super) fn address(message: Message<'_>, into: &mut Vec<InterfaceAddress>) {
    if message.kind != libc::RTM_NEWADDR {
        return;
    }
    let Some([family, prefix_len, _, _, a, b, c, d]) = message.payload.first_chunk() else {
        return;
    };
    let attributes = message.attributes(IFADDRMSG);
    // Where both are there, IFA_ADDRESS is the peer (in IPv6 too: net/ipv6/addrconf.c).
    let Some(attribute) = attributes.clone().get(IFA_LOCAL).or_else(|| attributes.get(IFA_ADDRESS))
    else {
        return;
    };
    if let Some(addr) = ip(*family, attribute.value) {
        let interface = u32::from_ne_bytes([*a, *b, *c, *d]);
        into.push(InterfaceAddress { interface, addr, prefix_len: *prefix_len });
    }
}

pub(super) fn default_gateways(message: Message<'_>, into: &mut Vec<IpAddr>) {
    if let Some(route) = unicast_route(message).filter(|route| route.destination_length == 0) {
        next_hops(route.family, route.attributes, |gateway| into.extend(gateway));
    }
}

pub(super) fn on_link_prefix6(message: Message<'_>, into: &mut Vec<(Ipv6Addr, u8)>) {
    let Some(route) = unicast_route(message) else { return };
    if route.family != FAMILY6 || !(1..128).contains(&route.destination_length) {
        return;
    }
    let mut on_link = false;
    next_hops(FAMILY6, route.attributes.clone(), |gateway| on_link |= gateway.is_none());
    let destination = route.attributes.get(RTA_DST).and_then(|a| ip(FAMILY6, a.value));
    if let (true, Some(IpAddr::V6(destination))) = (on_link, destination) {
        into.push((destination, route.destination_length));
    }
}

fn unicast_route(message: Message<'_>) -> Option<Route<'_>> {
    let [family, destination_length, _, _, _, _, _, kind, a, b, c, d] =
        *message.payload.first_chunk::<RTMSG>()?;
    let cloned = u32::from_ne_bytes([a, b, c, d]) & libc::RTM_F_CLONED != 0;
    let known = family == FAMILY4 || family == FAMILY6; // not MPLS, not multicast forwarding
    (message.kind == libc::RTM_NEWROUTE && kind == libc::RTN_UNICAST && known && !cloned)
        .then(|| Route { family, destination_length, attributes: message.attributes(RTMSG) })
}

/// An address's family and bytes.
pub(super) fn octets(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(address) => (FAMILY4, address.octets().to_vec()),
        IpAddr::V6(address) => (FAMILY6, address.octets().to_vec()),
    }
}

/// Calls `each` with the gateway of every next hop, `None` for one on the link itself.
fn next_hops(family: u8, attributes: Attributes<'_>, mut each: impl FnMut(Option<IpAddr>)) {
    let Some(multipath) = attributes.clone().get(RTA_MULTIPATH) else {
        return each(gateway(family, attributes));
    };
    let mut rest = multipath.value;
    while let Some(length) = rest.first_chunk().map(|bytes| usize::from(u16::from_ne_bytes(*bytes)))
    {
        let Some(hop) = rest.get(RTNEXTHOP..length) else { return };
        each(gateway(family, Attributes::new(hop)));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

fn gateway(family: u8, attributes: Attributes<'_>) -> Option<IpAddr> {
    attributes.into_iter().find_map(|attribute| match attribute.kind {
        RTA_GATEWAY => ip(family, attribute.value),
        RTA_VIA => via(attribute),
        _ => None,
    })
}

/// `struct rtvia`: a family of its own, then the address.
fn via(attribute: Attribute<'_>) -> Option<IpAddr> {
    let family = attribute.value.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))?;
    ip(u8::try_from(family).ok()?, attribute.value.get(2..)?)
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        FAMILY4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        FAMILY6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::mutilate::every_mutilation;
    use crate::netlink::{Builder, Messages};

    const UNICAST: u8 = 1;
    const UNREACHABLE: u8 = 7;

    fn route(family: u8, length: u8, kind: u8, body: impl FnOnce(&mut Builder)) -> Vec<u8> {
        let mut builder = Builder::new();
        let header = [family, length, 0, 0, 254, 3, 0, kind, 0, 0, 0, 0];
        builder
            .message(libc::RTM_NEWROUTE, 2, 1, &header, |b| {
                body(b);
                Ok(())
            })
            .unwrap();
        builder.bytes().to_vec()
    }

    fn hop(attribute: u16, value: &[u8]) -> Vec<u8> {
        let mut inner = Builder::new();
        inner.attribute(attribute, value).unwrap();
        let length = u16::try_from(RTNEXTHOP + inner.bytes().len()).unwrap();
        [&length.to_ne_bytes(), &[0, 0][..], &[3, 0, 0, 0], inner.bytes()].concat()
    }

    fn gateways(bytes: &[u8]) -> Vec<IpAddr> {
        let mut found = Vec::new();
        Messages::new(bytes).for_each(|message| default_gateways(message, &mut found));
        found
    }

    fn prefixes(bytes: &[u8]) -> Vec<(Ipv6Addr, u8)> {
        let mut found = Vec::new();
        Messages::new(bytes).for_each(|message| on_link_prefix6(message, &mut found));
        found
    }

    fn multipath() -> Vec<u8> {
        let six = Ipv6Addr::LOCALHOST.octets();
        let via = [&10u16.to_ne_bytes(), &six[..]].concat();
        let hops = [hop(RTA_GATEWAY, &[192, 0, 2, 1]), hop(RTA_VIA, &via)].concat();
        route(FAMILY4, 0, UNICAST, |b| b.attribute(RTA_MULTIPATH, &hops).unwrap())
    }

    #[test]
    fn gateways_of_single_and_multiple_next_hops() {
        let single =
            route(FAMILY4, 0, UNICAST, |b| b.attribute(RTA_GATEWAY, &[192, 0, 2, 7]).unwrap());
        assert_eq!(gateways(&single), [IpAddr::from([192, 0, 2, 7])]);
        assert_eq!(
            gateways(&multipath()),
            [IpAddr::from([192, 0, 2, 1]), Ipv6Addr::LOCALHOST.into()]
        );
    }

    #[test]
    fn only_unicast_default_routes_have_default_gateways() {
        let with = |length, kind| {
            route(FAMILY4, length, kind, |b| b.attribute(RTA_GATEWAY, &[192, 0, 2, 7]).unwrap())
        };
        assert!(gateways(&with(1, UNICAST)).is_empty());
        assert!(gateways(&with(0, UNREACHABLE)).is_empty());
        assert!(gateways(&route(128, 0, UNICAST, |_| ())).is_empty()); // RTNL_FAMILY_IPMR
    }

    #[test]
    fn on_link_prefixes_have_no_gateway() {
        let network: Ipv6Addr = "2001:db8::".parse().unwrap();
        let plain = |length| {
            route(FAMILY6, length, UNICAST, |b| b.attribute(RTA_DST, &network.octets()).unwrap())
        };
        assert_eq!(prefixes(&plain(64)), [(network, 64)]);
        assert!(prefixes(&plain(128)).is_empty());
        assert!(prefixes(&plain(0)).is_empty());
        let behind = route(FAMILY6, 64, UNICAST, |b| {
            b.attribute(RTA_DST, &network.octets()).unwrap();
            b.attribute(RTA_GATEWAY, &Ipv6Addr::LOCALHOST.octets()).unwrap();
        });
        assert!(prefixes(&behind).is_empty());
    }

    #[test]
    fn the_local_address_is_preferred_to_the_peer() {
        let mut builder = Builder::new();
        builder
            .message(libc::RTM_NEWADDR, 2, 1, &[FAMILY4, 32, 0, 0, 9, 0, 0, 0], |b| {
                b.attribute(IFA_ADDRESS, &[10, 0, 0, 2])?;
                b.attribute(IFA_LOCAL, &[10, 0, 0, 1])
            })
            .unwrap();
        let mut found = Vec::new();
        Messages::new(builder.bytes()).for_each(|message| address(message, &mut found));
        let addr = IpAddr::from([10, 0, 0, 1]);
        let interface = u32::from_ne_bytes([9, 0, 0, 0]);
        assert_eq!(found, [InterfaceAddress { interface, addr, prefix_len: 32 }]);
        every_mutilation(builder.bytes(), |bytes| {
            Messages::new(bytes).for_each(|message| address(message, &mut Vec::new()));
        });
    }

    #[test]
    fn no_mutilation_panics_or_loops() {
        every_mutilation(&multipath(), |bytes| {
            gateways(bytes);
            prefixes(bytes);
        });
    }
}
