//! How long a start takes that finds a hundred thousand bans in the store, until the kernel holds
//! them all; how long it takes to list them; what all that weighs.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use vauban_daemon::store::{BootId, Limits, Mono, Now, Record, Store, StoredBan, Times, Wall};
use vauban_engine::Prefix;
use vauban_engine::ledger::Origin;
use vauban_engine::{evidence::Cause, time::Timestamp};

use crate::contenders::{Programs, control_socket, store};
use crate::lab::Lab;
use crate::memory::resident_of_all;
use crate::process::{feed, run};
use crate::report::Report;
use crate::statistics::{median, times};
use crate::trouble::{Outcome, Trouble, pause};

/// Bans.
const MANY: u32 = 100_000;

/// Vauban's goals, in milliseconds: from the start of the process until the kernel holds them all,
/// and for `vauban bans`.
const GOAL_START: i64 = 300;
const GOAL_LIST: i64 = 100;

/// Room for them in the kernel program.
const CONFIG: &str = "[kernel]\nbans = 131072\n";

/// How long a start may take at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// An hour, in milliseconds.
const HOUR: i64 = 3_600_000;

/// Measures it, beside what an administrator would use to keep bans over a restart.
pub fn run_all(quick: bool, programs: &Programs) -> Outcome<Report> {
    let many = if quick { MANY / 10 } else { MANY };
    let rounds = if quick { 2 } else { 7 };
    let lab = Lab::build()?;
    fill(&store(&lab), many)?;
    let mut report = Report::new("restore", "a hundred thousand bans, in milliseconds");
    let (mut starts, mut lists, mut json) = (Vec::new(), Vec::new(), Vec::new());
    let mut weight = String::new();
    for round in 0..rounds {
        let slab = slab()?;
        let (mut running, took) = started(&lab, programs)?;
        starts.push(took);
        let held = lab.on_victim(|| run("nft", &["list", "set", "inet", "vauban", "banned4"]))?;
        if held.matches("expires").count() != many as usize {
            return Err(Trouble::new("the kernel does not hold them all"));
        }
        lists.push(listed(&lab, programs, &[])?);
        json.push(listed(&lab, programs, &["--json"])?);
        if round + 1 == rounds {
            let resident = resident_of_all(running.id())?;
            weight = format!(
                "both processes {} KiB resident, the kernel some {} KiB more",
                resident.now,
                self::slab()?.saturating_sub(slab)
            );
        }
        running.end("TERM");
        // Its last pages go with it.
        pause(Duration::from_millis(500))?;
    }
    let by_nft = timed(rounds, || {
        let text = nft_file(many);
        lab.on_victim(|| clocked(|| feed("nft", &["-f", "-"], &text).map(drop)))
    })?;
    let by_ipset = timed(rounds, || {
        let text = ipset_file(many);
        lab.on_victim(|| clocked(|| feed("ipset", &["restore"], &text).map(drop)))
    })?;
    let nft_list = timed(rounds, || {
        lab.on_victim(|| {
            clocked(|| run("nft", &["list", "set", "inet", "bench", "banned"]).map(drop))
        })
    })?;
    let start = median(&starts);
    let rows = [
        ("start of vauban run to all in the kernel", &starts, start),
        ("nft -f of a saved set of as many", &by_nft, start),
        ("ipset restore of as many", &by_ipset, start),
        ("vauban bans", &lists, median(&lists)),
        ("vauban bans --json", &json, median(&lists)),
        ("nft list set of as many", &nft_list, median(&lists)),
    ];
    let row = |(what, values, base): &(&str, &Vec<i64>, i64)| {
        let most = values.iter().max().copied().unwrap_or_default();
        let middle = median(values);
        vec![(*what).to_owned(), middle.to_string(), most.to_string(), times(middle, *base)]
    };
    report.table(&["what", "p50", "worst", "times"], &rows.iter().map(row).collect::<Vec<_>>());
    let verdict = |value: i64, goal: i64| if value <= goal { "met" } else { "MISSED" };
    report.say(&format!(
        "{many} bans of an hour, each of a SYN scan, without packets; {rounds} starts. Goals: \
         {GOAL_START} ms to start: {}; {GOAL_LIST} ms to list: {}.",
        verdict(start, GOAL_START),
        verdict(median(&lists), GOAL_LIST),
    ));
    report
        .say(&format!("With these bans: {weight} (all slabs of this machine, before and after)."));
    Ok(report)
}

/// A store with bans, as a daemon of this boot would have left it.
fn fill(path: &Path, many: u32) -> Outcome<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    let wall = vauban_daemon::clock::wall();
    let now = Now { wall: Wall::of(wall), boot: BootId(1), mono: Mono(0) };
    let opened = Store::open(path, Limits::default(), &now)
        .map_err(|error| Trouble::new(error.to_string()))?;
    let mut store = opened.store;
    let records: Vec<Record> = (0..many).map(|number| Record::Banned(ban(number, wall))).collect();
    store.write(&records).map_err(|error| Trouble::new(error.to_string()))
}

fn ban(number: u32, wall: Timestamp) -> StoredBan {
    let address = address(number);
    let start = Wall::of(wall);
    StoredBan {
        subject: Prefix::host(address),
        source: address,
        level: 1,
        origin: Origin::Scan(Cause::ProvenPorts(3)),
        times: Times { start, end: Some(Wall(start.0 + HOUR)), anchor: None },
        evidence: Vec::new(),
        not_kept: 6,
    }
}

/// The address of one ban: not in order, as attackers are not.
fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | (number.wrapping_mul(2_654_435_761) & 0x00ff_ffff)))
}

/// Starts it, and takes the time until it says that it is ready: all bans are in the kernel then.
fn started(lab: &Lab, programs: &Programs) -> Outcome<(crate::process::Running, i64)> {
    let path = lab.folder().join("notify");
    let _ = std::fs::remove_file(&path);
    let manager = UnixDatagram::bind(&path)?;
    manager.set_read_timeout(Some(PATIENCE))?;
    let begin = Instant::now();
    let running = programs.vauban_notifying(lab, CONFIG, &path)?;
    let mut word = [0; 4096];
    loop {
        let length = manager.recv(&mut word)?;
        let text = String::from_utf8_lossy(word.get(..length).unwrap_or_default());
        if text.contains("READY=1") {
            return Ok((running, millis(begin.elapsed())));
        }
    }
}

/// The time that a list takes.
fn listed(lab: &Lab, programs: &Programs, arguments: &[&str]) -> Outcome<i64> {
    let out = std::fs::File::create(lab.folder().join("list"))?;
    let begin = Instant::now();
    let status = Command::new(programs.path())
        .arg("bans")
        .arg("--socket")
        .arg(control_socket(lab))
        .args(arguments)
        .stdout(out)
        .status()?;
    let took = millis(begin.elapsed());
    if status.success() { Ok(took) } else { Err(Trouble::new("vauban bans failed")) }
}

fn timed(rounds: usize, mut one: impl FnMut() -> Outcome<i64>) -> Outcome<Vec<i64>> {
    (0..rounds).map(|_| one()).collect()
}

fn clocked(what: impl FnOnce() -> Outcome<()>) -> Outcome<i64> {
    let begin = Instant::now();
    what()?;
    Ok(millis(begin.elapsed()))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn nft_file(many: u32) -> String {
    let elements: Vec<String> =
        (0..many).map(|number| format!("{} timeout 1h", address(number))).collect();
    format!(
        "table inet bench\ndelete table inet bench\ntable inet bench {{\nset banned {{\n\
         type ipv4_addr\nsize 131072\nflags timeout\nelements = {{ {} }}\n}}\n}}\n",
        elements.join(",\n")
    )
}

fn ipset_file(many: u32) -> String {
    let mut lines = vec![
        "create bench hash:ip timeout 3600 maxelem 131072 -exist".to_owned(),
        "flush bench".to_owned(),
    ];
    lines.extend((0..many).map(|number| format!("add bench {}", address(number))));
    lines.join("\n") + "\n"
}

/// What the kernel's slabs take in all, in KiB.
fn slab() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    text.lines()
        .find_map(|line| line.strip_prefix("Slab:")?.split_whitespace().next()?.parse().ok())
        .ok_or(Trouble::new("the kernel does not say what its slabs take"))
}
