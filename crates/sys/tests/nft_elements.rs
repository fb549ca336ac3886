//! Set elements against a real kernel: what was committed is what `dump` and `nft` list.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]

mod namespace;

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use namespace::{Namespace, nft, run};
use vauban_sys::netns;
use vauban_sys::nft::{Element, Nft, SetOp};

const TABLE: &str = "table inet t {
    set hosts { type ipv4_addr; flags timeout; }
    set plain { type ipv6_addr; }
    set small { type ipv4_addr; size 4; }
    set pairs { type ipv4_addr . inet_service; flags timeout; }
    set nets { type ipv4_addr; flags interval; }
    set nets6 { type ipv6_addr; flags interval; }
}";

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

fn open() -> (Namespace, Nft) {
    (Namespace::with_ruleset(TABLE), Nft::open().unwrap())
}

fn add<'a>(set: &'a str, key: &[u8], timeout: Option<Duration>) -> SetOp<'a> {
    SetOp::Add { set, key: key.into(), timeout }
}

fn delete<'a>(set: &'a str, key: &[u8]) -> SetOp<'a> {
    SetOp::Delete { set, key: key.into() }
}

fn interval<'a>(set: &'a str, first: &[u8], last: &[u8]) -> SetOp<'a> {
    SetOp::AddInterval { set, first: first.into(), last: last.into() }
}

fn keys(nft: &mut Nft, set: &str) -> Vec<Vec<u8>> {
    let mut keys: Vec<_> = nft.dump("t", set).unwrap().into_iter().map(|e| e.key).collect();
    keys.sort();
    keys
}

fn errno(result: std::io::Result<()>) -> Option<i32> {
    result.unwrap_err().raw_os_error()
}

#[test]
#[ignore = "needs root"]
fn elements_come_and_go_with_their_time() {
    let (_namespace, mut nft) = open();
    let (a, b) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    nft.commit("t", &[add("hosts", &a, MINUTE), add("hosts", &b, None)]).unwrap();
    let listed = nft.dump("t", "hosts").unwrap();
    let find = |key: [u8; 4]| listed.iter().find(|e| e.key == key).unwrap().clone();
    let left = find(a).expires_in.unwrap();
    assert!(left > Duration::from_secs(58) && left <= Duration::from_secs(60), "{left:?}");
    assert_eq!(find(b), Element { key: b.into(), expires_in: None, interval_end: false });
    assert!(run("nft", &["list", "set", "inet", "t", "hosts"]).contains("192.0.2.1 timeout 1m"));
    nft.commit("t", &[delete("hosts", &a)]).unwrap();
    assert_eq!(keys(&mut nft, "hosts"), [b.to_vec()]);
    nft.commit("t", &[SetOp::Flush { set: "hosts" }]).unwrap();
    nft.commit("t", &[SetOp::Flush { set: "hosts" }]).unwrap();
    assert!(keys(&mut nft, "hosts").is_empty());
}

#[test]
#[ignore = "needs root"]
fn the_shortest_timeout_expires_too() {
    let (_namespace, mut nft) = open();
    nft.commit("t", &[add("hosts", &[192, 0, 2, 1], Some(Duration::ZERO))]).unwrap();
    let start = Instant::now();
    while !keys(&mut nft, "hosts").is_empty() {
        assert!(start.elapsed() < Duration::from_secs(2), "a zero timeout became 'for ever'");
    }
}

#[test]
#[ignore = "needs root"]
fn adding_again_is_no_error_and_add_delete_add_renews() {
    let (_namespace, mut nft) = open();
    let key = [192, 0, 2, 1];
    let hour = Some(Duration::from_secs(3600));
    nft.commit("t", &[add("hosts", &key, MINUTE)]).unwrap();
    nft.commit("t", &[add("hosts", &key, MINUTE)]).unwrap();
    let renewal = [add("hosts", &key, MINUTE), delete("hosts", &key), add("hosts", &key, hour)];
    nft.commit("t", &renewal).unwrap();
    let left = nft.dump("t", "hosts").unwrap()[0].expires_in.unwrap();
    assert!(left > Duration::from_secs(3500), "{left:?}");
}

#[test]
#[ignore = "needs root"]
fn a_refused_operation_undoes_its_whole_commit() {
    let (_namespace, mut nft) = open();
    let (a, b, absent) = ([192, 0, 2, 1], [192, 0, 2, 2], [192, 0, 2, 99]);
    nft.commit("t", &[add("hosts", &a, MINUTE)]).unwrap();
    let ops = [
        add("hosts", &b, MINUTE),
        delete("hosts", &a),
        delete("hosts", &absent),
        add("plain", &[1; 16], None),
    ];
    assert_eq!(errno(nft.commit("t", &ops)), Some(libc::ENOENT));
    assert_eq!(keys(&mut nft, "hosts"), [a.to_vec()]);
    assert!(keys(&mut nft, "plain").is_empty());
    // The refusal left nothing behind that the next commit could take for its own answer.
    nft.commit("t", &[delete("hosts", &a)]).unwrap();
    assert!(keys(&mut nft, "hosts").is_empty());
}

#[test]
#[ignore = "needs root"]
fn the_first_error_is_the_one_reported() {
    let (_namespace, mut nft) = open();
    let ops = [add("hosts", &[1, 2, 3], MINUTE), delete("hosts", &[192, 0, 2, 99])];
    assert_eq!(errno(nft.commit("t", &ops)), Some(libc::EINVAL));
    let ops = [delete("hosts", &[192, 0, 2, 99]), add("hosts", &[1, 2, 3], MINUTE)];
    assert_eq!(errno(nft.commit("t", &ops)), Some(libc::ENOENT));
    nft.commit("t", &[]).unwrap();
}

#[test]
#[ignore = "needs root"]
fn what_is_not_there_is_enoent() {
    let (_namespace, mut nft) = open();
    let key = [192, 0, 2, 1];
    assert_eq!(errno(nft.commit("none", &[add("hosts", &key, None)])), Some(libc::ENOENT));
    assert_eq!(errno(nft.commit("t", &[add("none", &key, None)])), Some(libc::ENOENT));
    assert_eq!(errno(nft.dump("t", "none").map(drop)), Some(libc::ENOENT));
    assert_eq!(errno(nft.dump("none", "hosts").map(drop)), Some(libc::ENOENT));
    nft.commit("t", &[add("hosts", &key, None)]).unwrap();
}

#[test]
#[ignore = "needs root"]
fn a_full_set_refuses_and_stays_as_it_was() {
    let (_namespace, mut nft) = open();
    let some = |range: std::ops::Range<u8>| {
        range.map(|i| add("small", &[192, 0, 2, i], None)).collect::<Vec<_>>()
    };
    nft.commit("t", &some(0..3)).unwrap();
    assert_eq!(errno(nft.commit("t", &some(3..5))), Some(libc::ENFILE));
    assert_eq!(keys(&mut nft, "small").len(), 3);
    nft.commit("t", &some(3..4)).unwrap();
    assert_eq!(errno(nft.commit("t", &some(4..5))), Some(libc::ENFILE));
}

#[test]
#[ignore = "needs root"]
fn concatenated_keys_are_padded_to_four_bytes_a_field() {
    let (_namespace, mut nft) = open();
    nft.commit("t", &[add("pairs", &[192, 0, 2, 1, 0, 22, 0, 0], MINUTE)]).unwrap();
    let text = run("nft", &["list", "set", "inet", "t", "pairs"]);
    assert!(text.contains("192.0.2.1 . 22"), "{text}");
    assert_eq!(keys(&mut nft, "pairs"), [[192, 0, 2, 1, 0, 22, 0, 0]]);
}

#[test]
#[ignore = "needs root"]
fn intervals_are_what_nft_says_they_are() {
    let (_namespace, mut nft) = open();
    nft.commit(
        "t",
        &[
            interval("nets", &[10, 0, 0, 0], &[10, 0, 0, 255]),
            interval("nets", &[10, 0, 1, 0], &[10, 0, 1, 255]), // touches the one before
            interval("nets", &[192, 0, 2, 7], &[192, 0, 2, 7]),
            interval("nets", &[255, 255, 255, 0], &[255; 4]),
            interval("nets6", &[0; 16], &[255; 16]),
        ],
    )
    .unwrap();
    let text = run("nft", &["list", "set", "inet", "t", "nets"]);
    for part in ["10.0.0.0/24", "10.0.1.0/24", "192.0.2.7", "255.255.255.0/24"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let text = run("nft", &["list", "set", "inet", "t", "nets6"]);
    assert!(text.contains("::/0"), "{text}");
    let mut ends: Vec<_> = nft.dump("t", "nets").unwrap();
    ends.retain(|element| element.interval_end);
    ends.sort_by(|a, b| a.key.cmp(&b.key));
    let ends: Vec<_> = ends.into_iter().map(|element| element.key).collect();
    assert_eq!(ends, [[10, 0, 1, 0], [10, 0, 2, 0], [192, 0, 2, 8]]);
    // Replacing all of them is one commit.
    let replace = [SetOp::Flush { set: "nets" }, interval("nets", &[10, 0, 0, 0], &[10, 0, 0, 9])];
    nft.commit("t", &replace).unwrap();
    assert_eq!(keys(&mut nft, "nets"), [[10, 0, 0, 0], [10, 0, 0, 10]]);
}

#[test]
#[ignore = "needs root"]
fn an_overlapping_interval_is_refused() {
    let (_namespace, mut nft) = open();
    nft.commit("t", &[interval("nets", &[10, 0, 0, 0], &[10, 0, 0, 255])]).unwrap();
    let overlap = [interval("nets", &[10, 0, 0, 128], &[10, 0, 1, 127])];
    let code = errno(nft.commit("t", &overlap));
    assert!(matches!(code, Some(libc::EEXIST | libc::ENOTEMPTY)), "{code:?}");
    assert_eq!(keys(&mut nft, "nets").len(), 2);
}

#[test]
#[ignore = "needs root"]
fn a_hundred_thousand_elements_in_one_commit_and_one_list() {
    let (_namespace, mut nft) = open();
    let key = |i: u32| (0x0a00_0000 + i).to_be_bytes();
    let ops: Vec<_> = (0..100_000).map(|i| add("hosts", &key(i), MINUTE)).collect();
    let start = Instant::now();
    nft.commit("t", &ops).unwrap();
    println!("100,000 elements committed in {:?}", start.elapsed());
    let start = Instant::now();
    let all: Vec<_> = (0..100_000).map(|i| key(i).to_vec()).collect();
    // The kernel makes the hash table larger behind our back, and lists it wrongly meanwhile.
    let listed = (0..50).any(|_| keys(&mut nft, "hosts") == all);
    println!("and listed in {:?}", start.elapsed());
    assert!(listed, "fifty lists lack something");
    // As many and one that is refused: nothing of it remains.
    let mut ops: Vec<_> = (0..100_000).map(|i| delete("hosts", &key(i))).collect();
    ops.push(delete("hosts", &[192, 0, 2, 1]));
    assert_eq!(errno(nft.commit("t", &ops)), Some(libc::ENOENT));
    assert!((0..50).any(|_| keys(&mut nft, "hosts") == all));
    ops.pop();
    nft.commit("t", &ops).unwrap();
    assert!(keys(&mut nft, "hosts").is_empty());
}

#[test]
#[ignore = "needs root"]
fn more_refusals_than_the_buffer_holds_are_still_one_error() {
    let (_namespace, mut nft) = open();
    // Two sets in turn, so that every operation is a message of its own, and each is refused.
    let ops: Vec<_> = (0..30_000u32)
        .map(|i| {
            let key = i.to_be_bytes();
            if i % 2 == 0 { delete("hosts", &key) } else { delete("small", &key) }
        })
        .collect();
    let start = Instant::now();
    assert_eq!(errno(nft.commit("t", &ops)), Some(libc::ENOENT));
    assert!(start.elapsed() < Duration::from_secs(1), "waited {:?}", start.elapsed());
    nft.commit("t", &[add("hosts", &[192, 0, 2, 1], None)]).unwrap();
    assert_eq!(keys(&mut nft, "hosts").len(), 1);
}

#[test]
#[ignore = "needs root"]
fn a_list_is_never_torn_by_commits() {
    let (namespace, mut nft) = open();
    let key = |i: u32| (0x0a00_0000 + i).to_be_bytes();
    let ops: Vec<_> = (0..5000).map(|i| add("hosts", &key(i), MINUTE)).collect();
    nft.commit("t", &ops).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            netns::enter(&namespace.path()).unwrap();
            let mut nft = Nft::open().unwrap();
            let mut commits = 0u32;
            while !stop.load(Ordering::Relaxed) {
                let i = 1_000_000 + commits;
                let ops = [add("hosts", &key(i), MINUTE), delete("hosts", &key(i))];
                nft.commit("t", &[add("hosts", &key(i + 1), MINUTE)]).unwrap();
                nft.commit("t", &ops).unwrap();
                commits += 1;
            }
        });
        for _ in 0..10 {
            match nft.dump("t", "hosts") {
                Ok(elements) => {
                    let stable = key(1_000_000);
                    let mut keys: Vec<_> = elements.into_iter().map(|e| e.key).collect();
                    keys.retain(|key| key[..] < stable[..]);
                    keys.sort();
                    keys.dedup();
                    assert_eq!(keys.len(), 5000);
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::ResourceBusy),
            }
        }
        stop.store(true, Ordering::Relaxed);
        other.join().unwrap();
    });
    assert!(keys(&mut nft, "hosts").len() >= 5000);
}

#[test]
#[ignore = "needs root"]
fn a_table_is_seen_in_its_family_only() {
    let (_namespace, mut connection) = open();
    nft("table ip other { }");
    assert!(connection.table_exists("t").unwrap());
    assert!(!connection.table_exists("other").unwrap());
    assert!(connection.table_exists("a\0b").is_err());
    nft("delete table inet t");
    assert!(!connection.table_exists("t").unwrap());
}

#[test]
#[ignore = "needs root"]
fn one_element_takes_microseconds() {
    let (_namespace, mut nft) = open();
    let mut times: Vec<_> = (0..5000u32)
        .map(|i| {
            let op = [add("hosts", &(0x0a00_0000 + i).to_be_bytes(), MINUTE)];
            let start = Instant::now();
            nft.commit("t", &op).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    let (p50, p99) = (times[2500], times[4950]);
    println!("one element, one commit: p50 {p50:?}, p99 {p99:?}");
    // Far above what it takes, far below what any waiting or forking would take.
    assert!(p50 < Duration::from_micros(100), "{p50:?}");
}
