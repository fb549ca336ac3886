//! Scenarios under a virtual clock: `tests/scenarios/<case>/events.txt` in, `expected.txt` out.
//!
//! The clock jumps from wake-up to wake-up; nothing sleeps. Each case runs twice and must give the
//! same text both times. `BLESS=1 cargo test` rewrites what is expected.
//!
//! A line of `events.txt` is `TIME VERB …`, with times like `90s` or `1500ms` from the start:
//! `probe SOURCE PORT [flags=HEX] [sport=N] [stage=below|trigger|suspect] [checksum=bad] [decoy]
//! [zone=NAME]`,
//! `contact SOURCE PORT [sport=N] [said=TEXT]` (TEXT ends the line; `\r` and `\n` as in Rust),
//! `guess SOURCE PORT`, `every SPAN times N probe|contact|guess …`,
//! `show SOURCE` (what the dossier counts), `ban ADDR [SPAN]`, `unban ADDR`, `unban-all`,
//! `allow PREFIX [SPAN]`, `disallow PREFIX`,
//! `facts own=A,B gateways=C on-link=P/64`, `held PREFIX=SPAN …`, `end`.
//! Before them, `policy` lines: `policy window 6s`, `policy unproven ban|drop|decoy`,
//! `policy first SPAN|forever`, `policy zone NAME protect|watch|ignore`, ….

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use vauban_engine::event::{
    Checksum, Command, Contact, Event, EventKind, Facts, Guess, Probe, Stage,
};
use vauban_engine::evidence::Evidence;
use vauban_engine::flags::TcpFlags;
use vauban_engine::output::{Block, BlockOp, Notice, Output};
use vauban_engine::policy::{Allowed, Enforcement, Length, Unproven};
use vauban_engine::zone::{Mode, Zone};
use vauban_engine::{Engine, Policy, Port, Prefix, Protocol, Timestamp};

/// Drives an engine by a clock that only moves when told.
struct Bench {
    engine: Engine,
    out: String,
}

impl Bench {
    /// Lets time pass up to `at`, waking the engine exactly when it wants to be woken.
    fn until(&mut self, at: Timestamp) {
        let mut wakes = 0;
        while let Some(wake) = self.engine.next_timeout().filter(|wake| *wake < at) {
            self.engine.handle_timeout(wake);
            self.drain();
            wakes += 1;
            assert!(wakes < 100_000, "the engine wants to be woken for ever");
        }
        self.engine.handle_timeout(at);
        self.drain();
    }

    fn event(&mut self, at: Timestamp, kind: EventKind) {
        self.until(at);
        self.engine.handle(Event { at, kind });
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Apply(batch) => {
                    let ops: Vec<String> = batch.ops.iter().map(op).collect();
                    self.say(&format!("apply {}", ops.join(", ")));
                }
                Output::Allow(prefixes) => {
                    let all: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
                    self.say(&format!("allow [{}]", all.join(" ")));
                }
                Output::Announce(notice) => self.say(&words(&notice)),
            }
        }
    }

    fn show(&mut self, source: &str) {
        let subject = self.engine.keying().subject(source.parse().unwrap());
        let Some(dossier) = self.engine.dossier(&subject) else {
            return self.say(&format!("{subject} is unknown"));
        };
        let ports: Vec<String> = dossier.proven.iter().map(ToString::to_string).collect();
        let said = dossier.evidence.iter().filter(|item| !item.said.is_empty()).count();
        let text = format!(
            "{subject} suspect={} decoys={} proven=[{}] excused={} guesses={} suspended={} said={said} [{}]",
            dossier.suspect_until.is_some(),
            dossier.decoys,
            ports.join(" "),
            dossier.excused,
            dossier.guesses,
            dossier.proof_suspended_until.is_some(),
            list(&dossier.evidence),
        );
        let sightings: Vec<String> = dossier
            .sightings
            .iter()
            .map(|seen| {
                let suspect = seen.suspect_until.is_some();
                let (zone, ports) = (seen.zone, seen.distinct_ports);
                format!(
                    "in zone {zone}: suspect={suspect} ports={ports} [{}]",
                    list(&seen.evidence)
                )
            })
            .collect();
        self.say(&text);
        for line in sightings {
            self.say(&line);
        }
    }

    fn say(&mut self, text: &str) {
        let now = self.engine.now().0 / 1_000_000;
        writeln!(self.out, "{:>6}.{:03} {text}", now / 1000, now % 1000).unwrap();
    }
}

fn op(op: &BlockOp) -> String {
    match op {
        BlockOp::Block(block) => format!("block {} for {:?}", block.subject, block.remaining),
        BlockOp::Unblock(subject) => format!("unblock {subject}"),
        BlockOp::Sever(subject) => format!("sever {subject}"),
        BlockOp::Pardon(subject) => format!("pardon {subject}"),
        BlockOp::Clear => "clear".into(),
    }
}

fn list(evidence: &[&Evidence]) -> String {
    let items: Vec<String> =
        evidence.iter().map(|item| format!("{} {:?}", item.port, item.meaning)).collect();
    items.join("; ")
}

fn words(notice: &Notice) -> String {
    match notice {
        Notice::Suspected { subject, source, cause, zone, .. } => {
            let zone = zone.as_ref().map_or_else(String::new, |zone| format!(" in zone {zone}"));
            format!("suspected {subject} seen as {source}: {cause:?}{zone}")
        }
        Notice::Banned(ban) => {
            let proven = if ban.is_proven() { "proven " } else { "" };
            let evidence = list(&ban.evidence.iter().collect::<Vec<_>>());
            format!("banned {} {proven}level {} [{evidence}]", ban.subject, ban.level)
        }
        Notice::Expired { subject, .. } => format!("expired {subject}"),
        Notice::PushedOut { subject, .. } => format!("pushed out {subject}"),
        Notice::Unbanned { subject, was_banned, by, .. } => {
            format!("unbanned {subject} was_banned={was_banned} {by:?}")
        }
        Notice::Refused { subject, why, .. } => format!("refused {subject}: {why:?}"),
        Notice::Allowed(grant) => format!("allowed {}: {}", grant.prefix, grant.comment),
        Notice::Disallowed { prefix, ran_out, .. } => {
            format!("disallowed {prefix} ran_out={ran_out}")
        }
        Notice::Healed { missing, surplus, .. } => {
            format!("healed missing={missing} surplus={surplus}")
        }
    }
}

fn span(text: &str) -> Duration {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let number: u64 = digits.parse().unwrap_or_else(|_| panic!("no span: {text}"));
    match &text[digits.len()..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        "h" => Duration::from_secs(number * 3600),
        unit => panic!("no unit: {unit} in {text}"),
    }
}

fn length(text: &str) -> Length {
    if text == "forever" { Length::Forever } else { span(text).into() }
}

fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn probe(words: &[&str]) -> EventKind {
    let port: Port = words[1].parse().unwrap();
    let syn = if port.protocol == Protocol::Tcp { "02" } else { "00" };
    EventKind::Probe(Probe {
        source: words[0].parse().unwrap(),
        destination: "198.51.100.1".parse().unwrap(),
        source_port: option(words, "sport").map_or(40_000, |text| text.parse().unwrap()),
        port,
        flags: TcpFlags(u8::from_str_radix(option(words, "flags").unwrap_or(syn), 16).unwrap()),
        checksum: match option(words, "checksum") {
            Some("bad") => Checksum::Bad,
            Some("unknown") => Checksum::Unknown,
            _ => Checksum::Good,
        },
        stage: option(words, "stage").map(|stage| match stage {
            "below" => Stage::Below,
            "trigger" => Stage::Trigger,
            "suspect" => Stage::Suspect,
            other => panic!("no stage: {other}"),
        }),
        decoy: words.contains(&"decoy"),
        zone: option(words, "zone").map(|zone| zone.parse().unwrap()),
        bytes: Vec::new(),
    })
}

fn contact(line: &str, words: &[&str]) -> EventKind {
    let said = line.split_once("said=").map_or("", |(_, text)| text.trim_end());
    EventKind::Contact(Contact {
        source: words[0].parse().unwrap(),
        destination: "198.51.100.1".parse().unwrap(),
        source_port: option(words, "sport").map_or(40_000, |text| text.parse().unwrap()),
        port: words[1].parse().unwrap(),
        flags: TcpFlags(if said.is_empty() { 0x10 } else { 0x18 }),
        said: said.replace("\\r", "\r").replace("\\n", "\n").into_bytes(),
        bytes: Vec::new(),
    })
}

/// An event about a source.
fn packet(line: &str, words: &[&str]) -> EventKind {
    match words {
        ["probe", rest @ ..] => probe(rest),
        ["contact", rest @ ..] => contact(line, rest),
        ["guess", source, port, ..] => {
            EventKind::Guess(Guess { source: source.parse().unwrap(), port: port.parse().unwrap() })
        }
        other => panic!("no packet: {other:?}"),
    }
}

fn facts(words: &[&str]) -> EventKind {
    let items = |name| option(words, name).unwrap_or("").split(',').filter(|w| !w.is_empty());
    EventKind::Facts(Facts {
        own: items("own").map(|word| word.parse().unwrap()).collect(),
        gateways: items("gateways").map(|word| word.parse().unwrap()).collect(),
        on_link: items("on-link").map(|word| word.parse().unwrap()).collect(),
        ..Facts::default()
    })
}

fn set(policy: &mut Policy, words: &[&str]) {
    match words {
        ["window", value] => policy.trigger.window = span(value),
        ["suspect", value] => policy.trigger.suspect = span(value),
        ["ports", value] => policy.trigger.ports = value.parse().unwrap(),
        ["first", value] => policy.ban.first = length(value),
        ["limit", value] => policy.ban.limit = length(value),
        ["memory", value] => policy.ban.memory = span(value),
        ["unproven", "ban"] => policy.unproven = Unproven::Ban,
        ["unproven", "drop"] => policy.unproven = Unproven::Drop,
        ["unproven", "decoy"] => policy.unproven = Unproven::Decoy,
        ["proofs", value] => policy.decoy.ports = value.parse().unwrap(),
        ["proof-window", value] => policy.decoy.window = span(value),
        ["exclude", port] if port.contains("p/") => {
            policy.decoy.exclude.ports.push(port.parse().unwrap());
        }
        ["exclude", source] => policy.decoy.exclude.sources.push(source.parse().unwrap()),
        ["dry-run"] => policy.enforcement = Enforcement::DryRun,
        ["zone", name, mode] => policy.zones.0.push(Zone {
            name: name.parse().unwrap(),
            mode: match *mode {
                "watch" => Mode::Watch,
                "ignore" => Mode::Ignore,
                "protect" => Mode::Protect,
                other => panic!("no mode: {other}"),
            },
            interfaces: Vec::new(),
            comment: None,
        }),
        ["bans", value] => policy.kernel.bans = value.parse().unwrap(),
        ["allow", value] => {
            policy.allow.push(Allowed { prefix: value.parse().unwrap(), comment: None });
        }
        other => panic!("no policy: {other:?}"),
    }
}

fn play(events: &str) -> String {
    let mut policy = Policy::default();
    let lines: Vec<(&str, Vec<&str>)> = events
        .lines()
        .map(|line| line.split('#').next().unwrap_or(""))
        .map(|line| (line, line.split_whitespace().collect()))
        .filter(|(_, words): &(&str, Vec<&str>)| !words.is_empty())
        .collect();
    for (_, words) in lines.iter().filter(|(_, words)| words[0] == "policy") {
        set(&mut policy, &words[1..]);
    }
    let mut bench = Bench { engine: Engine::new(policy), out: String::new() };
    for (line, words) in lines.iter().filter(|(_, words)| words[0] != "policy") {
        let at = Timestamp::default().plus(span(words[0]));
        match &words[1..] {
            ["probe" | "contact" | "guess", ..] => bench.event(at, packet(line, &words[1..])),
            ["every", step, "times", count, rest @ ..] => {
                for index in 0..count.parse::<u32>().unwrap() {
                    bench.event(at.plus(span(step) * index), packet(line, rest));
                }
            }
            ["show", source] => {
                bench.until(at);
                bench.show(source);
            }
            ["ban", addr, rest @ ..] => {
                let command = Command::Ban {
                    subject: addr.parse::<Prefix>().unwrap(),
                    length: rest.first().map(|text| length(text)),
                    reason: "because".into(),
                };
                bench.event(at, EventKind::Command(command));
            }
            ["unban", addr] => {
                bench.event(at, EventKind::Command(Command::Unban(addr.parse().unwrap())));
            }
            ["allow", prefix, rest @ ..] => {
                let command = Command::Allow {
                    prefix: prefix.parse().unwrap(),
                    length: rest.first().map(|text| span(text)),
                    comment: "because".into(),
                };
                bench.event(at, EventKind::Command(command));
            }
            ["disallow", prefix] => {
                let command = Command::Disallow(prefix.parse().unwrap());
                bench.event(at, EventKind::Command(command));
            }
            ["unban-all"] => bench.event(at, EventKind::Command(Command::UnbanAll)),
            ["facts", rest @ ..] => bench.event(at, facts(rest)),
            ["held", rest @ ..] => {
                let block = |word: &&str| {
                    let (subject, left) = word.split_once('=').unwrap();
                    let remaining = (left != "forever").then(|| span(left));
                    Block { subject: subject.parse().unwrap(), remaining }
                };
                bench.event(at, EventKind::Held(rest.iter().map(block).collect()));
            }
            ["end"] => bench.until(at),
            other => panic!("no event: {other:?}"),
        }
    }
    let bans: Vec<String> = bench.engine.bans().map(|ban| ban.subject.to_string()).collect();
    bench.say(&format!("at the end: banned [{}]", bans.join(" ")));
    for (remembers, bound) in bench.engine.memory() {
        assert!(remembers.subjects <= bound.subjects && remembers.evidence <= bound.evidence);
    }
    bench.out
}

#[test]
fn scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut cases: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 15, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let events = fs::read_to_string(case.join("events.txt")).unwrap();
        let first = play(&events);
        assert_eq!(first, play(&events), "{}: two runs differ", case.display());
        let expected = case.join("expected.txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &first).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != first {
            wrong.push(format!("{}:\n{first}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}
