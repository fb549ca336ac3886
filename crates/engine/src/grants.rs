//! Whom the operator has allowed while it runs, beside the configuration's list: each with its end.
//!
//! It does not say what being allowed means: see [`crate::never`].

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::net::Prefix;
use crate::time::Timestamp;

/// Grants at most. They stand in sets of the kernel that are exchanged as a whole, and are looked
/// through for each ban: what is longer than a page of names belongs into the configuration.
pub const MOST_GRANTS: usize = 1_024;

/// An address or prefix that an operator has allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whom.
    pub prefix: Prefix,
    /// Why, in the operator's words; empty if he has not said.
    pub comment: String,
    /// Since when.
    pub start: Timestamp,
    /// Until when; `None` for ever.
    pub end: Option<Timestamp>,
}

impl Grant {
    /// How long from `now` it lasts; `None` without end.
    #[must_use]
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        self.end.map(|end| end.since(now))
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Grants {
    all: BTreeMap<Prefix, Grant>,
}

impl Grants {
    /// Takes one, in place of one for the same prefix. False if there is no room.
    pub fn put(&mut self, grant: Grant) -> bool {
        if self.all.len() >= MOST_GRANTS && !self.all.contains_key(&grant.prefix) {
            return false;
        }
        self.all.insert(grant.prefix, grant);
        true
    }

    /// Takes one back.
    pub fn remove(&mut self, prefix: &Prefix) -> Option<Grant> {
        self.all.remove(prefix)
    }

    /// One that has run out by `now`, if there is one.
    #[must_use]
    pub fn run_out(&self, now: Timestamp) -> Option<Prefix> {
        let over = |grant: &&Grant| grant.end.is_some_and(|end| end <= now);
        self.all.values().find(over).map(|grant| grant.prefix)
    }

    /// When the next one runs out.
    #[must_use]
    pub fn next_end(&self) -> Option<Timestamp> {
        self.all.values().filter_map(|grant| grant.end).min()
    }

    /// All of them, in the order of their prefixes.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.all.values()
    }

    /// Their prefixes, in order.
    #[must_use]
    pub fn prefixes(&self) -> Vec<Prefix> {
        self.all.keys().copied().collect()
    }

    /// The one for exactly this prefix.
    #[must_use]
    pub fn get(&self, prefix: &Prefix) -> Option<&Grant> {
        self.all.get(prefix)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
