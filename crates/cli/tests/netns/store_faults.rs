//! What can happen to the database: bans go on without it, and none is lost that the disk or the
//! kernel still holds.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::daemon::{PROGRAM, Vauban};
use crate::knocks::Knocks;
use crate::lab::{Lab, PATIENCE, Reached, SCANNER, VICTIM};
use crate::process::{Running, command, finish, send, wait_until};
use crate::services::Services;

/// The store is tried again every five seconds.
const TRIED_AGAIN: Duration = Duration::from_secs(9);

/// A small disk of its own, which goes when this goes.
struct Disk(PathBuf);

impl Disk {
    fn mount(lab: &Lab) -> Self {
        let path = lab.folder().join("disk");
        std::fs::create_dir(&path).unwrap();
        let line = format!("mount -t tmpfs -o size=600k,mode=0755 none {}", path.display());
        finish(command(&line), PATIENCE).success();
        Self(path)
    }

    /// Makes the file system read-only or not, for every namespace: not only the place where this
    /// one sees it.
    fn remount(&self, how: &str) {
        for how in [how, "bind,rw"] {
            let line = format!("mount -o remount,{how} {}", self.0.display());
            finish(command(&line), PATIENCE).success();
        }
    }

    /// Uses up what room there is.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("ballast.db")).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("ballast.db")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn trouble(vauban: &Vauban) -> String {
    vauban.json("status")["store"]["trouble"].as_str().unwrap().to_owned()
}

/// Ends both processes without a word.
fn kill(vauban: &mut Vauban) {
    let child = vauban.child();
    vauban.signal("KILL");
    send(child, "KILL");
    vauban.end();
    wait_until("the child is gone", PATIENCE, || !crate::process::runs(child));
}

/// Whether it holds everything again. Trouble that is over within a second need not be said.
fn healed(vauban: &Vauban) -> bool {
    let log = vauban.log();
    trouble(vauban).is_empty()
        && log.contains("Trouble: bans are not stored")
            == log.contains("Healed: the store is written")
}

/// Bans until the disk takes no more, and three further ones. Whom.
fn fill_with_bans(vauban: &Vauban, disk: &Disk) -> Vec<String> {
    let said = vauban.json("ban 203.0.113.5 --for 1h --reason before");
    assert_eq!(said["stored"], true, "{said:#}");
    disk.fill();
    let reason = "x".repeat(900);
    let mut full = 0;
    let mut subjects = vec!["203.0.113.5".to_owned()];
    // What room there is in the log is used up first.
    while full < 3 {
        let subject = format!("198.18.{}.{}", subjects.len() / 200, subjects.len() % 200 + 1);
        let said = vauban.json(&format!("ban {subject} --for 1h --reason {reason}"));
        full += usize::from(said["stored"] == false);
        subjects.push(subject);
        assert!(subjects.len() < 700, "the disk does not get full");
    }
    subjects
}

/// Killed while the disk is full: what could not be stored is in the kernel still, and stays.
#[test]
#[ignore = "needs root"]
fn a_full_disk_and_a_crash() {
    let lab = Lab::pair();
    let disk = Disk::mount(&lab);
    let store = disk.0.join("vauban.db");
    let mut vauban = Vauban::start_with(&lab, "", &format!("--store {}", store.display()));
    let mut expected = fill_with_bans(&vauban, &disk);
    kill(&mut vauban);
    let mut next = Vauban::after(&lab, &vauban);
    assert!(next.log().contains("that only the kernel still held"), "{}", next.log());
    let mut found = next.bans();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    disk.make_room();
    wait_until("it catches up", TRIED_AGAIN, || healed(&next));
    kill(&mut next);
    lab.run("victim", "nft delete table inet vauban").success();
    let last = Vauban::after(&lab, &next);
    let mut found = last.bans();
    found.sort();
    assert_eq!(found, expected);
    drop((vauban, next, last));
}

#[test]
#[ignore = "needs root"]
fn a_full_disk() {
    let lab = Lab::pair();
    let disk = Disk::mount(&lab);
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let store = disk.0.join("vauban.db");
    let mut vauban = Vauban::start_with(&lab, "", &format!("--store {}", store.display()));
    let mut subjects = fill_with_bans(&vauban, &disk);
    vauban.verb(&format!("ban {SCANNER} --for 1h")).success();
    subjects.push(SCANNER.to_string());
    // In force all the same.
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    assert_eq!(lab.elements("banned4").len(), subjects.len());
    assert!(trouble(&vauban).contains("the disk is full"), "{}", trouble(&vauban));
    assert!(trouble(&vauban).contains("make room"), "{}", trouble(&vauban));
    assert_eq!(vauban.json("bans")["stored"], false);
    wait_until("it is said", Duration::from_secs(3), || {
        vauban.log().contains("Trouble: bans are not stored")
    });
    disk.make_room();
    wait_until("it catches up", TRIED_AGAIN, || healed(&vauban));
    assert_eq!(vauban.json("bans")["stored"], true);
    let history = vauban.json("status")["store"]["history"].clone();
    assert!(history == 0 || history.is_null(), "nobody was banned twice: {history}");
    let mut expected = vauban.bans();
    kill(&mut vauban);
    let next = Vauban::after(&lab, &vauban);
    let mut found = next.bans();
    expected.sort();
    found.sort();
    assert_eq!(found.len(), subjects.len());
    assert_eq!(found, expected);
    let first = next.explain("203.0.113.5".parse().unwrap());
    assert_eq!(first["ban"]["reason"], "banned by the operator: before", "{first:#}");
    drop((vauban, next));
}

/// A disk that can't be written when it starts: it protects all the same, and stores when it can.
#[test]
#[ignore = "needs root"]
fn a_read_only_disk() {
    let lab = Lab::pair();
    let disk = Disk::mount(&lab);
    let store = disk.0.join("vauban.db");
    let mut first = Vauban::start_with(&lab, "", &format!("--store {}", store.display()));
    let knocks = Knocks::begin(&lab, VICTIM);
    first.verb(&format!("ban {SCANNER} --for 1h --reason before")).success();
    let through = knocks.settled();
    kill(&mut first);
    disk.remount("ro");
    let second = Vauban::after(&lab, &first);
    assert!(!trouble(&second).is_empty());
    // What the kernel holds is not forgotten because the store can't be read.
    assert_eq!(second.bans(), ["192.0.2.2"], "{}", second.log());
    let said = second.json("ban 203.0.113.5 --for 1h");
    assert_eq!(said["stored"], false);
    disk.remount("rw");
    wait_until("it catches up", TRIED_AGAIN, || {
        eprintln!("{} {}", trouble(&second), second.log());
        healed(&second)
    });
    assert_eq!(second.bans(), ["192.0.2.2", "203.0.113.5"]);
    let reason = second.explain(SCANNER)["ban"]["reason"].clone();
    assert_eq!(reason, "banned by the operator: before", "the store knows more than the kernel");
    knocks.send(200);
    assert_eq!((knocks.received(), knocks.answered()), through);
    drop(knocks);
    drop((first, second));
}

#[test]
#[ignore = "needs root"]
fn a_directory_that_cannot_be_written() {
    let lab = Lab::pair();
    let mut first = Vauban::start(&lab, "");
    let folder = first.store.parent().unwrap().to_owned();
    assert_eq!(first.stop("TERM"), Some(0));
    std::fs::remove_file(&first.store).unwrap();
    let mode = |mode: &str| {
        finish(command(&format!("chmod {mode} {}", folder.display())), PATIENCE).success();
    };
    mode("0500");
    let mut second = Vauban::after(&lab, &first);
    assert!(trouble(&second).contains(&folder.display().to_string()), "{}", trouble(&second));
    assert_eq!(second.json("ban 203.0.113.5 --for 1h")["stored"], false);
    mode("0700");
    wait_until("it catches up", TRIED_AGAIN, || healed(&second));
    kill(&mut second);
    let third = Vauban::after(&lab, &second);
    assert_eq!(third.bans(), ["203.0.113.5"]);
}

/// The files beside a database that were set aside.
fn set_aside(store: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(store.parent().unwrap()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let name = format!("{}.corrupt-", store.file_name().unwrap().to_str().unwrap());
    let is_aside = |path: &PathBuf| {
        let own = path.file_name().unwrap().to_str().unwrap();
        own.starts_with(&name) && !own.ends_with("-wal") && !own.ends_with("-shm")
    };
    paths.filter(is_aside).collect()
}

/// Writes the log of a database back into it.
const CHECKPOINT: &str = "\
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
assert db.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone()[0] == 0
";

/// A database that nobody can read any more: it is kept for those who can, and whom the kernel
/// blocks stays blocked.
#[test]
#[ignore = "needs root"]
fn a_damaged_database() {
    for damage in ["random", "truncated", "empty"] {
        let lab = Lab::pair();
        let mut first = Vauban::start(&lab, "");
        let knocks = Knocks::begin(&lab, VICTIM);
        first.verb(&format!("ban {SCANNER} --for 1h --reason before")).success();
        first.verb("ban 2001:db8:77::1 --for 2h").success();
        let through = knocks.settled();
        kill(&mut first);
        // All of it into the one file.
        let script = lab.folder().join("checkpoint.py");
        std::fs::write(&script, CHECKPOINT).unwrap();
        let line = format!("/usr/bin/python3 {} {}", script.display(), first.store.display());
        finish(command(&line), PATIENCE).success();
        let whole = std::fs::read(&first.store).unwrap();
        let bytes = match damage {
            "random" => (0..whole.len()).map(|n| (n * 7919 % 251).to_le_bytes()[0]).collect(),
            "truncated" => whole[..whole.len() / 2 + 100].to_vec(),
            _ => Vec::new(),
        };
        std::fs::write(&first.store, &bytes).unwrap();
        let mut second = Vauban::after(&lab, &first);
        let log = second.log();
        assert!(log.contains("Trouble: the store was damaged"), "{damage}: {log}");
        let aside = set_aside(&first.store);
        assert_eq!(aside.len(), 1, "{damage}: {aside:?}");
        assert_eq!(std::fs::read(&aside[0]).unwrap(), bytes, "{damage}");
        assert!(log.contains(&aside[0].display().to_string()), "{damage}: {log}");
        assert_eq!(second.bans(), ["192.0.2.2", "2001:db8:77::/64"], "{damage}: {log}");
        let ban = second.explain(SCANNER)["ban"].clone();
        let left = ban["remaining"].as_f64().unwrap();
        assert!((3500.0..=3600.0).contains(&left), "{damage}: {ban:#}");
        assert!(!log.contains("Healed"), "{damage}: {log}");
        // What could be read of it is better than what the kernel says.
        let rescued = log.contains("what could be read of it: 2 bans in force");
        assert_eq!(log.contains("Kept: 2 bans that only the kernel still held"), !rescued, "{log}");
        let said = if rescued { "before" } else { "held by the kernel when the store was lost" };
        assert!(ban["reason"].as_str().unwrap().contains(said), "{damage}: {ban:#}");
        knocks.send(200);
        assert_eq!((knocks.received(), knocks.answered()), through, "{damage}");
        // In the new database now: a clean stop and a start bring them back.
        assert_eq!(second.stop("TERM"), Some(0), "{}", second.errors());
        let third = Vauban::after(&lab, &second);
        assert_eq!(third.bans(), ["192.0.2.2", "2001:db8:77::/64"], "{damage}");
        assert_eq!(set_aside(&first.store).len(), 1, "{damage}");
    }
}

/// Somebody deletes the files while the daemon runs.
#[test]
#[ignore = "needs root"]
fn a_database_that_is_deleted() {
    let lab = Lab::pair();
    let mut vauban = Vauban::start(&lab, "");
    vauban.verb("ban 203.0.113.5 --for 1h").success();
    for entry in std::fs::read_dir(vauban.store.parent().unwrap()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    vauban.verb("ban 203.0.113.6 --for 1h").success();
    wait_until("there is a new one", TRIED_AGAIN, || {
        vauban.store.exists() && trouble(&vauban).is_empty()
    });
    assert!(vauban.log().contains("Trouble: bans are not stored"), "{}", vauban.log());
    vauban.verb("ban 203.0.113.7 --for 1h").success();
    kill(&mut vauban);
    lab.run("victim", "nft delete table inet vauban").success();
    let next = Vauban::after(&lab, &vauban);
    assert_eq!(next.bans(), ["203.0.113.5", "203.0.113.6", "203.0.113.7"]);
}

/// Somebody deletes it while nobody runs: whom the kernel holds is not let go because of that.
#[test]
#[ignore = "needs root"]
fn a_database_that_is_gone() {
    let lab = Lab::pair();
    let mut vauban = Vauban::start(&lab, "");
    vauban.verb("ban 203.0.113.5 --for 1h").success();
    kill(&mut vauban);
    std::fs::remove_dir_all(vauban.store.parent().unwrap()).unwrap();
    let next = Vauban::after(&lab, &vauban);
    assert_eq!(next.bans(), ["203.0.113.5"]);
    assert!(next.log().contains("Kept: 1 bans"), "{}", next.log());
    let reason = &next.json("bans")["bans"][0]["reason"];
    assert_eq!(reason, "held by the kernel when the store was lost");
}

/// A store that is not to be used: it says so, and leaves nothing behind in the kernel.
#[test]
#[ignore = "needs root"]
fn another_programs_database() {
    let lab = Lab::pair();
    let folder = lab.folder().join("other");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("other.db");
    let script = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); \
                  db.execute('PRAGMA application_id = 77'); db.execute('CREATE TABLE t (a)')";
    let made = Command::new("/usr/bin/python3").args(["-c", script]).arg(&path).status().unwrap();
    assert!(made.success());
    let mut vauban = Vauban::launch(&lab, "", &format!("--store {}", path.display()));
    assert_eq!(vauban.end(), Some(70), "{}", vauban.errors());
    assert!(vauban.errors().contains("database of another program"), "{}", vauban.errors());
    assert!(!vauban.errors().contains("Bans stay"), "{}", vauban.errors());
    assert!(!lab.is_loaded());
}

/// Keeps a database locked until its standard input ends.
const LOCKER: &str = "\
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute('BEGIN EXCLUSIVE')
print('locked', flush=True)
sys.stdin.read()
db.execute('ROLLBACK')
";

struct Locker {
    _running: Running,
    hold: Option<ChildStdin>,
}

impl Locker {
    fn lock(lab: &Lab, store: &Path) -> Self {
        let (script, out) = (lab.folder().join("locker.py"), lab.folder().join("locker.out"));
        std::fs::write(&script, LOCKER).unwrap();
        let line = format!("/usr/bin/python3 {} {}", script.display(), store.display());
        let mut locker = command(&line);
        locker.stdin(Stdio::piped()).stdout(std::fs::File::create(&out).unwrap());
        let mut running = Running::start(locker);
        let hold = running.input();
        wait_until("it is locked", Duration::from_secs(5), || {
            std::fs::read_to_string(&out).unwrap().contains("locked")
        });
        Self { _running: running, hold }
    }

    fn release(mut self) {
        drop(self.hold.take());
    }
}

#[test]
#[ignore = "needs root"]
fn a_database_that_somebody_locks() {
    let lab = Lab::pair();
    let mut vauban = Vauban::start(&lab, "");
    vauban.verb("ban 203.0.113.5 --for 1h --reason before").success();
    let locker = Locker::lock(&lab, &vauban.store);
    let said = vauban.json(&format!("ban {SCANNER} --for 1h"));
    assert_eq!(said["stored"], false, "{said:#}");
    assert!(trouble(&vauban).contains("locked"), "{}", trouble(&vauban));
    assert!(lab.holds("banned4", "192.0.2.2"));
    locker.release();
    wait_until("it catches up", TRIED_AGAIN, || healed(&vauban));
    kill(&mut vauban);

    // And one that is locked when it starts.
    let locker = Locker::lock(&lab, &vauban.store);
    let mut next = Vauban::after(&lab, &vauban);
    wait_until("it says so", Duration::from_secs(5), || trouble(&next).contains("locked"));
    assert_eq!(next.bans(), ["192.0.2.2", "203.0.113.5"]);
    locker.release();
    wait_until("it catches up", TRIED_AGAIN, || healed(&next));
    kill(&mut next);
    let last = Vauban::after(&lab, &next);
    assert_eq!(last.bans(), ["192.0.2.2", "203.0.113.5"]);
}

/// The store could not be read when it started, and the kernel has forgotten everything, as after a
/// boot: once it can be read, its bans are in force.
#[test]
#[ignore = "needs root"]
fn what_the_store_holds_is_restored_late() {
    let lab = Lab::pair();
    let disk = Disk::mount(&lab);
    let store = disk.0.join("vauban.db");
    let mut vauban = Vauban::start_with(&lab, "", &format!("--store {}", store.display()));
    vauban.verb("ban 203.0.113.5 --for 1h --reason before").success();
    vauban.verb("ban 203.0.113.6 --for 1h --reason before").success();
    vauban.verb("ban 203.0.113.8 --for 1h --reason before").success();
    kill(&mut vauban);
    lab.run("victim", "nft delete table inet vauban").success();
    disk.remount("ro");
    let next = Vauban::after(&lab, &vauban);
    assert_eq!(next.bans(), [""; 0]);
    next.verb("ban 203.0.113.7 --for 1h").success();
    next.verb("ban 203.0.113.6 --for 2h --reason after").success();
    // Whom the operator lets go stays free.
    next.verb("ban 203.0.113.8 --for 2h").success();
    next.verb("unban 203.0.113.8").success();
    disk.remount("rw");
    wait_until("it is read", TRIED_AGAIN, || trouble(&next).is_empty());
    assert_eq!(next.bans(), ["203.0.113.5", "203.0.113.6", "203.0.113.7"], "{}", next.log());
    let reason = |last: u8| {
        let address: IpAddr = format!("203.0.113.{last}").parse().unwrap();
        next.explain(address)["ban"]["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason(5), "banned by the operator: before");
    assert_eq!(reason(6), "banned by the operator: after");
    assert!(lab.holds("banned4", "203.0.113.5"));
    drop((vauban, next));
}

/// One that protects another host (namespace) may not use this one's database.
#[test]
#[ignore = "needs root"]
fn there_is_one_per_database() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let (store, socket) = (vauban.store.display(), lab.folder().join("second"));
    let line =
        format!("{PROGRAM} run --config /dev/null --socket {} --store {store}", socket.display());
    let second = lab.run("scanner", &line);
    assert_eq!(second.code, Some(70), "{second:?}");
    assert!(second.err.contains("another vauban has it open"), "{second:?}");
    assert!(second.err.contains(&store.to_string()), "{second:?}");
    assert_eq!(vauban.json("ban 203.0.113.5")["stored"], true);
}
