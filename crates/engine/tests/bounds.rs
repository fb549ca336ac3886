//! What attackers can make the engine remember is bounded, and a flood of strangers does not hide
//! a scanner.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vauban_engine::event::{Checksum, Event, EventKind, Probe};
use vauban_engine::flags::TcpFlags;
use vauban_engine::output::{Notice, Output};
use vauban_engine::{Engine, Policy, Port, Timestamp};

fn probe(source: IpAddr, port: Port) -> EventKind {
    EventKind::Probe(Probe {
        source,
        destination: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
        source_port: 40_000,
        port,
        flags: TcpFlags::SYN,
        checksum: Checksum::Good,
        stage: None,
        bytes: vec![0; Probe::KEPT],
    })
}

fn banned(engine: &mut Engine) -> Vec<String> {
    let mut subjects = Vec::new();
    while let Some(output) = engine.poll_output() {
        if let Output::Announce(Notice::Banned(ban)) = output {
            subjects.push(ban.subject.to_string());
        }
    }
    subjects
}

/// A number that looks random and is the same each time (splitmix64).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn a_flood_of_strangers_stays_within_the_bounds_and_hides_nobody() {
    let mut engine = Engine::new(Policy::default());
    let scanner = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    for index in 0..200_000_u64 {
        let at = Timestamp(index * 10_000); // 100,000 a second
        let stranger = if index % 2 == 0 {
            let [a, b, c, d, ..] = mixed(index).to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(1 + a % 126, b, c, d))
        } else {
            let high = 0x2001_0db8_u128 << 96 | u128::from(mixed(index)) << 40;
            IpAddr::V6(Ipv6Addr::from(high))
        };
        engine.handle(Event { at, kind: probe(stranger, Port::tcp(81)) });
        if index % 1_000 == 0 && (100_000..103_000).contains(&index) {
            let port = Port::tcp(u16::try_from(index / 1_000).unwrap());
            engine.handle(Event { at, kind: probe(scanner, port) });
        }
        for (remembers, bound) in engine.memory() {
            assert!(remembers.subjects <= bound.subjects, "{remembers:?} {bound:?}");
            assert!(remembers.evidence <= bound.evidence, "{remembers:?} {bound:?}");
        }
    }
    assert_eq!(banned(&mut engine), ["203.0.113.9"]);
}

#[test]
fn one_scanner_of_everything_keeps_bounded_evidence() {
    let mut engine = Engine::new(Policy::default());
    let scanner = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    for port in 1..=u16::MAX {
        let at = Timestamp(u64::from(port) * 1_000);
        engine.handle(Event { at, kind: probe(scanner, Port::tcp(port)) });
    }
    let ban = engine.ban_of(scanner).unwrap();
    assert_eq!(ban.evidence.len(), 3);
    let subject = engine.keying().subject(scanner);
    let dossier = engine.dossier(&subject).unwrap();
    assert!(dossier.evidence.len() <= 16, "{}", dossier.evidence.len());
    assert!(dossier.not_kept > 65_000);
}

#[test]
fn past_bans_are_remembered_within_a_bound() {
    let mut policy = Policy::default();
    policy.ban.first = std::time::Duration::from_millis(1);
    let mut engine = Engine::new(policy);
    for index in 0..70_000_u64 {
        let source = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + u32::try_from(index).unwrap()));
        let at = Timestamp(index * 10_000_000);
        engine.handle(Event { at, kind: probe(source, Port::tcp(23)) });
        while engine.poll_output().is_some() {}
    }
    assert!(engine.past_bans().0 <= engine.past_bans().1);
    assert!(engine.past_bans().0 > 16_000);
}
