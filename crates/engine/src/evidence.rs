//! What is held against a source: which packets, what they mean, what they added.

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::event::{Contact, Probe};
use crate::flags::TcpFlags;
use crate::net::Port;
use crate::time::Timestamp;

/// One packet that counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// When it came.
    pub at: Timestamp,
    /// The address it came from (one of the subject's, when that is a prefix).
    pub source: IpAddr,
    /// The port it came from.
    pub source_port: u16,
    /// The address of ours it went to.
    pub destination: IpAddr,
    /// The port it went to.
    pub port: Port,
    /// Its TCP control bits; zero for UDP.
    pub flags: TcpFlags,
    /// Why it counts.
    pub meaning: Meaning,
    /// Whether a decoy answered it; in a dry run, whether one would have.
    pub decoy: bool,
    /// What its sender said first, once a decoy had taken his call; empty for probes, and for a
    /// contact that has said nothing. At most [`Contact::KEPT`] bytes.
    pub said: Vec<u8>,
    /// Its first bytes from the IP header on.
    pub bytes: Vec<u8>,
}

impl Evidence {
    /// The evidence that `probe` is, counted as `meaning`.
    #[must_use]
    pub fn new(at: Timestamp, probe: &Probe, meaning: Meaning) -> Self {
        Self {
            at,
            source: probe.source,
            source_port: probe.source_port,
            destination: probe.destination,
            port: probe.port,
            flags: probe.flags,
            meaning,
            decoy: probe.decoy,
            said: Vec::new(),
            bytes: probe.bytes.clone(),
        }
    }

    /// Whether it proves the address of its sender.
    #[must_use]
    pub fn is_proof(&self) -> bool {
        matches!(self.meaning, Meaning::Proven { .. } | Meaning::ProvenTrap)
    }

    /// The evidence that `contact` is, judged as `meaning`.
    #[must_use]
    pub fn of_contact(at: Timestamp, contact: &Contact, meaning: Meaning) -> Self {
        Self {
            at,
            source: contact.source,
            source_port: contact.source_port,
            destination: contact.destination,
            port: contact.port,
            flags: contact.flags,
            meaning,
            decoy: false,
            said: contact.said.iter().take(Contact::KEPT).copied().collect(),
            bytes: contact.bytes.iter().take(Probe::KEPT).copied().collect(),
        }
    }
}

/// Why a packet counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A port nobody serves that this source had not tried lately: its `count`-th within the
    /// trigger's window.
    ClosedPort {
        /// How many distinct ones with this one, as far as they are remembered.
        count: u32,
    },
    /// A trap port that nobody serves.
    TrapPort,
    /// A TCP segment that no stack sends.
    ImpossibleFlags,
    /// A further probe of a suspect.
    OfSuspect,
    /// A contact with a decoy that proves the address: the `count`-th distinct port within the
    /// decoys' window.
    Proven {
        /// How many distinct ones with this one.
        count: u32,
    },
    /// A proven contact with a trap port.
    ProvenTrap,
    /// A proven contact that is held against nobody.
    Excused(Excuse),
}

/// Why a proven contact is no evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// A browser that a page of another site has sent.
    Browser,
    /// A mail client that tries the ports of mail: all of them count as one.
    MailClient,
}

/// What made a source a suspect, or proved it to be a scanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// This many distinct closed ports within the trigger's window.
    DistinctPorts(u32),
    /// A hit on this trap port.
    TrapPort(Port),
    /// A segment with these control bits.
    ImpossibleFlags(TcpFlags),
    /// The kernel program's count, parts of which this process did not see.
    KernelCount,
    /// It was a suspect already, without a ban, and goes on probing.
    GoesOn,
    /// Completed handshakes with this many distinct decoys.
    ProvenPorts(u32),
    /// A completed handshake with this trap port's decoy.
    ProvenTrap(Port),
}

impl Cause {
    /// Whether the source has proven that its address is its own.
    #[must_use]
    pub fn is_proof(&self) -> bool {
        matches!(self, Self::ProvenPorts(_) | Self::ProvenTrap(_))
    }
}
