//! Why bytes are no probe, or no segment.

use core::error::Error;
use core::fmt;

use crate::ipv6::MAX_EXTENSIONS;

/// Why a packet could not be read. None of these is a verdict on its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unreadable {
    /// The bytes end before the ports, or before the control bits of TCP. For
    /// [`segment`](crate::segment): before the end of the TCP header.
    ///
    /// A first fragment of eight bytes (`nmap -f`) is one of these: it has ports, but taking its
    /// missing control bits for zero would make a NULL scan of it.
    TooShort,
    /// The first four bits are no IP version that exists.
    NotIp,
    /// The headers contradict each other about their lengths, so that every host throws the packet
    /// away: a header shorter than its fixed part, or longer than what holds it.
    BadLength,
    /// Neither TCP nor UDP, but this IP protocol number
    /// (<https://www.iana.org/assignments/protocol-numbers>).
    NotTcpOrUdp(u8),
    /// Not TCP, where only TCP was asked for, but this IP protocol number.
    NotTcp(u8),
    /// A fragment other than the first: it has no ports.
    LaterFragment,
    /// A routing header names further stops (RFC 8200 section 4.4): this host is none of its
    /// destinations, and its checksum was made for another address.
    OnTheWay,
    /// More IPv6 extension headers than are walked.
    ChainTooLong,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("ends before its ports and control bits"),
            Self::NotIp => f.write_str("neither IPv4 nor IPv6"),
            Self::BadLength => f.write_str("its headers contradict each other about lengths"),
            Self::NotTcpOrUdp(protocol) => {
                write!(f, "neither TCP nor UDP but IP protocol {protocol}")
            }
            Self::NotTcp(protocol) => write!(f, "not TCP but IP protocol {protocol}"),
            Self::LaterFragment => f.write_str("a fragment other than the first"),
            Self::OnTheWay => f.write_str("a routing header sends it on to another host"),
            Self::ChainTooLong => {
                write!(f, "more than {MAX_EXTENSIONS} IPv6 extension headers")
            }
        }
    }
}

impl Error for Unreadable {}
