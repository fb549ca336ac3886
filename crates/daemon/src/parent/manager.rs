//! The service manager's wishes (sd_notify(3)): told when we are ready, reload, stop, and that we
//! are alive. Without a manager nothing is said.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Without a watchdog, how often there is nothing to say.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// This host is protected.
pub(super) fn ready() {
    say(&[NotifyState::Ready]);
}

/// Another configuration is being read.
pub(super) fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now().ok());
    say(&states);
}

/// The end is being prepared.
pub(super) fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// A manager that does not listen is no reason to stop protecting.
fn say(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}

/// The manager's watchdog.
pub(super) struct Watchdog {
    /// How often a sign of life is due: twice in the time that the manager waits for one.
    every: Option<Duration>,
    next: Instant,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        let every = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        Self { every, next: Instant::now() + every.unwrap_or(NEVER) }
    }

    /// When the next sign of life is due.
    pub(super) fn next_beat(&self) -> Instant {
        self.next
    }

    /// A sign of life, if one is due.
    pub(super) fn beat(&mut self, now: Instant) {
        if now < self.next {
            return;
        }
        self.next = now + self.every.unwrap_or(NEVER);
        if self.every.is_some() {
            say(&[NotifyState::Watchdog]);
        }
    }
}
