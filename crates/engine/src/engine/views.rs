//! Views of the engine, for those who ask. They change nothing.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::{Engine, Tally};
use crate::detect::{Bound, Dossier};
use crate::grants::Grant;
use crate::key::Keying;
use crate::ledger::Ban;
use crate::net::Prefix;
use crate::never::NeverSet;
use crate::policy::Policy;
use crate::time::Timestamp;

impl Engine {
    /// The policy it judges by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The never-ban set as known now.
    #[must_use]
    pub fn never(&self) -> &NeverSet {
        &self.never
    }

    /// By what sources are known.
    #[must_use]
    pub fn keying(&self) -> &Keying {
        &self.keying
    }

    /// Every ban in force.
    pub fn bans(&self) -> impl Iterator<Item = &Ban> {
        self.ledger.bans()
    }

    /// The ban that covers `addr`.
    #[must_use]
    pub fn ban_of(&self, addr: IpAddr) -> Option<&Ban> {
        self.ledger.get(&self.keying.subject(addr)).or_else(|| self.ledger.covering(addr))
    }

    /// Whom operators have allowed while it runs, in the order of the prefixes.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter()
    }

    /// Whether a scanner's ban would find no room: the ledger is full of what operators banned.
    #[must_use]
    pub fn has_no_room(&self) -> bool {
        self.is_full() && self.ledger.first_to_end().is_none()
    }

    /// The suspects, with what is known of each.
    #[must_use]
    pub fn suspects(&self) -> Vec<(Prefix, Dossier<'_>)> {
        let mut subjects: Vec<Prefix> =
            self.detectors.iter().flat_map(|detector| detector.suspects(self.now)).collect();
        subjects.sort_unstable();
        subjects.dedup();
        subjects
            .into_iter()
            .filter_map(|subject| Some((subject, self.dossier(&subject)?)))
            .collect()
    }

    /// Those that would be suspects in zones that are only watched, with what is known of each.
    #[must_use]
    pub fn sighted(&self) -> Vec<(Prefix, Dossier<'_>)> {
        let mut subjects: Vec<Prefix> =
            self.detectors.iter().flat_map(|detector| detector.sighted(self.now)).collect();
        subjects.sort_unstable();
        subjects.dedup();
        subjects
            .into_iter()
            .filter_map(|subject| Some((subject, self.dossier(&subject)?)))
            .collect()
    }

    /// What is known of a subject: by all detectors together, nothing of it copied.
    #[must_use]
    pub fn dossier(&self, subject: &Prefix) -> Option<Dossier<'_>> {
        self.detectors
            .iter()
            .filter_map(|detector| detector.dossier(self.now, subject))
            .reduce(Dossier::with)
    }

    /// How much went through.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// What the detectors remember, and the most that attackers can make them remember.
    #[must_use]
    pub fn memory(&self) -> Vec<(Bound, Bound)> {
        self.detectors.iter().map(|detector| (detector.remembers(), detector.bound())).collect()
    }

    /// How many subjects are remembered for past bans, and how many can be.
    #[must_use]
    pub fn past_bans(&self) -> (usize, usize) {
        self.ledger.past_count()
    }

    /// The time it has been told.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }
}
