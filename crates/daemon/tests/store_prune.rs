//! What is forgotten, and that the file does not grow.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod store_sample;

use std::time::Duration;

use store_sample::{DAY, Folder, HOUR, NOON, NOW, ban_with, open};
use vauban_daemon::store::{Ending, Limits, Pruned, Record, Store, Wall};

/// Calls until there is no more to do; each call does a bounded piece.
const MOST_CALLS: usize = 1_000;

fn limits(max_bytes: u64, keep_evidence: u32) -> Limits {
    let day = Duration::from_secs(24 * 3_600);
    Limits { max_age: 30 * day, max_bytes, keep_evidence }
}

fn store(folder: &Folder, limits: Limits) -> Store {
    Store::open(&folder.db(), limits, &NOW).unwrap().store
}

fn prune(store: &mut Store, now: i64) -> Pruned {
    let mut sum = Pruned::default();
    for _ in 0..MOST_CALLS {
        let pruned = store.prune(Wall(now)).unwrap();
        assert!(pruned.bans <= 500 && pruned.evidence <= 2_500 && pruned.bytes <= 1 << 20);
        sum.bans += pruned.bans;
        sum.evidence += pruned.evidence;
        sum.bytes += pruned.bytes;
        if !pruned.more {
            return sum;
        }
    }
    panic!("{sum:?} and no end");
}

fn past(n: u32, packets: u16, at: i64) -> [Record; 2] {
    let ban = ban_with(n, packets);
    let subject = ban.subject;
    [Record::Banned(ban), Record::Ended { subject, at: Wall(at), how: Ending::Expired }]
}

#[test]
fn old_bans_go() {
    let folder = Folder::new();
    let mut store = store(&folder, limits(1 << 30, 0));
    let records: Vec<_> = (0..1_500).flat_map(|n| past(n, 2, NOON + i64::from(n))).collect();
    store.write(&records).unwrap();
    store.write(&[Record::Banned(ban_with(9_000, 2))]).unwrap();
    assert_eq!(prune(&mut store, NOON + 30 * DAY), Pruned::default());
    let some = prune(&mut store, NOON + 30 * DAY + 1_200);
    assert_eq!((some.bans, some.evidence), (1_200, 0));
    let last = store.history(None, 1_000).unwrap();
    assert_eq!((last.len(), last[299].ended_at), (300, Wall(NOON + 1_200)));
    prune(&mut store, NOON + 1_000 * DAY);
    let size = store.size().unwrap();
    assert_eq!((size.in_force, size.ended), (1, 0), "what is in force stays, however old");
    store.check().unwrap();
}

#[test]
fn what_is_too_much_goes_in_its_order() {
    let folder = Folder::new();
    let max = 1 << 20;
    let mut store = store(&folder, limits(max, 100));
    let ended: Vec<_> = (0..1_000).flat_map(|n| past(n, 3, NOON + i64::from(n))).collect();
    store.write(&ended).unwrap();
    let in_force: Vec<_> = (2_000..4_000).map(|n| Record::Banned(ban_with(n, 4))).collect();
    store.write(&in_force).unwrap();
    let pruned = prune(&mut store, NOON + HOUR);
    assert_eq!(pruned.bans, 1_000);
    assert!(pruned.evidence > 1_000 && pruned.evidence <= 7_600, "{pruned:?}");
    assert_eq!(store.size().unwrap().in_force, 2_000);
    let kept = |n: u32| {
        let (evidence, not_kept) = store.evidence(&ban_with(n, 0).subject).unwrap().unwrap();
        (evidence.len(), not_kept)
    };
    assert_eq!(kept(2_000), (0, 4), "the oldest evidence goes, and is counted");
    assert_eq!(kept(3_999), (4, 0));
    assert_eq!(kept(3_900), (4, 0));
    let loaded = store.load(&NOW).unwrap();
    assert_eq!((loaded.bans.len(), loaded.unreadable), (2_000, 0));
    assert_eq!(loaded.bans[0].ban.not_kept, 4);
    store.check().unwrap();
    // Nothing but the newest evidence is left to take, and that stays.
    drop(store);
    let mut store = self::store(&folder, limits(4_096, 100));
    prune(&mut store, NOON + HOUR);
    assert_eq!(prune(&mut store, NOON + HOUR), Pruned::default());
    let with_evidence = (2_000..4_000)
        .filter(|n| !store.evidence(&ban_with(*n, 0).subject).unwrap().unwrap().0.is_empty());
    assert_eq!(with_evidence.count(), 100);
}

#[test]
fn the_file_stays_within_its_bounds() {
    let folder = Folder::new();
    let max = 2 << 20;
    let mut store = store(&folder, limits(max, 0));
    let mut largest = 0;
    for round in 0..40 {
        let records: Vec<_> =
            (0..500).flat_map(|n| past(round * 500 + n, 3, NOON + i64::from(round))).collect();
        store.write(&records).unwrap();
        prune(&mut store, NOON + HOUR);
        largest = largest.max(store.size().unwrap().bytes);
    }
    // The file, the free pages that stay, a round's worth of growth; and the log with its index.
    assert!(largest < max + (4 << 20) + (6 << 20), "{largest}");
    drop(store);
    let file = std::fs::metadata(folder.db()).unwrap().len();
    assert!(file < max + (2 << 20), "{file}");
    open(&folder).store.check().unwrap();
}
