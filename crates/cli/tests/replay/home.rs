//! Whose capture it is, and what learning it late may not change.

use crate::command::{Outcome, objects, replay_from};
use crate::decoys::{Capture, HOME, PEER, checksum};

const HOME_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn ethernet(from: [u8; 6], to: [u8; 6], kind: [u8; 2], packet: &[u8]) -> Vec<u8> {
    [&to[..], &from, &kind, packet].concat()
}

fn tcp(from: [u8; 4], to: [u8; 4], ports: [u16; 2], flags: u8, numbers: [u32; 2]) -> Vec<u8> {
    let mut tcp = [ports[0].to_be_bytes(), ports[1].to_be_bytes()].concat();
    tcp.extend([numbers[0].to_be_bytes(), numbers[1].to_be_bytes()].concat());
    tcp.extend([0x50, flags, 4, 0, 0, 0, 0, 0]);
    let pseudo = [&from[..], &to, &[0, 6, 0, 20], &tcp].concat();
    tcp[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0];
    packet.extend([from, to].concat());
    let sum = checksum(&packet).to_be_bytes();
    packet[10..12].copy_from_slice(&sum);
    packet.extend(tcp);
    packet
}

/// A capture of Ethernet frames.
fn framed(link: u8) -> Capture {
    let mut capture = Capture::new();
    capture.bytes[20] = link;
    capture
}

fn run(capture: &Capture, options: &[&str]) -> Outcome {
    replay_from(&[&["--json"], options, &["-"]].concat(), &capture.bytes)
}

fn call(port: u16) -> Vec<u8> {
    tcp(PEER, HOME, [4_000, port], 2, [1_000, 0])
}

fn refusal(port: u16) -> Vec<u8> {
    tcp(HOME, PEER, [port, 4_000], 0x14, [0, 1_001])
}

#[test]
fn an_address_that_is_learned_late_changes_no_decision() {
    let capture = |solicits: bool, waits: u32| {
        let mut capture = framed(1);
        for port in [81, 82] {
            capture.packet(&ethernet(PEER_MAC, HOME_MAC, [8, 0], &call(port)));
            capture.packet(&ethernet(HOME_MAC, PEER_MAC, [8, 0], &refusal(port)));
        }
        capture.wait(waits);
        capture.packet(&ethernet(PEER_MAC, HOME_MAC, [8, 0], &call(83)));
        if solicits {
            // The host's link address uses another one while the call waits.
            let from = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
            let to = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
            let fixed = [0x60, 0, 0, 0, 0, 8, 58, 255];
            let packet = [&fixed[..], &from, &to, &[0x85, 0, 0, 0, 0, 0, 0, 0]].concat();
            capture.micros += 900_000;
            capture.packet(&ethernet(HOME_MAC, [0x33, 0x33, 0, 0, 0, 2], [0x86, 0xdd], &packet));
        }
        capture.wait(5);
        capture.packet(&ethernet(PEER_MAC, HOME_MAC, [8, 0], &call(83)));
        capture.packet(&ethernet(HOME_MAC, PEER_MAC, [8, 0], &refusal(83)));
        run(&capture, &[]).out
    };
    // The second time, the first port is nearly forgotten when the third one is called.
    for waits in [1, 59] {
        let alone = capture(false, waits);
        assert_eq!(alone.lines().count(), 1, "{alone}");
        assert_eq!(capture(true, waits), alone);
    }
}

#[test]
fn a_scanner_whom_nobody_answers_is_not_taken_for_the_home() {
    let mut sweep = framed(101);
    for host in 1..100 {
        sweep.packet(&tcp(PEER, [192, 0, 2, host], [4_000, 23], 2, [1_000, 0]));
    }
    let outcome = run(&sweep, &[]);
    assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{}", outcome.err);
    assert!(outcome.err.contains("say its address with --home (there are 192.0.2."));
    let said = run(&sweep, &["--home", "192.0.2.0/24"]);
    assert_eq!((said.code, said.out.lines().count()), (0, 1), "{}", said.err);

    // Nor where link addresses would tell a host from a router.
    let mut link = framed(1);
    for host in 1..100 {
        let packet = tcp(PEER, [192, 0, 2, host], [4_000, 23], 2, [1_000, 0]);
        link.packet(&ethernet(PEER_MAC, HOME_MAC, [8, 0], &packet));
    }
    assert_eq!(run(&link, &[]).code, 2);

    // A client goes on with its calls.
    let mut client = framed(101);
    for host in 1..100 {
        let there = [192, 0, 2, host];
        client.packet(&tcp(PEER, there, [4_000, 443], 2, [1_000, 0]));
        client.packet(&tcp(there, PEER, [443, 4_000], 0x12, [1, 1_001]));
        client.packet(&tcp(PEER, there, [4_000, 443], 0x10, [1_001, 2]));
    }
    let outcome = run(&client, &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert!(outcome.err.contains("taken for the protected host: 203.0.113.9"), "{}", outcome.err);
}

/// Nobody calls, nobody answers: an ACK scan, backscatter, an exchange that began before.
#[test]
fn where_nobody_calls_it_is_the_one_who_is_spoken_to_first() {
    for (one, other) in [(PEER, HOME), (HOME, PEER)] {
        let mut link = framed(101);
        link.packet(&tcp(one, other, [4_000, 80], 0x10, [1_000, 1]));
        link.packet(&tcp(other, one, [80, 4_000], 0x10, [1, 1_000]));
        let outcome = run(&link, &[]);
        assert_eq!(outcome.code, 0, "{}", outcome.err);
        let [a, b, c, d] = other;
        let host = format!("taken for the protected host: {a}.{b}.{c}.{d} ");
        assert!(outcome.err.contains(&host), "{}", outcome.err);
    }
}

#[test]
fn who_says_home_means_a_mirrored_one_too() {
    let mut mirrored = framed(113);
    for port in [81, 82, 83] {
        // Linux's own word: for another host.
        let header = [0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0];
        mirrored.packet(&[&header[..], &call(port)].concat());
    }
    assert_eq!(run(&mirrored, &[]).code, 2);
    let said = run(&mirrored, &["--home", "192.0.2.1"]);
    assert_eq!((said.code, objects(&said.out).len()), (0, 1), "{}", said.err);
}

#[test]
fn a_home_that_is_not_in_the_capture_is_said() {
    let mut capture = framed(101);
    capture.packet(&call(81));
    for (home, said) in [("198.51.100.1", true), ("2001:db8::1", true), ("192.0.2.1", false)] {
        let outcome = run(&capture, &["--home", home]);
        assert_eq!(outcome.code, 0, "{}", outcome.err);
        assert_eq!(outcome.err.contains("no packet was to or from"), said, "{home}");
    }
}

#[test]
fn time_that_goes_back_is_said() {
    let mut capture = framed(101);
    capture.wait(3_600);
    capture.packet(&call(81));
    capture.micros -= 500_000;
    capture.packet(&call(81));
    assert!(!run(&capture, &["--home", "192.0.2.1"]).err.contains("reordercap"));
    capture.micros = 0;
    capture.packet(&call(82));
    let outcome = run(&capture, &["--home", "192.0.2.1"]);
    assert!(outcome.err.contains("1 packet older than what"), "{}", outcome.err);
}
