//! What was decided last, for those who watch.
//!
//! What it does not do: outlive the daemon; the ledger and the store do.

use std::collections::VecDeque;

use crate::entry::Entry;

/// Entries kept: more than a screen shows. At some hundred bytes each, half a kilobyte with all its
/// ports, 32 KiB.
const MOST: usize = 64;

/// The last ones, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Entry>);

impl Recent {
    /// Keeps one more, in place of the oldest.
    pub(super) fn push(&mut self, entry: Entry) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }

    /// All of them, the newest first.
    pub(super) fn newest_first(&self) -> Vec<&Entry> {
        self.0.iter().rev().collect()
    }
}
