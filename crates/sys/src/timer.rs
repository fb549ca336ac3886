//! How exactly the calling thread sleeps, and how long the whole host has slept.
//!
//! What it does not do: sleep, or tell the time.

use std::io;
use std::time::Duration;

use crate::socket;

/// Lets the calling thread wake up when it wanted to. Otherwise the kernel may put a wake-up off
/// for up to 50 microseconds, to gather several (`PR_SET_TIMERSLACK`, prctl(2)).
///
/// # Errors
/// None is expected.
pub fn exact_sleeps() -> io::Result<()> {
    const NANOSECONDS: libc::c_ulong = 1;
    // SAFETY: with this operation prctl(2) takes a number and touches no memory of ours.
    socket::checked(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, NANOSECONDS, 0, 0, 0) })?;
    Ok(())
}

/// For how long this host has been suspended since it was started: by how much the clock that
/// counts that time (`CLOCK_BOOTTIME`, clock_gettime(2)) is ahead of the one that does not.
#[must_use]
pub fn asleep() -> Duration {
    let awake = read(libc::CLOCK_MONOTONIC);
    read(libc::CLOCK_BOOTTIME).saturating_sub(awake)
}

/// The clock by which this boot's time is counted, suspension left out (`CLOCK_MONOTONIC`): the same
/// for all processes.
#[must_use]
pub fn monotonic() -> Duration {
    read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live local, which the kernel fills.
    let done = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if done != 0 {
        return Duration::ZERO; // no kernel of ours is without these clocks
    }
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_go() {
        let before = monotonic();
        assert!(before > Duration::ZERO && monotonic() >= before);
        assert!(asleep() < Duration::from_secs(365 * 24 * 60 * 60));
    }

    #[test]
    fn the_slack_of_this_thread_is_one_nanosecond() {
        std::thread::spawn(|| {
            exact_sleeps().unwrap();
            // SAFETY: PR_GET_TIMERSLACK takes nothing and returns a number.
            let slack = unsafe { libc::prctl(libc::PR_GET_TIMERSLACK, 0, 0, 0, 0) };
            assert_eq!(slack, 1);
        })
        .join()
        .unwrap();
    }
}
