//! The detector for zones that are only watched: who would be a suspect there.
//!
//! The kernel keeps no count of what comes in by such a zone, so the model of [`crate::trigger`] is
//! all there is. Each zone has a count of its own, apart from every other one's and from that of
//! what is protected: an address that is noisy in one zone is nobody yet in another.
//!
//! It makes no suspects that anything is done about: see [`crate::gate`].

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::scan::ScanDetector;
use super::{Bound, Decision, Detector, Dossier, Sighting};
use crate::event::{Event, EventKind, Facts};
use crate::net::Prefix;
use crate::policy::Policy;
use crate::time::Timestamp;
use crate::zone::{Mode, ZoneName};

/// The detector's state.
pub struct WatchDetector {
    facts: Facts,
    /// The count of each zone. All of them together remember no more than one detector for what is
    /// protected: a share each, so that a noisy zone pushes nobody out of another one's.
    zones: BTreeMap<ZoneName, ScanDetector>,
}

impl WatchDetector {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let mut new = Self { facts: Facts::default(), zones: BTreeMap::new() };
        new.on_policy(policy);
        new
    }

    fn sum(&self, each: impl Fn(&ScanDetector) -> Bound) -> Bound {
        self.zones.values().map(each).fold(Bound::default(), |sum, one| Bound {
            subjects: sum.subjects + one.subjects,
            evidence: sum.evidence + one.evidence,
        })
    }
}

impl Detector for WatchDetector {
    fn on_event(&mut self, event: &Event, subject: Prefix) -> Option<Decision> {
        let EventKind::Probe(probe) = &event.kind else { return None };
        let zone = probe.zone.as_ref()?;
        // A copy that was on its way when the zone's mode changed finds nobody who counts it.
        let decision = self.zones.get_mut(zone)?.on_probe(event.at, probe, subject)?;
        Some(Decision { zone: Some(zone.clone()), ..decision })
    }

    fn on_facts(&mut self, facts: &Facts) {
        self.facts = facts.clone();
        for zone in self.zones.values_mut() {
            zone.on_facts(facts);
        }
    }

    fn on_policy(&mut self, policy: &Policy) {
        let watched = || policy.zones.0.iter().filter(|zone| zone.mode == Mode::Watch);
        let shares = watched().count();
        self.zones.retain(|name, _| policy.zones.watches(name));
        for zone in watched() {
            let counts = self
                .zones
                .entry(zone.name.clone())
                .or_insert_with(|| ScanDetector::one_of(shares, policy));
            counts.take_share(shares);
            counts.on_policy(policy);
            counts.on_facts(&self.facts);
        }
    }

    fn on_timeout(&mut self, now: Timestamp) -> Vec<Decision> {
        self.zones.values_mut().flat_map(|zone| zone.on_timeout(now)).collect()
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        self.zones.values().filter_map(Detector::next_timeout).min()
    }

    fn on_ban_end(&mut self, _: &Prefix) {
        // Bans do not apply here, nor do their ends.
    }

    fn forget(&mut self, subject: Option<Prefix>) {
        for zone in self.zones.values_mut() {
            zone.forget(subject);
        }
    }

    fn subjects(&self) -> Vec<Prefix> {
        self.zones.values().flat_map(Detector::subjects).collect()
    }

    fn dossier(&self, now: Timestamp, subject: &Prefix) -> Option<Dossier<'_>> {
        let sightings: Vec<Sighting<'_>> = self
            .zones
            .iter()
            .filter_map(|(zone, counts)| {
                let dossier = counts.dossier(now, subject)?;
                Some(Sighting {
                    zone,
                    evidence: dossier.evidence,
                    not_kept: dossier.not_kept,
                    suspect_until: dossier.suspect_until,
                    distinct_ports: dossier.distinct_ports,
                })
            })
            .collect();
        (!sightings.is_empty()).then(|| Dossier { sightings, ..Dossier::default() })
    }

    fn suspects(&self, _: Timestamp) -> Vec<Prefix> {
        // Nothing is done about any of them, so they are none.
        Vec::new()
    }

    fn sighted(&self, now: Timestamp) -> Vec<Prefix> {
        self.zones.values().flat_map(|zone| zone.suspects(now)).collect()
    }

    fn bound(&self) -> Bound {
        self.sum(Detector::bound)
    }

    fn remembers(&self) -> Bound {
        self.sum(Detector::remembers)
    }
}
