//! Wrong acknowledgements, counted by the subject in whose name they came.
//!
//! A decoy's sequence number is 32 bits that only its receiver knows. Whoever sends
//! acknowledgements in another's name may hit it by chance, so after many wrong ones a single right
//! one is not enough for a while, as a trap port's would be. Three of them are no chance any more: who
//! sends wrong ones in his own name does not keep himself from being banned.
//!
//! Anyone can send a wrong one in anyone's name. So this table stands apart from that of the
//! contacts, which nobody can forge: a flood here pushes nobody out there.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::net::Prefix;
use crate::time::Timestamp;

/// So many within [`MINUTE`] are borne; one more suspends proof by one contact. A connection of before, or one
/// that a restart cut off, sends a handful of segments again. And 64 guesses of 2^32 hit once in
/// 2^26 such attacks.
const MOST: u32 = 64;

/// Within what time they count together (it begins with the first of them, so that the worst case
/// is twice as many), and how long after the last one proof stays suspended.
const MINUTE: Duration = Duration::from_secs(60);

/// Subjects remembered at most, at some 150 bytes each: 600 KiB.
const MOST_SUBJECTS: usize = 4_096;

/// The table.
#[derive(Debug, Default)]
pub struct Guesses {
    subjects: BTreeMap<Prefix, Count>,
    /// The same subjects, those with the fewest guesses first: they are pushed out first, so that
    /// who would have one forgotten must give all the others as many.
    by_rank: BTreeSet<(u64, Timestamp, Prefix)>,
    /// When to look for the silent ones again.
    sweep: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Timestamp,
    last: Timestamp,
    /// Since `since`.
    lately: u32,
    /// As long as it is remembered.
    total: u64,
}

impl Count {
    fn suspended_until(&self) -> Option<Timestamp> {
        (self.lately > MOST).then(|| self.last.plus(MINUTE))
    }
}

impl Guesses {
    /// How many subjects it remembers at most.
    pub const BOUND: usize = MOST_SUBJECTS;

    /// Takes note of one.
    pub fn note(&mut self, now: Timestamp, subject: Prefix) {
        let mut count =
            self.remove(&subject).unwrap_or(Count { since: now, last: now, lately: 0, total: 0 });
        let suspended = count.suspended_until().is_some_and(|until| until > now);
        if !suspended && now.since(count.since) >= MINUTE {
            count = Count { since: now, lately: 0, ..count };
        }
        count.last = now;
        count.lately = count.lately.saturating_add(1);
        count.total = count.total.saturating_add(1);
        while self.subjects.len() >= MOST_SUBJECTS {
            let Some((_, _, fewest)) = self.by_rank.pop_first() else { break };
            self.subjects.remove(&fewest);
        }
        self.by_rank.insert((count.total, count.last, subject));
        self.subjects.insert(subject, count);
        self.sweep.get_or_insert(now.plus(MINUTE));
    }

    /// Until when contacts of `subject` prove nothing, if that is so at `now`.
    pub fn suspended_until(&self, now: Timestamp, subject: &Prefix) -> Option<Timestamp> {
        self.subjects.get(subject)?.suspended_until().filter(|until| *until > now)
    }

    /// How many are remembered of `subject`; `None` when it is not in the table.
    pub fn total(&self, subject: &Prefix) -> Option<u64> {
        self.subjects.get(subject).map(|count| count.total)
    }

    /// Whom it remembers.
    pub fn subjects(&self) -> impl Iterator<Item = &Prefix> {
        self.subjects.keys()
    }

    /// Drops those that have been silent for a minute. Looks at all of them, so once a minute.
    pub fn on_timeout(&mut self, now: Timestamp) {
        if self.sweep.is_none_or(|sweep| sweep > now) {
            return;
        }
        self.subjects.retain(|_, count| now.since(count.last) < MINUTE);
        let subjects = &self.subjects;
        self.by_rank.retain(|(_, _, subject)| subjects.contains_key(subject));
        self.sweep = (!self.subjects.is_empty()).then(|| now.plus(MINUTE));
    }

    /// When [`Guesses::on_timeout`] is worth calling.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.sweep
    }

    /// Forgets one subject, or everybody.
    pub fn forget(&mut self, subject: Option<Prefix>) {
        match subject {
            Some(subject) => {
                self.remove(&subject);
            }
            None => *self = Self::default(),
        }
    }

    /// How many subjects it remembers.
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    fn remove(&mut self, subject: &Prefix) -> Option<Count> {
        let count = self.subjects.remove(subject)?;
        self.by_rank.remove(&(count.total, count.last, *subject));
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{IpAddr, Ipv4Addr};

    fn host(number: u32) -> Prefix {
        Prefix::host(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)))
    }

    #[test]
    fn sixty_four_are_borne_and_one_more_is_not() {
        let mut guesses = Guesses::default();
        let now = Timestamp::from_secs(100);
        for _ in 0..MOST {
            guesses.note(now, host(1));
        }
        assert_eq!(guesses.suspended_until(now, &host(1)), None);
        guesses.note(now, host(1));
        let until = now.plus(MINUTE);
        assert_eq!(guesses.suspended_until(now, &host(1)), Some(until));
        assert_eq!(guesses.suspended_until(until, &host(1)), None);
        // Each further one prolongs it.
        let later = now.plus(Duration::from_secs(59));
        guesses.note(later, host(1));
        assert_eq!(guesses.suspended_until(until, &host(1)), Some(later.plus(MINUTE)));
        assert_eq!(guesses.total(&host(1)), Some(66));
    }

    #[test]
    fn a_slow_trickle_never_suspends() {
        let mut guesses = Guesses::default();
        for second in 0..1_000 {
            let now = Timestamp::from_secs(second);
            guesses.on_timeout(now);
            guesses.note(now, host(1));
            assert_eq!(guesses.suspended_until(now, &host(1)), None, "{second}");
        }
    }

    #[test]
    fn a_flood_of_names_stays_bounded_and_hides_no_guesser() {
        let mut guesses = Guesses::default();
        let now = Timestamp::from_secs(1);
        for number in 0..20_000 {
            guesses.note(now, host(2 + number));
            if number % 200 == 0 {
                guesses.note(now, host(1));
            }
            assert!(guesses.len() <= Guesses::BOUND);
            assert_eq!(guesses.len(), guesses.by_rank.len());
        }
        assert!(guesses.suspended_until(now, &host(1)).is_some());
        guesses.on_timeout(now.plus(MINUTE));
        assert_eq!((guesses.len(), guesses.by_rank.len()), (0, 0));
        assert_eq!(guesses.next_timeout(), None);
    }
}
