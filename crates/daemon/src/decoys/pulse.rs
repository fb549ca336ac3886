//! Whether anybody answers for decoys. The kernel program wants to be told again and again: without
//! answers, closed ports would fall silent and listeners stand out among them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vauban_engine::Timestamp;

/// A responder that has not come by for so long is stuck. It comes by four times a second, or
/// after a burst of 64 copies.
const STUCK: Duration = Duration::from_secs(1);

/// How long suspects meet silence after copies were lost.
pub const RECOVERY: Duration = Duration::from_secs(2);

/// Shared by the responder, which beats, and the loop that tells the enforcer.
#[derive(Debug, Default)]
pub struct Pulse {
    beat: AtomicU64,
    lost: AtomicU64,
}

impl Pulse {
    /// The responder is there.
    pub fn beat(&self, now: Timestamp) {
        self.beat.store(now.0, Ordering::Relaxed);
    }

    /// Copies were lost: the responder was too slow.
    pub fn lose(&self, now: Timestamp) {
        self.lost.store(now.0, Ordering::Relaxed);
    }

    /// Whether suspects can rely on answers.
    #[must_use]
    pub fn answers(&self, now: Timestamp) -> bool {
        let since = |cell: &AtomicU64| now.since(Timestamp(cell.load(Ordering::Relaxed)));
        since(&self.beat) < STUCK && since(&self.lost) >= RECOVERY
    }
}
