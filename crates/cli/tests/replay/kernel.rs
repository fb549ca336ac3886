//! What the kernel throws away before any hook is no probe, and what it puts together is one.

use crate::command::{objects, replay_from};
use crate::decoys::{Capture, HOME, PEER, checksum};

/// A SYN to this port.
fn segment(port: u16) -> Vec<u8> {
    let mut tcp = [4_000_u16.to_be_bytes(), port.to_be_bytes()].concat();
    tcp.extend([0, 0, 3, 232, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0]);
    let pseudo = [&PEER[..], &HOME, &[0, 6, 0, 20], &tcp].concat();
    tcp[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    tcp
}

/// An IPv4 packet with these options; `fragment` is its field.
fn packet(id: u8, options: &[u8], fragment: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let words = u8::try_from(5 + options.len() / 4).unwrap();
    let total = u16::try_from(20 + options.len() + payload.len()).unwrap();
    let mut packet = vec![0x40 | words, 0];
    packet.extend([total.to_be_bytes(), [0, id], fragment.to_be_bytes()].concat());
    packet.extend([64, protocol, 0, 0]);
    packet.extend([&PEER[..], &HOME, options].concat());
    let sum = checksum(&packet).to_be_bytes();
    packet[10..12].copy_from_slice(&sum);
    packet.extend(payload);
    packet
}

/// What three SYNs, made by this, come to.
fn suspects(make: impl Fn(u8, &[u8]) -> Vec<Vec<u8>>) -> usize {
    let mut capture = Capture::new();
    for (id, port) in [(1, 81), (2, 82), (3, 83)] {
        for packet in make(id, &segment(port)) {
            capture.packet(&packet);
        }
    }
    let outcome = replay_from(&["--json", "--home", "192.0.2.1", "-"], &capture.bytes);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    objects(&outcome.out).len()
}

#[test]
fn a_wrong_header_checksum_and_options_that_are_refused_are_no_probes() {
    assert_eq!(suspects(|id, tcp| vec![packet(id, &[], 0, 6, tcp)]), 1);
    let damaged = |id, tcp: &[u8]| {
        let mut packet = packet(id, &[], 0, 6, tcp);
        packet[10] ^= 1;
        vec![packet]
    };
    assert_eq!(suspects(damaged), 0);
    for (options, count) in [
        (&[1, 1, 1, 0][..], 1),
        (&[131, 7, 4, 10, 0, 0, 9, 0], 0),
        (&[137, 7, 4, 10, 0, 0, 9, 0], 0),
        (&[7, 1, 4, 0], 0),
    ] {
        assert_eq!(suspects(|id, tcp| vec![packet(id, options, 0, 6, tcp)]), count, "{options:?}");
    }
    // One damaged fragment is missing.
    let damaged = |id, tcp: &[u8]| {
        let mut last = packet(id, &[], 2, 6, &tcp[16..]);
        last[10] ^= 1;
        vec![packet(id, &[], 0x2000, 6, &tcp[..16]), last]
    };
    assert_eq!(suspects(damaged), 0);
}

#[test]
fn a_fragment_that_is_there_already_hides_no_scan() {
    let fragments = |id, tcp: &[u8]| {
        vec![
            packet(id, &[], 0x2000, 6, &tcp[..16]),
            packet(id, &[], 0x2001, 6, &[0xee; 8]),
            packet(id, &[], 2, 6, &tcp[16..]),
        ]
    };
    assert_eq!(suspects(fragments), 1);
}

#[test]
fn what_is_behind_an_authentication_header_of_ipv6_is_not_looked_at() {
    let (from, to) = ([0xfd, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9], [0xfd; 16]);
    for (header, next, count) in [
        (&[][..], 6, 1),
        (&[6, 0, 1, 4, 0, 0, 0, 0], 60, 1),
        (&[6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 51, 0),
    ] {
        let mut capture = Capture::new();
        for port in [81, 82, 83] {
            let mut tcp = segment(port);
            tcp[16..18].fill(0);
            let pseudo = [&from[..], &to, &[0, 0, 0, 20, 0, 0, 0, 6], &tcp].concat();
            tcp[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());
            let length = u8::try_from(header.len() + tcp.len()).unwrap();
            let fixed = [0x60, 0, 0, 0, 0, length, next, 64];
            capture.packet(&[&fixed[..], &from, &to, header, &tcp].concat());
        }
        let home = ["--json", "--home", "fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd", "-"];
        let outcome = replay_from(&home, &capture.bytes);
        assert_eq!((outcome.code, objects(&outcome.out).len()), (0, count), "{next}");
    }
}

#[test]
fn a_part_of_a_packet_is_not_said_to_have_been_cut_off() {
    let (from, to) = ([0xfd, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9], [0xfd; 16]);
    let mut capture = Capture::new();
    let first =
        [&[0x60, 0, 0, 0, 0, 32, 44, 64][..], &from, &to, &[6, 0, 0, 1, 0, 0, 0, 1]].concat();
    capture.packet(&[&first[..], &segment(81), &[0; 4]].concat());
    let home = ["--home", "fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd", "-"];
    let outcome = replay_from(&home, &capture.bytes);
    assert!(outcome.err.contains("1 probes do not count: they are fragments"), "{}", outcome.err);
}
