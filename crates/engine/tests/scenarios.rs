//! Scenarios under a virtual clock: `tests/scenarios/<case>/events.txt` in, `expected.txt` out.
//!
//! The clock jumps from wake-up to wake-up; nothing sleeps. Each case runs twice and must give the
//! same text both times. `BLESS=1 cargo test` rewrites what is expected.
//!
//! A line of `events.txt` is `TIME VERB …`, with times like `90s` or `1500ms` from the start:
//! `probe SOURCE PORT [flags=HEX] [sport=N] [stage=below|trigger|suspect] [checksum=bad]`,
//! `every SPAN times N probe …`, `ban ADDR [SPAN]`, `unban ADDR`, `unban-all`,
//! `facts own=A,B gateways=C on-link=P/64`, `held PREFIX=SPAN …`, `end`.
//! Before them, `policy` lines: `policy window 6s`, `policy ports 3`, `policy allow PREFIX`, ….

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

use vauban_engine::event::{Checksum, Command, Event, EventKind, Facts, Probe, Stage};
use vauban_engine::flags::TcpFlags;
use vauban_engine::output::{Block, BlockOp, Notice, Output};
use vauban_engine::policy::Allowed;
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
                Output::Announce(notice) => self.say(&words(&notice)),
            }
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
        BlockOp::Pardon(subject) => format!("pardon {subject}"),
        BlockOp::PardonAll => "pardon all".into(),
    }
}

fn words(notice: &Notice) -> String {
    match notice {
        Notice::Suspected { subject, source, cause, .. } => {
            format!("suspected {subject} seen as {source}: {cause:?}")
        }
        Notice::Banned(ban) => {
            let evidence: Vec<String> =
                ban.evidence.iter().map(|e| format!("{} {:?}", e.port, e.meaning)).collect();
            format!("banned {} level {} [{}]", ban.subject, ban.level, evidence.join("; "))
        }
        Notice::Expired { subject, .. } => format!("expired {subject}"),
        Notice::Unbanned { subject, was_banned, by, .. } => {
            format!("unbanned {subject} was_banned={was_banned} {by:?}")
        }
        Notice::Refused { subject, why, .. } => format!("refused {subject}: {why:?}"),
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
        bytes: Vec::new(),
    })
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
        ["first", value] => policy.ban.first = span(value),
        ["limit", value] => policy.ban.limit = span(value),
        ["memory", value] => policy.ban.memory = span(value),
        ["bans", value] => policy.kernel.bans = value.parse().unwrap(),
        ["allow", value] => {
            policy.allow.push(Allowed { prefix: value.parse().unwrap(), comment: None });
        }
        other => panic!("no policy: {other:?}"),
    }
}

fn play(events: &str) -> String {
    let mut policy = Policy::default();
    let lines: Vec<Vec<&str>> = events
        .lines()
        .map(|line| line.split('#').next().unwrap_or("").split_whitespace().collect())
        .filter(|words: &Vec<&str>| !words.is_empty())
        .collect();
    for words in lines.iter().filter(|words| words[0] == "policy") {
        set(&mut policy, &words[1..]);
    }
    let mut bench = Bench { engine: Engine::new(policy), out: String::new() };
    for words in lines.iter().filter(|words| words[0] != "policy") {
        let at = Timestamp::default().plus(span(words[0]));
        match &words[1..] {
            ["probe", rest @ ..] => bench.event(at, probe(rest)),
            ["every", step, "times", count, "probe", rest @ ..] => {
                for index in 0..count.parse::<u32>().unwrap() {
                    bench.event(at.plus(span(step) * index), probe(rest));
                }
            }
            ["ban", addr, rest @ ..] => {
                let command = Command::Ban {
                    subject: addr.parse::<Prefix>().unwrap(),
                    length: rest.first().map(|text| span(text)),
                    reason: "because".into(),
                };
                bench.event(at, EventKind::Command(command));
            }
            ["unban", addr] => {
                bench.event(at, EventKind::Command(Command::Unban(addr.parse().unwrap())));
            }
            ["unban-all"] => bench.event(at, EventKind::Command(Command::UnbanAll)),
            ["facts", rest @ ..] => bench.event(at, facts(rest)),
            ["held", rest @ ..] => {
                let block = |word: &&str| {
                    let (subject, left) = word.split_once('=').unwrap();
                    Block { subject: subject.parse().unwrap(), remaining: Some(span(left)) }
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
