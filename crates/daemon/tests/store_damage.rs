//! Damaged databases: never a panic, and nothing lost without a word.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod store_sample;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use store_sample::{Folder, NOON, NOW, ban, ban_with, bare, open};
use vauban_daemon::store::{Ending, Limits, Record, Store, StoredBan, Trouble, Wall, What};

const BANS: u32 = 200;

/// A database with bans in force, past ones and evidence, as its file's bytes.
fn sound() -> Vec<u8> {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    let mut records: Vec<_> = (0..BANS).map(|n| Record::Banned(ban_with(n, 2))).collect();
    records.extend(
        (0..50)
            .map(|n| {
                let old = Record::Banned(ban_with(n + 1_000, 2));
                let subject = ban(n + 1_000).subject;
                [old, Record::Ended { subject, at: Wall(NOON), how: Ending::Expired }]
            })
            .collect::<Vec<_>>()
            .into_iter()
            .flatten(),
    );
    store.write(&records).unwrap();
    drop(store);
    fs::read(folder.db()).unwrap()
}

fn expected() -> BTreeMap<String, StoredBan> {
    (0..BANS).map(|n| (ban(n).subject.to_string(), bare(&ban_with(n, 2)))).collect()
}

/// Opens `bytes`. Every ban that comes out is one that went in; and if one is missing, that is
/// said. Returns how many came out, or `None` if it is refused and left alone.
fn survivors(bytes: &[u8], expected: &BTreeMap<String, StoredBan>, what: &str) -> Option<usize> {
    let folder = Folder::new();
    fs::write(folder.db(), bytes).unwrap();
    let opened = match Store::open(&folder.db(), Limits::default(), &NOW) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(error.to_string().contains("; "), "{what}: a remedy: {error}");
            assert!(fs::read(folder.db()).unwrap() == bytes, "{what}: {error}");
            return None;
        }
    };
    for found in &opened.loaded.bans {
        // How many packets are missing is not sealed: it acts on nobody.
        let not_kept = found.ban.not_kept;
        let known = expected.get(&found.ban.subject.to_string());
        let known = known.map(|known| StoredBan { not_kept, ..known.clone() });
        assert_eq!(known.as_ref(), Some(&found.ban), "{what}");
    }
    let count = opened.loaded.bans.len();
    match &opened.what {
        What::SetAside(aside) => {
            assert_eq!(aside.rescued.in_force, count, "{what}");
            assert!(fs::read(&aside.to).unwrap() == bytes, "{what}: kept as it was");
            let name = aside.to.file_name().unwrap().to_str().unwrap();
            assert!(name.starts_with("state.db.corrupt-20261121T120000Z"), "{name}");
            assert!(aside.to_string().contains(&format!("{count} bans in force")), "{aside}");
        }
        _ => assert_eq!(count + opened.loaded.unreadable, expected.len(), "{what}: said"),
    }
    // Whatever it was, it can be written now, or says why not.
    let mut store = opened.store;
    if let Err(error) = store.write(&[Record::Banned(ban(5_000))]) {
        assert_eq!(error.trouble, Trouble::Corrupt, "{what}: {error}");
        let renewed = store.set_aside(error.detail, &NOW).unwrap();
        assert!(renewed.loaded.bans.len() <= count, "{what}");
        store = renewed.store;
        store.write(&[Record::Banned(ban(5_000))]).unwrap();
    }
    // Some damage shows only where something new comes to lie beside it. The next start finds it.
    let loaded = match store.load(&NOW) {
        Ok(loaded) => loaded,
        Err(error) => {
            assert_eq!(error.trouble, Trouble::Corrupt, "{what}: {error}");
            store = store.set_aside(error.detail, &NOW).unwrap().store;
            store.write(&[Record::Banned(ban(5_000))]).unwrap();
            store.load(&NOW).unwrap()
        }
    };
    assert!(loaded.bans.iter().any(|found| found.ban == ban(5_000)), "{what}");
    Some(count)
}

#[test]
fn a_sound_one_has_everything() {
    assert_eq!(survivors(&sound(), &expected(), "sound"), Some(expected().len()));
}

#[test]
fn what_is_no_database_is_set_aside() {
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("a byte", vec![0]),
        ("text", b"not a database at all, but longer than any header of one".repeat(100)),
        ("zeros", vec![0; 40_960]),
        ("header only", sound()[..100].to_vec()),
    ] {
        assert_eq!(survivors(&bytes, &expected(), what), Some(0), "{what}");
    }
}

#[test]
fn cut_off_at_every_page() {
    let (bytes, expected) = (sound(), expected());
    let mut most = 0;
    for length in (4_096..bytes.len()).step_by(4_096) {
        let what = format!("cut off at {length}");
        most = most.max(survivors(&bytes[..length], &expected, &what).unwrap());
    }
    assert!(most > 150, "{most} of {BANS} at best");
}

#[test]
fn a_page_of_zeros_anywhere() {
    let (bytes, expected) = (sound(), expected());
    let mut counts = Vec::new();
    for page in 0..bytes.len() / 4_096 {
        let mut bytes = bytes.clone();
        bytes[page * 4_096..][..4_096].fill(0);
        counts.push(survivors(&bytes, &expected, &format!("page {page} zero")).unwrap());
    }
    // Only the first page and the table's root take everything with them.
    let few = counts.iter().filter(|count| **count < expected.len() - 60).count();
    assert!(few <= 2, "{counts:?}");
}

#[test]
fn every_byte_of_the_header_and_the_roots() {
    let (bytes, expected) = (sound(), expected());
    let pages = bytes.len() / 4_096;
    let heads = (0..pages).flat_map(|page| [0, 1, 3, 5, 7, 9].map(|at| page * 4_096 + at));
    for at in (0..100).chain(heads) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x41;
        survivors(&bytes, &expected, &format!("byte {at} flipped"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn bytes_flipped_anywhere(flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4)) {
        thread_local! {
            static SOUND: (Vec<u8>, BTreeMap<String, StoredBan>) = (sound(), expected());
        }
        SOUND.with(|(bytes, expected)| {
            let mut bytes = bytes.clone();
            for (at, flip) in &flips {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
            }
            survivors(&bytes, expected, &format!("{flips:?}"));
        });
    }
}

/// What one byte of an address turned into is nobody's ban.
#[test]
fn an_address_that_changed_bans_nobody() {
    let folder = Folder::new();
    open(&folder).store.write(&[Record::Banned(ban(1)), Record::Banned(ban(2))]).unwrap();
    let db = rusqlite::Connection::open(folder.db()).unwrap();
    db.execute_batch("UPDATE ban SET subject = X'0a0000ff' WHERE id = 1").unwrap();
    drop(db);
    let opened = open(&folder);
    assert_eq!((opened.loaded.bans.len(), opened.loaded.unreadable), (1, 1));
    let mut store = opened.store;
    store.settle(&NOW).unwrap();
    assert_eq!(store.load(&NOW).unwrap().unreadable, 0);
    assert_eq!(store.size().unwrap().ended, 1, "kept for those who want to look");
}

#[test]
fn earlier_ones_are_not_overwritten_and_logs_go_along() {
    let folder = Folder::new();
    for _ in 0..3 {
        fs::write(folder.db(), "garbage").unwrap();
        fs::write(folder.path().join("state.db-wal"), "log").unwrap();
        drop(open(&folder));
    }
    let mut names: Vec<_> = ["", ".2", ".3"]
        .iter()
        .flat_map(|number| {
            ["", "-wal"].map(|end| format!("state.db.corrupt-20261121T120000Z{number}{end}"))
        })
        .chain(["state.db".into(), "state.db.lock".into()])
        .collect();
    names.sort();
    let found: Vec<_> = folder.names().into_iter().filter(|name| !name.ends_with("-shm")).collect();
    assert_eq!(found, names);
}

#[test]
fn a_log_without_its_database_is_set_aside() {
    let folder = Folder::new();
    let opened = open(&folder);
    let mut store = opened.store;
    store.write(&[Record::Banned(ban(1))]).unwrap();
    let copy = Folder::new();
    fs::copy(folder.path().join("state.db-wal"), copy.path().join("state.db-wal")).unwrap();
    assert!(matches!(open(&copy).what, What::SetAside(_)));
    let aside = copy.path().join("state.db.corrupt-20261121T120000Z-wal");
    assert!(fs::metadata(aside).unwrap().len() > 0);
}

/// The newest bans are in the log only; rescuing reads it.
#[test]
fn what_is_in_the_log_is_rescued() {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    store.write(&(0..50).map(|n| Record::Banned(ban_with(n, 1))).collect::<Vec<_>>()).unwrap();
    let copy = Folder::new();
    for end in ["", "-wal"] {
        let name = format!("state.db{end}");
        fs::copy(folder.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let opened = open(&copy).store.set_aside("a test says so".into(), &NOW).unwrap();
    let What::SetAside(aside) = &opened.what else { panic!("{:?}", opened.what) };
    assert_eq!((aside.rescued.in_force, opened.loaded.bans.len()), (50, 50));
    assert!(Path::new(&format!("{}-wal", aside.to.display())).exists());
    assert_eq!(opened.store.evidence(&ban(7).subject).unwrap().unwrap().0.len(), 1);
}

/// A file that is too large to be checked at a start: what is loaded is right all the same, and a
/// check finds the rest.
#[test]
fn a_large_file_is_checked_later() {
    let folder = Folder::new();
    let many: u32 = 1_500;
    let large = |n| {
        let mut ban = ban_with(n, 12);
        ban.evidence.iter_mut().for_each(|item| item.said = vec![b'x'; 512]);
        Record::Banned(ban)
    };
    open(&folder).store.write(&(0..many).map(large).collect::<Vec<_>>()).unwrap();
    let bytes = fs::read(folder.db()).unwrap();
    let page = |number: &usize| &bytes[number * 4_096..][..4_096];
    let pages = bytes.len() / 4_096;
    assert!(pages > 2_048, "{pages}");
    let holds = |number: &usize, text: &[u8]| page(number).windows(text.len()).any(|at| at == text);
    let of_bans = (5..pages).filter(|number| holds(number, b"proven-ports 3")).step_by(20).take(2);
    let of_evidence =
        (5..pages).filter(|number| holds(number, b"closed-port")).step_by(900).take(3);
    let (mut later, mut at_once) = (0, 0);
    for page in of_bans.chain(of_evidence) {
        let folder = Folder::new();
        let mut bytes = bytes.clone();
        bytes[page * 4_096..][..4_096].fill(0);
        fs::write(folder.db(), bytes).unwrap();
        let mut opened = open(&folder);
        if opened.what == What::Found {
            assert_eq!(opened.loaded.bans.len(), many as usize, "page {page}");
            let error = opened.store.check().unwrap_err();
            assert_eq!(error.trouble, Trouble::Corrupt, "page {page}: {error}");
            opened = opened.store.set_aside(error.detail, &NOW).unwrap();
            later += 1;
        } else {
            at_once += 1;
        }
        let What::SetAside(aside) = &opened.what else { panic!("page {page}: {:?}", opened.what) };
        assert_eq!(aside.rescued.in_force, opened.loaded.bans.len());
        assert!(opened.loaded.bans.len() > many as usize - 60, "page {page}: {aside}");
        opened.store.check().unwrap();
    }
    assert!(later > 0 && at_once > 0, "{later} later, {at_once} at once");
}
