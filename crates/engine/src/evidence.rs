//! What is held against a source: which packets, what they mean, what they added.

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::event::Probe;
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
            bytes: probe.bytes.clone(),
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
}

/// What made a source a suspect.
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
}
