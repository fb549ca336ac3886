//! System calls of a process inside that may be made with some arguments and not with others.
//!
//! A filter sees the numbers in the registers and nothing that they point to. Most of these are
//! 32 bits wide in the kernel, which ignores the other half, and so do the conditions here.
//!
//! What it does not do: name the calls for which arguments do not matter
//! ([`list`](super::list)).

use libc::{c_int, c_long};
use seccompiler::{
    BackendError, SeccompCmpArgLen as Width, SeccompCmpOp as Is, SeccompCondition, SeccompRule,
};

/// What makes a new thread and not a new process or a namespace.
const OWN_NAMESPACES: c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// A call and when it may be made: when one of the rules holds, which is when all its conditions
/// do.
type Call = (c_long, Vec<SeccompRule>);

/// The calls with their conditions, for the calling process (its number is in one).
pub(super) fn rules() -> Result<Vec<Call>, BackendError> {
    let own_process = u64::from(std::process::id());
    let thread = number(libc::CLONE_THREAD);
    let protection = number(libc::PROT_EXEC);
    // Set-user-ID, set-group-ID and sticky.
    let special_modes = 0o7000;
    Ok(vec![
        (libc::SYS_clone, vec![all([bits(0, thread | number(OWN_NAMESPACES), thread)?])?]),
        (libc::SYS_mmap, vec![all([bits(2, protection, 0)?])?]),
        (libc::SYS_mprotect, vec![all([bits(2, protection, 0)?])?]),
        (libc::SYS_fchmod, vec![all([bits(1, special_modes, 0)?])?]),
        (libc::SYS_tgkill, vec![all([equals(0, own_process)?])?]),
        // Of our own threads, by number 0.
        (libc::SYS_sched_setaffinity, vec![all([equals(0, 0)?])?]),
        // The third argument is a pointer to new limits.
        (libc::SYS_prlimit64, vec![all([SeccompCondition::new(2, Width::Qword, Is::Eq, 0)?])?]),
        (libc::SYS_socket, sockets()?),
        (libc::SYS_socketpair, socket_pairs()?),
        (libc::SYS_setsockopt, socket_options()?),
        (libc::SYS_prctl, one_of(0, PRCTL)?),
        (libc::SYS_fcntl, one_of(1, FCNTL)?),
        (libc::SYS_ioctl, ioctls()?),
    ])
}

/// What a thread may set or read of itself.
const PRCTL: &[c_int] = &[
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_TIMERSLACK,
    libc::PR_GET_TIMERSLACK,
    libc::PR_GET_DUMPABLE,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_GET_SECCOMP,
    libc::PR_GET_PDEATHSIG,
    libc::PR_CAPBSET_READ,
];

/// Locks of files, flags and duplicates of descriptors; no signals, leases or notices.
const FCNTL: &[c_int] = &[
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_OFD_GETLK,
    libc::F_OFD_SETLK,
    libc::F_OFD_SETLKW,
];

/// How much there is to read, whether reading waits, and whether somebody sits at a terminal.
fn ioctls() -> Result<Vec<SeccompRule>, BackendError> {
    [libc::FIONREAD, libc::FIONBIO, libc::TCGETS, libc::TIOCGWINSZ]
        .into_iter()
        .map(|request| all([equals(1, request & u64::from(u32::MAX))?]))
        .collect()
}

/// Netlink for addresses, routes and connections, no other family and no other protocol of it:
/// the parts of the kernel that were attacked most are behind the others.
fn sockets() -> Result<Vec<SeccompRule>, BackendError> {
    [libc::NETLINK_ROUTE, libc::NETLINK_SOCK_DIAG]
        .into_iter()
        .map(|protocol| all([equals(0, number(libc::AF_NETLINK))?, equals(2, number(protocol))?]))
        .collect()
}

/// Streams between ourselves. A pair of datagram sockets could send to any socket that has a
/// path.
fn socket_pairs() -> Result<Vec<SeccompRule>, BackendError> {
    let kind = !(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
    Ok(vec![all([
        equals(0, number(libc::AF_UNIX))?,
        bits(1, number(kind), number(libc::SOCK_STREAM))?,
    ])?])
}

/// How long to wait and how much to store; what [`netlink`](crate::netlink) sets.
fn socket_options() -> Result<Vec<SeccompRule>, BackendError> {
    [
        (libc::SOL_SOCKET, libc::SO_RCVTIMEO),
        (libc::SOL_SOCKET, libc::SO_SNDTIMEO),
        (libc::SOL_SOCKET, libc::SO_RCVBUF),
        (libc::SOL_SOCKET, libc::SO_SNDBUF),
        (libc::SOL_NETLINK, libc::NETLINK_CAP_ACK),
    ]
    .into_iter()
    .map(|(level, option)| all([equals(1, number(level))?, equals(2, number(option))?]))
    .collect()
}

fn one_of(argument: u8, values: &[c_int]) -> Result<Vec<SeccompRule>, BackendError> {
    values.iter().map(|value| all([equals(argument, number(*value))?])).collect()
}

fn all<const N: usize>(conditions: [SeccompCondition; N]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.into())
}

fn equals(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Width::Dword, Is::Eq, value)
}

fn bits(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Width::Dword, Is::MaskedEq(mask), value)
}

/// The 32 bits of a number as a register has them.
fn number(value: c_int) -> u64 {
    u64::from(value.cast_unsigned())
}
