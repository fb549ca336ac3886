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
    past: BTreeMap<Prefix, Past>,
    past_by_end: BTreeSet<(Timestamp, Prefix)>,
}

#[derive(Clone, Copy, Debug)]
struct Past {
    level: u32,
    end: Timestamp,
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
        (level, Some(now.plus(times.length(level))))
    }

    /// Records a ban, in place of one that the subject may have.
    pub fn record(&mut self, ban: Ban) {
        if let Some(old) = self.bans.remove(&ban.subject)
            && let Some(end) = old.end
        {
            self.by_end.remove(&(end, old.subject));
        }
        if let Some(end) = ban.end {
            self.by_end.insert((end, ban.subject));
        }
        self.bans.insert(ban.subject, ban);
    }

    /// Takes a ban out, and remembers it as past if it `counts` towards the next one's length.
    pub fn lift(&mut self, now: Timestamp, subject: &Prefix, counts: bool) -> Option<Ban> {
        let ban = self.bans.remove(subject)?;
        if let Some(end) = ban.end {
            self.by_end.remove(&(end, *subject));
        }
        if counts {
            self.remember(*subject, Past { level: ban.level, end: now });
        } else if let Some(past) = self.past.remove(subject) {
            self.past_by_end.remove(&(past.end, *subject));
        }
        Some(ban)
    }

    fn remember(&mut self, subject: Prefix, past: Past) {
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

    /// How many subjects are remembered for past bans only, and how many can be.
    #[must_use]
    pub fn past_count(&self) -> (usize, usize) {
        (self.past.len(), MOST_PAST)
    }
}
