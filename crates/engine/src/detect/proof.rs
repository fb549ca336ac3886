//! The proof detector: who completes handshakes with decoys is where he says he is.
//!
//! SYNs never count here, as they can carry anyone's address. Contacts count by distinct port
//! within the decoys' window; enough of them, or one with a trap port, are a decision that needs
//! no policy for the unproven. Excused are browsers that a page has sent ([`super::browser`]), mail
//! clients that try the ports of mail, and whatever comes while somebody guesses in that name.
//!
//! It does not verify acknowledgements: the kernel program does. Nor does it know the never-ban
//! set: the gate does.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::guesses::Guesses;
use super::proven::{Record, Terms, Verdict};
use super::{Bound, Decision, Detector, Dossier};
use crate::event::{Contact, Event, EventKind, Facts};
use crate::net::Prefix;
use crate::policy::Policy;
use crate::time::Timestamp;

/// Subjects remembered at most for contacts. Nobody can forge one, but whoever has an IPv6 /32 has
/// enough addresses of his own to fill this; with the ports that count, some 1 KiB each: 4 MiB.
const MOST_SUBJECTS: usize = 4_096;

/// Packets kept in all, at some 800 bytes each (headers, and what was said): 3.2 MiB.
const MOST_PACKETS: usize = 4_096;

/// The detector's state.
pub struct ProofDetector {
    terms: Terms,
    subjects: BTreeMap<Prefix, Known>,
    /// The same subjects by the time of their last contact, oldest first.
    by_age: BTreeSet<(Timestamp, Prefix)>,
    /// Those with contacts that wait to be judged, by the time of the first one's judgement.
    by_due: BTreeSet<(Timestamp, Prefix)>,
    /// Over all subjects.
    packets: usize,
    guesses: Guesses,
}

struct Known {
    last: Timestamp,
    record: Record,
}

impl ProofDetector {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            terms: Terms::new(policy),
            subjects: BTreeMap::new(),
            by_age: BTreeSet::new(),
            by_due: BTreeSet::new(),
            packets: 0,
            guesses: Guesses::default(),
        }
    }

    fn on_contact(
        &mut self,
        now: Timestamp,
        contact: &Contact,
        subject: Prefix,
    ) -> Option<Decision> {
        self.make_room(&subject);
        let suspended = self.guesses.suspended_until(now, &subject);
        let mut known =
            self.take_out(&subject).unwrap_or(Known { last: now, record: Record::default() });
        known.last = now;
        let verdict = known.record.take(&self.terms, now, contact, suspended);
        self.put_in(subject, known);
        verdict.map(|verdict| decision(now, subject, verdict))
    }

    /// Pushes the longest silent subjects out until one more packet fits.
    fn make_room(&mut self, subject: &Prefix) {
        while (self.subjects.len() >= MOST_SUBJECTS && !self.subjects.contains_key(subject))
            || self.packets >= MOST_PACKETS
        {
            let Some((_, oldest)) = self.by_age.first().copied() else { return };
            self.take_out(&oldest);
        }
    }

    /// Takes a subject out of all tables.
    fn take_out(&mut self, subject: &Prefix) -> Option<Known> {
        let known = self.subjects.remove(subject)?;
        self.by_age.remove(&(known.last, *subject));
        if let Some(due) = known.record.due() {
            self.by_due.remove(&(due, *subject));
        }
        self.packets -= known.record.packets();
        Some(known)
    }

    fn put_in(&mut self, subject: Prefix, known: Known) {
        self.by_age.insert((known.last, subject));
        if let Some(due) = known.record.due() {
            self.by_due.insert((due, subject));
        }
        self.packets += known.record.packets();
        self.subjects.insert(subject, known);
    }
}

fn decision(at: Timestamp, subject: Prefix, verdict: Verdict) -> Decision {
    let Verdict { source, cause, fresh } = verdict;
    Decision { at, source, subject, cause, fresh, zone: None }
}

impl Detector for ProofDetector {
    fn on_event(&mut self, event: &Event, subject: Prefix) -> Option<Decision> {
        match &event.kind {
            EventKind::Contact(contact) => self.on_contact(event.at, contact, subject),
            EventKind::Guess(_) => {
                self.guesses.note(event.at, subject);
                None
            }
            EventKind::Probe(_)
            | EventKind::Command(_)
            | EventKind::Facts(_)
            | EventKind::Held(_)
            | EventKind::Restored(_)
            | EventKind::Policy(_) => None,
        }
    }

    fn on_facts(&mut self, _: &Facts) {}

    fn on_policy(&mut self, policy: &Policy) {
        self.terms = Terms::new(policy);
    }

    fn on_timeout(&mut self, now: Timestamp) -> Vec<Decision> {
        let mut decisions = Vec::new();
        while let Some((due, subject)) = self.by_due.first().copied().filter(|(due, _)| *due <= now)
        {
            let suspended = self.guesses.suspended_until(due, &subject);
            let Some(mut known) = self.take_out(&subject) else { break };
            let verdicts = known.record.judge_silent(&self.terms, now, suspended);
            self.put_in(subject, known);
            decisions.extend(verdicts.into_iter().map(|verdict| decision(now, subject, verdict)));
        }
        let worth = self.terms.worth();
        while let Some((last, subject)) = self.by_age.first().copied()
            && last.plus(worth) <= now
        {
            self.take_out(&subject);
        }
        self.guesses.on_timeout(now);
        decisions
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        let due = self.by_due.first().map(|(due, _)| *due);
        let stale = self.by_age.first().map(|(last, _)| last.plus(self.terms.worth()));
        due.into_iter().chain(stale).chain(self.guesses.next_timeout()).min()
    }

    fn on_ban_end(&mut self, subject: &Prefix) {
        // It starts over: its next single contact is not a ban by what it has paid for.
        self.take_out(subject);
    }

    fn forget(&mut self, subject: Option<Prefix>) {
        self.guesses.forget(subject);
        if let Some(subject) = subject {
            self.take_out(&subject);
        } else {
            self.subjects.clear();
            self.by_age.clear();
            self.by_due.clear();
            self.packets = 0;
        }
    }

    fn dossier(&self, now: Timestamp, subject: &Prefix) -> Option<Dossier<'_>> {
        let record = self.subjects.get(subject).map(|known| &known.record);
        let guesses = self.guesses.total(subject);
        if record.is_none() && guesses.is_none() {
            return None;
        }
        let dossier = Dossier {
            guesses: guesses.unwrap_or_default(),
            proof_suspended_until: self.guesses.suspended_until(now, subject),
            ..Dossier::default()
        };
        Some(match record {
            None => dossier,
            Some(record) => Dossier {
                evidence: record.evidence().collect(),
                not_kept: record.not_kept(),
                proven: record.ports(&self.terms, now),
                excused: record.excused(),
                ..dossier
            },
        })
    }

    fn suspects(&self, _: Timestamp) -> Vec<Prefix> {
        // The suspicion is the scan detector's: nobody is played a decoy without it.
        Vec::new()
    }

    fn subjects(&self) -> Vec<Prefix> {
        self.subjects.keys().chain(self.guesses.subjects()).copied().collect()
    }

    fn bound(&self) -> Bound {
        Bound { subjects: MOST_SUBJECTS + Guesses::BOUND, evidence: MOST_PACKETS }
    }

    fn remembers(&self) -> Bound {
        Bound { subjects: self.subjects.len() + self.guesses.len(), evidence: self.packets }
    }
}
