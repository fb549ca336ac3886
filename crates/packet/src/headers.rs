//! What a packet's headers say: who sends what to whom, and where in a connection it stands.
//!
//! It judges no checksum and copies nothing: this is asked of every packet of a capture.

use core::net::IpAddr;

use vauban_engine::flags::TcpFlags;
use vauban_engine::net::{Port, Protocol, canonical};

use crate::field::{array, be16};
use crate::ip;
use crate::transport::TCP;
use crate::unreadable::Unreadable;

/// IP protocol numbers.
const ICMP: u8 = 1;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// ICMP type "destination unreachable" (RFC 792), and that of ICMPv6 (RFC 4443 section 3.1).
const UNREACHABLE: u8 = 3;
const UNREACHABLE6: u8 = 1;
/// ICMP code "fragmentation needed": no refusal (RFC 1191).
const TOO_BIG: u8 = 4;

/// The headers of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Who says to have sent it; canonical.
    pub source: IpAddr,
    /// Whom it is for; canonical.
    pub destination: IpAddr,
    /// What it carries.
    pub carries: Carries,
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// A TCP segment.
    Tcp {
        /// The sender's port.
        source_port: u16,
        /// The receiver's port.
        port: u16,
        /// The control bits.
        flags: TcpFlags,
        /// Number of the first byte, or of the SYN; zero when a fragment ends before it.
        sequence: u32,
        /// The next number expected; means something only with the ACK bit.
        acknowledgment: u32,
    },
    /// A UDP datagram.
    Udp {
        /// The sender's port.
        source_port: u16,
        /// The receiver's port.
        port: u16,
    },
    /// An ICMP error: a packet of its receiver's could not be delivered.
    Unreachable(Refused),
    /// Anything else.
    Other,
}

/// The packet that an ICMP error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who had sent it; canonical.
    pub source: IpAddr,
    /// The port that it came from.
    pub source_port: u16,
    /// Whom it was for; canonical.
    pub destination: IpAddr,
    /// The port that it was for.
    pub port: Port,
}

/// Reads one packet, from its IP header on.
///
/// # Errors
///
/// [`Unreadable`] when it is no IP, a later fragment, or ends before its ports (and control bits).
pub fn headers(packet: &[u8]) -> Result<Headers, Unreadable> {
    let datagram = ip::read(packet)?;
    let payload = datagram.payload;
    let short = Unreadable::TooShort;
    let carries = match datagram.protocol {
        TCP => {
            let [s0, s1, d0, d1] = array(payload, 0).ok_or(short)?;
            let [flags] = array(payload, 13).ok_or(short)?;
            let number = |at| array(payload, at).map_or(0, u32::from_be_bytes);
            Carries::Tcp {
                source_port: u16::from_be_bytes([s0, s1]),
                port: u16::from_be_bytes([d0, d1]),
                flags: TcpFlags(flags),
                sequence: number(4),
                acknowledgment: number(8),
            }
        }
        UDP => {
            let (source_port, port) =
                (be16(payload, 0).ok_or(short)?, be16(payload, 2).ok_or(short)?);
            Carries::Udp { source_port, port }
        }
        ICMP | ICMPV6 => {
            let [kind, code] = array(payload, 0).ok_or(short)?;
            let refusal = match datagram.protocol {
                ICMP => kind == UNREACHABLE && code != TOO_BIG,
                _ => kind == UNREACHABLE6,
            };
            let about = payload.get(8..).unwrap_or_default();
            refusal.then(|| refused(about)).flatten().map_or(Carries::Other, Carries::Unreachable)
        }
        _ => Carries::Other,
    };
    Ok(Headers {
        source: canonical(datagram.source),
        destination: canonical(datagram.destination),
        carries,
    })
}

/// The packet in an ICMP error: its first bytes, which may end behind the ports.
fn refused(packet: &[u8]) -> Option<Refused> {
    let datagram = ip::read(packet).ok()?;
    let protocol = match datagram.protocol {
        TCP => Protocol::Tcp,
        UDP => Protocol::Udp,
        _ => return None,
    };
    Some(Refused {
        source: canonical(datagram.source),
        source_port: be16(datagram.payload, 0)?,
        destination: canonical(datagram.destination),
        port: Port { protocol, number: be16(datagram.payload, 2)? },
    })
}
