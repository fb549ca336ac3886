//! What this host told its callers: SYN-ACKs, so that it is known who acknowledges one rightly, and
//! the calls that it made itself.

use std::collections::{BTreeMap, VecDeque};

use vauban_engine::Timestamp;
use vauban_packet::decoy::SLOT;

use crate::line::Tuple;

/// SYN-ACKs remembered at most, some 10 MiB: a decoy's proof is good for a minute, and more of them
/// in a minute are a flood.
const MOST: usize = 65_536;

/// What a SYN-ACK said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// When it left.
    pub at: Timestamp,
    /// The sequence number that its receiver goes on with.
    pub next: u32,
    /// What acknowledges it.
    pub wanted: u32,
}

impl Told {
    /// Whether a decoy that said this takes an acknowledgement at `now` for a proof: cookies hold
    /// in their slot and in the next one.
    #[must_use]
    pub fn holds(at: Timestamp, now: Timestamp) -> bool {
        let slot = |time: Timestamp| u128::from(time.0) / SLOT.as_nanos();
        slot(now) <= slot(at) + 1
    }
}

/// What this host said first to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It called him.
    Called,
    /// It, or a decoy in its name, took his call.
    Accepted(Told),
}

/// Those that were told something.
#[derive(Debug, Default)]
pub struct Handshakes {
    told: BTreeMap<Tuple, Said>,
    oldest: VecDeque<Tuple>,
}

impl Handshakes {
    /// A SYN-ACK left.
    pub fn tell(&mut self, tuple: Tuple, told: Told) {
        self.put(tuple, Said::Accepted(told));
    }

    /// This host called.
    pub fn call(&mut self, tuple: Tuple) {
        self.put(tuple, Said::Called);
    }

    /// What was said; `None` when nothing is known of these ends.
    #[must_use]
    pub fn get(&self, tuple: &Tuple) -> Option<Said> {
        self.told.get(tuple).copied()
    }

    fn put(&mut self, tuple: Tuple, told: Said) {
        if self.told.insert(tuple, told).is_none() {
            self.oldest.push_back(tuple);
        }
        while self.oldest.len() > MOST {
            let Some(oldest) = self.oldest.pop_front() else { return };
            self.told.remove(&oldest);
        }
    }
}
