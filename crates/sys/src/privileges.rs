//! Giving up what a process could do beyond its user (capabilities(7), prctl(2)).
//!
//! Nothing here can be undone. The kernel keeps all of it for each thread, and new threads and
//! programs inherit it: so the functions that change something refuse to while the process has
//! more than one thread.
//!
//! What it does not do: change the user (see [`user`](crate::user)), or filter system calls and
//! files (see [`sandbox`](crate::sandbox)).
//!
//! # The order
//! For a process that is to have nothing left: [`bound`] to nothing while it still may,
//! [`become_user`](crate::user::become_user), [`drop_all`], and the sandbox. For one that needs a
//! capability: [`keep`] it and [`no_new_privileges`].

use std::fs;
use std::io;

pub use caps::Capability;
use caps::errors::CapsError;
use caps::{CapSet, CapsHashSet};

use crate::socket;

/// The sets have 64 bits (`struct __user_cap_data_struct`); kernels know some 40 of them.
const BITS: libc::c_ulong = 64;

/// Takes all capabilities but these out of the bounding set: no program that is started from now
/// on has another, whoever owns it and whatever its file says.
///
/// # Errors
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied): one is to be taken out and there is no
/// `CAP_SETPCAP`. [`Other`](io::ErrorKind::Other): the process has several threads.
pub fn bound(kept: &[Capability]) -> io::Result<()> {
    single_thread()?;
    let kept: Vec<_> = kept.iter().map(|kept| libc::c_ulong::from(kept.index())).collect();
    // By number and not by name: the kernel may have some that have no name here.
    for number in 0..BITS {
        // SAFETY: a number, no memory of ours.
        match unsafe { libc::prctl(libc::PR_CAPBSET_READ, number, 0, 0, 0) } {
            1 if kept.contains(&number) => {}
            1 => {
                // SAFETY: as above.
                socket::checked(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) })
                    .map_err(|error| {
                        io::Error::new(
                            error.kind(),
                            format!(
                                "cannot lower the bounding set of capabilities ({error}): start \
                                 with CAP_SETPCAP, or with a bounding set that is small already"
                            ),
                        )
                    })?;
            }
            0 => {}
            _ => break, // one past the last that this kernel knows
        }
    }
    Ok(())
}

/// Keeps, of the capabilities that this process has, these and no others: in its permitted and
/// effective sets and in the bounding set. Nothing is left to be inherited by programs through
/// the inheritable and ambient sets.
///
/// One that the process never had is not an error here: what is there to be used tells
/// [`held`].
///
/// # Errors
/// Those of [`bound`], in which case nothing has changed beyond the bounding set.
pub fn keep(kept: &[Capability]) -> io::Result<()> {
    bound(kept)?;
    let mut sets: CapsHashSet = caps::read(None, CapSet::Permitted).map_err(failed)?;
    sets.retain(|capability| kept.contains(capability));
    reduce(&sets)
}

/// Gives up all capabilities, the right to get any by starting a program, and what others of the
/// same user could do to this process: trace it, read its memory, dump its core.
///
/// The bounding set is left as it is, which means nothing without the right to new privileges.
///
/// # Errors
/// [`Other`](io::ErrorKind::Other): the process has several threads, or the kernel did not do as
/// it was told. After an error, end the process.
pub fn drop_all() -> io::Result<()> {
    single_thread()?;
    reduce(&CapsHashSet::new())?;
    no_new_privileges()?;
    not_dumpable()
}

/// From now on no program that is started has more rights than this process, be it setuid or with
/// capabilities in its file (`PR_SET_NO_NEW_PRIVS`).
///
/// # Errors
/// [`Other`](io::ErrorKind::Other): the process has several threads.
pub fn no_new_privileges() -> io::Result<()> {
    single_thread()?;
    let (yes, unused): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: numbers, no memory of ours.
    socket::checked(unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, unused, unused, unused)
    })?;
    Ok(())
}

/// No core dumps, and other processes of the same user may neither trace this one nor read its
/// memory (`PR_SET_DUMPABLE`). Its files below `/proc/self` then belong to root: those that
/// everybody may read can be read still.
///
/// To be called after a change of the user, which sets this anew.
///
/// # Errors
/// None is expected.
pub fn not_dumpable() -> io::Result<()> {
    let no: libc::c_ulong = 0;
    // SAFETY: numbers, no memory of ours.
    socket::checked(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, no, no, no, no) })?;
    Ok(())
}

/// The names of the capabilities that the calling thread may use (its permitted set), such as
/// `CAP_NET_ADMIN`, in the order of their numbers.
///
/// # Errors
/// None is expected.
pub fn held() -> io::Result<Vec<String>> {
    let mut held: Vec<_> =
        caps::read(None, CapSet::Permitted).map_err(failed)?.into_iter().collect();
    held.sort_by_key(Capability::index);
    Ok(held.iter().map(ToString::to_string).collect())
}

/// Refuses to go on in a process of several threads, of which what is given up here would be
/// given up by one.
pub(crate) fn single_thread() -> io::Result<()> {
    let threads = fs::read_dir("/proc/self/task")
        .map_err(|error| io::Error::new(error.kind(), format!("/proc/self/task: {error}")))?
        .count();
    if threads == 1 {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "rights can be given up only before a process starts threads, and this one has {threads}"
    )))
}

/// Makes these all there is in the sets of this thread, and checks that it is so.
fn reduce(kept: &CapsHashSet) -> io::Result<()> {
    let none = CapsHashSet::new();
    // In this order each set stays within those that bound it. The ambient set goes first, since
    // it would also go with the others but only as far as they do.
    caps::clear(None, CapSet::Ambient).map_err(failed)?;
    for (set, kept) in
        [(CapSet::Effective, kept), (CapSet::Permitted, kept), (CapSet::Inheritable, &none)]
    {
        caps::set(None, set, kept).map_err(failed)?;
    }
    for (set, kept) in [
        (CapSet::Effective, kept),
        (CapSet::Permitted, kept),
        (CapSet::Inheritable, &none),
        (CapSet::Ambient, &none),
    ] {
        if caps::read(None, set).map_err(failed)? != *kept {
            return Err(io::Error::other(format!(
                "the kernel left other capabilities in the set {set:?} than it was told to"
            )));
        }
    }
    Ok(())
}

fn failed(error: CapsError) -> io::Error {
    io::Error::other(error)
}
