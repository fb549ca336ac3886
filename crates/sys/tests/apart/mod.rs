//! One test in a process of its own: for what cannot be undone, such as giving up privileges.
//!
//! The process is this test program again with one test to do, and then a fork of it: the test
//! framework runs a test beside its main thread, while what is tested here wants to be the only
//! one. A fork of a program that is doing something else could inherit a lock that nobody opens.
#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(unsafe_code, reason = "fork(2); the block says why it is sound")]

use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitStatus, Output, exit};

/// Set in the process of its own, to the name of the test that it runs.
const NAME: &str = "VSYS_APART";

/// How the process ends when the body has: not 0, with which a test program also ends that found
/// no test of the name.
pub const DONE: i32 = 77;

/// How the process ends when the body panics.
const PANICKED: i32 = 78;

/// Runs `body` in a process of its own and returns how that ended, with what it printed. `body`
/// is what the test `name` consists of. It may end the process itself, or be killed.
pub fn output(name: &str, body: impl FnOnce()) -> Output {
    if std::env::var_os(NAME).is_some_and(|set| set == name) {
        let status = forked(body);
        if let Some(signal) = status.signal() {
            // So that whoever waits for this process sees how the body ended.
            // SAFETY: two numbers; the signal goes to this thread alone.
            unsafe { libc::raise(signal) };
        }
        exit(status.code().unwrap_or(PANICKED))
    }
    Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--include-ignored", "--test-threads=1", "--nocapture"])
        .env(NAME, name)
        .output()
        .unwrap()
}

/// The same for a body that is to come to its end without a panic.
pub fn run(name: &str, body: impl FnOnce()) {
    let output = output(name, body);
    assert_eq!(output.status.code(), Some(DONE), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs `body` in a fork of this process and returns how that ended. For bodies of [`run`] and
/// [`output`] only: elsewhere other tests run in other threads.
pub fn forked(body: impl FnOnce()) -> ExitStatus {
    // SAFETY: the only other thread, if any, is the test framework's, which waits for this one
    // and holds no lock; so the child, in which that thread is missing, can go on as usual.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let ended = catch_unwind(AssertUnwindSafe(body));
        // SAFETY: ends the process; nothing of it is needed any more.
        unsafe { libc::_exit(if ended.is_ok() { DONE } else { PANICKED }) }
    }
    assert!(child > 0, "{}", std::io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: a live integer of ours, which the kernel overwrites.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    ExitStatus::from_raw(status)
}
