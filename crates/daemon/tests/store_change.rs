//! What is written, and who may: changes, snapshots, second instances, files that are none.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod store_sample;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use store_sample::{
    Folder, HOUR, MINUTE, NOON, NOW, ban, ban_with, bans, bare, later, open, refusal, times,
};
use vauban_daemon::store::{Ending, Record, Trouble, Wall, What};

fn ended(n: u32, at: i64, how: Ending) -> Record {
    Record::Ended { subject: ban(n).subject, at: Wall(NOON + at), how }
}

#[test]
fn a_new_ban_replaces_the_one_in_force() {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    let mut second = ban_with(1, 2);
    second.times = times(MINUTE, HOUR);
    second.level = 2;
    store.write(&[Record::Banned(ban_with(1, 1)), Record::Banned(second.clone())]).unwrap();
    assert_eq!(bans(&store.load(&NOW).unwrap().bans), [bare(&second)]);
    assert_eq!(store.evidence(&second.subject).unwrap().unwrap().0, second.evidence);
    let past = store.history(Some(&second.subject), 9).unwrap();
    assert_eq!(past.len(), 1);
    assert_eq!((past[0].how, past[0].ended_at), (Ending::Replaced, second.times.start));
    assert_eq!(store.load(&NOW).unwrap().past, []);
    let size = store.size().unwrap();
    assert_eq!((size.in_force, size.ended), (1, 1));
    assert!(size.bytes > 4_096);
}

#[test]
fn only_what_ran_out_lengthens_the_next_ban() {
    for (how, counts) in [
        (Ending::Expired, true),
        (Ending::PushedOut, true),
        (Ending::Unbanned, false),
        (Ending::NeverBan, false),
        (Ending::Unrecorded, false),
    ] {
        let folder = Folder::new();
        let mut store = open(&folder).store;
        // An earlier one that ran out does not come through a later pardon.
        store
            .write(&[
                Record::Banned(ban(1)),
                ended(1, MINUTE, Ending::Expired),
                Record::Banned(ban(1)),
                ended(1, 2 * MINUTE, how),
                ended(1, 3 * MINUTE, Ending::Unbanned),
                ended(2, MINUTE, Ending::Expired),
            ])
            .unwrap();
        let expected =
            if counts { vec![(ban(1).subject, 1, Wall(NOON + 2 * MINUTE))] } else { Vec::new() };
        assert_eq!(store.load(&NOW).unwrap().past, expected, "{how:?}");
        assert_eq!(store.history(None, 9).unwrap().len(), 2);
        assert_eq!(store.history(None, 1).unwrap()[0].how, how);
        assert_eq!(store.history(Some(&ban(2).subject), 9).unwrap(), []);
    }
}

#[test]
fn a_snapshot_becomes_what_is_in_force() {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    let mut short = ban(4);
    short.times = times(0, MINUTE);
    let records: Vec<_> = [ban_with(1, 2), ban_with(2, 2), ban(3), short.clone()]
        .into_iter()
        .map(Record::Banned)
        .collect();
    store.write(&records).unwrap();
    let mut again = ban_with(2, 1);
    again.times = times(5 * MINUTE, HOUR);
    // 1 stays (loaded without evidence), 2 was banned anew, 3 is gone, 4 ran out, 5 is new.
    let snapshot = [ban(1), again.clone(), ban_with(5, 3)];
    let now = later(10 * MINUTE);
    store.replace_in_force(&snapshot, &now).unwrap();
    let mut found = bans(&store.load(&now).unwrap().bans);
    found.sort_by_key(|ban| ban.subject);
    assert_eq!(found, [ban(1), bare(&again), ban(5)]);
    let packets =
        |n: u32| store.evidence(&ban(n).subject).unwrap().map(|(evidence, _)| evidence.len());
    assert_eq!((packets(1), packets(2), packets(5)), (Some(2), Some(1), Some(3)));
    let how = |n: u32| {
        let past = store.history(Some(&ban(n).subject), 1).unwrap();
        (past[0].how, past[0].ended_at.0 - NOON)
    };
    assert_eq!(how(2), (Ending::Replaced, 10 * MINUTE));
    assert_eq!(how(3), (Ending::Unrecorded, 10 * MINUTE));
    assert_eq!(how(4), (Ending::Expired, MINUTE));
    let size = store.size().unwrap();
    store.replace_in_force(&snapshot, &now).unwrap();
    assert_eq!(store.size().unwrap(), size, "the same again changes nothing");
    store.replace_in_force(&[], &now).unwrap();
    assert_eq!(store.size().unwrap().in_force, 0);
    store.check().unwrap();
}

#[test]
fn a_second_instance_is_told() {
    let folder = Folder::new();
    let first = open(&folder);
    assert_eq!(first.what, What::New);
    let told = refusal(&folder);
    assert!(told.contains("state.db: another vauban has it open; stop that one"), "{told}");
    drop(first);
    assert_eq!(open(&folder).what, What::Found);
}

#[test]
fn somebody_elses_transaction_is_busy_and_nothing_is_lost() {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    let other = rusqlite::Connection::open(folder.db()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.write(&[Record::Banned(ban(1))]).unwrap_err();
    assert_eq!(error.trouble, Trouble::Busy);
    assert!(error.to_string().contains("another program has locked it"), "{error}");
    other.execute_batch("COMMIT").unwrap();
    store.write(&[Record::Banned(ban(1))]).unwrap();
    // A reader keeps nobody from writing.
    other.execute_batch("BEGIN; SELECT * FROM ban").unwrap();
    store.write(&[Record::Banned(ban(2))]).unwrap();
}

#[test]
fn files_are_for_their_owner_only() {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    store.write(&[Record::Banned(ban(1))]).unwrap();
    for name in folder.names() {
        let mode = fs::metadata(folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(folder.names(), ["state.db", "state.db-shm", "state.db-wal", "state.db.lock"]);
    drop(store);
    assert_eq!(folder.names(), ["state.db", "state.db.lock"]);
}

#[test]
fn what_is_no_plain_file_is_refused() {
    for name in ["state.db", "state.db-wal", "state.db-shm", "state.db-journal", "state.db.lock"] {
        let folder = Folder::new();
        fs::write(folder.path().join("elsewhere"), "mine").unwrap();
        symlink("elsewhere", folder.path().join(name)).unwrap();
        let told = refusal(&folder);
        assert!(told.contains(&format!("{name}: it is a symbolic link")), "{told}");
        assert_eq!(fs::read(folder.path().join("elsewhere")).unwrap(), b"mine");
    }
    let folder = Folder::new();
    fs::create_dir(folder.db()).unwrap();
    assert!(refusal(&folder).contains("it is a folder"));
    let folder = Folder::new();
    fs::remove_dir(folder.path()).unwrap();
    assert!(refusal(&folder).contains("make its folder"));
    fs::create_dir(folder.path()).unwrap();
}
