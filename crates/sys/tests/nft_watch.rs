//! Commits as a listener sees them: one notice each, with its author.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]

mod namespace;

use std::process::Command;
use std::time::Duration;

use namespace::{Namespace, nft};
use vauban_sys::nft::watch::{Commit, Seen, Watch};
use vauban_sys::nft::{Nft, SetOp};

const TABLE: &str = "table inet t {
    set s { type ipv4_addr; }
}";

/// The kernel has told its listeners when a commit returns, so this is only for a failure.
const PATIENCE: Duration = Duration::from_secs(5);

fn next(watch: &mut Watch) -> Commit {
    match watch.wait(PATIENCE).unwrap() {
        Seen::Commit(commit) => commit,
        other => panic!("{other:?} instead of a commit"),
    }
}

fn adds(count: u32) -> Vec<SetOp<'static>> {
    let key = |number: u32| number.to_be_bytes().to_vec();
    (0..count).map(|n| SetOp::Add { set: "s", key: key(n), timeout: None }).collect()
}

#[test]
#[ignore = "needs root"]
fn a_commit_by_the_tool_is_one_notice_with_its_name() {
    let _namespace = Namespace::enter();
    let mut watch = Watch::open().unwrap();
    let ours = Nft::open().unwrap();
    let mut tool = Command::new("nft").args(["add", "table", "inet", "t"]).spawn().unwrap();
    assert!(tool.wait().unwrap().success());
    let commit = next(&mut watch);
    assert_eq!(commit.name.as_deref(), Some("nft"));
    assert_eq!(commit.process, Some(tool.id()));
    assert_ne!(commit.port, ours.port().unwrap());
    assert_eq!(watch.wait(Duration::ZERO).unwrap(), Seen::Idle);
}

#[test]
#[ignore = "needs root"]
fn ten_thousand_elements_of_ours_are_one_notice_with_our_port() {
    let _namespace = Namespace::with_ruleset(TABLE);
    let mut watch = Watch::open().unwrap();
    let mut ours = Nft::open().unwrap();
    ours.commit("t", &adds(10_000)).unwrap();
    let commit = next(&mut watch);
    assert_ne!(commit.port, 0);
    assert_eq!(commit.port, ours.port().unwrap());
    let thread = std::fs::read_link("/proc/thread-self").unwrap();
    let thread = thread.file_name().unwrap().to_str().unwrap().parse().ok();
    assert_eq!(commit.process, thread);
    assert_eq!(watch.wait(Duration::ZERO).unwrap(), Seen::Idle);
    assert_eq!(ours.dump("t", "s").unwrap().len(), 10_000);
}

#[test]
#[ignore = "needs root"]
fn a_flush_of_everything_is_seen() {
    let _namespace = Namespace::with_ruleset(TABLE);
    let mut watch = Watch::open().unwrap();
    nft("flush ruleset");
    assert_eq!(next(&mut watch).name.as_deref(), Some("nft"));
    assert_eq!(watch.wait(Duration::ZERO).unwrap(), Seen::Idle);
}

#[test]
#[ignore = "needs root"]
fn a_commit_that_fails_brings_no_notice() {
    let _namespace = Namespace::with_ruleset(TABLE);
    let mut watch = Watch::open().unwrap();
    let mut ours = Nft::open().unwrap();
    let absent = SetOp::Delete { set: "s", key: vec![192, 0, 2, 9] };
    let mut ops = adds(3);
    ops.push(absent);
    assert_eq!(ours.commit("t", &ops).unwrap_err().raw_os_error(), Some(libc::ENOENT));
    assert_eq!(watch.wait(Duration::ZERO).unwrap(), Seen::Idle);
    assert!(ours.dump("t", "s").unwrap().is_empty());
    // It was silence, not deafness.
    ours.commit("t", &adds(1)).unwrap();
    assert_eq!(next(&mut watch).port, ours.port().unwrap());
}

#[test]
#[ignore = "needs root"]
fn more_commits_than_fit_are_an_overrun_and_then_it_goes_on() {
    let _namespace = Namespace::with_ruleset(TABLE);
    let mut watch = Watch::open().unwrap();
    let mut ours = Nft::open().unwrap();
    for _ in 0..5_000 {
        ours.commit("t", &adds(1)).unwrap();
        ours.commit("t", &[SetOp::Flush { set: "s" }]).unwrap();
    }
    let (mut commits, mut overruns) = (0, 0);
    loop {
        match watch.wait(Duration::ZERO).unwrap() {
            Seen::Commit(_) => commits += 1,
            Seen::Overrun => overruns += 1,
            Seen::Idle => break,
        }
    }
    assert!(overruns > 0 && commits > 1_000 && commits < 10_000, "{commits} {overruns}");
    ours.commit("t", &adds(1)).unwrap();
    assert_eq!(next(&mut watch).port, ours.port().unwrap());
}

#[test]
#[ignore = "needs root"]
fn other_namespaces_are_not_seen() {
    let _outer = Namespace::enter();
    let mut watch = Watch::open().unwrap();
    let _inner = Namespace::with_ruleset("table inet t { }");
    assert_eq!(watch.wait(Duration::ZERO).unwrap(), Seen::Idle);
}

#[test]
#[ignore = "needs root"]
fn a_commit_that_changes_nothing_brings_no_notice() {
    let _namespace = Namespace::with_ruleset(TABLE);
    let mut ours = Nft::open().unwrap();
    ours.commit("t", &adds(1)).unwrap();
    let mut watch = Watch::open().unwrap();
    ours.commit("t", &adds(1)).unwrap();
    assert_eq!(watch.wait(Duration::ZERO).unwrap(), Seen::Idle);
}
