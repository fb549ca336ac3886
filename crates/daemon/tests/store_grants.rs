//! Whom operators have allowed, and the pages of the history, on the disk.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod store_sample;

use std::time::Duration;

use rusqlite::Connection;
use store_sample::{Folder, HOUR, MINUTE, NOON, NOW, ban, ban_with, grant, later, open, open_at};
use vauban_daemon::store::{
    BootId, Ending, Mono, Now, PageEnd, Query, Record, StoredGrant, Wall, What,
};
use vauban_engine::Prefix;

fn prefixes(grants: &[(StoredGrant, Option<Duration>)]) -> Vec<String> {
    let mut all: Vec<String> = grants.iter().map(|(grant, _)| grant.prefix.to_string()).collect();
    all.sort();
    all
}

#[test]
fn what_was_written_is_loaded_with_what_is_left() {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    store
        .write(&[
            Record::Allowed(grant("192.0.2.0/24", Some(HOUR))),
            Record::Allowed(grant("2001:db8::1", None)),
            Record::Allowed(grant("198.51.100.1", Some(MINUTE))),
            Record::Allowed(grant("198.51.100.2", None)),
            Record::Disallowed("198.51.100.2".parse().unwrap()),
            Record::Disallowed("203.0.113.1".parse().unwrap()),
            // In place of the first one.
            Record::Allowed(grant("192.0.2.0/24", Some(2 * HOUR))),
        ])
        .unwrap();
    drop(store);
    let loaded = open_at(&folder, &later(HOUR)).loaded;
    assert_eq!(prefixes(&loaded.grants), ["192.0.2.0/24", "2001:db8::1"]);
    assert_eq!(loaded.unreadable_grants, 0);
    let wide = loaded.grants.iter().find(|(grant, _)| !grant.prefix.is_host());
    let (first, left) = wide.unwrap();
    assert_eq!((first.comment.as_str(), *left), ("ours", Some(Duration::from_secs(3_600))));
    assert!(loaded.grants.iter().any(|(_, left)| left.is_none()));
}

/// A wall clock that is set later changes nothing any more.
#[test]
fn another_boot_takes_them_over() {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    store.write(&[Record::Allowed(grant("192.0.2.1", Some(HOUR)))]).unwrap();
    store.write(&[Record::Allowed(grant("192.0.2.2", Some(MINUTE)))]).unwrap();
    drop(store);
    let boot = BootId(7);
    let now = Now { wall: Wall(NOON + 30 * MINUTE), boot, mono: Mono(0) };
    let mut opened = open_at(&folder, &now);
    assert_eq!(prefixes(&opened.loaded.grants), ["192.0.2.1"]);
    opened.store.settle(&now).unwrap();
    drop(opened);
    let set = Now { wall: Wall(NOON + 1_000 * HOUR), boot, mono: Mono(10 * MINUTE) };
    let loaded = open_at(&folder, &set).loaded;
    assert_eq!(loaded.grants[0].1, Some(Duration::from_secs(20 * 60)));
}

#[test]
fn replacing_and_damage() {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    store.write(&[Record::Allowed(grant("192.0.2.1", None))]).unwrap();
    store.replace_grants(&[grant("192.0.2.2", None), grant("192.0.2.3", None)]).unwrap();
    drop(store);
    assert_eq!(prefixes(&open(&folder).loaded.grants), ["192.0.2.2", "192.0.2.3"]);
    // A byte of an address that turned into another lets nobody off.
    let db = Connection::open(folder.db()).unwrap();
    db.execute("UPDATE allowed SET prefix = X'c0000209' WHERE prefix = X'c0000203'", []).unwrap();
    drop(db);
    let loaded = open(&folder).loaded;
    assert_eq!((prefixes(&loaded.grants), loaded.unreadable_grants), (vec!["192.0.2.2".into()], 1));
}

#[test]
fn they_are_saved_from_a_damaged_file() {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    store.write(&[Record::Allowed(grant("192.0.2.1", None)), Record::Banned(ban(1))]).unwrap();
    drop(store);
    let db = Connection::open(folder.db()).unwrap();
    db.execute_batch("DROP INDEX ban_started").unwrap();
    drop(db);
    let opened = open(&folder);
    assert!(matches!(opened.what, What::SetAside(_)), "{:?}", opened.what);
    assert_eq!(prefixes(&opened.loaded.grants), ["192.0.2.1"]);
    assert_eq!(opened.loaded.bans.len(), 1);
}

#[test]
fn pages_hold_everything_once_the_last_begun_first() {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    let all: Vec<Record> = (0..25).map(|n| Record::Banned(ban_with(n, 2))).collect();
    store.write(&all).unwrap();
    let over: Vec<Record> = (0..25)
        .step_by(3)
        .map(|n| Record::Ended {
            subject: ban(n).subject,
            at: Wall(NOON + HOUR),
            how: Ending::Unbanned,
        })
        .collect();
    store.write(&over).unwrap();
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store.page(&Query { limit: 10, after, ..Query::default() }).unwrap();
        found.extend(page.entries);
        pages += 1;
        assert!(pages <= 3);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let starts: Vec<i64> = found.iter().map(|entry| entry.ban.times.start.0 - NOON).collect();
    assert_eq!(starts, (0..25).rev().collect::<Vec<i64>>());
    assert!(found.iter().all(|entry| entry.ban.evidence.len() == 2));
    assert_eq!(found.iter().filter(|entry| entry.ended.is_some()).count(), over.len());

    let of = |query: Query| store.page(&Query { limit: 99, ..query }).unwrap().entries.len();
    assert_eq!(of(Query { in_force: true, ..Query::default() }), 25 - over.len());
    assert_eq!(of(Query { since: Some(Wall(NOON + 20)), ..Query::default() }), 5);
    let wide: Prefix = "10.0.0.0/24".parse().unwrap();
    assert_eq!(of(Query { subjects: vec![ban(3).subject, wide], ..Query::default() }), 1);
    let end = Some(PageEnd { start: Wall(NOON), row: 0 });
    assert_eq!(of(Query { after: end, ..Query::default() }), 0);
    // Exactly as many as there are: nothing goes on.
    let page = store.page(&Query { limit: 25, ..Query::default() }).unwrap();
    assert_eq!((page.entries.len(), page.next), (25, None));
    assert_eq!(NOW.wall, Wall(NOON));
}
