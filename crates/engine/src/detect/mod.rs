//! Detectors: each watches events and says when a source should be acted on.
//!
//! To add one: a file here, a variant in [`DetectorKind`]; the compiler then asks for the arm in
//! [`build`], and `tests/` for a case that fires and one that stays silent.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::event::{Event, Facts};
use crate::evidence::{Cause, Evidence};
use crate::net::{Port, Prefix};
use crate::policy::Policy;
use crate::time::Timestamp;
use crate::zone::ZoneName;

pub mod browser;
mod guesses;
pub mod proof;
mod proven;
pub mod scan;
pub mod watch;

/// Which detectors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetectorKind {
    /// Port scans, by the kernel program's trigger.
    Scan,
    /// Sources that prove their address, by their contacts with decoys.
    Proof,
    /// Port scans in zones that are only watched.
    Watch,
}

impl DetectorKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scan, Self::Proof, Self::Watch];
}

/// Makes the detector of a kind.
#[must_use]
pub fn build(kind: DetectorKind, policy: &Policy) -> Box<dyn Detector> {
    match kind {
        DetectorKind::Scan => Box::new(scan::ScanDetector::new(policy)),
        DetectorKind::Proof => Box::new(proof::ProofDetector::new(policy)),
        DetectorKind::Watch => Box::new(watch::WatchDetector::new(policy)),
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
    /// Whether this is news: by it the source has become a suspect, or its proofs have become
    /// enough. Otherwise that was so already, and it goes on.
    pub fresh: bool,
    /// The zone that it was seen in, if that is only watched.
    pub zone: Option<ZoneName>,
}

/// What can be shown about one subject: by one detector, or by all of them together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dossier<'a> {
    /// What is held against it, and what was looked at and excused, oldest first; bounded.
    pub evidence: Vec<&'a Evidence>,
    /// How many more packets counted than are kept.
    pub not_kept: u64,
    /// How many packets could not count: with a wrong checksum, or too long to verify it.
    pub uncountable: u64,
    /// Until when it is a suspect, if it is one.
    pub suspect_until: Option<Timestamp>,
    /// How many distinct ports count at the moment.
    pub distinct_ports: u32,
    /// How many of its probes a decoy answered.
    pub decoys: u64,
    /// The proven ports that count at the moment, in the order of their first contact; of the
    /// ports of mail, the first one.
    pub proven: Vec<Port>,
    /// How many wrong acknowledgements came in its name, as far as they are remembered.
    pub guesses: u64,
    /// Until when no contact of it proves anything, for so many of them.
    pub proof_suspended_until: Option<Timestamp>,
    /// How many of its contacts were excused.
    pub excused: u64,
    /// The distinct ports that count at the moment, each with the time until which it does so.
    pub live: Vec<(Port, Timestamp)>,
    /// What was seen of it in zones that are only watched. Nothing of that is in the fields above.
    pub sightings: Vec<Sighting<'a>>,
}

/// What was seen of a subject in a zone that is only watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// Which zone.
    pub zone: &'a ZoneName,
    /// What would be held against it, oldest first; bounded.
    pub evidence: Vec<&'a Evidence>,
    /// How many more packets would than are kept.
    pub not_kept: u64,
    /// Until when it would be a suspect, if it would be one.
    pub suspect_until: Option<Timestamp>,
    /// How many distinct ports count at the moment.
    pub distinct_ports: u32,
}

impl<'a> Dossier<'a> {
    /// Whether there is anything in it from where this host is protected, and not only from zones that
    /// are watched.
    #[must_use]
    pub fn is_of_protected(&self) -> bool {
        let without = Self { sightings: self.sightings.clone(), ..Self::default() };
        *self != without
    }

    /// The evidence of one zone that is only watched; without a zone, that of where this host is
    /// protected.
    #[must_use]
    pub fn evidence_in(&self, zone: Option<&ZoneName>) -> &[&'a Evidence] {
        let Some(zone) = zone else { return &self.evidence };
        let seen = self.sightings.iter().find(|seen| seen.zone == zone);
        seen.map_or(&[], |seen| seen.evidence.as_slice())
    }

    /// This one together with what another detector knows of the same subject.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.evidence.extend(other.evidence);
        self.evidence.sort_by_key(|item: &&'a Evidence| item.at);
        self.proven.extend(other.proven);
        self.live.extend(other.live);
        self.sightings.extend(other.sightings);
        Self {
            evidence: self.evidence,
            not_kept: self.not_kept.saturating_add(other.not_kept),
            uncountable: self.uncountable.saturating_add(other.uncountable),
            suspect_until: self.suspect_until.max(other.suspect_until),
            distinct_ports: self.distinct_ports.max(other.distinct_ports),
            decoys: self.decoys.saturating_add(other.decoys),
            proven: self.proven,
            guesses: self.guesses.saturating_add(other.guesses),
            proof_suspended_until: self.proof_suspended_until.max(other.proof_suspended_until),
            excused: self.excused.saturating_add(other.excused),
            live: self.live,
            sightings: self.sightings,
        }
    }
}

/// Watches events; says what it concludes. Never sees a file or a socket.
pub trait Detector {
    /// Takes an event about `subject` (the key of its source). A decision is returned when one
    /// falls.
    fn on_event(&mut self, event: &Event, subject: Prefix) -> Option<Decision>;

    /// New facts about this host.
    fn on_facts(&mut self, facts: &Facts);

    /// Another policy. What is remembered stays, and is weighed anew.
    fn on_policy(&mut self, policy: &Policy);

    /// Judges what has waited long enough, and drops what has become worthless.
    fn on_timeout(&mut self, now: Timestamp) -> Vec<Decision>;

    /// When [`Detector::on_timeout`] is worth calling.
    fn next_timeout(&self) -> Option<Timestamp>;

    /// A ban of this subject has run out: what it rested on has been paid for.
    fn on_ban_end(&mut self, subject: &Prefix);

    /// Forgets one subject, or everybody.
    fn forget(&mut self, subject: Option<Prefix>);

    /// What it knows of a subject.
    fn dossier(&self, now: Timestamp, subject: &Prefix) -> Option<Dossier<'_>>;

    /// The subjects that are suspects, in order.
    fn suspects(&self, now: Timestamp) -> Vec<Prefix>;

    /// Every subject that it knows anything of, in no particular order.
    fn subjects(&self) -> Vec<Prefix>;

    /// Those that would be suspects in zones that are only watched, in order.
    fn sighted(&self, _: Timestamp) -> Vec<Prefix> {
        Vec::new()
    }

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
    /// Packets kept: as evidence, or until they are judged.
    pub evidence: usize,
}
