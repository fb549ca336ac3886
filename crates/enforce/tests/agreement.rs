//! The kernel program and its pure model, [`vauban_engine::trigger`], on the same packets.
//!
//! A namespace holds the program; from another one, frames are sent to it. What the program did to
//! each is in the prefix of its NFLOG copy; the model is stepped at the same time. Needs root.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "tests fail by panicking"
)]

mod lab;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use lab::{Lab, Sent};
use vauban_enforce::program::prefix;
use vauban_engine::event::{Facts, Stage};
use vauban_engine::flags::Shape;
use vauban_engine::trigger::{Rules, Watched};
use vauban_engine::zone::{Mode, Zone, Zones};
use vauban_engine::{Policy, Port, Timestamp};

fn stage(text: &str) -> Stage {
    match text {
        prefix::BELOW => Stage::Below,
        prefix::TRIGGER | prefix::TRIGGER_DECOY => Stage::Trigger,
        prefix::SUSPECT | prefix::SUSPECT_DECOY => Stage::Suspect,
        other => panic!("no stage: {other}"),
    }
}

/// The model of every source, stepped with the clock of the test.
struct Model {
    rules: Rules,
    sources: BTreeMap<Ipv4Addr, Watched>,
}

impl Model {
    fn new(policy: &Policy) -> Self {
        let rules = Rules::new(policy, Facts::default().ephemeral);
        Self { rules, sources: BTreeMap::new() }
    }

    fn step(&mut self, now: Timestamp, sent: &Sent) -> Stage {
        let rules = &self.rules;
        let watched = self.sources.entry(sent.source).or_insert_with(|| Watched::new(now));
        watched.step(rules, now, &sent.probe()).stage
    }
}

#[test]
#[ignore = "needs root"]
fn every_combination_of_flags() {
    let mut lab = Lab::new(&Policy::default());
    let source = |flags: u8| Ipv4Addr::new(198, 18, 1, flags);
    for flags in 0..=u8::MAX {
        lab.send(&Sent { flags, ..Sent::tcp(source(flags), 81) });
    }
    let copies: BTreeMap<Ipv4Addr, Stage> =
        lab.copies().iter().map(|copy| (copy.source, stage(&copy.prefix))).collect();
    for flags in 0..=u8::MAX {
        let expected = match vauban_engine::flags::TcpFlags(flags).shape() {
            Shape::Impossible => Some(Stage::Trigger),
            Shape::Open => Some(Stage::Below),
            Shape::Other => None,
        };
        assert_eq!(copies.get(&source(flags)).copied(), expected, "flags {flags:#04x}");
    }
}

/// A number that looks random and is the same each time (splitmix64).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
#[ignore = "needs root"]
fn thousands_of_mixed_probes() {
    let policy = Policy::default();
    let (mut lab, mut model) = (Lab::new(&policy), Model::new(&policy));
    let started = Instant::now();
    let mut expected = Vec::new();
    for index in 0..4_000_u64 {
        let random = mixed(index).to_be_bytes();
        // 400 sources, so that some stay below the trigger and some go on for long after it.
        let source = Ipv4Addr::new(198, 18, 2 + random[0] % 2, random[1] % 200);
        let ports = [81, 82, 83, 84, 1900, 5060, 33_434, 40_000, 161, 23, 2323, 546];
        let port = ports[usize::from(random[2]) % ports.len()];
        let sent = if random[3] < 100 {
            let source_port = if random[4] < 60 { 53 } else { 45_000 };
            Sent { source_port, ..Sent::udp(source, port) }
        } else if random[3] < 110 {
            Sent { flags: 0x29, ..Sent::tcp(source, port) }
        } else {
            Sent::tcp(source, port)
        };
        if sent.port == Port::udp(546) {
            continue; // in `served`: not a probe
        }
        lab.send(&sent);
        let now = Timestamp::from_secs(1).plus(started.elapsed());
        expected.push((sent.source, sent.port, model.step(now, &sent)));
    }
    let seen: Vec<_> =
        lab.copies().iter().map(|copy| (copy.source, copy.port, stage(&copy.prefix))).collect();
    assert_eq!(seen.len(), expected.len());
    for (index, (one, other)) in seen.iter().zip(&expected).enumerate() {
        let history: Vec<_> =
            seen[..index].iter().filter(|(source, ..)| *source == one.0).collect();
        assert_eq!(one, other, "probe {index} after {history:?}");
    }
    for stage in [Stage::Below, Stage::Trigger, Stage::Suspect] {
        let count = expected.iter().filter(|(.., s)| *s == stage).count();
        assert!(count > 50, "only {count} probes at {stage:?}");
    }
}

/// What is a probe where this host is protected is one where it is only watched, and nothing else is;
/// it is copied each time, and no set holds anything of it.
#[test]
#[ignore = "needs root"]
fn a_watched_zone_takes_the_same_packets_for_probes() {
    let watching = |pattern: &str| {
        let zone = Zone {
            name: "lan".parse().unwrap(),
            mode: Mode::Watch,
            interfaces: vec![pattern.parse().unwrap()],
            comment: None,
        };
        Policy { zones: Zones(vec![zone]), ..Policy::default() }
    };
    let everything = |lab: &mut Lab| -> Vec<(Ipv4Addr, Port, String)> {
        for flags in 0..=u8::MAX {
            let source = Ipv4Addr::new(198, 18, 1, flags);
            lab.send(&Sent { flags, ..Sent::tcp(source, 81) });
        }
        for port in [546, 1900, 33_434, 40_000] {
            lab.send(&Sent::udp(Ipv4Addr::new(198, 18, 2, 1), port));
        }
        lab.copies().into_iter().map(|copy| (copy.source, copy.port, copy.prefix)).collect()
    };
    let protected = everything(&mut Lab::new(&Policy::default()));
    assert!(protected.len() > 50, "{}", protected.len());
    for pattern in ["k0", "k*"] {
        let mut lab = Lab::new(&watching(pattern));
        let watched = everything(&mut lab);
        let without = |all: &[(Ipv4Addr, Port, String)]| {
            all.iter().map(|(source, port, _)| (*source, *port)).collect::<Vec<_>>()
        };
        assert_eq!(without(&watched), without(&protected), "{pattern}");
        assert!(watched.iter().all(|(.., prefix)| prefix == "vauban watch lan"), "{watched:?}");
    }
    // Another interface's zone changes nothing here.
    assert_eq!(everything(&mut Lab::new(&watching("k1*"))), protected);
}

/// The window of 60 s and all times with it, forty times as fast.
const FASTER: u32 = 40;

#[test]
#[ignore = "needs root"]
fn spacings_in_scaled_time() {
    let mut policy = Policy::default();
    policy.trigger.window /= FASTER;
    policy.trigger.suspect /= FASTER;
    let (mut lab, mut model) = (Lab::new(&policy), Model::new(&policy));

    // (second, source, port), as on a host with the default window.
    let mut plan: Vec<(f64, u8, u16)> = Vec::new();
    let mut add = |source, probes: &[(f64, u16)]| {
        plan.extend(probes.iter().map(|(at, port)| (*at, source, *port)));
    };
    add(1, &[(0., 81), (20., 82), (40., 83)]);
    add(2, &[(0., 81), (29., 82), (58., 83)]);
    add(3, &[(0., 81), (1., 82), (57., 83)]);
    add(4, &[(0., 81), (35., 82), (70., 83)]);
    // A suspect, silent for longer than the suspicion, that comes back.
    add(5, &[(0., 81), (1., 82), (2., 83), (40., 84), (120., 85), (130., 84)]);
    // One new port per 40 s for ever: never three within the window.
    let slow: Vec<_> =
        (0..12).map(|n| (f64::from(n) * 40., 81 + u16::try_from(n).unwrap())).collect();
    add(6, &slow);
    // Two ports retried for 10 minutes, at once and alternately.
    let retried: Vec<_> =
        (0..200).flat_map(|n| [(f64::from(n) * 3., 81), (f64::from(n) * 3. + 1., 82)]).collect();
    add(7, &retried);
    // Two ports, each as soon as it may have been forgotten.
    let forgotten: Vec<_> =
        (0..9).flat_map(|n| [(f64::from(n) * 62., 81), (f64::from(n) * 62. + 2., 82)]).collect();
    add(8, &forgotten);
    // A retry brings a port back into the window: 82, 81 and 83 within 50 s.
    add(9, &[(0., 81), (50., 82), (55., 81), (100., 83)]);
    plan.sort_by(|a, b| a.0.total_cmp(&b.0));

    let started = Instant::now();
    let mut last: BTreeMap<u8, Vec<Stage>> = BTreeMap::new();
    for (second, source, port) in plan {
        let at = Duration::from_secs_f64(second) / FASTER;
        // Real time must pass here: the kernel has no other.
        std::thread::sleep(at.saturating_sub(started.elapsed()));
        let sent = Sent::tcp(Ipv4Addr::new(198, 18, 9, source), port);
        lab.send(&sent);
        let now = Timestamp::from_secs(1).plus(started.elapsed());
        let expected = model.step(now, &sent);
        let copy = lab.next_copy();
        assert_eq!((copy.source, copy.port), (sent.source, sent.port));
        assert_eq!(stage(&copy.prefix), expected, "source {source} at {second} s");
        last.entry(source).or_default().push(expected);
    }
    for (source, triggers) in
        [(1, true), (2, true), (3, true), (4, false), (6, false), (7, false), (8, false), (9, true)]
    {
        let stages = &last[&source];
        assert_eq!(stages.contains(&Stage::Trigger), triggers, "source {source}: {stages:?}");
    }
    assert_eq!(
        last[&5],
        [Stage::Below, Stage::Below, Stage::Trigger, Stage::Suspect, Stage::Below, Stage::Below],
    );
}
