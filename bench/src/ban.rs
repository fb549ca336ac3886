//! How long one ban takes, from the request to the kernel's word that it holds.

use std::time::Instant;

use vauban_enforce::Request;
use vauban_engine::output::Batch;

use crate::enforcer::{MANY_BANS, banned, block, done, start};
use crate::lab::Lab;
use crate::process::run;
use crate::report::Report;
use crate::statistics::{Tenths, median, percentile, tenths, times};
use crate::trouble::{Outcome, go_on};

/// Vauban's goal for the middle one, in tenths of a microsecond.
const GOAL: Tenths = 100;

/// Where the addresses of the bans that are timed begin: behind those held already.
const FIRST: u32 = 0x80_0000;

/// Measures each way to ban.
pub fn run_all(quick: bool) -> Outcome<Report> {
    let (ours, forks) = if quick { (2_000, 30) } else { (10_000, 200) };
    let mut report = Report::new("ban", "one ban, in microseconds");
    let mut rows = Vec::new();
    let mut vauban = 0;
    for held in [0, MANY_BANS] {
        let lab = Lab::build()?;
        let (by_us, by_nft) = lab.on_victim(|| {
            let mut service = start(held)?;
            let by_us = timed(FIRST, ours, |number| {
                let ops = vec![block(banned(number))];
                done(service.handle(Request::Apply(Batch { ops })))
            })?;
            let by_nft = timed(FIRST + ours, forks, |number| {
                let element = format!("{{ {} timeout 1h }}", banned(number));
                run("nft", &["add", "element", "inet", "vauban", "banned4", &element]).map(drop)
            })?;
            Ok((by_us, by_nft))
        })?;
        if held == 0 {
            vauban = median(&by_us);
        }
        rows.push(row("vauban's enforcer", held, &by_us, vauban));
        rows.push(row("fork of nft add element", held, &by_nft, vauban));
    }
    let lab = Lab::build()?;
    let iptables = lab.on_victim(|| {
        timed(FIRST, forks, |number| {
            let source = banned(number).to_string();
            run("iptables", &["-I", "INPUT", "-s", &source, "-j", "DROP"]).map(drop)
        })
    })?;
    rows.push(row("fork of iptables -I INPUT", 0, &iptables, vauban));
    let ipset = lab.on_victim(|| {
        run("ipset", &["create", "bench", "hash:ip"])?;
        timed(FIRST, forks, |number| {
            run("ipset", &["add", "bench", &banned(number).to_string()]).map(drop)
        })
    })?;
    rows.push(row("fork of ipset add", 0, &ipset, vauban));
    report.table(&["way", "held before", "bans", "p50", "p99", "to vauban's p50"], &rows);
    let verdict = if vauban <= GOAL { "met" } else { "MISSED" };
    report.say(&format!(
        "Goal: p50 of at most {} µs: {verdict} ({} µs).",
        tenths(GOAL),
        tenths(vauban)
    ));
    Ok(report)
}

/// How long each of `count` bans takes, in tenths of a microsecond.
fn timed(first: u32, count: u32, mut ban: impl FnMut(u32) -> Outcome<()>) -> Outcome<Vec<Tenths>> {
    (first..first + count)
        .map(|number| {
            go_on()?;
            let started = Instant::now();
            ban(number)?;
            Ok(Tenths::try_from(started.elapsed().as_nanos() / 100).unwrap_or(Tenths::MAX))
        })
        .collect()
}

fn row(way: &str, held: u32, taken: &[Tenths], vauban: Tenths) -> Vec<String> {
    vec![
        way.to_owned(),
        held.to_string(),
        taken.len().to_string(),
        tenths(median(taken)),
        tenths(percentile(taken, 99)),
        times(median(taken), vauban),
    ]
}
