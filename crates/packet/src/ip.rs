//! What TCP and UDP need to know of the packet that carries them, whatever the IP version.

use core::net::IpAddr;

use crate::unreadable::Unreadable;
use crate::{ipv4, ipv6};

/// A packet whose IP headers have been read.
pub(crate) struct Datagram<'a> {
    /// The packet from its IP header on, without any padding behind its end.
    pub packet: &'a [u8],
    /// As in the header, not canonical.
    pub source: IpAddr,
    /// As in the header, not canonical.
    pub destination: IpAddr,
    /// The second byte of IPv4 (type of service), the traffic class of IPv6: DSCP and ECN.
    pub traffic_class: u8,
    /// Whether the IPv4 header has options, or extension headers follow that of IPv6.
    pub options: bool,
    /// IP protocol number of the payload.
    pub protocol: u8,
    /// As much of the transport header and data as was captured.
    pub payload: &'a [u8],
    /// How long the payload is by the IP header, in bytes; never less than what was captured.
    pub length: usize,
    /// Whether it is a first fragment, whose payload goes on in another packet.
    pub fragment: bool,
}

/// Reads the IP headers.
pub(crate) fn read(packet: &[u8]) -> Result<Datagram<'_>, Unreadable> {
    match version(packet) {
        Some(4) => ipv4::read(packet),
        Some(6) => ipv6::read(packet),
        Some(_) => Err(Unreadable::NotIp),
        None => Err(Unreadable::TooShort),
    }
}

/// The first four bits (RFC 791 section 3.1, RFC 8200 section 3).
pub(crate) fn version(packet: &[u8]) -> Option<u8> {
    packet.first().map(|byte| byte >> 4)
}
