//! The wall around system calls, by seccomp (seccomp(2)).
//!
//! Three filters, of whose answers the kernel takes the gravest: one kills, one says that a call
//! does not exist, one lets through what is listed and refuses the rest.
//!
//! What it does not do: read what a pointer points to; no filter can.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;

use seccompiler::{
    BpfProgram, Error, SeccompAction as Action, SeccompFilter, SeccompRule, TargetArch,
};

use super::{arguments, list};

/// The architecture that was compiled for. A call by the rules of another one that the processor
/// also knows (32-bit programs on x86-64) ends the process.
const ARCHITECTURE: TargetArch =
    if cfg!(target_arch = "x86_64") { TargetArch::x86_64 } else { TargetArch::aarch64 };

type Calls = BTreeMap<i64, Vec<SeccompRule>>;

/// Builds the wall; `false` where the kernel has no seccomp.
pub(super) fn enter() -> io::Result<bool> {
    // All are compiled before the first is put up, and the one that forbids to put up more is
    // the last.
    let filters = [
        compiled(always(list::DEADLY), Action::Allow, Action::KillProcess)?,
        compiled(always(&[libc::SYS_clone3]), Action::Allow, errno(libc::ENOSYS))?,
        compiled(allowed()?, errno(libc::EPERM), Action::Allow)?,
    ];
    let mut standing = 0;
    for filter in &filters {
        match seccompiler::apply_filter_all_threads(filter) {
            Ok(()) => standing += 1,
            // A kernel built without it, for which the first call is as good as any.
            Err(Error::Seccomp(error))
                if standing == 0
                    && matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) =>
            {
                return Ok(false);
            }
            Err(error) => return Err(refused(error)),
        }
    }
    Ok(true)
}

/// What may be called. `clone3` is among it, since its arguments lie where no filter can look:
/// the filter before says that there is no such call, and the C library then makes the older one.
fn allowed() -> io::Result<Calls> {
    let mut calls = always(list::ALLOWED);
    calls.append(&mut always(list::ALLOWED_OLD));
    calls.extend(arguments::rules().map_err(refused)?);
    Ok(calls)
}

/// These calls with any arguments.
fn always(calls: &[libc::c_long]) -> Calls {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

fn errno(code: libc::c_int) -> Action {
    Action::Errno(code.unsigned_abs())
}

fn compiled(calls: Calls, otherwise: Action, listed: Action) -> io::Result<BpfProgram> {
    SeccompFilter::new(calls, otherwise, listed, ARCHITECTURE)
        .and_then(BpfProgram::try_from)
        .map_err(refused)
}

fn refused(error: impl Display) -> io::Error {
    io::Error::other(format!("seccomp refused the filter of the sandbox: {error}"))
}
