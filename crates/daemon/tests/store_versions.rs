//! Databases of other versions and of other programs.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod store_sample;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rusqlite::Connection;
use store_sample::{Folder, NOON, NOW, ban, bans, grant, open, refusal};
use vauban_daemon::store::{Ending, Query, Record, VERSION, Wall, What};
use vauban_engine::evidence::{Cause, Meaning};
use vauban_engine::flags::TcpFlags;
use vauban_engine::ledger::Origin;
use vauban_engine::{Port, Prefix};

const VERSION_1: &str = include_str!("store_version1.sql");
const VERSION_2: &str = include_str!("store_version2.sql");

/// Everything in the folder, byte for byte.
fn content(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    let names = folder.names().into_iter().filter(|name| name != "state.db.lock");
    names
        .map(|name| {
            let bytes = fs::read(folder.path().join(&name)).unwrap();
            (name, bytes)
        })
        .collect()
}

#[test]
fn version_1_becomes_this_one() {
    let folder = Folder::new();
    Connection::open(folder.db()).unwrap().execute_batch(VERSION_1).unwrap();
    let opened = open(&folder);
    assert_eq!(opened.what, What::Migrated { from: 1 });
    let found = bans(&opened.loaded.bans);
    assert_eq!((found.len(), opened.loaded.unreadable), (2, 0));
    let host: Prefix = "192.0.2.7".parse().unwrap();
    assert_eq!((found[0].subject, found[0].level, found[0].not_kept), (host, 2, 4));
    assert_eq!(found[0].origin, Origin::Scan(Cause::TrapPort(Port::tcp(23))));
    assert_eq!(found[0].times.anchor, None);
    // Begun five minutes before noon, for two hours.
    assert_eq!(opened.loaded.bans[0].left, Some(Duration::from_secs(6_900)));
    assert_eq!(found[1].subject.to_string(), "2001:db8::/64");
    assert_eq!(found[1].origin, Origin::Operator("noisy".into()));
    assert_eq!(opened.loaded.bans[1].left, None);
    assert_eq!(opened.loaded.past, [(host, 1, Wall(NOON - 400_000))]);
    let mut store = opened.store;
    let (evidence, _) = store.evidence(&host).unwrap().unwrap();
    assert_eq!((evidence[0].port, evidence[0].flags), (Port::tcp(23), TcpFlags::SYN));
    assert_eq!(
        (evidence[0].meaning, evidence[0].bytes.as_slice()),
        (Meaning::TrapPort, &b"E\0"[..])
    );
    assert_eq!(store.history(None, 9).unwrap()[0].how, Ending::Expired);
    store.settle(&NOW).unwrap();
    store.write(&[Record::Banned(ban(1))]).unwrap();
    drop(store);
    let again = open(&folder);
    assert_eq!((again.what, again.loaded.bans.len()), (What::Found, 3));
    assert!(again.loaded.bans.iter().all(|found| found.ban.times.anchor.is_some()));
}

/// Bans stay as they are; whom operators allow can be written from then on.
#[test]
fn version_2_becomes_this_one() {
    let folder = Folder::new();
    Connection::open(folder.db()).unwrap().execute_batch(VERSION_2).unwrap();
    let opened = open(&folder);
    assert_eq!(opened.what, What::Migrated { from: 2 });
    let found = bans(&opened.loaded.bans);
    assert_eq!((found.len(), opened.loaded.unreadable), (2, 0));
    assert!(found.iter().all(|ban| ban.times.anchor.is_some_and(|anchor| anchor.boot == NOW.boot)));
    assert_eq!(opened.loaded.bans[0].left, Some(Duration::from_secs(6_900)));
    assert_eq!(opened.loaded.grants, []);
    let mut store = opened.store;
    let page = store.page(&Query { limit: 9, ..Query::default() }).unwrap();
    let ended: Vec<bool> = page.entries.iter().map(|entry| entry.ended.is_some()).collect();
    assert_eq!(ended, [false, false, true]);
    store.write(&[Record::Allowed(grant("192.0.2.0/24", Some(60_000)))]).unwrap();
    drop(store);
    let again = open(&folder);
    assert_eq!((again.what, again.loaded.grants.len()), (What::Found, 1));
}

/// A file that has come through the steps has the tables of a new one.
#[test]
fn old_and_new_files_have_the_same_schema() {
    let schema = |folder: &Folder| {
        let db = Connection::open(folder.db()).unwrap();
        let mut statement =
            db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect::<Vec<(String, Option<String>)>>()
    };
    let new = Folder::new();
    drop(open(&new));
    for version in [VERSION_1, VERSION_2] {
        let old = Folder::new();
        Connection::open(old.db()).unwrap().execute_batch(version).unwrap();
        drop(open(&old));
        assert_eq!(schema(&old), schema(&new));
    }
}

#[test]
fn a_newer_version_is_refused_and_left_alone() {
    // With and without a log that has not been written back.
    for log in [false, true] {
        let folder = Folder::new();
        drop(open(&folder));
        let db = Connection::open(folder.db()).unwrap();
        if log {
            let keep = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            db.set_db_config(keep, true).unwrap();
        }
        db.execute_batch(&format!("PRAGMA user_version = {}; CREATE TABLE later (x)", VERSION + 1))
            .unwrap();
        drop(db);
        let before = content(&folder);
        assert_eq!(before.contains_key("state.db-wal"), log);
        let told = refusal(&folder);
        let expected = format!(
            "state.db: a newer vauban wrote it (version {}, this one knows {VERSION}); install a \
             newer vauban, or move the file away",
            VERSION + 1
        );
        assert!(told.contains(&expected), "{told}");
        // The index of the log is SQLite's note for itself, and made anew each time; so is a log
        // in which there is nothing.
        let kept = |content: BTreeMap<String, Vec<u8>>| -> BTreeMap<_, _> {
            let kept = |name: &str, bytes: &[u8]| !name.ends_with("-shm") && !bytes.is_empty();
            content.into_iter().filter(|(name, bytes)| kept(name, bytes)).collect()
        };
        assert!(kept(before) == kept(content(&folder)), "{log}");
    }
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    for (application, sql) in [
        (0, "CREATE TABLE wallet (coins)"),
        (77, "PRAGMA application_id = 77; CREATE TABLE ban (id)"),
        (77, "PRAGMA application_id = 77"),
    ] {
        let folder = Folder::new();
        Connection::open(folder.db()).unwrap().execute_batch(sql).unwrap();
        let before = content(&folder);
        let told = refusal(&folder);
        let expected =
            format!("of another program (application id {application:#x}); give another");
        assert!(told.contains(&expected), "{told}");
        assert!(before == content(&folder));
    }
}
