//! One row for each kind of header and each way in which it can be wrong.

use vauban_engine::event::{Checksum, Probe, Stage};
use vauban_engine::flags::TcpFlags;
use vauban_engine::net::Port;
use vauban_packet::{Unreadable, probe};

use crate::build::{TCP, UDP, V4, V6, good, pseudo, tcp, tcp4, tcp6, udp, v4, v6, with};

/// Hop-by-hop or destination options: six bytes of padding.
const OPTIONS: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
/// The same, 16 bytes long.
const LONG_OPTIONS: &[u8] = &[0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// A routing header whose stops are all behind the packet.
const ROUTING: &[u8] = &[0, 2, 4, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];
const ATOMIC: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 1];
const FIRST: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 1];
const LATER: &[u8] = &[0, 0, 0, 0x11, 0, 0, 0, 1];
/// An authentication header with a check value of 12 bytes.
const AUTHENTICATION: &[u8] =
    &[0, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9];

fn checksum(packet: &[u8]) -> Result<Checksum, Unreadable> {
    probe(packet, None).map(|probe| probe.checksum)
}

#[test]
fn a_probe_has_every_field() {
    let packet = tcp4(0x29, b"hello");
    let expected = Probe {
        source: V4[0].parse().unwrap(),
        destination: V4[1].parse().unwrap(),
        source_port: 40000,
        port: Port::tcp(23),
        flags: TcpFlags(0x29),
        checksum: Checksum::Good,
        stage: Some(Stage::Trigger),
        decoy: false,
        zone: None,
        bytes: packet.clone(),
    };
    assert_eq!(probe(&packet, Some(Stage::Trigger)), Ok(expected));

    let datagram = v6(V6, &[(60, OPTIONS)], UDP, &good(V6, UDP, udp(&[7; 200])));
    let expected = Probe {
        source: V6[0].parse().unwrap(),
        destination: V6[1].parse().unwrap(),
        source_port: 40000,
        port: Port::udp(161),
        flags: TcpFlags(0),
        checksum: Checksum::Good,
        stage: None,
        decoy: false,
        zone: None,
        bytes: datagram[..Probe::KEPT].to_vec(),
    };
    assert_eq!(probe(&datagram, None), Ok(expected));
}

#[test]
fn padding_behind_the_packet_is_not_the_packets() {
    for packet in [tcp4(2, &[]), tcp6(&[])] {
        let padded = [packet.as_slice(), &[0xee; 6]].concat();
        assert_eq!(probe(&padded, None), probe(&packet, None));
    }
}

#[test]
fn mapped_addresses_are_ipv4_but_summed_up_as_they_were_sent() {
    let mapped = ["::ffff:192.0.2.7", "::ffff:198.51.100.9"];
    let packet = v6(mapped, &[], TCP, &good(mapped, TCP, tcp(2, &[], &[])));
    let probe = probe(&packet, None).unwrap();
    assert_eq!([probe.source, probe.destination].map(|a| a.to_string()), V4);
    assert_eq!(probe.checksum, Checksum::Good);
}

#[test]
fn extension_headers() {
    let many = |count| tcp6(&vec![(60, OPTIONS); count]);
    let ok = Ok(Checksum::Good);
    for (what, packet, expected) in [
        ("none", tcp6(&[]), ok),
        ("hop by hop", tcp6(&[(0, OPTIONS)]), ok),
        ("destination options", tcp6(&[(60, LONG_OPTIONS)]), ok),
        ("routing, at its end", tcp6(&[(43, ROUTING)]), ok),
        ("atomic fragment", tcp6(&[(44, ATOMIC)]), ok),
        // As the kernel program sees it: neither TCP nor UDP.
        ("authentication", tcp6(&[(51, AUTHENTICATION)]), Err(Unreadable::NotTcpOrUdp(51))),
        (
            "the order of RFC 8200 section 4.1",
            tcp6(&[(0, OPTIONS), (60, OPTIONS), (43, ROUTING), (44, ATOMIC), (60, LONG_OPTIONS)]),
            ok,
        ),
        ("first fragment", tcp6(&[(60, OPTIONS), (44, FIRST)]), Ok(Checksum::Unknown)),
        ("atomic inside first", tcp6(&[(44, FIRST), (44, ATOMIC)]), Ok(Checksum::Unknown)),
        ("later fragment", tcp6(&[(0, OPTIONS), (44, LATER)]), Err(Unreadable::LaterFragment)),
        ("routing, under way", tcp6(&[(43, &[0, 0, 4, 1, 0, 0, 0, 0])]), Err(Unreadable::OnTheWay)),
        ("no next header", v6(V6, &[], 59, &[0; 20]), Err(Unreadable::NotTcpOrUdp(59))),
        ("encrypted", v6(V6, &[], 50, &[0; 20]), Err(Unreadable::NotTcpOrUdp(50))),
        ("longer than the packet", tcp6(&[(60, &[0, 4, 1, 4])]), Err(Unreadable::TooShort)),
        ("as many as are walked", many(256), ok),
        ("one more", many(257), Err(Unreadable::ChainTooLong)),
    ] {
        assert_eq!(checksum(&packet), expected, "{what}");
    }
}

#[test]
fn ipv4_headers() {
    let segment = good(V4, TCP, tcp(2, &[], &[]));
    let edited = |at: usize, byte| {
        let mut packet = tcp4(2, &[]);
        packet[at] = byte;
        packet
    };
    for (what, packet, expected) in [
        ("options", v4(&[1; 40], 0, TCP, &segment), Ok(Checksum::Good)),
        ("don't fragment", v4(&[], 0x4000, TCP, &segment), Ok(Checksum::Good)),
        ("first fragment", v4(&[], 0x2000, TCP, &segment), Ok(Checksum::Unknown)),
        ("16 bytes of TCP", v4(&[], 0x2000, TCP, &segment[..16]), Ok(Checksum::Unknown)),
        ("8 bytes of TCP", v4(&[], 0x2000, TCP, &segment[..8]), Err(Unreadable::TooShort)),
        ("later fragment", v4(&[], 0x2001, TCP, &segment), Err(Unreadable::LaterFragment)),
        ("last fragment", v4(&[], 0x0001, TCP, &segment), Err(Unreadable::LaterFragment)),
        ("no such version", edited(0, 0x55), Err(Unreadable::NotIp)),
        ("header too short", edited(0, 0x44), Err(Unreadable::BadLength)),
        ("shorter than its header", edited(3, 19), Err(Unreadable::BadLength)),
        ("header longer than the packet", edited(0, 0x4f), Err(Unreadable::BadLength)),
        ("ICMP", v4(&[], 0, 1, &segment), Err(Unreadable::NotTcpOrUdp(1))),
        ("UDP-Lite", v4(&[], 0, 136, &segment), Err(Unreadable::NotTcpOrUdp(136))),
        ("nothing", Vec::new(), Err(Unreadable::TooShort)),
    ] {
        assert_eq!(checksum(&packet), expected, "{what}");
    }
}

#[test]
fn tcp_headers() {
    let offset = |words: u8| {
        let mut segment = tcp(2, &[], &[]);
        segment[12] = words << 4;
        v4(&[], 0, TCP, &good(V4, TCP, segment))
    };
    let options = v4(&[], 0, TCP, &good(V4, TCP, tcp(2, &[1; 40], b"odd")));
    for (what, packet, expected) in [
        ("options and data", options, Ok(Checksum::Good)),
        ("offset below 5", offset(4), Err(Unreadable::BadLength)),
        ("offset beyond the packet", offset(6), Err(Unreadable::BadLength)),
        ("19 bytes", v4(&[], 0, TCP, &tcp(2, &[], &[])[..19]), Err(Unreadable::BadLength)),
        ("13 bytes", v4(&[], 0, TCP, &tcp(2, &[], &[])[..13]), Err(Unreadable::TooShort)),
    ] {
        assert_eq!(checksum(&packet), expected, "{what}");
    }
}

#[test]
fn udp_lengths() {
    let length = |length: u16| {
        let mut segment = udp(b"12345678");
        segment[4..6].copy_from_slice(&length.to_be_bytes());
        segment
    };
    // Summed up over UDP's own length; what is behind it, the kernel cuts off.
    let shorter = [good(V4, UDP, udp(b"1234")), b"5678".to_vec()].concat();
    let first = v4(&[], 0x2000, UDP, &with(1, UDP, length(2000)));
    for (what, packet, expected) in [
        ("right", v4(&[], 0, UDP, &good(V4, UDP, length(16))), Ok(Checksum::Good)),
        ("shorter than IP says", v4(&[], 0, UDP, &shorter), Ok(Checksum::Good)),
        ("longer than IP says", v4(&[], 0, UDP, &length(17)), Err(Unreadable::BadLength)),
        ("longer, in a first fragment", first, Ok(Checksum::Unknown)),
        ("below 8", v4(&[], 0, UDP, &length(7)), Err(Unreadable::BadLength)),
        ("zero over IPv4", v4(&[], 0, UDP, &length(0)), Err(Unreadable::BadLength)),
        ("zero over IPv6", v6(V6, &[], UDP, &good(V6, UDP, length(0))), Ok(Checksum::Good)),
        ("seven bytes", v4(&[], 0, UDP, &length(8)[..7]), Err(Unreadable::TooShort)),
    ] {
        assert_eq!(checksum(&packet), expected, "{what}");
    }
}

#[test]
fn checksums() {
    let segment = |protocol| if protocol == TCP { tcp(2, &[], b"x") } else { udp(b"x") };
    for protocol in [TCP, UDP] {
        for addresses in [V4, V6] {
            let carry = |segment: Vec<u8>| match addresses {
                V4 => v4(&[], 0, protocol, &segment),
                _ => v6(addresses, &[(60, OPTIONS)], protocol, &segment),
            };
            let right = segment(protocol);
            let right = carry(good(addresses, protocol, right));
            assert_eq!(checksum(&right), Ok(Checksum::Good));

            // As `nmap --badsum` has it: off by one.
            let mut wrong = right.clone();
            *wrong.last_mut().unwrap() ^= 1;
            assert_eq!(checksum(&wrong), Ok(Checksum::Bad));
            assert_eq!(checksum(&wrong[..wrong.len() - 1]), Ok(Checksum::Unknown));

            let unfinished = pseudo(addresses, protocol, segment(protocol).len());
            let packet = carry(with(unfinished, protocol, segment(protocol)));
            assert_eq!(checksum(&packet), Ok(Checksum::Good));
            // Nothing but the headers is needed to tell.
            assert_eq!(checksum(&packet[..packet.len() - 1]), Ok(Checksum::Good));
            let packet = carry(with(unfinished ^ 1, protocol, segment(protocol)));
            assert_eq!(checksum(&packet), Ok(Checksum::Bad));
            let packet = carry(with(!unfinished, protocol, segment(protocol)));
            assert_eq!(checksum(&packet), Ok(Checksum::Bad));

            let left_out = checksum(&carry(with(0, protocol, segment(protocol))));
            let rightly = protocol == UDP && addresses == V4;
            assert_eq!(left_out, Ok(if rightly { Checksum::Good } else { Checksum::Bad }));
        }
    }
}
