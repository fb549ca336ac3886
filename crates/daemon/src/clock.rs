//! The one place that asks what time it is.
//!
//! Wall time is read once, at start; from there the monotonic clock counts. So no step of the
//! wall clock shortens or lengthens a ban.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vauban_engine::Timestamp;

/// A running clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Duration,
    started: Instant,
}

impl Clock {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        // A clock before 1970 is a broken clock; from zero on it still measures spans rightly.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall, started: Instant::now() }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::default().plus(self.wall).plus(self.started.elapsed())
    }

    /// When it was started.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        Timestamp::default().plus(self.wall)
    }
}
