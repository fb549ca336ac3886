//! The headers of TCP (RFC 9293 section 3.1) and UDP (RFC 768), as far as a probe needs them:
//! ports, control bits, lengths, checksum. No options, no sequence numbers.

use vauban_engine::event::Checksum;
use vauban_engine::flags::TcpFlags;
use vauban_engine::net::Port;

use crate::checksum;
use crate::field::array;
use crate::ip::Datagram;
use crate::unreadable::Unreadable;

/// IP protocol number.
pub(crate) const TCP: u8 = 6;
/// IP protocol number.
const UDP: u8 = 17;

/// Bytes of a TCP header without options.
pub(crate) const TCP_HEADER: usize = 20;
/// Bytes of a TCP header up to and with the control bits.
const TCP_FLAGS_END: usize = 14;
/// Where in a TCP header the checksum stands.
pub(crate) const TCP_CHECKSUM: usize = 16;
/// Bytes of a UDP header.
const UDP_HEADER: usize = 8;
/// Where in a UDP header the checksum stands.
const UDP_CHECKSUM: usize = 6;

/// What a probe tells of its transport header.
pub(crate) struct Segment {
    pub source_port: u16,
    pub port: Port,
    pub flags: TcpFlags,
    pub checksum: Checksum,
}

pub(crate) fn read(datagram: &Datagram<'_>) -> Result<Segment, Unreadable> {
    match datagram.protocol {
        TCP => tcp(datagram),
        UDP => udp(datagram),
        other => Err(Unreadable::NotTcpOrUdp(other)),
    }
}

fn tcp(datagram: &Datagram<'_>) -> Result<Segment, Unreadable> {
    // Not the whole header: a first fragment of 16 bytes (`nmap -ff`) has the control bits.
    let header: [u8; TCP_FLAGS_END] = array(datagram.payload, 0).ok_or(Unreadable::TooShort)?;
    let header_len = usize::from(header[12] >> 4) * 4;
    // What stands in a first fragment may be shorter than the header that begins there.
    let fits = datagram.fragment || header_len <= datagram.length;
    if header_len < TCP_HEADER || !fits {
        return Err(Unreadable::BadLength);
    }
    Ok(Segment {
        source_port: u16::from_be_bytes([header[0], header[1]]),
        port: Port::tcp(u16::from_be_bytes([header[2], header[3]])),
        flags: TcpFlags(header[13]),
        checksum: checksum::judge(datagram, datagram.length, TCP_CHECKSUM),
    })
}

fn udp(datagram: &Datagram<'_>) -> Result<Segment, Unreadable> {
    let header: [u8; UDP_HEADER] = array(datagram.payload, 0).ok_or(Unreadable::TooShort)?;
    let [s0, s1, d0, d1, l0, l1, c0, c1] = header;
    let v6 = datagram.source.is_ipv6();
    // The kernel goes by UDP's own length where it is the shorter one, and so must we. Zero stands
    // for "as IP says" in IPv6 (RFC 2675 section 4; Linux takes it in any packet).
    let length = match usize::from(u16::from_be_bytes([l0, l1])) {
        0 if v6 => datagram.length,
        length => length,
    };
    if length < UDP_HEADER || length > datagram.length && !datagram.fragment {
        return Err(Unreadable::BadLength);
    }
    let checksum = match [c0, c1] {
        // IPv6 has no checksum of its own, so UDP's may not be left out there: the kernel throws
        // such a packet away (RFC 8200 section 8.1). RFC 6936 exempts tunnels, which have sockets.
        [0, 0] if v6 => Checksum::Bad,
        [0, 0] => Checksum::Good,
        _ => checksum::judge(datagram, length, UDP_CHECKSUM),
    };
    Ok(Segment {
        source_port: u16::from_be_bytes([s0, s1]),
        port: Port::udp(u16::from_be_bytes([d0, d1])),
        flags: TcpFlags::default(),
        checksum,
    })
}
