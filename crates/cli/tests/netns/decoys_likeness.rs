//! A decoy's answer beside a listener's: what a scanner can compare is the same.

use std::net::IpAddr;

use crate::crafted::Extension::{Atomic, Destination, HopByHop, Routing};
use crate::crafted::{self, behind, fragments};
use crate::daemon::Vauban;
use crate::decoys::{
    ACK, FIN, GHOST, GHOST6, PSH, Report, SYN, Seen, Segment, Tap, ghosts, suspect, suspect_ghost,
};
use crate::lab::{Lab, SCANNER, SILENCE, VICTIM, VICTIM6};
use crate::services::Services;

/// Maximum segment size.
const MSS: [u8; 4] = [2, 4, 5, 0xb4];
/// Window scale.
const SCALE: [u8; 4] = [1, 3, 3, 7];
/// Selective acknowledgements.
const SACK: [u8; 4] = [1, 1, 4, 2];
/// Timestamps.
const STAMPS: [u8; 12] = [1, 1, 8, 10, 0, 0, 0x12, 0x34, 0, 0, 0, 0];

/// Everything that an answer shows but its numbers: what is left of timestamps is their echo.
fn look(seen: &Seen) -> (u8, (u8, u16, u16), u16, u8, Vec<u8>) {
    let mut options = seen.options.clone();
    let mut at = 0;
    while at < options.len() {
        match options[at] {
            0 => break,
            1 => at += 1,
            8 => {
                options[at + 2..at + 6].fill(0);
                at += 10;
            }
            _ => at += usize::from(options[at + 1]),
        }
    }
    (seen.ttl, seen.header, seen.window, seen.flags, options)
}

fn looks_like_a_listener(ghost: IpAddr, victim: IpAddr) {
    let lab = Lab::pair();
    ghosts(&lab);
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    let tap = Tap::open(&lab, "scanner");
    suspect_ghost(&lab, &vauban, ghost);
    // As nmap, masscan, Linux, Windows and others begin, and some odd ones.
    let kinds: [Vec<u8>; 17] = [
        vec![],
        MSS.to_vec(),
        [&MSS[..], &SACK, &STAMPS, &SCALE].concat(),
        [&MSS[..], &[2, 4, 0, 88]].concat(),
        [&MSS[..], &SCALE, &SACK].concat(),
        [&SCALE[..], &MSS].concat(),
        STAMPS.to_vec(),
        [&MSS[..], &SACK].concat(),
        // Values and lengths that make no sense.
        vec![2, 4, 0, 0],
        vec![2, 4, 0xff, 0xff],
        [&MSS[..], &[1, 3, 3, 20]].concat(),
        [&MSS[..], &[3, 0, 0, 0]].concat(),
        [&MSS[..], &[3, 9, 1, 1]].concat(),
        [&MSS[..], &[1, 1, 4, 3]].concat(),
        [&MSS[..], &SACK, &MSS].concat(),
        // A cookie of TCP fast open is asked for.
        [&MSS[..], &[1, 1, 34, 2]].concat(),
        // An option that nobody knows, and the end.
        [&MSS[..], &[253, 4, 1, 2], &[0, 0, 0, 0]].concat(),
    ];
    for (index, options) in kinds.into_iter().enumerate() {
        let port = 42_000 + u16::try_from(index).unwrap();
        for flags in [SYN, SYN | 0xc0] {
            let from = port + if flags == SYN { 0 } else { 100 };
            let ask = |to| {
                let syn = Segment::syn(ghost, victim, (from, to));
                tap.ask(&lab, &Segment { options: options.clone(), flags, ..syn })
            };
            let (real, decoy) = (ask(80), ask(81));
            assert_eq!(real.flags & 0x3f, SYN | ACK, "{real:?}");
            assert_eq!(look(&decoy), look(&real), "{options:?} {flags:#x}\n{decoy:?}\n{real:?}");
            assert_eq!(decoy.acknowledgment, 1_000_000 + 81 + 1);
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_decoy_looks_like_a_listener() {
    looks_like_a_listener(GHOST, VICTIM);
}

#[test]
#[ignore = "needs root"]
fn a_decoy_looks_like_a_listener_over_ipv6() {
    looks_like_a_listener(GHOST6, VICTIM6);
}

/// A SYN may carry data and other bits: a listener does not mind, and acknowledges the SYN alone.
#[test]
#[ignore = "needs root"]
fn a_decoy_takes_odd_beginnings_as_a_listener_does() {
    let lab = Lab::pair();
    ghosts(&lab);
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    let tap = Tap::open(&lab, "scanner");
    for (ghost, victim) in [(GHOST, VICTIM), (GHOST6, VICTIM6)] {
        suspect_ghost(&lab, &vauban, ghost);
        for (from, flags) in [(42_000, SYN), (42_001, SYN | PSH), (42_002, SYN | 0x20)] {
            for (from, payload) in [(from, &b""[..]), (from + 100, b"GET / HTTP/1.0\r\n\r\n")] {
                let ask = |to| {
                    let syn = Segment::syn(ghost, victim, (from, to));
                    let odd = Segment { flags, payload: payload.to_vec(), ..syn };
                    let answer = tap.ask(&lab, &odd);
                    (answer.acknowledgment - odd.sequence, look(&answer))
                };
                let (real, decoy) = (ask(80), ask(81));
                assert_eq!(decoy, real, "{flags:#x} {payload:?}");
                assert_eq!(real.0, 1);
            }
        }
    }
}

/// What the host puts together before a listener sees it is put together for decoys, too. Where the
/// kernel does so later, and where extension headers decide what a listener answers, both are silent.
#[test]
#[ignore = "needs root"]
fn a_decoy_answers_fragments_and_extension_headers_as_a_listener_does() {
    let lab = Lab::pair();
    ghosts(&lab);
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    suspect(&lab, &vauban, VICTIM, SCANNER);
    let report = Report::nmap(&lab, "scanner", &format!("-sS -f -p 78-82 {VICTIM}"));
    assert_eq!(report.except("open", 78..=82), [0; 0], "{report:?}");

    let tap = Tap::open(&lab, "scanner");
    suspect_ghost(&lab, &vauban, GHOST6);
    let (IpAddr::V6(victim), IpAddr::V6(ghost)) = (VICTIM6, GHOST6) else { panic!() };
    let ask = |frames: Vec<Vec<u8>>| {
        let before = tap.seen().len();
        crafted::send(&lab, frames);
        std::thread::sleep(SILENCE / 2);
        tap.heard(before, GHOST6).first().map(look)
    };
    for header in [HopByHop, Destination, Routing, Atomic] {
        let [real, decoy] = [80, 81].map(|port| ask(behind(&[header], ghost, victim, port)));
        assert_eq!((real, decoy), (None, None), "{header:?}");
    }
    let [real, decoy] = [80, 81].map(|port| ask(fragments(ghost, victim, port)));
    assert_eq!((real, decoy), (None, None), "fragments");
}

/// What a listener says to an acknowledgement out of nowhere, a decoy says too.
#[test]
#[ignore = "needs root"]
fn a_decoys_refusal_looks_like_a_listeners() {
    let lab = Lab::pair();
    ghosts(&lab);
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    let tap = Tap::open(&lab, "scanner");
    for (ghost, victim) in [(GHOST, VICTIM), (GHOST6, VICTIM6)] {
        suspect_ghost(&lab, &vauban, ghost);
        for (from, flags) in [(42_000, ACK), (42_001, ACK | FIN), (42_002, ACK | PSH)] {
            for payload in [&b""[..], b"hello"] {
                let ask = |to| {
                    let syn = Segment::syn(ghost, victim, (from, to));
                    let said = syn.completing(4711);
                    tap.ask(&lab, &Segment { flags, payload: payload.to_vec(), ..said })
                };
                let (real, decoy) = (ask(80), ask(81));
                assert_eq!(look(&decoy), look(&real), "{flags:#x}\n{decoy:?}\n{real:?}");
                assert_eq!(decoy.sequence, real.sequence);
                assert_eq!(decoy.acknowledgment, real.acknowledgment);
            }
        }
    }
}

/// So does one on a host with other settings than usual.
#[test]
#[ignore = "needs root"]
fn a_decoy_looks_like_a_listener_of_this_host() {
    let lab = Lab::pair();
    ghosts(&lab);
    for (name, value) in [
        ("ip_default_ttl", "128"),
        ("tcp_timestamps", "0"),
        ("tcp_sack", "0"),
        ("tcp_rmem", "4096 16384 1000000"),
    ] {
        lab.sysctl("victim", &format!("net/ipv4/{name}"), value);
    }
    lab.ip("victim", "link set eth0 mtu 1400");
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    let tap = Tap::open(&lab, "scanner");
    suspect_ghost(&lab, &vauban, GHOST);
    let options = [&MSS[..], &SACK, &STAMPS, &SCALE].concat();
    let ask = |to| {
        let syn = Segment::syn(GHOST, VICTIM, (42_000, to));
        tap.ask(&lab, &Segment { options: options.clone(), ..syn })
    };
    let (real, decoy) = (ask(80), ask(81));
    assert_eq!(real.ttl, 128);
    assert_eq!(look(&decoy), look(&real), "{decoy:?}\n{real:?}");
}

/// What a listener does not answer, a decoy does not either.
#[test]
#[ignore = "needs root"]
fn a_decoy_is_silent_where_a_listener_is() {
    let lab = Lab::pair();
    ghosts(&lab);
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    let tap = Tap::open(&lab, "scanner");
    for (ghost, victim) in [(GHOST, VICTIM), (GHOST6, VICTIM6)] {
        suspect_ghost(&lab, &vauban, ghost);
        // A signature (RFC 2385) that no socket here has a key for.
        let signed = [&MSS[..], &[1, 1, 19, 18], &[7; 16]].concat();
        for to in [80, 81] {
            let syn = Segment::syn(ghost, victim, (42_000, to));
            let damaged = Segment { damage: 0x1234, ..syn.clone() };
            assert!(tap.try_ask(&lab, &damaged).is_none(), "wrong checksum: {to}");
            let signed = Segment { options: signed.clone(), ..syn.clone() };
            assert!(tap.try_ask(&lab, &signed).is_none(), "signed: {to}");
            assert_eq!(tap.ask(&lab, &syn).flags, SYN | ACK, "{to}");
        }
    }
}
