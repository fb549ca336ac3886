//! The whole TCP header (RFC 9293 section 3.1) of one segment, for those who answer it.
//!
//! It does not interpret options or payload, and it does not follow connections. Whoever only
//! wants to know what was probed takes [`probe`](crate::probe), which needs less of the packet.

use core::net::IpAddr;

use vauban_engine::event::Checksum;
use vauban_engine::flags::TcpFlags;

use crate::field::array;
use crate::transport::{TCP, TCP_CHECKSUM, TCP_HEADER};
use crate::unreadable::Unreadable;
use crate::{checksum, ip};

/// One TCP segment with what an answer needs of the IP header around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpSegment<'a> {
    /// As in the IP header. Not canonical: an IPv4-mapped address stays IPv6.
    pub source: IpAddr,
    /// As in the IP header. Not canonical.
    pub destination: IpAddr,
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub port: u16,
    /// Number of the first byte, or of the SYN.
    pub sequence: u32,
    /// The next number expected; means something only with the ACK bit.
    pub acknowledgment: u32,
    /// The control bits.
    pub flags: TcpFlags,
    /// The four bits before the control bits: three reserved ones, then accurate ECN's AE (0x1,
    /// RFC 9768).
    pub reserved: u8,
    /// The options, padding included: as long as the header says.
    pub options: &'a [u8],
    /// As much of the data as was captured, without a link's padding.
    pub payload: &'a [u8],
    /// What became of the checksum; [`Checksum::Unknown`] for fragments and cut packets.
    pub checksum: Checksum,
    /// Type of service of IPv4, traffic class of IPv6: six bits of DSCP, two of ECN.
    pub traffic_class: u8,
    /// Whether the IPv4 header has options (RFC 791 section 3.1), or extension headers follow that of
    /// IPv6 (RFC 8200 section 4).
    pub ip_options: bool,
}

/// Reads one packet, from its IP header on, as a TCP segment.
///
/// `packet` may be cut off behind the TCP header, and may have a link's padding behind it. To have
/// the checksum judged, it must reach to the packet's end.
///
/// # Errors
///
/// [`Unreadable`] when it is no TCP over IPv4 or IPv6, or when the TCP header with its options is
/// not all there.
pub fn segment(packet: &[u8]) -> Result<TcpSegment<'_>, Unreadable> {
    let datagram = ip::read(packet)?;
    if datagram.protocol != TCP {
        return Err(Unreadable::NotTcp(datagram.protocol));
    }
    let header: [u8; TCP_HEADER] = array(datagram.payload, 0).ok_or(Unreadable::TooShort)?;
    let [s0, s1, d0, d1, n0, n1, n2, n3, a0, a1, a2, a3, offset, flags, ..] = header;
    let header_len = usize::from(offset >> 4) * 4;
    // What stands in a first fragment may be shorter than the header that begins there.
    let fits = datagram.fragment || header_len <= datagram.length;
    if header_len < TCP_HEADER || !fits {
        return Err(Unreadable::BadLength);
    }
    let (header, payload) =
        datagram.payload.split_at_checked(header_len).ok_or(Unreadable::TooShort)?;
    Ok(TcpSegment {
        source: datagram.source,
        destination: datagram.destination,
        source_port: u16::from_be_bytes([s0, s1]),
        port: u16::from_be_bytes([d0, d1]),
        sequence: u32::from_be_bytes([n0, n1, n2, n3]),
        acknowledgment: u32::from_be_bytes([a0, a1, a2, a3]),
        flags: TcpFlags(flags),
        reserved: offset & 0x0f,
        options: header.get(TCP_HEADER..).unwrap_or_default(),
        payload,
        checksum: checksum::judge(&datagram, datagram.length, TCP_CHECKSUM),
        traffic_class: datagram.traffic_class,
        ip_options: datagram.options,
    })
}
