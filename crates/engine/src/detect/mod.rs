//! Detectors: each watches events and says when a source should be acted on.
//!
//! To add one: a file here, a variant in [`DetectorKind`]; the compiler then asks for the arm in
//! [`build`], and `tests/` for a case that fires and one that stays silent.

use alloc::boxed::Box;
use core::net::IpAddr;

use crate::event::{Event, Facts};
use crate::evidence::{Cause, Evidence};
use crate::net::Prefix;
use crate::policy::Policy;
use crate::time::Timestamp;

pub mod scan;

/// Which detectors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetectorKind {
    /// Port scans, by the kernel program's trigger.
    Scan,
}

impl DetectorKind {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Scan];
}

/// Makes the detector of a kind.
#[must_use]
pub fn build(kind: DetectorKind, policy: &Policy) -> Box<dyn Detector> {
    match kind {
        DetectorKind::Scan => Box::new(scan::ScanDetector::new(policy)),
    }
}

/// A detector's verdict on a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When it fell.
    pub at: Timestamp,
    /// The address that was seen.
    pub source: IpAddr,
    /// Whom it covers.
    pub subject: Prefix,
    /// Why.
    pub cause: Cause,
    /// Whether the source has become a suspect by this; otherwise it was one already, and goes
    /// on.
    pub fresh: bool,
}

/// What a detector can show about one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dossier<'a> {
    /// What is held against it, oldest first; bounded.
    pub evidence: &'a [Evidence],
    /// How many more packets counted than are kept.
    pub not_kept: u64,
    /// How many packets could not count: with a wrong checksum, or too long to verify it.
    pub uncountable: u64,
    /// Until when it is a suspect, if it is one.
    pub suspect_until: Option<Timestamp>,
    /// How many distinct ports count at the moment.
    pub distinct_ports: u32,
}

/// Watches events; says what it concludes. Never sees a file or a socket.
pub trait Detector {
    /// Takes an event about `subject` (the key of its source). A decision is returned when one
    /// falls.
    fn on_event(&mut self, event: &Event, subject: Prefix) -> Option<Decision>;

    /// New facts about this host.
    fn on_facts(&mut self, facts: &Facts);

    /// Drops what has become worthless.
    fn on_timeout(&mut self, now: Timestamp);

    /// When [`Detector::on_timeout`] is worth calling.
    fn next_timeout(&self) -> Option<Timestamp>;

    /// Forgets one subject, or everybody.
    fn forget(&mut self, subject: Option<Prefix>);

    /// What it knows of a subject.
    fn dossier(&self, now: Timestamp, subject: &Prefix) -> Option<Dossier<'_>>;

    /// The subjects that are suspects, in order.
    fn suspects(&self, now: Timestamp) -> alloc::vec::Vec<Prefix>;

    /// The most that attackers can make it remember.
    fn bound(&self) -> Bound;

    /// What it remembers now, in the same units.
    fn remembers(&self) -> Bound;
}

/// An amount of attacker-driven state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Subjects.
    pub subjects: usize,
    /// Packets kept as evidence.
    pub evidence: usize,
}
