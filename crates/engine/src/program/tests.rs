//! The model by itself; beside the kernel it is in `crates/enforce/tests/agreement.rs`.

use core::net::{IpAddr, Ipv4Addr};
use std::vec;

use super::*;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
const NOW: Timestamp = Timestamp::from_secs(1_000);

fn program(policy: &Policy) -> Program {
    Program::new(policy, &Facts { own: vec![HOME], ..Facts::default() })
}

fn subject() -> Prefix {
    Prefix::host(PEER)
}

fn tcp(port: u16, flags: u8) -> Packet {
    let what = What::Tcp { source_port: 40_000, port, flags: TcpFlags(flags) };
    Packet { source: PEER, destination: HOME, what, unicast: true }
}

fn udp(source_port: u16, port: u16) -> Packet {
    let what = What::Udp { source_port, port };
    Packet { source: PEER, destination: HOME, what, unicast: true }
}

#[test]
fn a_port_with_a_listener_is_no_probe_and_stays_none_for_a_while() {
    let mut program = program(&Policy::default());
    let mut fate = |after: u64, owned| {
        let now = NOW.plus(Duration::from_secs(after));
        program.incoming(now, &tcp(80, 2), subject(), false, owned)
    };
    assert_eq!(fate(0, true), Fate::Served);
    assert_eq!(fate(1, false), Fate::Passes);
    assert_eq!(fate(599, false), Fate::Passes);
    assert_eq!(fate(600, false), Fate::Probe(Some(Stage::Below)));
}

#[test]
fn a_watched_zone_asks_the_same_and_takes_note_of_nothing() {
    let policy = Policy { served: vec![Port::udp(68)], ..Policy::default() };
    let mut program = program(&policy);
    program.listens(NOW, HOME, Port::tcp(443));
    let syn = tcp(81, 2);
    for (packet, owned, probe) in [
        (syn, false, true),
        (syn, true, false),
        (tcp(443, 2), false, false),
        (tcp(443, 0), false, true),
        (tcp(81, 0x10), false, false),
        (tcp(81, 0x12), false, false),
        (udp(1_024, 68), false, false),
        (udp(1_024, 69), false, true),
        (Packet { unicast: false, ..syn }, false, false),
        (Packet { destination: PEER, ..syn }, false, false),
        (Packet { source: HOME, ..syn }, false, false),
        (Packet { what: What::HiddenHeaders, ..syn }, false, false),
    ] {
        for _ in 0..4 {
            assert_eq!(program.watched(NOW, &packet, owned), probe, "{packet:?}");
        }
    }
    // Four ports and a port that nobody may send to have made nobody a suspect.
    assert!(!program.is_suspect(NOW, &subject()));
    assert_eq!(
        program.incoming(NOW, &syn, subject(), false, false),
        Fate::Probe(Some(Stage::Below))
    );
}

#[test]
fn an_answer_is_no_probe_for_a_minute() {
    let mut program = program(&Policy::default());
    let question = |source_port, port| Packet {
        source: HOME,
        destination: PEER,
        what: What::Udp { source_port, port },
        unicast: true,
    };
    program.leaving(NOW, &question(5353, 53));
    program.leaving(NOW, &question(1023, 53));
    let mut fate = |after: u64, source_port, port| {
        let now = NOW.plus(Duration::from_secs(after));
        program.incoming(now, &udp(source_port, port), subject(), false, false)
    };
    assert_eq!(fate(59, 53, 5353), Fate::Passes);
    assert_eq!(fate(59, 54, 5353), Fate::Probe(Some(Stage::Below)));
    // From a well-known port nobody asks: he answers.
    assert_eq!(fate(59, 53, 1023), Fate::Probe(Some(Stage::Below)));
    assert_eq!(fate(60, 53, 5353), Fate::Probe(Some(Stage::Below)));
}

#[test]
fn what_is_excluded_served_or_for_others_is_no_probe() {
    let mut policy = Policy::default();
    policy.decoy.exclude.ports = vec![Port::tcp(7000)];
    policy.decoy.exclude.sources = vec!["203.0.113.0/30".parse().unwrap()];
    policy.served = vec![Port::tcp(8080)];
    let mut program = program(&policy);
    let mut fate = |packet: Packet| program.incoming(NOW, &packet, subject(), false, false);
    assert_eq!(fate(tcp(81, 2)), Fate::Probe(Some(Stage::Below)));
    assert_eq!(fate(tcp(7000, 2)), Fate::Passes);
    assert_eq!(fate(tcp(7000, 0x29)), Fate::Passes);
    assert_eq!(fate(Packet { source: [203, 0, 113, 1].into(), ..tcp(81, 2) }), Fate::Passes);
    assert_eq!(fate(tcp(8080, 2)), Fate::Served);
    assert_eq!(fate(tcp(8080, 0x29)), Fate::Probe(Some(Stage::Trigger)));
    assert_eq!(fate(Packet { unicast: false, ..tcp(81, 2) }), Fate::Passes);
    assert_eq!(fate(Packet { destination: PEER, ..tcp(81, 2) }), Fate::Passes);
    assert_eq!(fate(Packet { source: HOME, ..tcp(81, 2) }), Fate::Passes);
    assert_eq!(fate(Packet { what: What::HiddenHeaders, ..tcp(81, 2) }), Fate::Hidden);
}

#[test]
fn a_suspect_is_looked_at_more_closely() {
    let suspected = |policy: &Policy| {
        let mut program = program(policy);
        let fate = program.incoming(NOW, &tcp(81, 0x29), subject(), false, false);
        assert_eq!(fate, Fate::Probe(Some(Stage::Trigger)));
        program
    };
    let mut decoys = suspected(&Policy::default());
    let mut fate = |packet: &Packet, owned| decoys.incoming(NOW, packet, subject(), false, owned);
    assert_eq!(fate(&tcp(81, 0x10), false), Fate::Contact);
    assert_eq!(fate(&tcp(81, 0x12), false), Fate::Contact);
    assert_eq!(fate(&tcp(81, 0x14), false), Fate::Passes);
    assert_eq!(fate(&tcp(81, 0x10), true), Fate::Passes);
    assert_eq!(fate(&tcp(80, 2), true), Fate::Served);
    assert_eq!(fate(&tcp(82, 2), false), Fate::Probe(Some(Stage::Suspect)));
    decoys.pardon(Some(&subject()));
    let fate = decoys.incoming(NOW, &tcp(81, 0x10), subject(), false, false);
    assert_eq!(fate, Fate::Passes);
    let mut drop = suspected(&Policy { unproven: Unproven::Drop, ..Policy::default() });
    let mut fate = |packet: &Packet, owned| drop.incoming(NOW, packet, subject(), false, owned);
    assert_eq!(fate(&tcp(81, 0x10), false), Fate::Passes);
    assert_eq!(fate(&tcp(80, 2), true), Fate::Refused);
    let mut dry = suspected(&Policy { enforcement: Enforcement::DryRun, ..Policy::default() });
    let mut fate = |packet: &Packet, banned| dry.incoming(NOW, packet, subject(), banned, false);
    assert_eq!(fate(&tcp(81, 0x10), false), Fate::Passes);
    assert_eq!(fate(&tcp(81, 2), true), Fate::Passes);
    let mut enforced = program(&Policy::default());
    let fate = enforced.incoming(NOW, &tcp(81, 2), subject(), true, false);
    assert_eq!(fate, Fate::Banned);
}

#[test]
fn no_more_sources_are_counted_than_the_kernel_has_room_for() {
    let mut policy = Policy::default();
    policy.kernel.sources = 2;
    let mut program = program(&policy);
    let mut fate = |last: u8, after: u64| {
        let source = IpAddr::from([203, 0, 113, last]);
        let packet = Packet { source, ..tcp(81, 2) };
        let now = NOW.plus(Duration::from_secs(after));
        program.incoming(now, &packet, Prefix::host(source), false, false)
    };
    assert_eq!(fate(1, 0), Fate::Probe(Some(Stage::Below)));
    assert_eq!(fate(2, 0), Fate::Probe(Some(Stage::Below)));
    assert_eq!(fate(3, 0), Fate::Probe(None));
    assert_eq!(fate(3, 60), Fate::Probe(Some(Stage::Below)));
}

#[test]
fn sets_are_bounded_and_forget() {
    let mut set = Expiring::new(Duration::from_secs(1), 2);
    for key in 0..5 {
        set.update(NOW, key);
    }
    assert!(set.contains(NOW, &1) && !set.contains(NOW, &2));
    let later = NOW.plus(Duration::from_secs(1));
    assert!(!set.contains(later, &1));
    set.update(later, 9);
    assert!(set.contains(later, &9));
}
