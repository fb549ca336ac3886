//! What a packet of an established connection costs more than on a host without any filter.
//!
//! Pairs of short runs, one with and one without, in alternating order, all contenders in turn: a
//! neighbour who takes the processor for a while takes it from both. Between the two runs of a
//! pair nothing changes but the switch: same namespace, same link, same tables in memory.

mod contender;

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::contenders::{BENCH_TABLE, Programs, nft};
use crate::enforcer::{MANY_BANS, banned, program};
use crate::process::{feed, run};
use crate::report::Report;
use crate::statistics::{Tenths, median, percentile, tenths, times};
use crate::trouble::{Outcome, Trouble, go_on};
use contender::{Contender, Pair, Switch, Way};

/// How much is measured.
pub struct Extent {
    /// Pairs of each contender; those that are slow to switch make fewer.
    pub pairs: usize,
    /// Bursts of one run, each of [`crate::blaster::CALL`] packets.
    pub bursts: usize,
}

/// Rules of the linear list.
const LINEAR_RULES: u32 = 1_000;

/// Vauban's goal, in thousandths of what a packet costs without any filter.
const GOAL: i64 = 1_100;

const HEAD: [&str; 10] = [
    "contender",
    "pairs",
    "base ns",
    "added ns",
    "quartile 1",
    "quartile 3",
    "less noise",
    "ratio",
    "fast base",
    "fast added",
];

/// Measures all contenders; or, if there are `files`, the programs in them beside Vauban's.
pub fn run_all(extent: &Extent, programs: &Programs, files: &[PathBuf]) -> Outcome<Report> {
    let mut report = Report::new("cost", "one packet of an established connection, in ns");
    let mut contenders = contenders(files)?;
    for round in 0..extent.pairs {
        for contender in &mut contenders {
            go_on()?;
            contender.take_turn(round, extent.bursts, programs)?;
        }
    }
    for contender in &contenders {
        contender.check(extent.bursts)?;
    }
    let of_nothing = |way: Way, value: fn(&Contender) -> Tenths| {
        let noise = contenders.iter().find(|c| c.way == way && c.is_noise());
        noise.map_or(0, value)
    };
    let net_of = |c: &Contender| median(&c.added()) - of_nothing(c.way, |c| median(&c.added()));
    let rows: Vec<_> =
        contenders.iter().map(|c| row(c, of_nothing(c.way, |c| median(&c.added())))).collect();
    report.table(&HEAD, &rows);
    let find = |name: &str| contenders.iter().find(|c| c.name == name);
    if let Some(ours) = find(VAUBAN) {
        let added = net_of(ours);
        let mut lines = Vec::new();
        for name in [PORTSENTRY, IPTABLES, IPSET] {
            if let Some(other) = find(name) {
                lines.push(format!("{name} adds {} times", times(net_of(other), added)));
            }
        }
        if !lines.is_empty() {
            report.say(&format!("To what Vauban adds: {}.", lines.join(", ")));
        }
        let ratio = ours.ratio();
        let verdict = if ratio <= GOAL { "met" } else { "MISSED" };
        report.say(&format!(
            "Goal: a packet costs at most {} times what it costs without: {verdict} ({}).",
            times(GOAL, 1_000),
            times(ratio, 1_000)
        ));
    }
    report.say(
        "base: median of the runs without. added: median of the differences of pairs; quartiles \
         of the same. less noise: added, less that of `nothing` on the same way. ratio: median of each \
         pair's own, which does not change with the speed that the processor happens to have. The \
         base is a packet's whole way, the sender's half included. in and out: a packet and the \
         answer that it provokes. fast: the same medians, of the quarter of the pairs that took \
         least time in all.",
    );
    Ok(report)
}

fn row(contender: &Contender, noise: Tenths) -> Vec<String> {
    let added = contender.added();
    let fast = contender.fastest();
    let middle = |values: &[Tenths]| tenths(median(values));
    vec![
        contender.name.clone(),
        contender.pairs.len().to_string(),
        middle(&contender.without()),
        middle(&added),
        tenths(percentile(&added, 25)),
        tenths(percentile(&added, 75)),
        tenths(median(&added) - noise),
        times(contender.ratio(), 1_000),
        middle(&fast.iter().map(|pair| pair.without).collect::<Vec<_>>()),
        middle(&fast.iter().map(Pair::added).collect::<Vec<_>>()),
    ]
}

const VAUBAN: &str = "vauban";
const PORTSENTRY: &str = "portsentry 1.2 -atcp";
const IPTABLES: &str = "iptables, 1,000 rules";
const IPSET: &str = "iptables + ipset of 1,000";

/// The table for switching on and off where there is nothing to switch.
const EMPTY: &str = "table inet bench { }";

fn contenders(files: &[PathBuf]) -> Outcome<Vec<Contender>> {
    let tables = |name: &str| Switch::Tables(vec![name.to_owned()]);
    let (filter, bench, ours) =
        (|| tables("ip filter"), || tables(BENCH_TABLE), || tables("inet vauban"));
    let nothing = || Switch::Nothing;
    let mut all = vec![
        Contender::new("nothing", Way::In4, nothing())?.prepared(|| nft(EMPTY))?,
        Contender::new("nothing, IPv6", Way::In6, nothing())?.prepared(|| nft(EMPTY))?,
        Contender::new(VAUBAN, Way::In4, ours())?.prepared(|| nft(&program(0)))?,
        Contender::new("vauban, IPv6", Way::In6, ours())?.prepared(|| nft(&program(0)))?,
        Contender::new("nothing, in and out", Way::InOut4, nothing())?.prepared(|| nft(EMPTY))?,
        Contender::new("vauban, in and out", Way::InOut4, ours())?.prepared(|| nft(&program(0)))?,
    ];
    if files.is_empty() {
        all.extend([
            Contender::new("vauban, 100,000 bans", Way::In4, ours())?
                .prepared(|| nft(&program(MANY_BANS)))?,
            Contender::new("hook only", Way::In4, bench())?
                .prepared(|| nft(include_str!("../../programs/hook-only.nft")))?,
            Contender::new("accept first", Way::In4, bench())?
                .prepared(|| nft(include_str!("../../programs/accept-first.nft")))?,
            Contender::new("one lookup", Way::In4, bench())?
                .prepared(|| nft(include_str!("../../programs/one-lookup.nft")))?,
            Contender::new(PORTSENTRY, Way::In4, Switch::PortSentry(None))?.every(4),
            Contender::new(IPTABLES, Way::In4, filter())?.every(2).prepared(linear_rules)?,
            Contender::new(IPSET, Way::In4, filter())?.prepared(ipset_rule)?,
        ]);
    }
    for file in files {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Trouble::new(format!("{}: {error}", file.display())))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        for way in [Way::In4, Way::In6] {
            let name = if way == Way::In6 { format!("{name}, IPv6") } else { name.to_string() };
            all.push(
                Contender::new(&name, way, Switch::Tables(named(&text)))?
                    .prepared(|| nft(&text))?,
            );
        }
    }
    Ok(all)
}

/// The tables of a program, by the lines that they begin with.
fn named(program: &str) -> Vec<String> {
    let lines = program.lines().filter_map(|line| line.strip_prefix("table "));
    lines.map(|rest| rest.trim_end_matches('{').trim().to_owned()).collect()
}

fn linear_rules() -> Outcome<()> {
    let mut text = String::from("*filter\n:INPUT ACCEPT [0:0]\n");
    for number in 0..LINEAR_RULES {
        let _ = writeln!(text, "-A INPUT -s {}/32 -j DROP", banned(number));
    }
    text.push_str("COMMIT\n");
    feed("iptables-nft-restore", &[], &text).map(drop)
}

fn ipset_rule() -> Outcome<()> {
    let mut text = String::from("create bench hash:ip\n");
    for number in 0..LINEAR_RULES {
        let _ = writeln!(text, "add bench {}", banned(number));
    }
    feed("ipset", &["restore"], &text)?;
    let rule = ["-A", "INPUT", "-m", "set", "--match-set", "bench", "src", "-j", "DROP"];
    run("iptables-nft", &rule).map(drop)
}
