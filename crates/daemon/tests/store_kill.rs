//! A writer that is killed: what it was told to be written is there.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod store_sample;

use std::env;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use store_sample::{Folder, NOW, ban, ban_with, open};
use vauban_daemon::store::{Ending, Limits, Record, Store, What};

/// Tells this test's own program, started again, to be the writer.
const WRITER: &str = "VAUBAN_TEST_STORE_WRITER";

const ROUNDS: u32 = 50;

/// Bans that a writer makes at most, should nobody kill it.
const MOST: u32 = 20_000;

/// Not a test by itself: the writer. Prints the number of each ban that the store has taken.
#[test]
fn writer() {
    let Some(path) = env::var_os(WRITER) else { return };
    let mut opened = Store::open(&PathBuf::from(path), Limits::default(), &NOW).unwrap();
    let first = u32::try_from(opened.loaded.bans.len() + opened.loaded.past.len()).unwrap();
    for n in first..first + MOST {
        let mut records = vec![Record::Banned(ban_with(n, 3))];
        if n % 3 == 2 {
            let subject = ban(n - 1).subject;
            records.push(Record::Ended { subject, at: NOW.wall, how: Ending::Expired });
        }
        opened.store.write(&records).unwrap();
        writeln!(io::stdout(), "taken {n}").unwrap();
    }
}

#[test]
fn killed_at_any_moment() {
    let folder = Folder::new();
    let mut taken = None;
    // A fixed sequence: how many acknowledgements each writer gets to live.
    let mut lot = 12_345_u32;
    for round in 0..ROUNDS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture"])
            .env(WRITER, folder.db())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        lot = lot.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (lines, spins) = (lot >> 27, lot >> 8 & 0xffff);
        let mut seen = 0;
        let mut killed = false;
        // What it still said before it died counts, too.
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let Some(n) = line.unwrap().strip_prefix("taken ").and_then(|n| n.parse().ok()) else {
                continue;
            };
            taken = Some(n);
            seen += 1;
            if seen > lines && !killed {
                // Somewhere within a write, not always right after an answer.
                (0..spins).for_each(|_| std::hint::spin_loop());
                child.kill().unwrap();
                killed = true;
            }
        }
        child.wait().unwrap();
        let taken: u32 = taken.unwrap();
        let opened = open(&folder);
        assert_eq!(opened.what, What::Found, "round {round}");
        let there = opened.loaded.bans.len() + opened.loaded.past.len();
        let there = u32::try_from(there).unwrap();
        // One more may have been written than was said.
        assert!((taken + 1..=taken + 2).contains(&there), "round {round}: {taken} said, {there}");
        for n in [0, taken / 2, taken] {
            let (evidence, _) = opened.store.evidence(&ban(n).subject).unwrap().unwrap();
            assert_eq!(evidence, ban_with(n, 3).evidence, "round {round}, ban {n}");
        }
        drop(opened);
        let db = rusqlite::Connection::open(folder.db()).unwrap();
        let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "round {round}");
    }
    assert!(taken.unwrap() > ROUNDS);
}
