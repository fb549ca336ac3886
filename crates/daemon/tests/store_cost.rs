//! What the store costs: printed, for docs/development/store.md.
//!
//! `cargo test --release -p vauban-daemon --test store_cost -- --ignored --nocapture`

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod store_sample;

use std::time::Instant;

use store_sample::{BOOT, Folder, HOUR, NOW, ban_with, bans, later, open, open_at};
use vauban_daemon::store::{BootId, Now, Record, Wall};

const BANS: u32 = 100_000;

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what:<60} {:>9.2} ms", start.elapsed().as_secs_f64() * 1e3);
    result
}

#[test]
#[ignore = "measures for a minute; of use in a release build only"]
fn hundred_thousand_bans() {
    if cfg!(debug_assertions) {
        println!("nothing is measured in a debug build");
        return;
    }
    for packets in [0, 1] {
        println!("{BANS} bans in force with {packets} packets each");
        let folder = Folder::new();
        let all: Vec<_> = (0..BANS).map(|n| ban_with(n, packets)).collect();
        let mut store = open(&folder).store;
        let records: Vec<_> = all.iter().cloned().map(Record::Banned).collect();
        timed("  write, one change", || store.write(&records).unwrap());
        println!("  {:?}", store.size().unwrap());
        drop(store);
        println!("  file: {} bytes", std::fs::metadata(folder.db()).unwrap().len());
        let opened = timed("  open and load", || open(&folder));
        assert_eq!(opened.loaded.bans.len(), all.len());
        let mut store = opened.store;
        for _ in 0..3 {
            timed("  load", || store.load(&NOW).unwrap());
        }
        timed("  quick_check", || store.check().unwrap());
        timed("  prune, nothing to do", || store.prune(NOW.wall).unwrap());
        timed("  size", || store.size().unwrap());
        timed("  evidence of one", || store.evidence(&all[77].subject).unwrap());
        let mut rest = all.clone();
        rest.truncate(rest.len() - 1_000);
        timed("  replace_in_force, 1,000 end", || store.replace_in_force(&rest, &NOW).unwrap());
        let boot = Now { boot: BootId(BOOT.0 + 1), ..later(1) };
        timed("  settle after a boot", || store.settle(&boot).unwrap());
        let loaded = timed("  load after that", || store.load(&boot).unwrap());
        assert_eq!(bans(&loaded.bans).len(), rest.len());
        let ends: Vec<_> = rest
            .iter()
            .take(40_000)
            .map(|ban| Record::Ended {
                subject: ban.subject,
                at: Wall(NOW.wall.0 + HOUR / 2),
                how: vauban_daemon::store::Ending::PushedOut,
            })
            .collect();
        timed("  end 40,000, one change", || store.write(&ends).unwrap());
        timed("  load, 59,000 in force, 41,000 past", || store.load(&boot).unwrap());
        timed("  history of all, 100", || store.history(None, 100).unwrap());
        let one = ban_with(BANS + 1, 3);
        for _ in 0..3 {
            timed("  write one ban with 3 packets", || {
                store.write(&[Record::Banned(one.clone())]).unwrap();
            });
        }
        let aged = Wall(NOW.wall.0 + 400 * 24 * HOUR);
        let pruned = timed("  prune a piece", || store.prune(aged).unwrap());
        println!("  {pruned:?}");
        drop(store);
        timed("  open and load again", || open_at(&folder, &NOW));
    }
}
