//! From a probe to its decoy on the wire, with a listener's answers in between, and those to a
//! listener that the host's own firewall hides: the difference tells them apart.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vauban_packet::{network_layer, probe};
use vauban_replay::capture::{Damaged, Reader};
use vauban_sys::frame::FrameSender;
use vauban_sys::timer::exact_sleeps;

use crate::capture::Capture;
use crate::contenders::{Programs, nft};
use crate::frames::{SYN, Segment};
use crate::lab::{INTERFACE, Lab, SCANNER, VICTIM};
use crate::report::Report;
use crate::statistics::{Tenths, percentile, tenths};
use crate::trouble::{Outcome, Trouble, go_on, pause};

/// Between two SYNs.
const APART: Duration = Duration::from_millis(2);

/// The goal for decoys in the middle, in tenths of a microsecond.
const GOAL: Tenths = 1_000;

/// SYN and ACK, without RST: an answer of an open port.
const SYN_ACK: u8 = 0x12;

/// The ports that are probed in turn.
const PORTS: [(&str, u16); 3] =
    [("decoy", 3_000), ("listener", 3_001), ("decoy of a hidden listener", 3_002)];

/// The firewall that hides the third.
const FIREWALL: &str = "table inet firewall { chain input { \
                        type filter hook input priority filter; policy accept; \
                        tcp dport 3002 drop; }; }";

/// Answers: their times, in tenths of a microsecond, by the port that gave them.
type Times = BTreeMap<u16, Vec<Tenths>>;

/// Measures so many probes of each kind, with Vauban and without.
pub fn measure(count: u16, programs: &Programs, report: &mut Report) -> Outcome<()> {
    let (with, without) = (run(count, Some(programs))?, run(count, None)?);
    let mut rows = Vec::new();
    for (who, times) in [("vauban", &with), ("nothing", &without)] {
        for (name, port) in PORTS {
            let Some(times) = times.get(&port) else { continue };
            let mut row =
                vec![format!("{who}: {name}"), count.to_string(), times.len().to_string()];
            row.extend([10, 50, 90, 99].map(|percent| tenths(percentile(times, percent))));
            rows.push(row);
        }
    }
    report.say("From SYN to SYN-ACK at the scanner's end of the link, in microseconds:");
    report.table(&["answer of", "probes", "answers", "p10", "p50", "p90", "p99"], &rows);
    let middle = |index: usize| {
        let port = PORTS.get(index).map(|(_, port)| *port).unwrap_or_default();
        with.get(&port).map_or(Tenths::MAX, |times| percentile(times, 50))
    };
    let (decoy, listener, hidden) = (middle(0), middle(1), middle(2));
    report.say(&format!(
        "Goal: p50 of at most {} µs: {} ({} µs). What tells them apart by time: a decoy is {} µs \
         later than a listener, one of a hidden listener {} µs, where no way is in between.",
        tenths(GOAL),
        if decoy <= GOAL { "met" } else { "MISSED" },
        tenths(decoy),
        tenths(decoy - listener),
        tenths(hidden - listener),
    ));
    Ok(())
}

fn run(count: u16, programs: Option<&Programs>) -> Outcome<Times> {
    let lab = Lab::build()?;
    let _listeners = lab.serve(&[3_001, 3_002])?;
    lab.on_victim(|| nft(FIREWALL))?;
    let _vauban = programs.map(|programs| programs.vauban(&lab)).transpose()?;
    lab.on_scanner(become_suspect)?;
    pause(Duration::from_millis(500))?;
    let capture = Capture::start(&lab)?;
    let sent = lab.on_scanner(|| send(count))?;
    judge(&capture.finish()?, &sent)
}

/// Tries closed ports.
fn become_suspect() -> Outcome<()> {
    let sender = FrameSender::open(INTERFACE)?;
    for port in 4_000..4_006 {
        sender.send(&[&segment(1_000, port).frame()])?;
    }
    Ok(())
}

fn segment(source_port: u16, port: u16) -> Segment {
    Segment { source: SCANNER.into(), source_port, port, flags: SYN }
}

/// Sends the probes. When, by the clock that captures have, for each source port and port.
fn send(count: u16) -> Outcome<BTreeMap<(u16, u16), Duration>> {
    exact_sleeps()?;
    let sender = FrameSender::open(INTERFACE)?;
    let mut sent = BTreeMap::new();
    for number in 0..count {
        go_on()?;
        for (_, port) in PORTS {
            let source_port = 10_000 + number;
            let frame = segment(source_port, port).frame();
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            sender.send(&[&frame])?;
            sent.insert((source_port, port), now.map_err(|error| Trouble::new(error.to_string()))?);
            std::thread::sleep(APART);
        }
    }
    Ok(sent)
}

fn judge(capture: &[u8], sent: &BTreeMap<(u16, u16), Duration>) -> Outcome<Times> {
    let trouble = |error: Damaged| Trouble::new(error.to_string());
    let mut reader = Reader::new(capture).map_err(trouble)?;
    let mut times = Times::new();
    while let Some(record) = reader.frame().map_err(trouble)? {
        let Some(answer) =
            network_layer(record.link, record.bytes).and_then(|packet| probe(packet, None).ok())
        else {
            continue;
        };
        if answer.source != VICTIM || answer.flags.0 & 0x16 != SYN_ACK {
            continue;
        }
        // The port that was probed is the one that the answer comes from. A listener repeats its
        // answer when nothing comes back; the scanner's own stack sees to that.
        if let Some(at) = sent.get(&(answer.port.number, answer.source_port)) {
            let took = Duration::from_nanos(record.at.0).saturating_sub(*at);
            let took = Tenths::try_from(took.as_nanos() / 100).unwrap_or(Tenths::MAX);
            times.entry(answer.source_port).or_default().push(took);
        }
    }
    Ok(times)
}
