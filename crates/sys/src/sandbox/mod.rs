//! The walls around a process that reads what strangers send: which files it may open, and what
//! it may ask of the kernel at all.
//!
//! Two walls, each by its own mechanism: Landlock for files and addresses
//! (landlock(7)), seccomp for system calls (seccomp(2)). Nobody can take them down again, not
//! even user 0, and threads and programs that are started inside are inside.
//!
//! What it does not do: give up users and capabilities (see [`user`](crate::user) and
//! [`privileges`], which come first), or limit memory, processor time or the
//! number of open files (those are resource limits and control groups, which whoever starts the
//! process sets).
//!
//! # What works inside
//! Threads, locks, clocks and memory; reading, writing and sending on whatever is open already,
//! taking connections from an open listener; opening files where [`Sandbox`] says; the netlink
//! requests of [`route`](crate::route), [`interface`](crate::interface) and
//! [`diag`](crate::diag); pairs of connected local sockets, and pipes.
//!
//! # What does not
//! A call that is not on the list fails with `EPERM`, and one that nothing here would ever make
//! (starting a program, tracing another process, mounting …) ends the process with `SIGSYS`. The
//! lists are in `list.rs`, the conditions on arguments in `arguments.rs`.
//!
//! What the C library does by loading further libraries or by connecting to a service has to be
//! done before: looking up users ([`user::lookup`](crate::user::lookup)) and names of hosts.

#[cfg(all(target_pointer_width = "64", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod arguments;
#[cfg(all(target_pointer_width = "64", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls;
mod files;
#[cfg(all(target_pointer_width = "64", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod list;

/// Where nobody has written down the numbers of the calls.
#[cfg(not(all(
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod calls {
    pub(super) fn enter() -> std::io::Result<bool> {
        Ok(false)
    }
}

use std::io;
use std::path::PathBuf;

use crate::privileges;

/// What a process may go on opening.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// Directories in which it may make, read, write, rename and remove plain files; not
    /// directories, links, devices or sockets.
    pub writable: Vec<PathBuf>,
    /// Files, and directories beneath which it may read files and list directories. One that is
    /// not there is left out. A file that is going to be replaced by another of its name is not
    /// the file that was meant here: name its directory.
    pub readable: Vec<PathBuf>,
}

/// Which walls stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Entered {
    /// The version of Landlock by which files and addresses are walled off, which is the lower of
    /// the kernel's and of the newest known here (7). Files are from 1 on (truncating them from
    /// 3), connecting and binding TCP sockets from 4, ioctl(2) on devices from 5, signals and
    /// abstract local sockets of other processes from 6. `None`: the kernel has no Landlock, or
    /// does not use it (its parameter `lsm=`), and what can be opened is up to the user alone.
    pub landlock: Option<u32>,
    /// Whether system calls are filtered. `false`: the kernel has no seccomp, or the architecture
    /// is neither x86-64 nor AArch64.
    pub seccomp: bool,
}

/// Puts the calling process inside, for good. The process has to have one thread only, which
/// starts its others afterwards. It also gives up getting more rights by starting a program
/// ([`no_new_privileges`](privileges::no_new_privileges)).
///
/// # Errors
/// A writable directory that is not there or cannot be opened; a process of several threads; a
/// kernel that has a mechanism and refuses it. After an error, end the process: one wall may
/// stand already.
pub fn enter(sandbox: &Sandbox) -> io::Result<Entered> {
    privileges::no_new_privileges()?;
    // The files first: behind the other wall nothing could be said about them.
    let landlock = files::enter(sandbox)?;
    let seccomp = calls::enter()?;
    Ok(Entered { landlock, seccomp })
}
