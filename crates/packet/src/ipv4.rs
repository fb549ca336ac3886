//! The IPv4 header (RFC 791 section 3.1). Options are skipped, not read.

use core::net::{IpAddr, Ipv4Addr};

use crate::field::array;
use crate::ip::Datagram;
use crate::unreadable::Unreadable;

/// Bytes of a header without options.
const HEADER: usize = 20;
/// More fragments follow.
const MORE: u16 = 0x2000;
/// Where in the datagram this fragment belongs, in units of eight bytes.
const OFFSET: u16 = 0x1fff;

pub(crate) fn read(packet: &[u8]) -> Result<Datagram<'_>, Unreadable> {
    let header: [u8; HEADER] = array(packet, 0).ok_or(Unreadable::TooShort)?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header_len < HEADER || total < header_len {
        return Err(Unreadable::BadLength);
    }
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    if fragment & OFFSET != 0 {
        return Err(Unreadable::LaterFragment);
    }
    let packet = packet.get(..total).unwrap_or(packet);
    let [.., s0, s1, s2, s3, d0, d1, d2, d3] = header;
    Ok(Datagram {
        packet,
        source: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        destination: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        traffic_class: header[1],
        options: header_len > HEADER,
        protocol: header[9],
        payload: packet.get(header_len..).ok_or(Unreadable::TooShort)?,
        length: total - header_len,
        fragment: fragment & MORE != 0,
    })
}
