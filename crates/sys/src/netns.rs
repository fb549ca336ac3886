//! Network namespaces (`network_namespaces(7)`).
//!
//! What it does not do: make or remove them (`ip netns` does), or enter any other kind.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use crate::socket;

/// Moves the *calling thread* into the network namespace that `path` names: `/run/netns/NAME`, or
/// `/proc/PID/ns/net`.
///
/// Other threads stay where they are; threads and child processes that this one starts from now
/// on inherit the new namespace. Sockets that are open stay in the namespace they were opened in.
/// In a program with several threads, enter first and start the others afterwards, or keep one
/// thread for it.
///
/// # Errors
/// `ENOENT`: no such file. `EINVAL`: the file is no network namespace. `EPERM`: no
/// `CAP_SYS_ADMIN` here and in the namespace's owner (setns(2)).
pub fn enter(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    // SAFETY: setns(2) takes two integers and touches no memory of ours; `file` is open.
    socket::checked(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) })?;
    Ok(())
}
