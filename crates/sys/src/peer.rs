//! Who we are, and who is at the other end of a local socket.
//!
//! What it does not do: look up names, or decide who may do what.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::ptr;

use crate::socket;

/// The identity of a peer, as it was when it connected (`SO_PEERCRED`, unix(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// Its process number. It may have ended since, and the number be another process by now:
    /// for messages to people, not for decisions. 0 for a process our PID namespace cannot see.
    pub pid: i32,
    /// Its effective user, in our user namespace.
    pub uid: u32,
    /// Its effective group, in our user namespace.
    pub gid: u32,
}

/// The credentials of the process that made the other end of `stream`. The kernel vouches for
/// them.
///
/// # Errors
/// Those of getsockopt(2); none is expected on a connected stream.
pub fn peer_credentials(stream: &UnixStream) -> io::Result<Credentials> {
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = socket::length_of::<libc::ucred>();
    // SAFETY: both pointers are to live locals, and `length` is the size of `found`, so the
    // kernel writes no further than `found`.
    socket::checked(unsafe {
        libc::getsockopt(
            stream.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            ptr::from_mut(&mut found).cast(),
            &raw mut length,
        )
    })?;
    Ok(Credentials { pid: found.pid, uid: found.uid, gid: found.gid })
}

/// The effective user of this process (geteuid(2), which cannot fail).
pub fn effective_uid() -> u32 {
    // SAFETY: geteuid(2) takes nothing and touches no memory of ours.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_pair_are_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        let credentials = peer_credentials(&one).unwrap();
        assert_eq!(u32::try_from(credentials.pid), Ok(std::process::id()));
        assert_eq!(credentials.uid, effective_uid());
    }
}
