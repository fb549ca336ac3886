//! Elements that time out, as a set of nf_tables holds them: an update begins the time anew, and a
//! full set takes no further element until one has run out.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::time::Timestamp;

/// Such a set.
#[derive(Clone, Debug)]
pub struct Expiring<K> {
    until: BTreeMap<K, Timestamp>,
    by_time: BTreeSet<(Timestamp, K)>,
    timeout: Duration,
    most: usize,
}

impl<K: Ord + Copy> Expiring<K> {
    /// An empty one, of at most `most` elements that stay for `timeout`.
    pub fn new(timeout: Duration, most: usize) -> Self {
        Self { until: BTreeMap::new(), by_time: BTreeSet::new(), timeout, most }
    }

    /// Puts an element in, or begins its time anew. Without effect when the set is full.
    pub fn update(&mut self, now: Timestamp, key: K) {
        while let Some((until, old)) = self.by_time.first().copied()
            && until <= now
        {
            self.by_time.remove(&(until, old));
            self.until.remove(&old);
        }
        if let Some(until) = self.until.get(&key) {
            self.by_time.remove(&(*until, key));
        } else if self.until.len() >= self.most {
            return;
        }
        let until = now.plus(self.timeout);
        self.until.insert(key, until);
        self.by_time.insert((until, key));
    }

    /// Puts an element in. One that is there keeps its time.
    pub fn add(&mut self, now: Timestamp, key: K) {
        if !self.contains(now, &key) {
            self.update(now, key);
        }
    }

    /// Takes an element out, or all.
    pub fn remove(&mut self, key: Option<&K>) {
        let Some(key) = key else {
            self.until.clear();
            self.by_time.clear();
            return;
        };
        if let Some(until) = self.until.remove(key) {
            self.by_time.remove(&(until, *key));
        }
    }

    /// Whether it holds this element.
    pub fn contains(&self, now: Timestamp, key: &K) -> bool {
        self.until.get(key).is_some_and(|until| *until > now)
    }
}
