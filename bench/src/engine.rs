//! How many events the engine alone takes in a second, on one processor.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use vauban_engine::event::{Checksum, EventKind, Facts, Probe, Stage};
use vauban_engine::flags::TcpFlags;
use vauban_engine::time::Timestamp;
use vauban_engine::{Engine, Event, Policy, Port};

use crate::enforcer::banned;
use crate::report::Report;
use crate::statistics::{percentile, tenths};
use crate::trouble::{Outcome, go_on};

/// Events between two looks at the clock.
const BATCH: u32 = 10_000;

/// Measures both ends: each source new, and few sources that go on and on.
pub fn run_all(quick: bool) -> Outcome<Report> {
    let batches = if quick { 10 } else { 100 };
    let mut report = Report::new("engine", "events per second of the engine alone");
    let mut rows = Vec::new();
    for (name, sources) in
        [("each source three probes", u32::MAX), ("1,000 sources that go on", 1_000)]
    {
        let times = measure(batches, sources)?;
        let nanos = percentile(&times, 50);
        rows.push(vec![
            name.to_owned(),
            (u32::try_from(batches).unwrap_or(0) * BATCH).to_string(),
            tenths(nanos),
            (10_000_000_000 / nanos.max(1)).to_string(),
        ]);
    }
    report.table(&["load", "events", "ns each, p50", "events per second"], &rows);
    report.say(
        "An event is a copy of a probe with its first 40 bytes, from an IPv4 source; outputs are \
         taken and thrown away.",
    );
    Ok(report)
}

/// Tenths of a nanosecond per event, for each batch.
fn measure(batches: usize, sources: u32) -> Outcome<Vec<i64>> {
    let mut engine = Engine::new(Policy::default());
    let facts = EventKind::Facts(Facts::default());
    engine.handle(Event { at: Timestamp::from_secs(1_000), kind: facts });
    let mut number = 0;
    let mut times = Vec::with_capacity(batches);
    for _ in 0..batches {
        go_on()?;
        let events: Vec<Event> = (number..number + BATCH).map(|n| event(n, sources)).collect();
        number += BATCH;
        let started = Instant::now();
        for event in events {
            engine.handle(event);
            while engine.poll_output().is_some() {}
        }
        let nanos = started.elapsed().as_nanos() * 10 / u128::from(BATCH);
        times.push(i64::try_from(nanos).unwrap_or(i64::MAX));
    }
    Ok(times)
}

/// The event of this number, 100 µs after the one before: as many as the kernel program copies.
fn event(number: u32, sources: u32) -> Event {
    let (source, turn) = if sources == u32::MAX {
        (number / 3, number % 3)
    } else {
        (number % sources, number / sources)
    };
    let at = Timestamp::from_secs(1_001).plus(Duration::from_micros(u64::from(number) * 100));
    let stage = match turn {
        0 | 1 => Stage::Below,
        2 => Stage::Trigger,
        _ => Stage::Suspect,
    };
    let port = u16::try_from(1_025 + turn % 60_000).unwrap_or(1);
    Event {
        at,
        kind: EventKind::Probe(Probe {
            source: banned(source),
            destination: IpAddr::from([192, 0, 2, 1]),
            source_port: 40_000,
            port: Port::tcp(port),
            flags: TcpFlags::SYN,
            checksum: Checksum::Good,
            stage: Some(stage),
            decoy: false,
            zone: None,
            bytes: vec![0; 40],
        }),
    }
}
