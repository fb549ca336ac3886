//! TCP control bits (RFC 9293 section 3.1) and which combinations no TCP sends.

use core::fmt;

/// The control bits of one TCP segment, as in the header's fourteenth byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpFlags(pub u8);

/// What a combination of control bits is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// A SYN alone: someone opens a connection.
    Open,
    /// One that no stack sends; only scanners and broken middleboxes do.
    Impossible,
    /// Anything else: part of a connection, or an answer.
    Other,
}

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number is meant.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer is meant.
    pub const URG: Self = Self(0x20);

    const NAMES: [(u8, &'static str); 8] = [
        (0x01, "FIN"),
        (0x02, "SYN"),
        (0x04, "RST"),
        (0x08, "PSH"),
        (0x10, "ACK"),
        (0x20, "URG"),
        (0x40, "ECE"),
        (0x80, "CWR"),
    ];

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The one definition of an impossible segment: neither SYN, RST nor ACK set (NULL, FIN, XMAS
    /// and their kin), or SYN together with FIN or RST. The kernel program says the same in
    /// nftables' words, and a test holds the two against each other for all 256 combinations.
    ///
    /// RST with FIN is left out: some middleboxes send it, and as no stack answers a RST, no
    /// scanner gains by it.
    #[must_use]
    pub const fn shape(self) -> Shape {
        let (syn, rst, ack, fin) =
            (self.has(Self::SYN), self.has(Self::RST), self.has(Self::ACK), self.has(Self::FIN));
        if syn && (fin || rst) || !syn && !rst && !ack {
            Shape::Impossible
        } else if syn && !ack {
            Shape::Open
        } else {
            Shape::Other
        }
    }

    /// What a scan that sends this combination is called; `None` for combinations without a name.
    #[must_use]
    pub const fn scan_name(self) -> Option<&'static str> {
        // ECE and CWR (RFC 3168) ride along with an ordinary SYN and name no scan.
        match self.0 & 0x3f {
            0x00 => Some("NULL"),
            0x01 => Some("FIN"),
            0x29 => Some("XMAS"),
            0x02 => Some("SYN"),
            0x03 => Some("SYN+FIN"),
            0x3f => Some("full XMAS"),
            _ => None,
        }
    }
}

impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (bit, name) in Self::NAMES {
            if self.0 & bit != 0 {
                f.write_str(if first { "" } else { "+" })?;
                f.write_str(name)?;
                first = false;
            }
        }
        if first { f.write_str("none") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        use Shape::{Impossible, Open, Other};
        for (flags, shape) in [
            (0x00, Impossible),
            (0x01, Impossible),
            (0x08, Impossible),
            (0x20, Impossible),
            (0x29, Impossible),
            (0x03, Impossible),
            (0x06, Impossible),
            (0x3f, Impossible),
            (0x02, Open),
            (0xc2, Open),
            (0x22, Open),
            (0x12, Other),
            (0x10, Other),
            (0x11, Other),
            (0x04, Other),
            (0x05, Other),
            (0x14, Other),
        ] {
            assert_eq!(TcpFlags(flags).shape(), shape, "{flags:#04x}");
        }
    }

    #[test]
    fn written_as_people_write_them() {
        use std::string::ToString;
        assert_eq!(TcpFlags(0x29).to_string(), "FIN+PSH+URG");
        assert_eq!(TcpFlags(0).to_string(), "none");
        assert_eq!(TcpFlags(0x29).scan_name(), Some("XMAS"));
    }
}
