//! The ledger: who is banned, since when, until when, why, and for the how-manieth time.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::evidence::{Cause, Evidence};
use crate::net::Prefix;
use crate::policy::BanTimes;
use crate::time::Timestamp;

/// Sources whose past bans are remembered at most, so that a flood of them costs some 2.5 MiB and
/// no more. The ones whose bans ended longest ago are forgotten first.
const MOST_PAST: usize = 16_384;

/// Packets that bans keep in all as what they rest on, at some 300 bytes each: 2.5 MiB. Those of the
/// bans that began longest ago go first; the store has them for longer.
const MOST_EVIDENCE: usize = 8_192;

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Whom it covers.
    pub subject: Prefix,
    /// The address that was seen.
    pub source: IpAddr,
    /// When it began.
    pub start: Timestamp,
    /// When it ends; `None` for never.
    pub end: Option<Timestamp>,
    /// The how-manieth ban of this subject it is, as far as remembered; the first is 1.
    pub level: u32,
    /// Who decided it, and why.
    pub origin: Origin,
    /// What it rests on, oldest first.
    pub evidence: Vec<Evidence>,
    /// How many more packets counted than `evidence` keeps.
    pub not_kept: u64,
}

impl Ban {
    /// How long from `now` it lasts; `None` without end.
    #[must_use]
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        self.end.map(|end| end.since(now))
    }

    /// Whether its source had proven that its address is its own.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        matches!(&self.origin, Origin::Scan(cause) if cause.is_proof())
    }
}

/// Who decided a ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A detector, for this cause.
    Scan(Cause),
    /// The operator, with these words.
    Operator(String),
}

/// All bans in force, and the memory of past ones.
#[derive(Debug, Default)]
pub struct Ledger {
    bans: BTreeMap<Prefix, Ban>,
    by_end: BTreeSet<(Timestamp, Prefix)>,
    /// Those that have evidence, the oldest first.
    with_evidence: BTreeSet<(Timestamp, Prefix)>,
    evidence_kept: usize,
    past: BTreeMap<Prefix, Past>,
    past_by_end: BTreeSet<(Timestamp, Prefix)>,
}

/// What counts of a ban that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// The how-manieth it was.
    pub level: u32,
    /// When it ended.
    pub end: Timestamp,
}

impl Ledger {
    /// The level and the end that a ban of `subject` beginning `now` gets.
    #[must_use]
    pub fn sentence(
        &self,
        now: Timestamp,
        subject: &Prefix,
        times: &BanTimes,
    ) -> (u32, Option<Timestamp>) {
        let earlier = self
            .past
            .get(subject)
            .filter(|past| now.since(past.end) < times.memory)
            .map_or(0, |past| past.level);
        let level = earlier.saturating_add(1);
        (level, times.length(level).end(now))
    }

    /// Records a ban, in place of one that the subject may have.
    pub fn record(&mut self, ban: Ban) {
        self.take_out(&ban.subject);
        if let Some(end) = ban.end {
            self.by_end.insert((end, ban.subject));
        }
        if !ban.evidence.is_empty() {
            self.with_evidence.insert((ban.start, ban.subject));
            self.evidence_kept += ban.evidence.len();
        }
        self.bans.insert(ban.subject, ban);
        while self.evidence_kept > MOST_EVIDENCE
            && let Some((_, oldest)) = self.with_evidence.pop_first()
            && let Some(ban) = self.bans.get_mut(&oldest)
        {
            let dropped = core::mem::take(&mut ban.evidence).len();
            self.evidence_kept -= dropped;
            ban.not_kept = ban.not_kept.saturating_add(dropped as u64);
        }
    }

    /// Takes a ban out of all tables.
    fn take_out(&mut self, subject: &Prefix) -> Option<Ban> {
        let ban = self.bans.remove(subject)?;
        if let Some(end) = ban.end {
            self.by_end.remove(&(end, *subject));
        }
        self.with_evidence.remove(&(ban.start, *subject));
        self.evidence_kept -= ban.evidence.len();
        Some(ban)
    }

    /// Takes a ban out, and remembers it as past if it `counts` towards the next one's length.
    pub fn lift(&mut self, now: Timestamp, subject: &Prefix, counts: bool) -> Option<Ban> {
        let ban = self.take_out(subject)?;
        if counts {
            self.remember(*subject, Past { level: ban.level, end: now });
        } else if let Some(past) = self.past.remove(subject) {
            self.past_by_end.remove(&(past.end, *subject));
        }
        Some(ban)
    }

    /// Remembers a ban that is over.
    pub fn remember(&mut self, subject: Prefix, past: Past) {
        if let Some(old) = self.past.insert(subject, past) {
            self.past_by_end.remove(&(old.end, subject));
        }
        self.past_by_end.insert((past.end, subject));
        while self.past.len() > MOST_PAST {
            let Some((_, oldest)) = self.past_by_end.pop_first() else { return };
            self.past.remove(&oldest);
        }
    }

    /// The subject whose ban has run out by `now`, if there is one.
    #[must_use]
    pub fn run_out(&self, now: Timestamp) -> Option<Prefix> {
        self.by_end.first().filter(|(end, _)| *end <= now).map(|(_, subject)| *subject)
    }

    /// The subject of the ban that no operator made and that ends first, if there is one.
    #[must_use]
    pub fn first_to_end(&self) -> Option<Prefix> {
        self.by_end.iter().map(|(_, subject)| *subject).find(|subject| {
            self.bans.get(subject).is_some_and(|ban| matches!(ban.origin, Origin::Scan(_)))
        })
    }

    /// The subject of the ban to be given up first when there must be fewer: one that no operator
    /// made, as long as there is one; then any.
    #[must_use]
    pub fn next_to_go(&self) -> Option<Prefix> {
        let of_operators = || self.by_end.first().map(|(_, subject)| *subject);
        self.first_to_end().or_else(of_operators).or_else(|| self.bans.keys().next().copied())
    }

    /// When the next ban runs out.
    #[must_use]
    pub fn next_end(&self) -> Option<Timestamp> {
        self.by_end.first().map(|(end, _)| *end)
    }

    /// The ban of `subject`.
    #[must_use]
    pub fn get(&self, subject: &Prefix) -> Option<&Ban> {
        self.bans.get(subject)
    }

    /// The ban that covers `addr`, also one made when its key was another (an interface came up
    /// since, say).
    #[must_use]
    pub fn covering(&self, addr: IpAddr) -> Option<&Ban> {
        let host = Prefix::host(addr);
        self.bans.get(&host).or_else(|| {
            let wide = Prefix::new(addr, 64).filter(|prefix| prefix.addr().is_ipv6())?;
            self.bans.get(&wide)
        })
    }

    /// Every ban, in the order of subjects.
    pub fn bans(&self) -> impl Iterator<Item = &Ban> {
        self.bans.values()
    }

    /// How many bans there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bans.len()
    }

    /// How many packets bans keep, and how many they can.
    #[must_use]
    pub fn evidence_count(&self) -> (usize, usize) {
        (self.evidence_kept, MOST_EVIDENCE)
    }

    /// How many subjects are remembered for past bans only, and how many can be.
    #[must_use]
    pub fn past_count(&self) -> (usize, usize) {
        (self.past.len(), MOST_PAST)
    }
}
