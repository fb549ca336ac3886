//! What kind of scan some packets are, as one word of a closed list.
//!
//! The words are for programs: they stay as they are, and a further technique is one variant more.
//! Sentences for people are made elsewhere, in harmony with this.
//!
//! It does not say whether anything is a scan: it is asked about packets that counted.

use core::fmt;

use crate::event::Probe;
use crate::evidence::{Cause, Evidence, Meaning};
use crate::flags::TcpFlags;
use crate::net::Protocol;

/// A kind of scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// SYNs alone.
    Syn,
    /// Whole TCP handshakes. The SYNs that they begin with belong to it.
    Connect,
    /// FIN alone.
    Fin,
    /// No control bits at all.
    Null,
    /// FIN, PSH and URG.
    Xmas,
    /// Other control bits that no stack sends together, or a SYN with some that it does not have.
    OddFlags,
    /// UDP.
    Udp,
    /// Several of these.
    Mixed,
}

impl Class {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 8] = [
        Self::Syn,
        Self::Connect,
        Self::Fin,
        Self::Null,
        Self::Xmas,
        Self::OddFlags,
        Self::Udp,
        Self::Mixed,
    ];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syn => "syn",
            Self::Connect => "connect",
            Self::Fin => "fin",
            Self::Null => "null",
            Self::Xmas => "xmas",
            Self::OddFlags => "odd-flags",
            Self::Udp => "udp",
            Self::Mixed => "mixed",
        }
    }

    /// The class of one segment with these control bits. ECE and CWR (RFC 3168) ride along with an
    /// ordinary SYN and change nothing.
    #[must_use]
    pub const fn of_flags(flags: TcpFlags) -> Self {
        match flags.0 & 0x3f {
            0x00 => Self::Null,
            0x01 => Self::Fin,
            0x02 => Self::Syn,
            0x29 => Self::Xmas,
            _ => Self::OddFlags,
        }
    }

    /// The class of one probe.
    #[must_use]
    pub const fn of_probe(probe: &Probe) -> Self {
        match probe.port.protocol {
            Protocol::Udp => Self::Udp,
            Protocol::Tcp => Self::of_flags(probe.flags),
        }
    }

    /// The class of one packet that counted.
    #[must_use]
    pub const fn of_evidence(item: &Evidence) -> Self {
        match (item.meaning, item.port.protocol) {
            (Meaning::Proven { .. } | Meaning::ProvenTrap | Meaning::Excused(_), _) => {
                Self::Connect
            }
            (_, Protocol::Udp) => Self::Udp,
            (_, Protocol::Tcp) => Self::of_flags(item.flags),
        }
    }

    /// The class of all these packets together; `None` when there are none.
    pub fn of<'a>(evidence: impl IntoIterator<Item = &'a Evidence>) -> Option<Self> {
        evidence.into_iter().map(Self::of_evidence).reduce(Self::with)
    }

    /// What a cause says by itself, for a decision whose packets nobody has kept: `None` where it
    /// leaves open how the packets looked.
    #[must_use]
    pub const fn of_cause(cause: &Cause) -> Option<Self> {
        match cause {
            Cause::ImpossibleFlags(flags) => Some(Self::of_flags(*flags)),
            Cause::ProvenPorts(_) | Cause::ProvenTrap(_) => Some(Self::Connect),
            Cause::TrapPort(port) => match port.protocol {
                Protocol::Udp => Some(Self::Udp),
                // A SYN: what else comes to a trap port is impossible, and has its own cause.
                Protocol::Tcp => Some(Self::Syn),
            },
            Cause::DistinctPorts(_) | Cause::KernelCount | Cause::GoesOn => None,
        }
    }

    /// This class and another together: handshakes begin with SYNs, everything else is mixed.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (Self::Syn, Self::Connect) | (Self::Connect, Self::Syn) => Self::Connect,
            _ => Self::Mixed,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAClass;

impl core::str::FromStr for Class {
    type Err = NotAClass;

    fn from_str(text: &str) -> Result<Self, NotAClass> {
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or(NotAClass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Port;
    use crate::time::Timestamp;
    use std::vec::Vec;

    fn item(port: Port, flags: u8, meaning: Meaning) -> Evidence {
        Evidence {
            at: Timestamp(0),
            source: [192, 0, 2, 1].into(),
            source_port: 40_000,
            destination: [192, 0, 2, 2].into(),
            port,
            flags: TcpFlags(flags),
            meaning,
            decoy: false,
            said: Vec::new(),
            bytes: Vec::new(),
        }
    }

    fn tcp(flags: u8) -> Evidence {
        item(Port::tcp(81), flags, Meaning::OfSuspect)
    }

    #[test]
    fn every_class_has_a_word_that_is_read_back() {
        for class in Class::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
        }
        assert_eq!("SYN".parse::<Class>(), Err(NotAClass));
    }

    #[test]
    fn one_packet() {
        for (flags, class) in [
            (0x02, Class::Syn),
            (0xc2, Class::Syn),
            (0x00, Class::Null),
            (0x01, Class::Fin),
            (0x29, Class::Xmas),
            (0x3f, Class::OddFlags),
            (0x03, Class::OddFlags),
            (0x22, Class::OddFlags),
        ] {
            assert_eq!(Class::of([&tcp(flags)]), Some(class), "{flags:#04x}");
        }
        let udp = item(Port::udp(161), 0, Meaning::ClosedPort { count: 1 });
        assert_eq!(Class::of([&udp]), Some(Class::Udp));
        let proven = item(Port::tcp(81), 0x10, Meaning::Proven { count: 1 });
        assert_eq!(Class::of([&proven]), Some(Class::Connect));
    }

    #[test]
    fn several_packets() {
        let proven = item(Port::tcp(81), 0x10, Meaning::Proven { count: 1 });
        let udp = item(Port::udp(161), 0, Meaning::OfSuspect);
        assert_eq!(Class::of([]), None);
        assert_eq!(Class::of([&tcp(0x02), &tcp(0x02)]), Some(Class::Syn));
        assert_eq!(Class::of([&tcp(0x02), &proven, &tcp(0x02)]), Some(Class::Connect));
        assert_eq!(Class::of([&tcp(0x02), &udp]), Some(Class::Mixed));
        assert_eq!(Class::of([&tcp(0x02), &udp, &tcp(0x02)]), Some(Class::Mixed));
        assert_eq!(Class::of([&tcp(0x00), &tcp(0x01)]), Some(Class::Mixed));
    }
}
