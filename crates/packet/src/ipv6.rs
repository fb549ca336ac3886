//! The IPv6 header and the extension headers behind it (RFC 8200 sections 3 and 4).
//!
//! The headers walked are those that Linux's `ipv6_find_hdr` walks, because that is how
//! nftables found the ports when it took the packet for a probe. It asks not to be led past an
//! authentication header (RFC 4302): such a packet is neither TCP nor UDP there. What the others say is not read, apart
//! from what decides whether there are ports at all. In particular, the home address option of
//! Mobile IPv6 (RFC 6275) is not: the checksum of such a packet looks wrong here.
//!
//! Jumbograms (RFC 2675) are not read: nobody probes with more than 65,535 bytes.

use core::net::{IpAddr, Ipv6Addr};

use crate::field::{array, be16};
use crate::ip::Datagram;
use crate::unreadable::Unreadable;

/// How many extension headers are walked. The shortest has 8 bytes, so a packet of the Internet's
/// usual 1,500 bytes holds at most 180 and a TCP header: nobody hides a probe behind more. Without
/// a bound, a local 64 KiB packet could make us take 8,000 steps.
pub(crate) const MAX_EXTENSIONS: usize = 256;

/// Bytes of the fixed header.
const HEADER: usize = 40;

// Extension headers, by protocol number.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

/// More fragments follow.
const MORE: u16 = 0x0001;
/// Where in the packet this fragment belongs, in bytes.
const OFFSET: u16 = 0xfff8;

pub(crate) fn read(packet: &[u8]) -> Result<Datagram<'_>, Unreadable> {
    let header: [u8; HEADER] = array(packet, 0).ok_or(Unreadable::TooShort)?;
    let total = HEADER + usize::from(u16::from_be_bytes([header[4], header[5]]));
    let packet = packet.get(..total).unwrap_or(packet);
    let chain = walk(header[6], packet.get(HEADER..).unwrap_or_default())?;
    let address = |offset| array(&header, offset).map(Ipv6Addr::from).map(IpAddr::V6);
    Ok(Datagram {
        packet,
        source: address(8).ok_or(Unreadable::TooShort)?,
        destination: address(24).ok_or(Unreadable::TooShort)?,
        traffic_class: header[0] << 4 | header[1] >> 4,
        options: header[6] != chain.protocol,
        protocol: chain.protocol,
        payload: chain.payload,
        length: total - (packet.len() - chain.payload.len()),
        fragment: chain.fragment,
    })
}

/// What is behind the extension headers.
struct Chain<'a> {
    protocol: u8,
    payload: &'a [u8],
    fragment: bool,
}

/// Walks the extension headers at the start of `rest`, the first of which is of kind `next`.
fn walk(mut next: u8, mut rest: &[u8]) -> Result<Chain<'_>, Unreadable> {
    let mut fragment = false;
    for _ in 0..=MAX_EXTENSIONS {
        if !matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION) {
            return Ok(Chain { protocol: next, payload: rest, fragment });
        }
        let [following, length, _, segments_left] = array(rest, 0).ok_or(Unreadable::TooShort)?;
        let length = match next {
            FRAGMENT => {
                let field = be16(rest, 2).ok_or(Unreadable::TooShort)?;
                if field & OFFSET != 0 {
                    return Err(Unreadable::LaterFragment);
                }
                fragment |= field & MORE != 0;
                8
            }
            ROUTING if segments_left != 0 => return Err(Unreadable::OnTheWay),
            // Counted in units of eight bytes, the first left out.
            _ => (usize::from(length) + 1) * 8,
        };
        rest = rest.get(length..).ok_or(Unreadable::TooShort)?;
        next = following;
    }
    Err(Unreadable::ChainTooLong)
}
