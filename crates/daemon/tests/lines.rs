//! The lines and sentences that people grep for.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::time::Duration;

use vauban_daemon::clock::Dates;
use vauban_daemon::control::protocol::Request;
use vauban_daemon::{announce, words};
use vauban_engine::event::{Checksum, Command, Contact, Event, EventKind, Facts, Probe};
use vauban_engine::flags::TcpFlags;
use vauban_engine::output::Output;
use vauban_engine::policy::{Enforcement, Unproven};
use vauban_engine::{Engine, Policy, Port, Timestamp};

/// 2026-11-21T12:00:00Z.
const NOON: u64 = 1_795_262_400;

fn probe(source: &str, port: Port, flags: u8) -> EventKind {
    EventKind::Probe(Probe {
        source: source.parse().unwrap(),
        destination: "198.51.100.1".parse().unwrap(),
        source_port: 40_000,
        port,
        flags: TcpFlags(flags),
        checksum: Checksum::Good,
        decoy: false,
        stage: None,
        zone: None,
        bytes: Vec::new(),
    })
}

/// Bytes for a decoy, after its handshake.
fn contact(source: &str, port: Port) -> EventKind {
    EventKind::Contact(Contact {
        source: source.parse().unwrap(),
        destination: "198.51.100.1".parse().unwrap(),
        source_port: 40_000,
        port,
        flags: TcpFlags(0x18),
        said: b"hello".to_vec(),
        bytes: Vec::new(),
    })
}

/// The lines that these events, one per second from noon on, make the daemon print.
fn lines(policy: &Policy, events: Vec<EventKind>) -> Vec<String> {
    let mut engine = Engine::new(policy.clone());
    let mut lines = Vec::new();
    for (second, kind) in events.into_iter().enumerate() {
        let at = Timestamp::from_secs(NOON + second as u64);
        engine.handle(Event { at, kind });
        while let Some(output) = engine.poll_output() {
            if let Output::Announce(notice) = output {
                lines.extend(announce::line(&notice, &Dates::new(), policy));
            }
        }
    }
    lines
}

/// Two scanners, and the operator's mercy on the first.
fn scan() -> Vec<EventKind> {
    vec![
        probe("192.0.2.9", Port::tcp(81), 2),
        probe("192.0.2.9", Port::tcp(82), 2),
        probe("192.0.2.9", Port::udp(161), 0),
        probe("2001:db8:2::5", Port::tcp(22), 0x29),
        EventKind::Command(Command::Unban("192.0.2.9".parse().unwrap())),
    ]
}

#[test]
fn what_a_scan_prints() {
    let expected = [
        "2026-11-21T12:00:02.000Z Suspect 192.0.2.9: 3 distinct closed ports (the trigger is 3 \
         within 1m)",
        "2026-11-21T12:00:03.000Z Suspect 2001:db8:2::/64 (seen: 2001:db8:2::5): XMAS segment \
         (flags FIN+PSH+URG), which no TCP stack sends",
        "2026-11-21T12:00:04.000Z Unban 192.0.2.9: suspicion ended by the operator",
    ];
    for unproven in [Unproven::Decoy, Unproven::Drop] {
        let policy = Policy { unproven, ..Policy::default() };
        assert_eq!(lines(&policy, scan()), expected, "{unproven:?}");
    }
}

#[test]
fn what_a_proof_prints() {
    let ports = [81, 82, 83].map(Port::tcp);
    let mut events: Vec<_> = ports.iter().map(|port| probe("192.0.2.9", *port, 2)).collect();
    events.extend(ports.iter().map(|port| contact("192.0.2.9", *port)));
    let lines = lines(&Policy::default(), events);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let ban = "2026-11-21T12:00:05.000Z Ban 192.0.2.9 for 3m (first ban): ";
    assert!(lines[1].starts_with(ban), "{lines:?}");
    let why = "completed handshakes with 3 distinct decoys (3 within 10m make a ban)";
    assert!(lines[1].contains(why), "{lines:?}");
}

#[test]
fn what_a_scan_prints_where_the_trigger_is_a_ban() {
    let policy = Policy { unproven: Unproven::Ban, ..Policy::default() };
    assert_eq!(
        lines(&policy, scan()),
        [
            "2026-11-21T12:00:02.000Z Suspect 192.0.2.9: 3 distinct closed ports (the trigger is \
             3 within 1m)",
            "2026-11-21T12:00:02.000Z Ban 192.0.2.9 for 3m (first ban): SYN, UDP scan: 3 distinct \
             closed ports (the trigger is 3 within 1m) [tcp/81, tcp/82, udp/161]",
            "2026-11-21T12:00:03.000Z Suspect 2001:db8:2::/64 (seen: 2001:db8:2::5): XMAS segment \
             (flags FIN+PSH+URG), which no TCP stack sends",
            "2026-11-21T12:00:03.000Z Ban 2001:db8:2::/64 for 3m (first ban): XMAS scan: XMAS \
             segment (flags FIN+PSH+URG), which no TCP stack sends [tcp/22]",
            "2026-11-21T12:00:04.000Z Unban 192.0.2.9: ban ended by the operator",
        ]
    );
}

#[test]
fn a_dry_run_says_would() {
    let (enforcement, unproven) = (Enforcement::DryRun, Unproven::Ban);
    let policy = Policy { enforcement, unproven, ..Policy::default() };
    let lines = lines(&policy, vec![probe("192.0.2.9", Port::tcp(23), 2)]);
    assert_eq!(
        lines[1],
        "2026-11-21T12:00:00.000Z Would ban 192.0.2.9 for 3m (first ban): SYN scan: trap port \
         tcp/23, which nobody serves here [tcp/23]"
    );
}

#[test]
fn a_refusal_says_why() {
    let facts = Facts { gateways: vec!["192.0.2.254".parse().unwrap()], ..Facts::default() };
    let events = vec![
        EventKind::Facts(facts),
        EventKind::Command(Command::Ban {
            subject: "192.0.2.254".parse().unwrap(),
            length: Some(Duration::from_secs(60).into()),
            reason: "because".into(),
        }),
    ];
    assert_eq!(
        lines(&Policy::default(), events),
        ["2026-11-21T12:00:01.000Z Refused to ban 192.0.2.254: 192.0.2.254 is never banned: \
          default gateway"]
    );
}

#[test]
fn numbers_in_words() {
    let numbers = [1, 2, 3, 4, 11, 12, 13, 21, 112];
    let words: Vec<String> = numbers.into_iter().map(words::ordinal).collect();
    assert_eq!(words, ["first", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]);
}

#[test]
fn requests_are_a_closed_set() {
    let read = |text: &str| serde_json::from_str::<Request>(text);
    assert_eq!(read(r#"{"verb":"status"}"#).unwrap(), Request::Status);
    assert_eq!(read(r#"{"verb":"unban"}"#).unwrap(), Request::Unban { address: None });
    for bad in [
        "",
        "{}",
        r#"{"verb":"shutdown"}"#,
        r#"{"verb":"explain"}"#,
        r#"{"verb":"ban","subject":"192.0.2.1","length":5}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
