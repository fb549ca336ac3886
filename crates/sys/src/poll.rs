//! Waiting for several descriptors at once (poll(2)).
//!
//! What it does not do: read from them, or wait for room to write.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use crate::socket::checked;

/// Waits until one of the descriptors can be read, is at its end or broken, or `timeout` has
/// passed. Says for each, in their order, whether it is worth reading.
///
/// The kernel waits in milliseconds: a timeout is rounded up, so that nobody comes back early and
/// spins.
///
/// # Errors
/// Those of poll(2); an interrupted wait is none, and ends with nothing to read.
pub fn readable(
    descriptors: &[BorrowedFd<'_>],
    timeout: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let mut polled: Vec<libc::pollfd> = descriptors
        .iter()
        .map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 })
        .collect();
    let millis = timeout.map_or(-1, |timeout| {
        i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    });
    let count = libc::nfds_t::try_from(polled.len()).map_err(io::Error::other)?;
    // SAFETY: the pointer and the count describe `polled`, which lives through the call and which
    // nobody else refers to.
    match checked(unsafe { libc::poll(polled.as_mut_ptr(), count, millis) }) {
        Ok(_) => Ok(polled.iter().map(|entry| entry.revents != 0).collect()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            Ok(vec![false; descriptors.len()])
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn says_which_one() {
        let (one, mut one_end) = UnixStream::pair().unwrap();
        let (two, two_end) = UnixStream::pair().unwrap();
        let both = [one.as_fd(), two.as_fd()];
        assert_eq!(readable(&both, Some(Duration::ZERO)).unwrap(), [false, false]);
        one_end.write_all(b"x").unwrap();
        assert_eq!(readable(&both, None).unwrap(), [true, false]);
        drop(two_end);
        assert_eq!(readable(&both, None).unwrap(), [true, true]);
        assert_eq!(readable(&[], Some(Duration::from_micros(1))).unwrap(), [true; 0]);
    }
}
