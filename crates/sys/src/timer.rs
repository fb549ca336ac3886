//! How exactly the calling thread sleeps.
//!
//! What it does not do: sleep, or tell the time.

use std::io;

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

#[cfg(test)]
mod tests {
    use super::*;

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
