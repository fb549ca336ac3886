//! The one place that asks what time it is.
//!
//! The engine goes by a clock that nobody can set: it begins with the wall clock's time at start and
//! counts with the monotonic clock from there. So no step of the wall clock, and no night that a
//! laptop sleeps through, shortens or lengthens a ban; the kernel's own timeouts count in the same
//! way. What is shown to people is dated by the wall clock: [`Dates`] knows how the two relate.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vauban_engine::Timestamp;
use vauban_sys::timer;

/// How far the wall clock must be off before that counts as a step. Below, it is being slewed, and
/// nobody misses a tenth of a second in a date.
const STEP: u64 = 100_000_000;

/// A step worth a line in the log: what people set, not what a time server corrects each day.
const WORTH_SAYING: Duration = Duration::from_secs(1);

/// Steps remembered. A clock that is set more often than that dates old events by newer time.
const MOST_STEPS: usize = 64;

/// A running clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Duration,
    started: Instant,
    /// When it was started, by the clock that all processes of this boot share.
    monotonic: Duration,
}

impl Clock {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        Self { wall: wall_clock(), started: Instant::now(), monotonic: timer::monotonic() }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::default().plus(self.wall).plus(self.started.elapsed())
    }

    /// One of the engine's times by the clock that all processes of this boot share; what was
    /// before this boot is its beginning.
    #[must_use]
    pub fn monotonic(&self, at: Timestamp) -> Duration {
        let started = self.started();
        (self.monotonic + at.since(started)).saturating_sub(started.since(at))
    }

    /// When it was started.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        Timestamp::default().plus(self.wall)
    }
}

/// What the wall clock says now.
#[must_use]
pub fn wall() -> Timestamp {
    Timestamp::default().plus(wall_clock())
}

fn wall_clock() -> Duration {
    // A clock before 1970 is a broken clock; from zero on it still measures spans rightly.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The dates of the engine's times.
#[derive(Clone, Debug)]
pub struct Dates {
    /// From which of the engine's times on the wall clock is how far ahead of it, in nanoseconds.
    steps: VecDeque<(Timestamp, i64)>,
    asleep: Duration,
}

/// The wall clock has been set, or the host has slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// By how much.
    pub by: Duration,
    /// Whether it now says a later time.
    pub forward: bool,
    /// For how long the host has slept; the rest was set by somebody.
    pub asleep: Duration,
}

impl Dates {
    /// From now on, with a wall clock that is right.
    #[must_use]
    pub fn new() -> Self {
        Self { steps: VecDeque::new(), asleep: timer::asleep() }
    }

    /// Looks at the wall clock; says if it has been set by so much that people should know.
    pub fn look(&mut self, now: Timestamp) -> Option<Step> {
        self.compare(now, wall(), timer::asleep())
    }

    fn compare(&mut self, now: Timestamp, wall: Timestamp, asleep: Duration) -> Option<Step> {
        let ahead = i64::try_from(i128::from(wall.0) - i128::from(now.0)).unwrap_or_default();
        let before = self.steps.back().map_or(0, |(_, ahead)| *ahead);
        let by = ahead.abs_diff(before);
        if by < STEP {
            return None;
        }
        if self.steps.len() == MOST_STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back((now, ahead));
        let slept = asleep.saturating_sub(std::mem::replace(&mut self.asleep, asleep));
        let step = Step { by: Duration::from_nanos(by), forward: ahead > before, asleep: slept };
        (step.by >= WORTH_SAYING).then_some(step)
    }

    /// The wall clock's time at one of the engine's times: as it was then; for what is to come, as
    /// it will be if nobody sets it.
    #[must_use]
    pub fn wall(&self, at: Timestamp) -> Timestamp {
        let of_then = self.steps.iter().rev().find(|(since, _)| *since <= at);
        let ahead = of_then.map_or(0, |(_, ahead)| *ahead);
        Timestamp(at.0.saturating_add_signed(ahead))
    }
}

impl Default for Dates {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn what_happened_keeps_its_date_and_what_comes_gets_the_new_one() {
        let mut dates = Dates { steps: VecDeque::new(), asleep: Duration::ZERO };
        assert_eq!(dates.compare(at(100), at(100), Duration::ZERO), None);
        let step = dates.compare(at(200), at(3_800), Duration::ZERO).unwrap();
        assert_eq!((step.by.as_secs(), step.forward, step.asleep.as_secs()), (3_600, true, 0));
        assert_eq!(dates.wall(at(150)), at(150));
        assert_eq!(dates.wall(at(300)), at(3_900));
        // Back to where it was, and further.
        let step = dates.compare(at(400), at(390), Duration::ZERO).unwrap();
        assert_eq!((step.by.as_secs(), step.forward), (3_610, false));
        assert_eq!(dates.wall(at(300)), at(3_900));
        assert_eq!(dates.wall(at(500)), at(490));
        assert_eq!(dates.compare(at(410), at(400), Duration::ZERO), None);
    }

    #[test]
    fn a_night_asleep_is_told_apart() {
        let mut dates = Dates { steps: VecDeque::new(), asleep: Duration::from_secs(5) };
        let night = Duration::from_secs(28_805);
        let step = dates.compare(at(200), at(29_000), night).unwrap();
        assert_eq!((step.by.as_secs(), step.asleep.as_secs()), (28_800, 28_800));
    }

    #[test]
    fn steps_are_bounded() {
        let mut dates = Dates::new();
        for n in 0..1_000 {
            dates.compare(at(n), at(n + (n % 2) * 10), Duration::ZERO);
        }
        assert!(dates.steps.len() <= MOST_STEPS);
    }
}
