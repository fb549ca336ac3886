//! The kernel program and its pure model, [`vauban_engine::program`] with
//! [`vauban_engine::trigger`], on the same packets.
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
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use lab::{Lab, Sent, TARGET, checksum};
use vauban_enforce::program::prefix;
use vauban_engine::event::{Facts, Stage};
use vauban_engine::flags::{Shape, TcpFlags};
use vauban_engine::program::{Fate, Packet, Program, What};
use vauban_engine::trigger::{Rules, Watched};
use vauban_engine::zone::{Mode, Zone, Zones};
use vauban_engine::{Policy, Port, Prefix, Protocol, Timestamp};

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
        let expected = match TcpFlags(flags).shape() {
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

/// What the program does to packets beside counting them, and what its model says.
struct Pair {
    lab: Lab,
    model: Program,
    started: Instant,
}

impl Pair {
    fn new(policy: &Policy) -> Self {
        let facts = Facts { own: vec![TARGET.into()], ..Facts::default() };
        Self { lab: Lab::new(policy), model: Program::new(policy, &facts), started: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1).plus(self.started.elapsed())
    }

    /// Sends a packet, as pieces if there are several, and compares; `owned` says whether there is a
    /// socket for it.
    fn agree(&mut self, sent: &Sent, pieces: &[Vec<u8>], owned: bool, wanted: Fate) {
        let Sent { source, source_port, port, flags } = *sent;
        let what = match port.protocol {
            Protocol::Tcp => What::Tcp { source_port, port: port.number, flags: TcpFlags(flags) },
            Protocol::Udp => What::Udp { source_port, port: port.number },
        };
        let source = IpAddr::V4(source);
        let packet = Packet { source, destination: TARGET.into(), what, unicast: true };
        let fate = self.model.incoming(self.now(), &packet, Prefix::host(source), false, owned);
        let case = format!("{source}:{source_port} > {port} flags {flags:#04x}");
        assert_eq!(fate, wanted, "the model: {case}");
        for piece in pieces {
            self.lab.send_packet(piece);
        }
        let copies: Vec<String> = self.lab.copies().into_iter().map(|copy| copy.prefix).collect();
        let expected: Option<&[&str]> = match fate {
            Fate::Probe(Some(Stage::Below)) => Some(&[prefix::BELOW]),
            Fate::Probe(Some(Stage::Trigger)) => Some(&[prefix::TRIGGER, prefix::TRIGGER_DECOY]),
            Fate::Probe(Some(Stage::Suspect)) => Some(&[prefix::SUSPECT, prefix::SUSPECT_DECOY]),
            Fate::Contact => Some(&[prefix::CONTACT]),
            _ => None,
        };
        match expected {
            None => assert_eq!(copies, [""; 0], "the kernel: {case}"),
            Some(words) => assert!(
                matches!(&copies[..], [one] if words.contains(&one.as_str())),
                "the kernel: {case}: {copies:?}"
            ),
        }
    }

    fn whole(&mut self, sent: &Sent, owned: bool, wanted: Fate) {
        self.agree(sent, &[sent.packet()], owned, wanted);
    }
}

/// A packet in pieces of eight bytes of payload.
fn pieces(packet: &[u8]) -> Vec<Vec<u8>> {
    let (header, payload) = packet.split_at(20);
    let count = payload.len().div_ceil(8);
    let piece = |(index, data): (usize, &[u8])| {
        let mut piece = [header, data].concat();
        let length = u16::try_from(piece.len()).unwrap();
        piece[2..4].copy_from_slice(&length.to_be_bytes());
        piece[4..6].copy_from_slice(&[0, 7]);
        let more = if index + 1 < count { 0x2000 } else { 0 };
        let field = u16::try_from(index).unwrap() | more;
        piece[6..8].copy_from_slice(&field.to_be_bytes());
        piece[10..12].fill(0);
        let sum = checksum(&piece[..20]);
        piece[10..12].copy_from_slice(&sum.to_be_bytes());
        piece
    };
    payload.chunks(8).enumerate().map(piece).collect()
}

#[test]
#[ignore = "needs root"]
fn what_is_no_probe_is_none_in_both() {
    let mut policy = Policy::default();
    policy.decoy.exclude.ports = vec![Port::tcp(7000)];
    policy.decoy.exclude.sources = vec!["198.18.77.0/24".parse().unwrap()];
    policy.served.push(Port::tcp(8080));
    let mut pair = Pair::new(&policy);
    let below = Fate::Probe(Some(Stage::Below));
    let trigger = Fate::Probe(Some(Stage::Trigger));
    let source = |last: u8| Ipv4Addr::new(198, 18, 5, last);
    let xmas = |sent: Sent| Sent { flags: 0x29, ..sent };

    // A listener, and a port that had one.
    let listener = pair.lab.inside(|| TcpListener::bind((TARGET, 90)).unwrap());
    pair.whole(&Sent::tcp(source(1), 90), true, Fate::Served);
    drop(listener);
    pair.whole(&Sent::tcp(source(2), 90), false, Fate::Passes);
    pair.whole(&Sent::tcp(source(2), 91), false, below);

    // Excluded, served.
    let neighbour = Ipv4Addr::new(198, 18, 77, 3);
    pair.whole(&Sent::tcp(source(3), 7000), false, Fate::Passes);
    pair.whole(&xmas(Sent::tcp(source(3), 7000)), false, Fate::Passes);
    pair.whole(&Sent::tcp(neighbour, 91), false, Fate::Passes);
    pair.whole(&xmas(Sent::tcp(neighbour, 91)), false, Fate::Passes);
    pair.whole(&Sent::tcp(source(3), 8080), false, Fate::Served);
    pair.whole(&xmas(Sent::tcp(source(3), 8080)), false, trigger);

    // UDP: a socket, a question, and what is neither.
    let socket = pair.lab.inside(|| UdpSocket::bind((TARGET, 5_000)).unwrap());
    pair.whole(&Sent::udp(source(4), 5_000), true, Fate::Served);
    drop(socket);
    pair.whole(&Sent::udp(source(4), 5_000), false, below);
    let server = source(6);
    pair.lab.ip("route add 198.18.0.0/15 dev k0");
    pair.lab.ip(&format!("neigh add {server} dev k0 lladdr 02:00:00:00:00:02"));
    pair.lab.inside(move || {
        let socket = UdpSocket::bind((TARGET, 20_000)).unwrap();
        socket.send_to(b"who?", (server, 53)).unwrap();
    });
    let question = What::Udp { source_port: 20_000, port: 53 };
    let (home, peer) = (TARGET.into(), server.into());
    let now = pair.now();
    let question = Packet { source: home, destination: peer, what: question, unicast: true };
    pair.model.leaving(now, &question);
    let answer = Sent { source_port: 53, ..Sent::udp(server, 20_000) };
    pair.whole(&answer, false, Fate::Passes);
    pair.whole(&Sent { source_port: 54, ..answer }, false, below);
    pair.whole(&Sent::udp(server, 20_001), false, below);

    // Fragments are put together before.
    let sent = Sent::tcp(source(7), 81);
    pair.agree(&sent, &pieces(&sent.packet()), false, below);

    // A suspect's acknowledgements.
    let suspect = source(8);
    let ack = |port| Sent { flags: 0x10, ..Sent::tcp(suspect, port) };
    pair.whole(&ack(81), false, Fate::Passes);
    pair.whole(&xmas(Sent::tcp(suspect, 81)), false, trigger);
    pair.whole(&Sent::tcp(suspect, 82), false, Fate::Probe(Some(Stage::Suspect)));
    pair.whole(&ack(81), false, Fate::Contact);
    pair.whole(&Sent { flags: 0x14, ..ack(81) }, false, Fate::Passes);
    pair.whole(&ack(8080), false, Fate::Passes);
    pair.whole(&ack(90), false, Fate::Passes);
    pair.whole(&ack(7000), false, Fate::Contact);
}
