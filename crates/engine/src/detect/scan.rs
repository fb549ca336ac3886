//! The scan detector: a source that reaches the kernel program's trigger is scanning.
//!
//! It follows the kernel's count with the model of [`crate::trigger`], keeps the packets that
//! counted, and decides at the trigger. Where the kernel says that a source is further than the
//! model thinks (copies are limited in a flood), the kernel is believed.
//!
//! It does not know whether a source's address is its own: see [`super::proof`].

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::{Bound, Decision, Detector, Dossier};
use crate::event::{Checksum, Event, EventKind, Facts, Probe, Stage};
use crate::evidence::{Cause, Evidence, Meaning};
use crate::net::Prefix;
use crate::policy::Policy;
use crate::time::Timestamp;
use crate::trigger::{Rules, Watched, Weight};

/// Subjects remembered at most. A spoofed flood makes one of each packet; at some 700 bytes each
/// (one packet of evidence) this many take 3 MiB. A scanner that strangers push out before its
/// third probe is still counted in the kernel, whose word is taken.
const MOST_SUBJECTS: usize = 4_096;

/// Packets kept of one subject: the trigger's, and enough of what came after to show the method.
const MOST_EVIDENCE_EACH: usize = 16;

/// Packets kept in all, at some 300 bytes each: 2.5 MiB.
const MOST_EVIDENCE: usize = 8_192;

/// The detector's state.
pub struct ScanDetector {
    rules: Rules,
    policy: Policy,
    ephemeral: RangeInclusive<u16>,
    sources: BTreeMap<Prefix, Source>,
    /// The same subjects by the time of their last probe, oldest first.
    by_age: BTreeSet<(Timestamp, Prefix)>,
    evidence_kept: usize,
    most: Bound,
}

struct Source {
    watched: Watched,
    last: Timestamp,
    evidence: Vec<Evidence>,
    not_kept: u64,
    uncountable: u64,
    decoys: u64,
}

impl ScanDetector {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self::one_of(1, policy)
    }

    /// The same for one of so many that share the room of a single one.
    pub(super) fn one_of(shares: usize, policy: &Policy) -> Self {
        let ephemeral = Facts::default().ephemeral;
        Self {
            rules: Rules::new(policy, ephemeral.clone()),
            ephemeral,
            policy: policy.clone(),
            sources: BTreeMap::new(),
            by_age: BTreeSet::new(),
            evidence_kept: 0,
            most: share(shares),
        }
    }

    /// There are so many from now on that share the room.
    pub(super) fn take_share(&mut self, shares: usize) {
        self.most = share(shares);
        while self.sources.len() > self.most.subjects || self.evidence_kept > self.most.evidence {
            let Some((_, oldest)) = self.by_age.first().copied() else { return };
            self.remove(&oldest);
        }
    }

    pub(super) fn on_probe(
        &mut self,
        now: Timestamp,
        probe: &Probe,
        subject: Prefix,
    ) -> Option<Decision> {
        self.make_room(&subject);
        let rules = &self.rules;
        let source = self.sources.entry(subject).or_insert_with(|| Source {
            watched: Watched::new(now),
            last: now,
            evidence: Vec::new(),
            not_kept: 0,
            uncountable: 0,
            decoys: 0,
        });
        self.by_age.remove(&(source.last, subject));
        source.last = source.last.max(now);
        self.by_age.insert((source.last, subject));
        source.decoys = source.decoys.saturating_add(u64::from(probe.decoy));

        if probe.checksum != Checksum::Good {
            // The host throws such a packet away: anyone can send it in anyone's name and learn
            // nothing from it, so it is no evidence. But what the kernel did stands.
            source.uncountable = source.uncountable.saturating_add(1);
            if probe.stage > Some(Stage::Below) {
                source.watched.suspect(rules, now);
            }
            return None;
        }

        let step = source.watched.step(rules, now, probe);
        let stage = probe.stage.map_or(step.stage, |kernel| kernel.max(step.stage));
        if stage > step.stage {
            source.watched.suspect(rules, now);
        }
        // The port that found no slot is not in one, but it is one of those that count.
        let live = source.watched.live(rules, now) + u32::from(step.stage == Stage::Trigger);
        let meaning = match rules.weigh(probe) {
            Weight::Impossible => Some(Meaning::ImpossibleFlags),
            Weight::Trap => Some(Meaning::TrapPort),
            _ if stage == Stage::Suspect => Some(Meaning::OfSuspect),
            _ if step.counted => Some(Meaning::ClosedPort { count: live }),
            _ => None,
        };
        if let Some(meaning) = meaning {
            let before = source.evidence.len();
            if step.stage < Stage::Suspect {
                // What was tried too long ago is held against nobody.
                let watched = &source.watched;
                source.evidence.retain(|item| {
                    !matches!(item.meaning, Meaning::ClosedPort { .. })
                        || watched.holds(rules, now, item.port)
                });
            }
            self.evidence_kept -= before - source.evidence.len();
            if source.evidence.len() < MOST_EVIDENCE_EACH {
                source.evidence.push(Evidence::new(now, probe, meaning));
                self.evidence_kept += 1;
            } else {
                source.not_kept = source.not_kept.saturating_add(1);
            }
        }
        if stage == Stage::Below {
            return None;
        }
        let cause = match rules.weigh(probe) {
            Weight::Impossible => Cause::ImpossibleFlags(probe.flags),
            Weight::Trap => Cause::TrapPort(probe.port),
            _ if step.stage == Stage::Trigger => Cause::DistinctPorts(live),
            // The kernel's word for a source that the model has not caught at the trigger itself:
            // the trigger's own copy was lost.
            _ if step.stage == Stage::Below => Cause::KernelCount,
            _ => Cause::GoesOn,
        };
        let fresh = step.stage != Stage::Suspect;
        Some(Decision { at: now, source: probe.source, subject, cause, fresh, zone: None })
    }

    /// Pushes the longest silent subjects out until one more fits.
    fn make_room(&mut self, subject: &Prefix) {
        while (self.sources.len() >= self.most.subjects && !self.sources.contains_key(subject))
            || self.evidence_kept >= self.most.evidence
        {
            let Some((_, oldest)) = self.by_age.first().copied() else { return };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, subject: &Prefix) {
        if let Some(source) = self.sources.remove(subject) {
            self.by_age.remove(&(source.last, *subject));
            self.evidence_kept -= source.evidence.len();
        }
    }
}

/// What one of so many may remember; at least what one source may.
fn share(shares: usize) -> Bound {
    Bound {
        subjects: (MOST_SUBJECTS / shares.max(1)).max(1),
        evidence: (MOST_EVIDENCE / shares.max(1)).max(MOST_EVIDENCE_EACH),
    }
}

impl Detector for ScanDetector {
    fn on_event(&mut self, event: &Event, subject: Prefix) -> Option<Decision> {
        match &event.kind {
            // What is only watched is another detector's: it must not make anybody a suspect here.
            EventKind::Probe(probe) if probe.zone.is_none() => {
                self.on_probe(event.at, probe, subject)
            }
            EventKind::Probe(_)
            | EventKind::Contact(_)
            | EventKind::Guess(_)
            | EventKind::Command(_)
            | EventKind::Facts(_)
            | EventKind::Held(_)
            | EventKind::Restored(_)
            | EventKind::Policy(_) => None,
        }
    }

    fn on_facts(&mut self, facts: &Facts) {
        self.ephemeral = facts.ephemeral.clone();
        self.rules = Rules::new(&self.policy, self.ephemeral.clone());
    }

    fn on_policy(&mut self, policy: &Policy) {
        self.policy = policy.clone();
        self.rules = Rules::new(policy, self.ephemeral.clone());
    }

    fn on_timeout(&mut self, now: Timestamp) -> Vec<Decision> {
        while let Some((_, subject)) = self.by_age.first().copied() {
            let stale = self
                .sources
                .get(&subject)
                .is_none_or(|source| source.watched.forgotten_at(&self.rules) <= now);
            if !stale {
                break;
            }
            self.remove(&subject);
        }
        Vec::new()
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        let (_, subject) = self.by_age.first()?;
        self.sources.get(subject).map(|source| source.watched.forgotten_at(&self.rules))
    }

    fn on_ban_end(&mut self, _: &Prefix) {
        // The kernel's trigger knows nothing of bans: there the suspicion goes on, so here too.
    }

    fn forget(&mut self, subject: Option<Prefix>) {
        if let Some(subject) = subject {
            self.remove(&subject);
        } else {
            self.sources.clear();
            self.by_age.clear();
            self.evidence_kept = 0;
        }
    }

    fn dossier(&self, now: Timestamp, subject: &Prefix) -> Option<Dossier<'_>> {
        self.sources.get(subject).map(|source| Dossier {
            evidence: source.evidence.iter().collect(),
            not_kept: source.not_kept,
            uncountable: source.uncountable,
            suspect_until: source.watched.suspect_until(now),
            distinct_ports: source.watched.live(&self.rules, now),
            decoys: source.decoys,
            live: source.watched.live_ports(&self.rules, now),
            ..Dossier::default()
        })
    }

    fn suspects(&self, now: Timestamp) -> Vec<Prefix> {
        self.sources
            .iter()
            .filter(|(_, source)| source.watched.suspect_until(now).is_some())
            .map(|(subject, _)| *subject)
            .collect()
    }

    fn subjects(&self) -> Vec<Prefix> {
        self.sources.keys().copied().collect()
    }

    fn bound(&self) -> Bound {
        self.most
    }

    fn remembers(&self) -> Bound {
        Bound { subjects: self.sources.len(), evidence: self.evidence_kept }
    }
}
