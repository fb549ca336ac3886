//! Users of this host: looking one up, and becoming one for good.
//!
//! What it does not do: make users, or give up capabilities and other rights beyond those that go
//! with the user (see [`privileges`](crate::privileges)).

use std::ffi::CString;
use std::io;
use std::ptr;

use crate::socket;

/// A user and its first group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// The number of its first group.
    pub gid: u32,
}

/// Bytes for one entry of the user database: a line of `/etc/passwd` is shorter, and of other
/// databases the room grows, up to [`LARGEST_ENTRY`].
const ENTRY: usize = 1024;

/// Beyond this an entry is taken for an error of its database.
const LARGEST_ENTRY: usize = 1 << 20;

/// The user of this name, `None` when there is none (`getpwnam_r(3)`).
///
/// Asks whatever `/etc/nsswitch.conf` names, so it may wait for a network.
///
/// # Errors
/// Those of `getpwnam_r(3)`; [`InvalidInput`](io::ErrorKind::InvalidInput): a zero byte in the
/// name.
pub fn lookup(name: &str) -> io::Result<Option<User>> {
    let name = CString::new(name)?;
    let mut room = vec![0; ENTRY];
    loop {
        // SAFETY: `passwd` is integers and pointers, for which all bits zero is a value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = ptr::null_mut();
        // SAFETY: the name ends in a zero byte; `entry`, `room` and `found` live through the call
        // and are ours alone; the length is that of `room`.
        let code = unsafe {
            libc::getpwnam_r(
                name.as_ptr(),
                &raw mut entry,
                room.as_mut_ptr(),
                room.len(),
                &raw mut found,
            )
        };
        match code {
            0 if found.is_null() => return Ok(None),
            0 => return Ok(Some(User { uid: entry.pw_uid, gid: entry.pw_gid })),
            // Other ways of saying "none", by the manual page.
            libc::ENOENT | libc::ESRCH => return Ok(None),
            libc::EINTR => {}
            libc::ERANGE if room.len() < LARGEST_ENTRY => room.resize(room.len() * 2, 0),
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// Becomes this user and this group, and a member of no other, with all threads of the process
/// and without a way back. Capabilities go with user 0 (capabilities(7)).
///
/// The C library does it to all threads one after another; still better called before there are
/// several, for until it returns some are the old user.
///
/// # Errors
/// `EPERM`: no `CAP_SETGID` or no `CAP_SETUID`. [`InvalidInput`](io::ErrorKind::InvalidInput):
/// user or group 0, which would give up nothing, or the number that means "as before". An error
/// that there was a way back: the process holds capabilities that do not go with user 0. After an
/// error, end the process: who it is now is unknown.
pub fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    const AS_BEFORE: u32 = u32::MAX;
    if [uid, gid].iter().any(|id| [0, AS_BEFORE].contains(id)) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("user {uid} with group {gid} is not without privileges"),
        ));
    }
    // The groups first: afterwards there is no right to change them.
    // SAFETY: of a list of length zero nothing is read.
    socket::checked(unsafe { libc::setgroups(0, ptr::null()) })?;
    // SAFETY: three numbers, no memory of ours.
    socket::checked(unsafe { libc::setresgid(gid, gid, gid) })?;
    // SAFETY: as above.
    socket::checked(unsafe { libc::setresuid(uid, uid, uid) })?;
    if !is_only(uid, gid)? {
        return Err(io::Error::other(format!("the kernel did not make us user {uid}")));
    }
    // SAFETY: one number, no memory of ours.
    let back = unsafe { [libc::setuid(0), libc::setgid(0)] };
    if back != [-1, -1] || !is_only(uid, gid)? {
        return Err(io::Error::other(format!("user {uid} could become user 0 again")));
    }
    Ok(())
}

/// Whether the process is this user and group in every respect, and of no other group.
fn is_only(uid: u32, gid: u32) -> io::Result<bool> {
    let (mut users, mut groups) = ([0; 3], [0; 3]);
    let [real, effective, saved] = &mut users;
    // SAFETY: three live numbers of ours, which the kernel overwrites.
    socket::checked(unsafe { libc::getresuid(real, effective, saved) })?;
    let [real, effective, saved] = &mut groups;
    // SAFETY: as above.
    socket::checked(unsafe { libc::getresgid(real, effective, saved) })?;
    // SAFETY: with a length of zero the kernel counts and writes nothing.
    let others = socket::checked(unsafe { libc::getgroups(0, ptr::null_mut()) })?;
    Ok(users == [uid; 3] && groups == [gid; 3] && others == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_user_is_found_and_no_user_is_not() {
        assert_eq!(lookup("root").unwrap(), Some(User { uid: 0, gid: 0 }));
        assert_eq!(lookup("no-such-user-here").unwrap(), None);
        assert_eq!(lookup("").unwrap(), None);
        assert_eq!(lookup("ro\0ot").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn numbers_that_give_up_nothing_are_refused() {
        for (uid, gid) in [(0, 1), (1, 0), (u32::MAX, 1), (1, u32::MAX)] {
            let refusal = become_user(uid, gid).unwrap_err();
            assert_eq!(refusal.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
