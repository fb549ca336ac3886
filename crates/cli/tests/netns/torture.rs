//! Killed again and again, at any moment, under load: no ban that was acknowledged is lost, and
//! nobody is banned whom nobody banned.
//!
//! `VAUBAN_ROUNDS` says how often (40 otherwise), `VAUBAN_SEED` when and what; both are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vauban_daemon::control::client::call;
use vauban_daemon::control::protocol::{Reply, Request};

use crate::daemon::Vauban;
use crate::lab::{Lab, PATIENCE, VICTIM};
use crate::process::{Running, command, finish, runs, send, wait_for};

/// Trigger at the second port, so that each forged source is banned; rates that two processors
/// manage beside the tests. Bans of scans run out while the test runs.
const CONFIG: &str = "unproven = \"ban\"\n[trigger]\nports = 2\n[ban]\nfirst = \"3s\"\n\
                      [kernel]\nbans = 20000\ncopies_per_second = 2000\n";

/// How long the shorter and the longer bans of the operator are.
const LENGTHS: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(3600)];

/// A ban's end is known to a second at best.
const SLACK: Duration = Duration::from_secs(2);

/// Numbers that are as good as random, and the same for the same seed (xorshift64*, Vigna 2016).
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// What is known of the operator's bans.
#[derive(Default)]
struct Book {
    /// Asked for; whether it was done is not known for each.
    asked: BTreeMap<Ipv4Addr, Duration>,
    /// Acknowledged as stored: between these two moments it ends.
    acknowledged: BTreeMap<Ipv4Addr, (Instant, Instant)>,
}

/// Bans addresses of 198.18.0.0/16 through the control socket until told to stop.
fn operator(socket: &Path, book: Arc<Mutex<Book>>, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    let socket = socket.to_owned();
    std::thread::spawn(move || {
        for number in 0_u16.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let [high, low] = number.to_be_bytes();
            let address = Ipv4Addr::new(198, 18, high, low);
            let length = LENGTHS[usize::from(number % 8 == 0)];
            book.lock().unwrap().asked.insert(address, length);
            let request = Request::Ban {
                subject: address.to_string(),
                for_ms: Some(u64::try_from(length.as_millis()).unwrap()),
                forever: false,
                reason: "torture".into(),
            };
            let before = Instant::now();
            match call(&socket, &request) {
                Ok(Reply::Ok(view)) if view["stored"] == true => {
                    let ends = (before + length, Instant::now() + length);
                    book.lock().unwrap().acknowledged.insert(address, ends);
                }
                // Not stored, or not done: nobody may rely on it.
                Ok(Reply::Ok(_) | Reply::Failed(_)) => {}
                Ok(other) => panic!("{address}: {other:?}"),
                // Killed, or not there yet.
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    })
}

/// A ban as the daemon lists it.
#[derive(Clone, Copy, Debug)]
struct Listed {
    subject: Ipv4Addr,
    by_operator: bool,
    left: Duration,
}

/// Whom the daemon lists.
fn listed(vauban: &Vauban) -> Option<Vec<Listed>> {
    let Ok(Reply::Ok(view)) = call(&vauban.socket, &Request::Bans { brief: false }) else {
        return None;
    };
    let read = |ban: &serde_json::Value| Listed {
        subject: ban["subject"].as_str().unwrap().parse().unwrap(),
        by_operator: ban["origin"] == "operator",
        left: Duration::from_secs_f64(ban["remaining"].as_f64().unwrap()),
    };
    Some(view["bans"].as_array().unwrap().iter().map(read).collect())
}

/// Whom the daemon's output names as banned.
fn announced(log: &str, into: &mut BTreeSet<Ipv4Addr>) {
    let subject =
        |line: &str| line.split_once(" Ban ")?.1.split(' ').next()?.parse::<Ipv4Addr>().ok();
    into.extend(log.lines().filter_map(subject));
}

#[test]
#[ignore = "needs root"]
fn killed_again_and_again() {
    let rounds = from_environment("VAUBAN_ROUNDS").unwrap_or(40);
    let seed = from_environment("VAUBAN_SEED").unwrap_or(20_261_121);
    println!("{rounds} rounds, seed {seed}");
    let mut chance = Chance(seed | 1);
    let lab = Lab::pair();
    // Where forged sources are.
    lab.ip("victim", "route add 203.0.0.0/16 dev eth0");
    let mut flood = lab.on("scanner", &format!("bash {}", flood_script(&lab).display()));
    flood.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut flood = Running::start(flood);

    let mut vauban = Vauban::start(&lab, CONFIG);
    let (book, stop) = (Arc::<Mutex<Book>>::default(), Arc::new(AtomicBool::new(false)));
    let operator = operator(&vauban.socket, Arc::clone(&book), Arc::clone(&stop));
    let mut named = BTreeSet::new();
    let (started, mut slowest) = (Instant::now(), Duration::ZERO);
    let (mut in_flight, mut checked, mut killed_early, mut orphans) = (0, 0, 0, Vec::new());
    for round in 0..rounds {
        let moment = Duration::from_millis(chance.next(120));
        orphans.push(kill(&mut vauban, round % 3, moment));
        announced(&vauban.log(), &mut named);
        // And now and then one more, before it is ready.
        if chance.next(3) == 0 {
            let mut early = Vauban::launch_after(&lab, &vauban);
            let moment = Duration::from_millis(chance.next(60));
            let which = chance.next(3);
            orphans.push(kill(&mut early, which, moment));
            announced(&early.log(), &mut named);
            killed_early += 1;
        }
        let next = Vauban::launch_after(&lab, &vauban);
        let begun = Instant::now();
        vauban = next;
        // What was acknowledged before the list was asked for must be on it.
        let acknowledged = book.lock().unwrap().acknowledged.clone();
        let (bans, when) = wait_for("it is ready", Duration::from_secs(5), || {
            assert!(vauban.ended().is_none(), "{round}: {}", vauban.errors());
            let when = Instant::now();
            listed(&vauban).map(|bans| (bans, when))
        });
        slowest = slowest.max(begun.elapsed());
        for orphan in orphans.drain(..).flatten() {
            assert!(!runs(orphan), "{round}: a child is left of an earlier one");
        }
        announced(&vauban.log(), &mut named);
        check_none_lost(&acknowledged, &bans, when, round);
        in_flight += check_none_invented(&book.lock().unwrap(), &bans, &named, when, round);
        checked += bans.len();
        agreement(&lab, &vauban, round);
    }
    stop.store(true, Ordering::Relaxed);
    operator.join().unwrap();
    assert_eq!(flood.ended(), None, "the load was there all the time");
    let took = started.elapsed();
    assert_eq!(vauban.stop("TERM"), Some(0), "{}", vauban.errors());
    let store = vauban.store.display();
    let script = lab.folder().join("check.py");
    std::fs::write(&script, CHECK).unwrap();
    let line = format!("/usr/bin/python3 {} {store}", script.display());
    assert_eq!(finish(command(&line), PATIENCE).success().trim(), "ok");
    let aside = std::fs::read_dir(vauban.store.parent().unwrap()).unwrap();
    let aside =
        aside.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains("corrupt"));
    assert_eq!(aside.count(), 0, "a database was set aside");
    let book = book.lock().unwrap();
    println!(
        "{rounds} rounds in {took:.1?}: {} bans acknowledged of {} asked for, {} announced, {checked} \
         looked at, {in_flight} of scans in flight at a kill; {killed_early} killed at their start; \
         ready after {slowest:?} at most",
        book.acknowledged.len(),
        book.asked.len(),
        named.len()
    );
    assert!(book.acknowledged.len() as u64 > rounds, "the operator was heard");
    assert!(named.len() as u64 > rounds, "the scan was seen");
}

/// Kills the child, the parent or both after a while, and waits for the end. Says who the child was.
fn kill(vauban: &mut Vauban, which: u64, after: Duration) -> Option<u32> {
    std::thread::sleep(after);
    let child = vauban.try_child();
    let killed = which != 1 && child.is_some_and(|child| send(child, "KILL"));
    if which != 0 || !killed {
        vauban.signal("KILL");
    }
    let _ = vauban.end();
    child
}

const CHECK: &str = "\
import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check'):
    print(row[0])
";

/// Scanners without end, three ports each, from forged addresses of 203.0.0.0/16 in turn.
fn flood_script(lab: &Lab) -> std::path::PathBuf {
    let path = lab.folder().join("flood.sh");
    let text = format!(
        "n=0\nwhile :; do n=$((n + 1))\n\
         hping3 -q -n -S -a 203.0.$((n / 250 % 250)).$((n % 250 + 1)) -p ++1000 -c 3 -i u500 {VICTIM}\n\
         done\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// Nobody is lost whose time has not run out.
fn check_none_lost(
    acknowledged: &BTreeMap<Ipv4Addr, (Instant, Instant)>,
    bans: &[Listed],
    when: Instant,
    round: u64,
) {
    let listed: BTreeSet<&Ipv4Addr> = bans.iter().map(|ban| &ban.subject).collect();
    for (address, (earliest, _)) in acknowledged {
        let over = when + SLACK >= *earliest;
        assert!(
            over || listed.contains(address),
            "{round}: {address} was acknowledged, and is lost"
        );
    }
}

/// Nobody is banned whom nobody banned. Says how many bans of scans were stored, but killed before
/// they could be said.
fn check_none_invented(
    book: &Book,
    bans: &[Listed],
    named: &BTreeSet<Ipv4Addr>,
    when: Instant,
    round: u64,
) -> usize {
    let mut in_flight = 0;
    for Listed { subject, by_operator, .. } in bans {
        if *by_operator {
            assert!(book.asked.contains_key(subject), "{round}: nobody asked for {subject}");
            if let Some((_, latest)) = book.acknowledged.get(subject) {
                assert!(when < *latest + SLACK, "{round}: {subject} should be over");
            }
        } else {
            assert_eq!(subject.octets()[..2], [203, 0], "{round}: {subject} has sent nothing");
            in_flight += usize::from(!named.contains(subject));
        }
    }
    in_flight
}

/// Fails unless the kernel and the ledger say the same within a second, but for bans about to end.
fn agreement(lab: &Lab, vauban: &Vauban, round: u64) {
    let started = Instant::now();
    loop {
        let first = listed(vauban).unwrap();
        let held: BTreeSet<Ipv4Addr> =
            lab.elements("banned4").into_iter().map(|e| e.key.parse().unwrap()).collect();
        let second = listed(vauban).unwrap();
        // Who is on both lists must be there, and who is there must be on one of them.
        let after: BTreeSet<Ipv4Addr> = second.iter().map(|ban| ban.subject).collect();
        let either: BTreeSet<Ipv4Addr> =
            first.iter().chain(&second).map(|ban| ban.subject).collect();
        let lasting = first.iter().filter(|ban| ban.left > SLACK && after.contains(&ban.subject));
        let missing: Vec<_> = lasting.filter(|ban| !held.contains(&ban.subject)).collect();
        let surplus: Vec<_> = held.difference(&either).collect();
        if missing.is_empty() && surplus.is_empty() {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{round}: after {:?} the kernel lacks {missing:?} and has {surplus:?} too many; {}",
            started.elapsed(),
            vauban.log()
        );
    }
}
