//! The packets that are sent back: SYN-ACK and RST, whole, from the IP header on.
//!
//! Which interface they leave by, and the link's header, are the sender's matter.

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::net::IpAddr;

use vauban_engine::Timestamp;
use vauban_engine::event::Checksum;
use vauban_engine::flags::TcpFlags;

use super::cookie::{Cookies, low};
use super::look::{FlowLabels, Look, Timestamps};
use super::options::{Accepted, Offer, refused};
use crate::checksum::Sum;
use crate::tcp::TcpSegment;
use crate::transport::{TCP, TCP_CHECKSUM};

/// The echo of explicit congestion notification (RFC 3168 section 6.1.1).
const ECE: TcpFlags = TcpFlags(0x40);
/// The congestion window was reduced; in a SYN, half of the offer.
const CWR: TcpFlags = TcpFlags(0x80);
/// The bits of a traffic class that are about congestion (RFC 3168 section 5).
const CONGESTION: u8 = 0x03;

/// Bytes of an IPv4 header without options.
const IPV4_HEADER: u16 = 20;
/// Bytes of the IPv6 header.
const IPV6_HEADER: u16 = 40;
/// The highest bit of a flow label.
const UPPER_HALF: u32 = 0x0008_0000;

/// Why a segment gets no answer: no port of this host would give one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoAnswer {
    /// Its checksum is wrong, or cannot be judged.
    Checksum,
    /// Its control bits are not those that are answered.
    Flags,
    /// It comes from where nobody can be (unspecified, multicast, broadcast, loopback from outside,
    /// the destination itself, an IPv4-mapped address), or goes to where nobody listens.
    Endpoints,
    /// Its IPv4 header has options. Linux echoes some of them, which is not done here.
    IpOptions,
    /// Its TCP options sign it (RFC 2385, RFC 5925), or are broken so that they might.
    Options,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checksum => "its checksum is not known to be right",
            Self::Flags => "its control bits are not answered",
            Self::Endpoints => "its addresses or port are not answered",
            Self::IpOptions => "it has IPv4 options or IPv6 extension headers",
            Self::Options => "its TCP options are signatures or broken",
        })
    }
}

impl Error for NoAnswer {}

/// Writes into `out`, in place of what is there, the SYN-ACK that a listening port answers to
/// `opening`: a whole IP packet, checksums included, 44 to 80 bytes long. Nothing is allocated when
/// `out` has room for them.
///
/// `mtu` is that of the interface that it leaves by, in bytes. The sequence number is the cookie
/// for `now` ([`Cookies::sequence`]); the clock in the timestamps is `now` in milliseconds. As in
/// Linux without TCP Fast Open, data in the SYN are not acknowledged.
///
/// # Errors
///
/// [`NoAnswer`] when a listening port would not answer either; `out` is left empty.
pub fn syn_ack(
    opening: &TcpSegment<'_>,
    look: &Look,
    mtu: u32,
    cookies: &Cookies,
    now: Timestamp,
    out: &mut Vec<u8>,
) -> Result<(), NoAnswer> {
    out.clear();
    let has = |bit| opening.flags.has(bit);
    let plain =
        has(TcpFlags::SYN) && !(has(TcpFlags::ACK) || has(TcpFlags::RST) || has(TcpFlags::FIN));
    answerable(opening, look, plain)?;
    // Nobody can listen there.
    if opening.port == 0 {
        return Err(NoAnswer::Endpoints);
    }
    let offer = Offer::read(opening.options);
    let offer = Offer {
        window_scaling: offer.window_scaling && look.scaled_space.is_some(),
        timestamp: offer.timestamp.filter(|_| look.timestamps != Timestamps::Off),
        sack: offer.sack && look.sack,
    };
    let mss = largest_segment(opening.destination, mtu);
    let (window, shift) = look.window(mss, offer.timestamp.is_some());
    // A SYN marked as capable itself is no offer, unless its other bits say that the sender knows
    // of a later standard (`tcp_ecn_create_request`).
    let marked = opening.traffic_class & CONGESTION != 0 && opening.reserved == 0;
    let echo = if look.ecn && has(ECE) && has(CWR) && !marked { ECE.0 } else { 0 };
    let header = Header {
        sequence: cookies.sequence(now, opening),
        acknowledgment: opening.sequence.wrapping_add(1),
        flags: TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0 | echo),
        window,
        options_len: offer.length(),
        traffic_class: 0,
    };
    let start = header.write(opening, look, cookies, out)?;
    let offset = match look.timestamps {
        Timestamps::Shifted if offer.timestamp.is_some() => cookies.timestamp_offset(opening),
        _ => 0,
    };
    let clock = low(now.0 / 1_000_000).wrapping_add(offset);
    Accepted { offer, mss, shift, clock }.write(out);
    finish(opening, start, out);
    Ok(())
}

/// Writes into `out`, in place of what is there, the RST that Linux answers to a segment with ACK
/// that belongs to no connection (RFC 9293 section 3.10.7.1, `tcp_v4_send_reset`): a whole IP
/// packet, checksums included. `cookies` gives its flow label in IPv6.
///
/// # Errors
///
/// [`NoAnswer`] when Linux would not answer, or when `segment` has no ACK, or has RST;
/// `out` is left empty.
pub fn reset(
    segment: &TcpSegment<'_>,
    look: &Look,
    cookies: &Cookies,
    out: &mut Vec<u8>,
) -> Result<(), NoAnswer> {
    out.clear();
    let has = |bit| segment.flags.has(bit);
    let plain = has(TcpFlags::ACK) && !has(TcpFlags::RST);
    answerable(segment, look, plain)?;
    let header = Header {
        sequence: segment.acknowledgment,
        acknowledgment: 0,
        flags: TcpFlags::RST,
        window: 0,
        options_len: 0,
        // The sender's class of service goes back, its marks of congestion don't.
        traffic_class: segment.traffic_class & !CONGESTION,
    };
    let start = header.write(segment, look, cookies, out)?;
    finish(segment, start, out);
    Ok(())
}

/// What both kinds of answer ask of a segment; `plain` says whether its control bits are right.
fn answerable(segment: &TcpSegment<'_>, look: &Look, plain: bool) -> Result<(), NoAnswer> {
    if segment.checksum != Checksum::Good {
        Err(NoAnswer::Checksum)
    } else if !plain {
        Err(NoAnswer::Flags)
    } else if !sensible(segment.source, segment.destination) {
        Err(NoAnswer::Endpoints)
    } else if segment.ip_options {
        Err(NoAnswer::IpOptions)
    } else if refused(segment.options, look.authentication) {
        Err(NoAnswer::Options)
    } else {
        Ok(())
    }
}

/// Whether one host may have sent that to another. What Linux's routing drops as "martian", and
/// the unspecified address of IPv6, to which Linux would indeed answer, in vain.
fn sensible(source: IpAddr, destination: IpAddr) -> bool {
    let host = |address: IpAddr| {
        let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
        let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
        !(address.is_unspecified() || address.is_multicast() || broadcast || mapped)
    };
    let inside = !source.is_loopback() || destination.is_loopback();
    host(source) && host(destination) && source != destination && inside
}

/// The MSS that is announced on an interface with this MTU: what fits into it beside the headers
/// without options (RFC 6691), within the bounds of `ipv4_default_advmss` and
/// `ip6_default_advmss`.
fn largest_segment(address: IpAddr, mtu: u32) -> u16 {
    let limited = u16::try_from(mtu).unwrap_or(u16::MAX);
    match address {
        // The least is `net/ipv4/route/min_adv_mss`.
        IpAddr::V4(_) => limited.saturating_sub(IPV4_HEADER + 20).max(256),
        // The least is what the least MTU leaves. 65,535 means: whatever the path takes.
        IpAddr::V6(_) => match mtu.saturating_sub(u32::from(IPV6_HEADER) + 20) {
            room if room > u32::from(u16::MAX) - 20 => u16::MAX,
            room => u16::try_from(room).unwrap_or(u16::MAX).max(1220),
        },
    }
}

/// What the headers of an answer say, beside what follows from the segment answered.
struct Header {
    sequence: u32,
    acknowledgment: u32,
    flags: TcpFlags,
    window: u16,
    /// In bytes, a multiple of four, at most 40.
    options_len: u8,
    traffic_class: u8,
}

impl Header {
    /// Writes the IP header and the TCP header without options, from the receiver of `to` to its
    /// sender, and says where the latter starts.
    fn write(
        &self,
        to: &TcpSegment<'_>,
        look: &Look,
        cookies: &Cookies,
        out: &mut Vec<u8>,
    ) -> Result<usize, NoAnswer> {
        let length = 20 + u16::from(self.options_len);
        match (to.destination, to.source) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let [l0, l1] = (IPV4_HEADER + length).to_be_bytes();
                // Don't fragment, and so no identification either (RFC 6864 section 4.1).
                let start =
                    [0x45, self.traffic_class, l0, l1, 0, 0, 0x40, 0, look.hop_limit_v4, TCP];
                let sum = Sum::default().bytes(&start).bytes(&from.octets()).bytes(&to.octets());
                out.extend_from_slice(&start);
                out.extend_from_slice(&sum.finish().to_be_bytes());
                out.extend_from_slice(&from.octets());
                out.extend_from_slice(&to.octets());
            }
            (IpAddr::V6(from), IpAddr::V6(receiver)) => {
                let label = match look.flow_labels {
                    FlowLabels::Zero => 0,
                    FlowLabels::Hash => cookies.flow_label(to),
                    FlowLabels::UpperHalf => cookies.flow_label(to) | UPPER_HALF,
                };
                let first = 6 << 28 | u32::from(self.traffic_class) << 20 | label;
                out.extend_from_slice(&first.to_be_bytes());
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(&[TCP, look.hop_limit_v6]);
                out.extend_from_slice(&from.octets());
                out.extend_from_slice(&receiver.octets());
            }
            _ => return Err(NoAnswer::Endpoints),
        }
        let start = out.len();
        out.extend_from_slice(&to.port.to_be_bytes());
        out.extend_from_slice(&to.source_port.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.acknowledgment.to_be_bytes());
        // In words of four bytes, in the upper half of the byte.
        out.extend_from_slice(&[(20 + self.options_len) << 2, self.flags.0]);
        out.extend_from_slice(&self.window.to_be_bytes());
        // Checksum and urgent pointer.
        out.extend_from_slice(&[0; 4]);
        Ok(start)
    }
}

/// Puts the checksum into the segment that starts at `start` and is complete now.
fn finish(answered: &TcpSegment<'_>, start: usize, out: &mut [u8]) {
    let Some(segment) = out.get_mut(start..) else { return };
    let sum = Sum::default()
        .address(answered.destination)
        .address(answered.source)
        .word(TCP.into())
        .word(segment.len())
        .bytes(segment);
    let field = segment.get_mut(TCP_CHECKSUM..).and_then(|rest| rest.first_chunk_mut());
    if let Some(field) = field {
        *field = sum.finish().to_be_bytes();
    }
}
