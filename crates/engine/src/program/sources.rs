//! The sources that the kernel's sets know: those below the trigger, and suspects.
//!
//! It decides nothing: what a probe does is [`crate::trigger`]'s.

use alloc::collections::{BTreeMap, BTreeSet};

use super::Expiring;
use crate::event::Stage;
use crate::net::{Port, Prefix};
use crate::policy::Trigger;
use crate::time::Timestamp;
use crate::trigger::{Rules, Watched, Weight};

/// Those sources.
#[derive(Clone, Debug)]
pub struct Sources {
    watched: BTreeMap<Prefix, Watched>,
    /// The same by the time when they are forgotten, the first one first.
    by_end: BTreeSet<(Timestamp, Prefix)>,
    most: usize,
    /// The set that a packet is looked up in first. Its elements are added, never renewed, so a
    /// suspicion that goes on leaves it for as long as it takes until the next probe.
    known: Expiring<Prefix>,
}

impl Sources {
    /// None yet, and never more than `most`.
    pub fn new(trigger: &Trigger, most: usize) -> Self {
        Self {
            watched: BTreeMap::new(),
            by_end: BTreeSet::new(),
            most,
            known: Expiring::new(trigger.suspect, most),
        }
    }

    /// Counts a probe; `None` when there is no room to.
    pub fn take(
        &mut self,
        rules: &Rules,
        now: Timestamp,
        subject: Prefix,
        port: Port,
        weight: Weight,
    ) -> Option<Stage> {
        while let Some((end, old)) = self.by_end.first().copied()
            && end <= now
        {
            self.by_end.remove(&(end, old));
            self.watched.remove(&old);
        }
        let mut watched = match self.watched.remove(&subject) {
            Some(watched) => {
                self.by_end.remove(&(watched.forgotten_at(rules), subject));
                watched
            }
            None if self.watched.len() >= self.most => return None,
            None => Watched::new(now),
        };
        let stage = watched.take(rules, now, port, weight).stage;
        self.by_end.insert((watched.forgotten_at(rules), subject));
        self.watched.insert(subject, watched);
        if stage > Stage::Below {
            self.known.add(now, subject);
        }
        Some(stage)
    }

    /// Whether it is a suspect.
    pub fn is_suspect(&self, now: Timestamp, subject: &Prefix) -> bool {
        let watched = self.watched.get(subject);
        watched.is_some_and(|watched| watched.suspect_until(now).is_some())
    }

    /// Whether its acknowledgements are looked at.
    pub fn is_known(&self, now: Timestamp, subject: &Prefix) -> bool {
        self.known.contains(now, subject)
    }

    /// What is known of it, to try something out.
    pub fn clone_of(&self, now: Timestamp, subject: &Prefix) -> Watched {
        self.watched.get(subject).cloned().unwrap_or_else(|| Watched::new(now))
    }

    /// Forgets one, or everybody.
    pub fn forget(&mut self, subject: Option<&Prefix>) {
        match subject {
            None => {
                self.watched.clear();
                self.by_end.clear();
            }
            Some(subject) => {
                self.watched.remove(subject);
                self.by_end.retain(|(_, other)| other != subject);
            }
        }
        self.known.remove(subject);
    }
}
