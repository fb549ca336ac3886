//! What captures put before the IP header, and how to get rid of it.
//!
//! It does not look into
//! tunnels (MPLS, PPP, GRE): whoever captured behind a tunnel's end sees plain packets.

use crate::field::{array, be16};
use crate::ip;

/// What each frame of a capture begins with (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// BSD loopback: the address family in the byte order of the capturing host.
    Null,
    /// Ethernet.
    Ethernet,
    /// Nothing: the IP header comes first.
    Raw,
    /// Linux "cooked" capture, version 1 (`tcpdump -i any`).
    LinuxSll,
    /// Linux "cooked" capture, version 2.
    LinuxSll2,
}

impl LinkType {
    /// The one with this number in a capture file; `None` when it is not read here.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            // 108 is OpenBSD's, always in network byte order.
            0 | 108 => Some(Self::Null),
            1 => Some(Self::Ethernet),
            // 12 and 14 are older numbers; 228 and 229 are for one IP version each.
            12 | 14 | 101 | 228 | 229 => Some(Self::Raw),
            113 => Some(Self::LinuxSll),
            276 => Some(Self::LinuxSll2),
            _ => None,
        }
    }
}

// Ethernet types (<https://www.iana.org/assignments/ieee-802-numbers>).
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// IEEE 802.1Q: a VLAN tag.
const VLAN: u16 = 0x8100;
/// IEEE 802.1ad: the outer of two VLAN tags.
const SERVICE_VLAN: u16 = 0x88a8;

/// How many VLAN tags are stripped: 802.1ad has one of the provider's and one of the customer's.
const MAX_TAGS: usize = 2;

/// The IP packet in a captured frame, with whatever padding the link put behind it.
///
/// `None` when the frame carries something else (ARP, LLC), is cut off before the IP header, or
/// when the IP version is not the one that the link announced.
#[must_use]
pub fn network_layer(link: LinkType, frame: &[u8]) -> Option<&[u8]> {
    match link {
        LinkType::Null => {
            let family: [u8; 4] = array(frame, 0)?;
            // Nobody says which byte order the capturing host had, but no family needs 16 bits.
            let family = u32::from_be_bytes(family).min(u32::from_le_bytes(family));
            let version = match family {
                2 => 4,
                // AF_INET6 of Linux; of NetBSD and OpenBSD; of FreeBSD; of Darwin.
                10 | 24 | 28 | 30 => 6,
                _ => return None,
            };
            versioned(version, frame.get(4..)?)
        }
        LinkType::Ethernet => typed(frame, 12),
        LinkType::Raw => matches!(ip::version(frame), Some(4 | 6)).then_some(frame),
        LinkType::LinuxSll => typed(frame, 14),
        LinkType::LinuxSll2 => {
            // The type comes first; 18 bytes of interface and address follow.
            by_type(be16(frame, 0)?, frame.get(20..)?)
        }
    }
}

/// The IP packet behind an Ethernet type at `offset`.
fn typed(frame: &[u8], offset: usize) -> Option<&[u8]> {
    by_type(be16(frame, offset)?, frame.get(offset + 2..)?)
}

/// The IP packet in `rest`, which is of this Ethernet type, behind up to two VLAN tags.
fn by_type(mut ether_type: u16, mut rest: &[u8]) -> Option<&[u8]> {
    for _ in 0..MAX_TAGS {
        if !matches!(ether_type, VLAN | SERVICE_VLAN) {
            break;
        }
        // Two bytes of tag, then the type of what is tagged.
        ether_type = be16(rest, 2)?;
        rest = rest.get(4..)?;
    }
    match ether_type {
        IPV4 => versioned(4, rest),
        IPV6 => versioned(6, rest),
        _ => None,
    }
}

/// What a frame's link says of who sent it to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// The sender's link address, where there is one.
    pub from: Option<[u8; 6]>,
    /// The receiver's link address, where there is one.
    pub to: Option<[u8; 6]>,
    /// Whether the capturing host sent it, where that is said.
    pub outbound: Option<bool>,
    /// Whether it was for more than one host.
    pub elsewhere: bool,
    /// Whether the capturing host says that it was for another one.
    pub overheard: bool,
}

/// Reads the link's header of a frame. What is not there is left out.
#[must_use]
pub fn sides(link: LinkType, frame: &[u8]) -> Sides {
    // The packet types of packet(7): to us, broadcast, multicast, to another host, from us.
    let cooked = |kind: Option<u8>, address: usize| Sides {
        from: array(frame, address),
        to: None,
        outbound: match kind {
            Some(0..=3) => Some(false),
            Some(4) => Some(true),
            _ => None,
        },
        elsewhere: matches!(kind, Some(1 | 2)),
        overheard: kind == Some(3),
    };
    match link {
        LinkType::Null | LinkType::Raw => Sides::default(),
        LinkType::Ethernet => Sides {
            from: array(frame, 6),
            to: array(frame, 0),
            outbound: None,
            // The lowest bit of the first byte: a group's address (IEEE 802).
            elsewhere: frame.first().is_some_and(|first| first & 1 != 0),
            overheard: false,
        },
        LinkType::LinuxSll => cooked(frame.get(1).copied(), 6),
        LinkType::LinuxSll2 => cooked(frame.get(10).copied(), 12),
    }
}

fn versioned(version: u8, packet: &[u8]) -> Option<&[u8]> {
    (ip::version(packet) == Some(version)).then_some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const V4: &[u8] = &[0x45, 1, 2, 3];
    const V6: &[u8] = &[0x60, 1, 2, 3];

    /// A frame's link type, the parts of its header, and the packet behind it.
    type Case<'a> = (LinkType, &'a [&'a [u8]], &'a [u8]);

    fn framed(header: &[&[u8]], packet: &[u8]) -> Vec<u8> {
        [&header.concat(), packet].concat()
    }

    #[test]
    fn what_is_before_the_packet_is_stripped() {
        use LinkType::{Ethernet, LinuxSll, LinuxSll2, Null, Raw};
        let (macs, address, device) = ([7; 12], [7; 14], [7; 18]);
        let cases: &[Case<'_>] = &[
            (Ethernet, &[&macs, &[8, 0]], V4),
            (Ethernet, &[&macs, &[0x86, 0xdd]], V6),
            (Ethernet, &[&macs, &[0x81, 0, 0, 5, 8, 0]], V4),
            (Ethernet, &[&macs, &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x86, 0xdd]], V6),
            (Raw, &[], V4),
            (Raw, &[], V6),
            (LinuxSll, &[&address, &[8, 0]], V4),
            (LinuxSll, &[&address, &[0x81, 0, 0, 5, 8, 0]], V4),
            (LinuxSll2, &[&[0x86, 0xdd], &device], V6),
            (LinuxSll2, &[&[0x81, 0], &device, &[0, 5, 8, 0]], V4),
            (Null, &[&[2, 0, 0, 0]], V4),
            (Null, &[&[0, 0, 0, 2]], V4),
            (Null, &[&[30, 0, 0, 0]], V6),
            (Null, &[&[0, 0, 0, 10]], V6),
        ];
        for (link, header, packet) in cases {
            let frame = framed(header, packet);
            assert_eq!(network_layer(*link, &frame), Some(*packet), "{link:?} {frame:x?}");
            for cut in 0..=frame.len() - packet.len() {
                assert_eq!(network_layer(*link, &frame[..cut]), None, "{link:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn all_else_is_none() {
        let macs = [7; 12];
        let cases: &[Case<'_>] = &[
            (LinkType::Ethernet, &[&macs, &[8, 6]], V4),
            (LinkType::Ethernet, &[&macs, &[8, 0]], V6),
            (LinkType::Ethernet, &[&macs, &[0x81, 0, 0, 5].repeat(3), &[8, 0]], V4),
            (LinkType::Raw, &[], &[0x50, 1, 2, 3]),
            (LinkType::Null, &[&[2, 0, 0, 0]], V6),
            (LinkType::Null, &[&[2, 0, 0, 1]], V4),
        ];
        for (link, header, packet) in cases {
            let frame = framed(header, packet);
            assert_eq!(network_layer(*link, &frame), None, "{link:?} {frame:x?}");
        }
    }

    #[test]
    fn other_links_are_refused() {
        assert_eq!(LinkType::from_number(276), Some(LinkType::LinuxSll2));
        assert_eq!(LinkType::from_number(105), None);
    }
}
