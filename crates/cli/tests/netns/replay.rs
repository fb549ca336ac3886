//! A capture of what a running Vauban met, replayed: it would have decided the same.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::daemon::Vauban;
use crate::decoys::NMAP;
use crate::lab::{Lab, SCANNER, VICTIM, VICTIM6};
use crate::process::{Done, Running, command, finish, wait_for, wait_until};
use crate::services::Services;

/// Who listens, as the user would say it.
const OPEN: &str = "tcp/22,tcp/80";
const REAL: [u16; 2] = [22, 80];

/// A capture at one end of the link, from before the daemon's first packet.
struct Tap<'lab> {
    lab: &'lab Lab,
    tcpdump: Running,
    file: std::path::PathBuf,
}

impl<'lab> Tap<'lab> {
    fn open(lab: &'lab Lab, role: &str) -> Self {
        let place = |what: &str| lab.folder().join(format!("{role}-whole.{what}"));
        let (file, log) = (place("pcap"), place("log"));
        let how = "-i eth0 -U --immediate-mode -s 2048 -B 8192 -Z root";
        let mut tcpdump = lab.on(role, &format!("tcpdump {how} -w {}", file.display()));
        tcpdump.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        tcpdump.stderr(std::fs::File::create(&log).unwrap());
        let mut tcpdump = Running::start(tcpdump);
        wait_until("tcpdump listens", Duration::from_secs(10), || {
            let said = std::fs::read_to_string(&log).unwrap();
            assert_eq!(tcpdump.ended(), None, "{said}");
            said.contains("listening on")
        });
        Self { lab, tcpdump, file }
    }

    /// Ends the capture, when a mark from the scanner is in it.
    fn close(mut self) -> std::path::PathBuf {
        const MARK: &[u8] = b"the end of what is to be replayed";
        self.lab.inside("scanner", || {
            let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            // The port of traceroute: never counted.
            socket.send_to(MARK, (VICTIM, 33_434)).unwrap();
        });
        wait_for("the mark is captured", Duration::from_secs(5), || {
            let bytes = std::fs::read(&self.file).unwrap();
            bytes.windows(MARK.len()).any(|part| part == MARK).then_some(())
        });
        self.tcpdump.signal("TERM");
        self.tcpdump.wait(Duration::from_secs(5));
        self.file
    }
}

/// Kind and subject of each decision; the class, where `classes` says so.
fn decided(done: Done) -> BTreeSet<(String, String, String)> {
    let text = done.success();
    let objects = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |object: &Value, key: &str| object[key].as_str().unwrap_or("").to_owned();
    objects
        .map(|object| (word(&object, "kind"), word(&object, "subject"), word(&object, "class")))
        .collect()
}

/// The same of what the daemon has logged; its words name the scan where it bans.
fn logged(log: &str, class: &str) -> BTreeSet<(String, String, String)> {
    let lines = log.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let kind = match words.next()? {
            "Suspect" => "suspect",
            "Ban" => "ban",
            _ => return None,
        };
        let subject = words.next()?.trim_end_matches(':').to_owned();
        let class = if kind == "ban" { "connect" } else { class };
        Some((kind.to_owned(), subject, class.to_owned()))
    });
    lines.collect()
}

fn replayed(file: &std::path::Path, options: &str) -> BTreeSet<(String, String, String)> {
    let program = env!("CARGO_BIN_EXE_vauban");
    let line = format!("{program} replay --json {options} {}", file.display());
    decided(finish(command(&line), Duration::from_secs(60)))
}

/// Scans a live Vauban, then replays what was captured.
fn agrees(scan: &str, class: &str, bans: usize) {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &REAL, &[]);
    let taps = ["victim", "scanner"].map(|role| Tap::open(&lab, role));
    let vauban = Vauban::start(&lab, "");
    lab.run("scanner", scan);
    if bans > 0 {
        vauban.banned(SCANNER);
    } else {
        wait_until("a suspect", Duration::from_secs(5), || vauban.log().contains("Suspect "));
    }
    vauban.settle();
    let live = logged(&vauban.log(), class);
    let [victim, scanner] = taps.map(Tap::close);
    assert_eq!(live.iter().filter(|(kind, ..)| kind == "ban").count(), bans, "{live:?}");
    assert_eq!(live.len(), bans + 1, "{live:?}");

    // On the link, all is to be seen.
    let home = format!("--home {VICTIM} --home {VICTIM6}");
    assert_eq!(replayed(&scanner, &format!("{home} --open {OPEN}")), live, "all was said");
    assert_eq!(replayed(&scanner, &format!("--open {OPEN}")), live, "the home was learned");
    // Without being told who listens, decoys cannot be told from listeners: nobody is proven. On
    // their own host, decoys leave past the taps.
    let suspects: BTreeSet<_> = live.into_iter().filter(|(kind, ..)| kind == "suspect").collect();
    for file in [&victim, &scanner] {
        assert_eq!(replayed(file, ""), suspects, "all was learned: {}", file.display());
    }
    assert_eq!(replayed(&victim, &format!("{home} --open {OPEN}")), suspects);
}

#[test]
#[ignore = "needs root"]
fn a_half_open_scan_is_replayed_as_it_was_judged() {
    agrees(&format!("{NMAP} -sS -p 101-200,22,80 {VICTIM}"), "syn", 0);
}

#[test]
#[ignore = "needs root"]
fn a_connect_scan_is_replayed_with_its_ban() {
    agrees(&format!("{NMAP} -sT -p 101-200,22,80 {VICTIM}"), "syn", 1);
}

#[test]
#[ignore = "needs root"]
fn a_udp_scan_is_replayed_as_it_was_judged() {
    agrees(&format!("{NMAP} -sU -p 101-130 {VICTIM}"), "udp", 0);
}

#[test]
#[ignore = "needs root"]
fn an_xmas_scan_is_replayed_as_it_was_judged() {
    agrees(&format!("{NMAP} -sX -p 101-200 {VICTIM}"), "xmas", 0);
}
