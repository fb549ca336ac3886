//! What attackers can make the engine remember is bounded, and a flood of strangers does not hide
//! a scanner.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vauban_engine::event::{Checksum, Command, Contact, Event, EventKind, Guess, Probe};
use vauban_engine::flags::TcpFlags;
use vauban_engine::grants::MOST_GRANTS;
use vauban_engine::output::{Notice, Output, Refusal};
use vauban_engine::policy::Unproven;
use vauban_engine::zone::{Mode, Zone, Zones};
use vauban_engine::{Engine, Policy, Port, Prefix, Timestamp};

fn probe(source: IpAddr, port: Port) -> EventKind {
    EventKind::Probe(Probe {
        source,
        destination: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
        source_port: 40_000,
        port,
        flags: TcpFlags::SYN,
        checksum: Checksum::Good,
        stage: None,
        decoy: true,
        zone: None,
        bytes: vec![0; Probe::KEPT],
    })
}

fn contact(source: IpAddr, port: Port, said: usize) -> EventKind {
    EventKind::Contact(Contact {
        source,
        destination: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
        source_port: 40_000,
        port,
        flags: TcpFlags::ACK,
        said: vec![b'x'; said],
        bytes: vec![0; Probe::KEPT],
    })
}

/// One that bans at the trigger, as these tests look at what the scan detector remembers.
fn hasty() -> Policy {
    Policy { unproven: Unproven::Ban, ..Policy::default() }
}

fn stays_within_its_bounds(engine: &Engine) {
    for (remembers, bound) in engine.memory() {
        assert!(remembers.subjects <= bound.subjects, "{remembers:?} {bound:?}");
        assert!(remembers.evidence <= bound.evidence, "{remembers:?} {bound:?}");
    }
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
    let mut engine = Engine::new(hasty());
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
        stays_within_its_bounds(&engine);
    }
    assert_eq!(banned(&mut engine), ["203.0.113.9"]);
}

#[test]
fn one_scanner_of_everything_keeps_bounded_evidence() {
    let mut engine = Engine::new(hasty());
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
    let mut policy = hasty();
    policy.ban.first = std::time::Duration::from_millis(1).into();
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

/// A host whose address lies in a network of many: its /64 is one of 2^48.
fn neighbour(index: u64) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(mixed(index) >> 16) << 64 | 1))
}

#[test]
fn a_flood_of_contacts_and_guesses_stays_within_the_bounds_and_hides_nobody() {
    let mut engine = Engine::new(Policy::default());
    let scanner = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    for index in 0..100_000_u64 {
        let at = Timestamp(index * 100_000); // 10,000 a second, as many as the kernel copies
        // Contacts that can't be forged, silent and speaking; guesses that can, in anyone's name.
        let kind = match index % 4 {
            0 => contact(neighbour(index), Port::tcp(81), 0),
            1 => contact(neighbour(index / 64), Port::tcp(u16::try_from(index % 50).unwrap()), 600),
            _ => EventKind::Guess(Guess { source: neighbour(index), port: Port::tcp(81) }),
        };
        engine.handle(Event { at, kind });
        if (60_000..63_000).contains(&index) && index % 1_000 == 0 {
            let port = Port::tcp(u16::try_from(1_000 + index / 1_000).unwrap());
            engine.handle(Event { at, kind: contact(scanner, port, 5) });
        }
        stays_within_its_bounds(&engine);
    }
    assert!(banned(&mut engine).contains(&"203.0.113.9".to_owned()));
}

#[test]
fn one_source_that_proves_everything_keeps_bounded_evidence() {
    for said in [0, 600] {
        let mut engine = Engine::new(Policy::default());
        let scanner = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
        for port in 1..=u16::MAX {
            let at = Timestamp(u64::from(port) * 1_000_000);
            engine.handle(Event { at, kind: probe(scanner, Port::tcp(port)) });
            engine.handle(Event { at, kind: contact(scanner, Port::tcp(port), said) });
            stays_within_its_bounds(&engine);
        }
        let ban = engine.ban_of(scanner).unwrap();
        assert!(ban.is_proven() && ban.evidence.len() <= 32, "{}", ban.evidence.len());
        let dossier = engine.dossier(&engine.keying().subject(scanner)).unwrap();
        assert!(dossier.evidence.len() <= 32, "{}", dossier.evidence.len());
        assert!(dossier.evidence.is_sorted_by_key(|item| item.at));
        assert!(dossier.evidence.iter().all(|item| item.said.len() <= Contact::KEPT));
        assert!(dossier.proven.len() <= 16 && dossier.decoys == 65_535);
    }
}

/// The zones that are only watched share the room of one detector, and a noisy one takes none of
/// another one's.
#[test]
fn a_flood_in_a_watched_zone_stays_within_its_bounds_and_hides_nobody_elsewhere() {
    let zone = |name: &str| Zone {
        name: name.parse().unwrap(),
        mode: Mode::Watch,
        interfaces: Vec::new(),
        comment: None,
    };
    let mut policy = hasty();
    policy.zones = Zones(["a", "b", "c"].map(zone).to_vec());
    let mut engine = Engine::new(policy.clone());
    let seen_in = |name: &str, source: IpAddr, port: u16| match probe(source, Port::tcp(port)) {
        EventKind::Probe(seen) => {
            EventKind::Probe(Probe { zone: Some(name.parse().unwrap()), ..seen })
        }
        other => other,
    };
    let scanner = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
    let mut at = Timestamp::from_secs(1);
    for (index, port) in (0..30_000_u64).zip((1..=65_535_u16).cycle()) {
        at = Timestamp(at.0 + 1_000);
        let random = mixed(index).to_be_bytes();
        let source = IpAddr::V4(Ipv4Addr::new(10, random[0], random[1], random[2]));
        engine.handle(Event { at, kind: seen_in("a", source, port) });
        if index % 10_000 == 0 {
            let port = 81 + u16::try_from(index / 10_000).unwrap();
            engine.handle(Event { at, kind: seen_in("b", scanner, port) });
        }
    }
    stays_within_its_bounds(&engine);
    let mut in_b = Vec::new();
    while let Some(output) = engine.poll_output() {
        match output {
            Output::Announce(Notice::Suspected { subject, zone: Some(zone), .. })
                if zone.as_str() == "b" =>
            {
                in_b.push(subject.to_string());
            }
            Output::Announce(Notice::Suspected { zone: Some(_), .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(in_b, ["192.0.2.9"]);
    // More zones, smaller shares; a zone that is watched no more is forgotten.
    policy.zones.0.extend(["d", "e", "f", "g"].map(zone));
    policy.zones.0.remove(1);
    engine.handle(Event { at, kind: EventKind::Policy(Box::new(policy)) });
    stays_within_its_bounds(&engine);
    let sighted = engine.sighted();
    let zones = sighted.iter().flat_map(|(_, dossier)| &dossier.sightings);
    assert!(zones.into_iter().all(|seen| seen.zone.as_str() == "a"));
}

#[test]
fn operators_allow_a_bounded_number() {
    let mut engine = Engine::new(Policy::default());
    let mut refused = 0;
    for n in 0..2_000_u32 {
        let prefix = Prefix::host(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n)));
        let command = Command::Allow { prefix, length: None, comment: String::new() };
        let at = Timestamp(u64::from(n));
        engine.handle(Event { at, kind: EventKind::Command(command) });
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Allow(all) => assert!(all.len() <= MOST_GRANTS),
                Output::Announce(Notice::Refused { why: Refusal::TooManyAllowed, .. }) => {
                    refused += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!((engine.grants().count(), refused), (MOST_GRANTS, 2_000 - MOST_GRANTS));
}
