//! What is different with IPv6: whom a ban covers, neighbour discovery, extension headers.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::crafted::{Extension, behind, fragments, hidden, send};
use crate::daemon::{BAN, Vauban};
use crate::lab::{Lab, PATIENCE, Reached, SCANNER6, VICTIM, VICTIM6};
use crate::process::{Done, finish, wait_until};
use crate::services::Services;
use crate::wire::{TCP, Wire, answered};

/// A network of the scanner's own, behind its router.
const ROUTED: &str = "2001:db8:aa:1";

/// nmap from an address of the scanner's.
fn scan_from(lab: &Lab, from: &str, ports: &str) -> Done {
    let nmap = format!(
        "nmap -6 -n -Pn -sS -r -T4 --max-retries 0 --max-rtt-timeout 200ms -e eth0 -S {from} \
         -p {ports} -oG - {VICTIM6}"
    );
    finish(lab.on("scanner", &nmap), PATIENCE)
}

#[test]
#[ignore = "needs root"]
fn a_routed_source_is_banned_with_its_64() {
    let lab = Lab::pair();
    for host in ["1::5", "1:abcd::6", "2::7"] {
        lab.ip("scanner", &format!("addr add 2001:db8:aa:{host}/128 dev eth0 nodad"));
    }
    lab.ip("victim", "route add 2001:db8:aa::/48 via 2001:db8:1::2");
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, BAN);
    let scanning: IpAddr = format!("{ROUTED}::5").parse().unwrap();

    let before = scan_from(&lab, &format!("{ROUTED}:abcd::6"), "80").out;
    assert!(before.contains("80/open"), "{before}");
    scan_from(&lab, &scanning.to_string(), "101-105");
    let explained = vauban.banned(scanning);
    assert_eq!(explained["subject"], format!("{ROUTED}::/64"), "{explained:#}");
    assert_eq!(vauban.bans(), [format!("{ROUTED}::/64")]);
    assert_eq!(vauban.state(format!("{ROUTED}:abcd::6").parse().unwrap()), "banned");
    assert!(lab.holds("banned6", &format!("{ROUTED}::")));
    assert!(lab.elements("banned6x").is_empty());

    // All of the /64, none of its neighbour, and nobody on the link.
    let port = |from: &str| scan_from(&lab, from, "80").out;
    assert!(port(&format!("{ROUTED}:abcd::6")).contains("80/filtered"));
    assert!(port("2001:db8:aa:2::7").contains("80/open"));
    assert_eq!(lab.reach("scanner", VICTIM6, 80), Reached::Open);

    // Any address of the /64 will do to let all of it go, and so will its own name.
    vauban.verb(&format!("unban {ROUTED}:abcd::6")).success();
    assert!(port(&scanning.to_string()).contains("80/open"));
    vauban.verb(&format!("ban {ROUTED}::/64")).success();
    assert!(port(&scanning.to_string()).contains("80/filtered"));
    vauban.verb(&format!("unban {ROUTED}::/64")).success();
    assert!(port(&scanning.to_string()).contains("80/open"));
}

/// Ports tried by different addresses of a /64 add up: the third is one too many.
fn share_the_work(unproven: &str, third: &str) -> (Lab, Vauban) {
    let lab = Lab::pair();
    for host in 1..=3 {
        lab.ip("scanner", &format!("addr add {ROUTED}::{host}/128 dev eth0 nodad"));
    }
    lab.ip("victim", "route add 2001:db8:aa::/48 via 2001:db8:1::2");
    let vauban = Vauban::start(&lab, unproven);
    let reports: Vec<String> = (1..=3)
        .map(|host| scan_from(&lab, &format!("{ROUTED}::{host}"), &format!("10{host}")).out)
        .collect();
    assert!(reports[0].contains("101/closed") && reports[1].contains("102/closed"), "{reports:?}");
    assert!(reports[2].contains(third), "{reports:?}");
    (lab, vauban)
}

#[test]
#[ignore = "needs root"]
fn a_routed_64_cannot_share_the_work() {
    let (lab, vauban) = share_the_work("", "103/open");
    let explained = vauban.suspected(format!("{ROUTED}::2").parse().unwrap());
    assert_eq!(explained["subject"], format!("{ROUTED}::/64"));
    assert_eq!(explained["decoys"], 1, "{explained:#}");
    assert!(lab.holds("suspect6", &format!("{ROUTED}::")));
    // Its first address has tried one port only.
    assert!(scan_from(&lab, &format!("{ROUTED}::1"), "104").out.contains("104/open"));
}

#[test]
#[ignore = "needs root"]
fn a_routed_64_is_banned_for_the_work_it_shares() {
    let (_lab, vauban) = share_the_work(BAN, "103/filtered");
    let explained = vauban.banned(format!("{ROUTED}::2").parse().unwrap());
    assert_eq!(explained["subject"], format!("{ROUTED}::/64"));
}

#[test]
#[ignore = "needs root"]
fn a_neighbour_is_banned_alone() {
    let lab = Lab::pair();
    lab.ip("scanner", "addr add 2001:db8:1::3/64 dev eth0 nodad");
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, BAN);
    scan_from(&lab, "2001:db8:1::3", "101-105");
    let explained = vauban.banned("2001:db8:1::3".parse().unwrap());
    assert_eq!(explained["subject"], "2001:db8:1::3");
    assert!(lab.holds("banned6x", "2001:db8:1::3"));
    assert!(lab.elements("banned6").is_empty());
    assert!(scan_from(&lab, "2001:db8:1::3", "80").out.contains("80/filtered"));
    assert!(scan_from(&lab, "2001:db8:1::2", "80").out.contains("80/open"));
}

/// The link-layer address that a namespace has found out for a neighbour, if it has.
fn has_found(lab: &Lab, role: &str, neighbour: IpAddr) -> bool {
    lab.ip(role, &format!("-6 neigh show {neighbour} dev eth0")).contains("lladdr")
}

/// Who cannot be resolved cannot be answered: a banned neighbour may still say where it is, and
/// ask where we are.
#[test]
#[ignore = "needs root"]
fn neighbour_discovery_works_with_a_banned_neighbour() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    vauban.verb(&format!("ban {SCANNER6}")).success();
    for (role, from, to) in [("victim", VICTIM6, SCANNER6), ("scanner", SCANNER6, VICTIM6)] {
        for both in ["victim", "scanner"] {
            lab.ip(both, "neigh flush dev eth0");
        }
        assert!(!has_found(&lab, role, to));
        lab.inside(role, move || {
            let socket = std::net::UdpSocket::bind((from, 0)).unwrap();
            socket.send_to(b"where are you?", (to, 40_000)).unwrap();
        });
        wait_until("it is found", Duration::from_secs(3), || has_found(&lab, role, to));
    }
    assert_eq!(lab.reach("scanner", VICTIM6, 101), Reached::Silent);
}

/// Headers in front of TCP hide nothing.
#[test]
#[ignore = "needs root"]
fn syns_behind_extension_headers_are_seen() {
    use Extension::{Atomic, Destination, HopByHop, Routing};
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let IpAddr::V6(victim) = VICTIM6 else { panic!() };
    let chains: [&[Extension]; 9] = [
        &[],
        &[HopByHop],
        &[Destination],
        &[Routing],
        &[Atomic],
        &[HopByHop, Destination],
        &[Destination, Destination, Destination],
        &[HopByHop, Routing, Atomic, Destination],
        &[Atomic, Destination],
    ];
    for (number, headers) in (0x100..).zip(chains) {
        let from = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, number);
        for port in 101..=103 {
            send(&lab, behind(headers, from, victim, port));
        }
        let explained = vauban.suspected(from.into());
        // What a listener answers behind such headers is not known: it is kept from it, too.
        let decoys = u8::from(headers.is_empty());
        assert_eq!(explained["decoys"], decoys, "{headers:?}: {explained:#}");
        let evidence = explained["evidence"].as_array().unwrap();
        let ports: Vec<&str> = evidence.iter().map(|item| item["port"].as_str().unwrap()).collect();
        assert_eq!(ports, ["tcp/101", "tcp/102", "tcp/103"], "{headers:?}");
        assert!(evidence.iter().all(|item| item["flags"] == "SYN"), "{headers:?}");
    }
    assert_eq!(vauban.json("status")["suspects"], chains.len());
    assert_eq!(vauban.bans(), [""; 0]);
}

/// The ports that answer to SYNs in fragments.
fn answers_to(lab: &Lab, frames: impl Fn(Ipv6Addr, Ipv6Addr, u16) -> Vec<Vec<u8>>) -> Vec<u16> {
    let (IpAddr::V6(victim), IpAddr::V6(scanner)) = (VICTIM6, SCANNER6) else { panic!() };
    let wire = Wire::tap(lab);
    for port in 101..=106 {
        send(lab, frames(scanner, victim, port));
    }
    answered(&wire.packets(), TCP, VICTIM6, SCANNER6).into_iter().collect()
}

/// Nor do real fragments: the first one is judged for all.
#[test]
#[ignore = "needs root"]
fn syns_in_ipv6_fragments_are_seen() {
    let lab = Lab::pair();
    assert_eq!(answers_to(&lab, fragments), [101, 102, 103, 104, 105, 106], "without Vauban");
    let vauban = Vauban::start(&lab, "");
    assert_eq!(answers_to(&lab, fragments), [101, 102]);
    assert!(lab.holds("suspect6x", &SCANNER6.to_string()));
    vauban.settle();
    // They are in pieces, so nobody can say that their checksums are right.
    assert_eq!(vauban.assert_no_evidence(SCANNER6)["state"], "suspect");
    // Another source is another matter.
    assert_eq!(lab.reach("scanner", VICTIM, 101), Reached::Refused);
}

/// Nor does a cut before the ports.
#[test]
#[ignore = "needs root"]
fn syns_cut_between_their_headers_get_nowhere() {
    let lab = Lab::pair();
    assert_eq!(answers_to(&lab, hidden), [101, 102, 103, 104, 105, 106], "without Vauban");
    let vauban = Vauban::start(&lab, "");
    assert_eq!(answers_to(&lab, hidden), [0; 0]);
    assert_eq!(vauban.counter("hidden_headers"), 6);
    vauban.assert_unknown(SCANNER6);
}

/// A ban of an address in an own network names it alone, one elsewhere its /64, and a network is
/// only taken as what it is.
#[test]
#[ignore = "needs root"]
fn what_the_operator_can_ban() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    for (asked, code, says) in [
        ("2001:db8:bb:1::9", 0, "2001:db8:bb:1::/64"),
        ("2001:db8:bb:2::/64", 0, "2001:db8:bb:2::/64"),
        ("2001:db8:1::9", 0, "2001:db8:1::9"),
        ("fe80::9", 0, "fe80::9"),
        ("::ffff:203.0.113.7", 0, "203.0.113.7"),
        ("2001:db8:1::/64", 1, "more than one source"),
        ("2001:db8:bb::/48", 1, "more than one source"),
        ("203.0.113.0/24", 1, "more than one source"),
        ("ff02::1", 1, "not the address of one host"),
        ("2001:db8:1::1", 1, "this host's own address"),
        ("::1", 1, "loopback"),
    ] {
        let done = vauban.verb(&format!("ban {asked}"));
        assert_eq!(done.code, Some(code), "{asked}: {done:?}");
        let said = if code == 0 { &done.out } else { &done.err };
        assert!(said.contains(says), "{asked}: {done:?}");
    }
    assert_eq!(vauban.bans().len(), 5);
}
