//! Entering a namespace moves the calling thread and no other.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]

mod namespace;

use std::fs;
use std::path::Path;

use namespace::Namespace;
use vauban_sys::netns;

fn current() -> std::path::PathBuf {
    fs::read_link("/proc/thread-self/ns/net").unwrap()
}

#[test]
#[ignore = "needs root"]
fn only_the_calling_thread_moves() {
    let before = current();
    let inside = std::thread::spawn(|| {
        let _namespace = Namespace::enter();
        (current(), std::thread::spawn(current).join().unwrap())
    })
    .join()
    .unwrap();
    assert_eq!(current(), before);
    assert_ne!(inside.0, before);
    assert_eq!(inside.0, inside.1); // a thread started inside starts inside
}

#[test]
#[ignore = "needs root"]
fn what_is_no_namespace_is_an_error() {
    let absent = netns::enter(Path::new("/run/netns/none")).unwrap_err();
    assert_eq!(absent.raw_os_error(), Some(libc::ENOENT));
    let plain = netns::enter(Path::new("/proc/version")).unwrap_err();
    assert_eq!(plain.raw_os_error(), Some(libc::EINVAL));
}
