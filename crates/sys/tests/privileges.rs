//! Giving up users and capabilities, each test in a process of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]

mod apart;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use vauban_sys::privileges::{self, Capability};
use vauban_sys::user;

/// Nobody's number: no entry of the database is needed to be a user.
const USER: u32 = 64_123;

/// A line of `/proc/thread-self/status`.
fn status(field: &str) -> String {
    let all = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = all.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {all}")).split_whitespace().collect()
}

fn sets() -> [u64; 5] {
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
        .map(|set| u64::from_str_radix(&status(set), 16).unwrap())
}

/// What a program that is started now may do.
fn permitted_of_a_program() -> u64 {
    let output = Command::new("grep").args(["CapPrm", "/proc/self/status"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    u64::from_str_radix(text.split_whitespace().last().unwrap(), 16).unwrap()
}

#[test]
#[ignore = "needs root"]
fn what_is_kept_is_all_there_is() {
    apart::run("what_is_kept_is_all_there_is", || {
        // Something in the sets that are to be emptied.
        let extra = [Capability::CAP_CHOWN, Capability::CAP_NET_ADMIN].into_iter().collect();
        caps::set(None, caps::CapSet::Inheritable, &extra).unwrap();
        caps::set(None, caps::CapSet::Ambient, &extra).unwrap();
        assert_ne!(sets()[4], 0);
        privileges::keep(&[Capability::CAP_NET_RAW, Capability::CAP_NET_ADMIN]).unwrap();
        let both = Capability::CAP_NET_RAW.bitmask() | Capability::CAP_NET_ADMIN.bitmask();
        assert_eq!(sets(), [0, both, both, both, 0]);
        assert_eq!(privileges::held().unwrap(), ["CAP_NET_ADMIN", "CAP_NET_RAW"]);
        assert_eq!(permitted_of_a_program(), both); // we are user 0 still
        // Less goes, more does not; and without CAP_SETPCAP the bounding set stays.
        privileges::keep(&[Capability::CAP_NET_RAW, Capability::CAP_NET_ADMIN]).unwrap();
        let refusal = privileges::keep(&[Capability::CAP_NET_ADMIN]).unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::PermissionDenied);
        assert!(refusal.to_string().contains("CAP_SETPCAP"), "{refusal}");
        assert_eq!(sets(), [0, both, both, both, 0]);
        privileges::keep(&[
            Capability::CAP_NET_RAW,
            Capability::CAP_NET_ADMIN,
            Capability::CAP_SYS_ADMIN,
        ])
        .unwrap();
        assert_eq!(sets(), [0, both, both, both, 0]);
    });
}

#[test]
#[ignore = "needs root"]
fn the_unprivileged_process_has_nothing_left() {
    apart::run("the_unprivileged_process_has_nothing_left", || {
        privileges::bound(&[]).unwrap();
        user::become_user(USER, USER + 1).unwrap();
        privileges::drop_all().unwrap();
        assert_eq!(sets(), [0; 5]);
        assert_eq!(privileges::held().unwrap(), [""; 0]);
        assert_eq!(status("NoNewPrivs"), "1");
        assert_eq!(status("Uid"), USER.to_string().repeat(4));
        assert_eq!(status("Gid"), (USER + 1).to_string().repeat(4));
        assert_eq!(status("Groups"), "");
        // Not dumpable: what is ours in /proc belongs to root.
        assert_eq!(fs::metadata("/proc/self/environ").unwrap().uid(), 0);
        // A thread of ours is no different.
        std::thread::spawn(|| assert_eq!(sets(), [0; 5])).join().unwrap();
        let denied = fs::read("/etc/shadow").unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
        let again = user::become_user(USER + 7, USER).unwrap_err();
        assert_eq!(again.raw_os_error(), Some(libc::EPERM));
    });
}

#[test]
#[ignore = "needs root"]
fn user_0_without_capabilities_gets_none_back() {
    apart::run("user_0_without_capabilities_gets_none_back", || {
        privileges::keep(&[]).unwrap();
        privileges::drop_all().unwrap();
        assert_eq!(sets(), [0; 5]);
        assert_eq!(permitted_of_a_program(), 0);
    });
}

#[test]
#[ignore = "needs root"]
fn a_way_back_to_user_0_is_an_error() {
    apart::run("a_way_back_to_user_0_is_an_error", || {
        caps::securebits::set_keepcaps(true).unwrap();
        // What is kept so is permitted and not effective: no way back yet …
        user::become_user(USER, USER).unwrap();
        assert_ne!(sets()[1], 0);
        // … until it is made effective.
        let all = caps::read(None, caps::CapSet::Permitted).unwrap();
        caps::set(None, caps::CapSet::Effective, &all).unwrap();
        let error = user::become_user(USER + 1, USER + 1).unwrap_err();
        assert!(error.to_string().contains("again"), "{error}");
    });
}

#[test]
fn several_threads_are_refused() {
    apart::run("several_threads_are_refused", || {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || stopped.recv());
        let before = sets();
        for refused in [
            privileges::bound(&[]),
            privileges::keep(&[]),
            privileges::drop_all(),
            privileges::no_new_privileges(),
        ] {
            assert!(refused.unwrap_err().to_string().contains("has 2"));
        }
        assert_eq!(sets(), before);
        assert_eq!(status("NoNewPrivs"), "0");
        drop(stop);
        assert!(thread.join().unwrap().is_err());
    });
}
