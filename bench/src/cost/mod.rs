//! What a packet of an established connection costs more than on a host without any filter.
//!
//! Pairs of short runs, one with and one without, in alternating order, all contenders in turn: a
//! neighbour who takes the processor for a while takes it from both. Between the two runs of a
//! pair nothing changes but the switch: same namespace, same link, same tables in memory.

mod contender;

use std::fmt::Write as _;
use std::path::PathBuf;

use vauban_engine::policy::Unproven;

use crate::contenders::{BENCH_TABLE, Programs, nft};
use crate::enforcer::{MANY_BANS, banned, program, program_with_suspect, program_with_suspects};
use crate::lab::SCANNER;
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
    let rows: Vec<_> = contenders
        .iter()
        .filter(|c| !c.is_comparison())
        .map(|c| row(c, of_nothing(c.way, |c| median(&c.added()))))
        .collect();
    report.table(&HEAD, &rows);
    let find = |name: &str| contenders.iter().find(|c| c.name == name);
    let compared: Vec<_> =
        contenders.iter().filter(|c| c.is_comparison()).map(comparison).collect();
    if !compared.is_empty() {
        report.say("One program in place of another, in ns more:");
        report.table(
            &["what, in place of", "pairs", "base ns", "more", "q1", "q3", "fast more", "goal"],
            &compared,
        );
    }
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
         answer that it provokes, a RST. before decoys: the program that this one has replaced. One \
         in place of another: both on the same victim, and hooks switched from one to the other; \
         base: with the one that is replaced. \
         sender is suspect: the packets are his own; the other suspects are strangers. fast: the same medians, of the quarter of the pairs that took \
         least time in all.",
    );
    Ok(report)
}

/// What one program takes more than another.
fn comparison(contender: &Contender) -> Vec<String> {
    let more = contender.added();
    let fast: Vec<_> = contender.fastest().iter().map(Pair::added).collect();
    let goal = contender.goal.map_or("-".to_owned(), |most| {
        let word = if median(&more) <= most { "met" } else { "MISSED" };
        format!("{}: {word}", tenths(most))
    });
    vec![
        contender.name.clone(),
        more.len().to_string(),
        tenths(median(&contender.without())),
        tenths(median(&more)),
        tenths(percentile(&more, 25)),
        tenths(percentile(&more, 75)),
        tenths(median(&fast)),
        goal,
    ]
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
/// Suspects where there are many: nearly as many as the kernel holds.
const MANY_SUSPECTS: u32 = 16_000;

/// "No extra cost" as far as it can be measured: a median's own noise is some ten nanoseconds.
const NOTHING_MORE: Option<Tenths> = Some(200);

/// What established packets may take more while there are suspects.
const WITH_SUSPECTS: Option<Tenths> = Some(500);

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
        all.extend(comparisons()?);
        let before = || nft(BEFORE);
        all.extend([
            Contender::new("before decoys", Way::In4, ours())?.prepared(before)?,
            Contender::new("before decoys, IPv6", Way::In6, ours())?.prepared(before)?,
            Contender::new("before decoys, in and out", Way::InOut4, ours())?.prepared(before)?,
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

/// The program that this one has replaced.
const BEFORE: &str = include_str!("../../programs/before-decoys.nft");

/// Programs in place of others, both on the same victim.
fn comparisons() -> Outcome<Vec<Contender>> {
    let with = |unproven, suspects| program_with_suspects(unproven, suspects);
    let (before, none) = (|| BEFORE.to_owned(), || program(0));
    let (one, many) =
        (with(Unproven::Decoy, 1), || program_with_suspects(Unproven::Decoy, MANY_SUSPECTS));
    let own = program_with_suspect(SCANNER.into());
    let drop = with(Unproven::Drop, 0);
    [
        ("vauban, before decoys", Way::In4, before(), none(), NOTHING_MORE),
        ("the same, IPv6", Way::In6, before(), none(), NOTHING_MORE),
        ("the same, in and out", Way::InOut4, before(), none(), None),
        ("vauban, \"drop\"", Way::In4, drop, none(), None),
        ("one suspect, none", Way::In4, none(), one, WITH_SUSPECTS),
        ("16,000 suspects, none", Way::In4, none(), many(), WITH_SUSPECTS),
        ("the same, in and out", Way::InOut4, none(), many(), WITH_SUSPECTS),
        ("16,000 suspects, before decoys", Way::In4, before(), many(), WITH_SUSPECTS),
        ("sender is suspect, none", Way::In4, none(), own, WITH_SUSPECTS),
    ]
    .into_iter()
    .map(|(name, way, first, second, goal)| {
        let tables = ["inet other", "inet vauban"];
        let other = first.replace("inet vauban", "inet other");
        Ok(Contender::new(name, way, Switch::Either(tables))?
            .prepared(|| nft(&other).and_then(|()| nft(&second)))?
            .at_most(goal))
    })
    .collect()
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
