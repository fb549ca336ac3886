//! Keeps decoys apart.
//!
//! What comes evenly is read here in bursts, as a processor becomes free. Answered as fast, a burst
//! overruns what the scanner reads with (masscan's has room for some thirty packets), decoys are
//! lost on its side, and listeners, which the kernel answers for as their SYNs come, are not: they
//! would stand out.

use std::time::Duration;

use vauban_engine::Timestamp;

/// Between two decoys, once the first few are gone. Measured with masscan beside us on two
/// processors: at 40 microseconds it reads practically all of them, back to back less than half.
const APART: Duration = Duration::from_micros(40);

/// The same while many wait: a scanner does not listen for ever after its last SYN.
const CLOSER: Duration = Duration::from_micros(25);

/// Above this share of its queue many wait: some thousands.
const MANY: f64 = 0.05;

/// Decoys that may go at once: they fit anywhere.
const AT_ONCE: u32 = 4;

/// Above this share of its queue the responder hurries: a late decoy is worse than one that the
/// scanner misses, and a lost copy worse than both. 65,535 SYNs at 100,000 per second stay below.
const HURRY: f64 = 0.75;

/// Below this one it takes its time again.
const CALM: f64 = 0.05;

/// When the next decoy may go.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    /// When all decoys sent so far would have gone, had they been kept apart.
    paid: Timestamp,
    hurrying: bool,
    many: bool,
}

impl Pacer {
    /// How full the queue is.
    pub(super) fn backlog(&mut self, share: f64) {
        self.many = share >= MANY;
        self.hurrying = share >= if self.hurrying { CALM } else { HURRY };
    }

    /// How long the next decoy has to wait; `None` if there is no time for waiting.
    pub(super) fn wait(&mut self, now: Timestamp) -> Option<Duration> {
        if self.hurrying {
            return None;
        }
        let ahead = self.paid.since(now);
        let apart = if self.many { CLOSER } else { APART };
        self.paid = self.paid.max(now).plus(apart);
        Some(ahead.saturating_sub(APART * (AT_ONCE - 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_kept_apart_and_the_first_few_are_not() {
        let mut pacer = Pacer::default();
        let now = Timestamp::from_secs(1);
        let waits: Vec<_> = (0..6).map(|_| pacer.wait(now).unwrap().as_micros()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 40, 80]);
        let later = now.plus(Duration::from_millis(1));
        assert_eq!(pacer.wait(later), Some(Duration::ZERO));
    }

    #[test]
    fn a_long_queue_is_no_time_for_waiting() {
        let mut pacer = Pacer::default();
        pacer.backlog(0.8);
        assert_eq!(pacer.wait(Timestamp::from_secs(1)), None);
        pacer.backlog(0.5);
        assert_eq!(pacer.wait(Timestamp::from_secs(1)), None);
        pacer.backlog(0.01);
        assert!(pacer.wait(Timestamp::from_secs(1)).is_some());
    }
}
