//! Disks that are full, and such that can't be written. Needs root, to make small ones in a mount
//! namespace of their own.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod store_sample;

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use store_sample::{Folder, NOW, ban, ban_with, bans};
use vauban_daemon::store::{Limits, OpenError, Record, Store, Trouble, What};

/// Tells this test's own program, started again in a mount namespace, where it may mount.
const MOUNT: &str = "VAUBAN_TEST_STORE_MOUNT";

/// Runs the test `name` of this program in a mount namespace, with a folder to mount on.
fn in_namespace(name: &str) {
    let folder = Folder::new();
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(MOUNT, folder.path())
        .status()
        .unwrap();
    assert!(status.success());
}

fn mount(arguments: &[&str], on: &Path) {
    let status = Command::new("mount").args(arguments).arg(on).status().unwrap();
    assert!(status.success(), "mount {arguments:?}");
}

/// Fills the disk to its last byte.
fn fill(folder: &Path) {
    let mut file = fs::File::create(folder.join("filler")).unwrap();
    for size in [65_536, 4_096, 1] {
        let block = vec![1; size];
        // At most the disk's size.
        for _ in 0..4_096 {
            if file.write_all(&block).is_err() {
                break;
            }
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_full_disk() {
    let Some(folder) = env::var_os(MOUNT).map(PathBuf::from) else {
        return in_namespace("a_full_disk");
    };
    mount(&["-t", "tmpfs", "-o", "size=4m", "tmpfs"], &folder);
    let path = folder.join("state.db");
    let mut opened = Store::open(&path, Limits::default(), &NOW).unwrap();
    opened.store.write(&[Record::Banned(ban_with(0, 3))]).unwrap();
    // Written until there is no room: what was taken is there, what was not is not.
    let mut taken = 1;
    let error = loop {
        let records: Vec<_> =
            (taken..taken + 100).map(|n| Record::Banned(ban_with(n, 3))).collect();
        match opened.store.write(&records) {
            Ok(()) => taken += 100,
            Err(error) => break error,
        }
        assert!(taken < 100_000);
    };
    assert_eq!(error.trouble, Trouble::DiskFull, "{error}");
    assert!(error.to_string().contains("state.db: the disk is full"), "{error}");
    fill(&folder);
    assert_eq!(opened.store.load(&NOW).unwrap().bans.len(), usize::try_from(taken).unwrap());
    assert_eq!(opened.store.evidence(&ban(0).subject).unwrap().unwrap().0.len(), 3);
    drop(opened);
    // A start on a full disk has all bans.
    let mut opened = Store::open(&path, Limits::default(), &NOW).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(opened.what, What::Found);
    assert_eq!(opened.loaded.bans.len(), usize::try_from(taken).unwrap());
    fill(&folder);
    let snapshot: Vec<_> = (0..taken + 500).map(|n| ban_with(n, 3)).collect();
    let error = opened.store.replace_in_force(&snapshot, &NOW).unwrap_err();
    assert_eq!(error.trouble, Trouble::DiskFull, "{error}");
    // With room again, it catches up.
    fs::remove_file(folder.join("filler")).unwrap();
    mount(&["-o", "remount,size=32m"], &folder);
    opened.store.replace_in_force(&snapshot, &NOW).unwrap();
    opened.store.check().unwrap();
    let found = bans(&opened.store.load(&NOW).unwrap().bans);
    assert_eq!(found.len(), snapshot.len());
}

/// Not even the index of the log (`-shm`) fits.
#[test]
#[ignore = "needs root"]
fn a_start_without_a_byte_free() {
    let Some(folder) = env::var_os(MOUNT).map(PathBuf::from) else {
        return in_namespace("a_start_without_a_byte_free");
    };
    mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], &folder);
    let path = folder.join("state.db");
    let mut store = Store::open(&path, Limits::default(), &NOW).unwrap().store;
    store.write(&(0..100).map(|n| Record::Banned(ban(n))).collect::<Vec<_>>()).unwrap();
    drop(store);
    fill(&folder);
    let mut opened = Store::open(&path, Limits::default(), &NOW).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((opened.what, opened.loaded.bans.len()), (What::Found, 100));
    let error = opened.store.write(&[Record::Banned(ban(200))]).unwrap_err();
    assert_eq!(error.trouble, Trouble::DiskFull, "{error}");
    fs::remove_file(folder.join("filler")).unwrap();
    opened.store.write(&[Record::Banned(ban(200))]).unwrap();
}

#[test]
#[ignore = "needs root"]
fn a_disk_that_cannot_be_written() {
    let Some(folder) = env::var_os(MOUNT).map(PathBuf::from) else {
        return in_namespace("a_disk_that_cannot_be_written");
    };
    mount(&["-t", "tmpfs", "-o", "size=4m", "tmpfs"], &folder);
    let path = folder.join("state.db");
    let mut store = Store::open(&path, Limits::default(), &NOW).unwrap().store;
    store.write(&[Record::Banned(ban(0))]).unwrap();
    drop(store);
    let before = fs::read(&path).unwrap();
    mount(&["-o", "remount,ro"], &folder);
    let Err(error) = Store::open(&path, Limits::default(), &NOW) else { panic!("opened") };
    assert!(matches!(error, OpenError::File { .. } | OpenError::Database(_)), "{error:?}");
    let told = error.to_string();
    assert!(told.contains("state.db"), "{told}");
    assert!(told.contains("make the file and its folder writable"), "{told}");
    assert!(fs::read(&path).unwrap() == before);
}
