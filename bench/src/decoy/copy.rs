//! The part of a decoy that is no system call: reading the copy, the cookie, the answer's bytes.

use std::hint::black_box;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use vauban_engine::event::Stage;
use vauban_engine::time::Timestamp;
use vauban_packet::decoy::{Cookies, Look, syn_ack};
use vauban_packet::{probe, segment};

use crate::frames::{SYN, Segment};
use crate::report::Report;
use crate::statistics::{Tenths, percentile, tenths};
use crate::trouble::{Outcome, Trouble, go_on};

/// Copies between two looks at the clock.
const BATCH: u16 = 1_000;

/// Ethernet's.
const MTU: u32 = 1_500;

/// Measures each step, over IPv4 and IPv6.
pub fn measure(quick: bool, report: &mut Report) -> Outcome<()> {
    let batches = if quick { 100 } else { 2_000 };
    let mut rows = Vec::new();
    let cookies = Cookies::new([7; 16]);
    let look = Look::from_sysctls(|_| None);
    for (name, source) in [
        ("IPv4", IpAddr::from([198, 51, 100, 9])),
        ("IPv6", IpAddr::from([0x2001, 0xdb8, 2, 0, 0, 0, 0, 9])),
    ] {
        let packets: Vec<Vec<u8>> = (1..=BATCH)
            .map(|number| {
                Segment { source, source_port: 40_000, port: number, flags: SYN }.packet()
            })
            .collect();
        let mut out = Vec::new();
        // The daemon reads it twice: as evidence and as what is to be answered.
        let mut whole = |at: Timestamp, packet: &[u8]| {
            let probe = probe(packet, Some(Stage::Suspect)).is_ok();
            probe
                && segment(packet).is_ok_and(|opening| {
                    syn_ack(&opening, &look, MTU, &cookies, at, &mut out).is_ok()
                })
        };
        rows.push(row(name, "all", &timed(&packets, batches, &mut whole)?));
        rows.push(row(
            name,
            "reading as a probe",
            &timed(&packets, batches, |_, packet| {
                black_box(probe(packet, Some(Stage::Suspect))).is_ok()
            })?,
        ));
        rows.push(row(
            name,
            "reading as a segment",
            &timed(&packets, batches, |_, packet| black_box(segment(packet)).is_ok())?,
        ));
        rows.push(row(
            name,
            "the cookie, read before",
            &timed(&packets, batches, |at, packet| {
                segment(packet).is_ok_and(|opening| black_box(cookies.sequence(at, &opening)) != 0)
            })?,
        ));
    }
    report.say("One copy in the daemon, system calls left out, in nanoseconds:");
    report.table(&["step", "copies", "p10", "p50", "p90"], &rows);
    Ok(())
}

/// Tenths of a nanosecond per copy, for each batch.
fn timed(
    packets: &[Vec<u8>],
    batches: usize,
    mut step: impl FnMut(Timestamp, &[u8]) -> bool,
) -> Outcome<Vec<Tenths>> {
    let mut times = Vec::with_capacity(batches);
    let mut at = Timestamp::from_secs(1_000);
    for _ in 0..batches {
        go_on()?;
        at = at.plus(Duration::from_millis(1));
        let started = Instant::now();
        let mut good = 0_usize;
        for packet in packets {
            good += usize::from(step(at, black_box(packet)));
        }
        let nanos = started.elapsed().as_nanos() * 10 / u128::from(BATCH);
        if good < packets.len() {
            return Err(Trouble::new("a copy that should have been answered was not"));
        }
        times.push(Tenths::try_from(nanos).unwrap_or(Tenths::MAX));
    }
    Ok(times)
}

fn row(family: &str, step: &str, times: &[Tenths]) -> Vec<String> {
    let mut row = vec![format!("{family}: {step}")];
    row.push((times.len() * usize::from(BATCH)).to_string());
    row.extend([10, 50, 90].map(|percent| tenths(percentile(times, percent))));
    row
}
