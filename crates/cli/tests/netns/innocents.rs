//! Those who do nothing wrong: never suspects, never disturbed.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vauban_sys::netns;

use crate::daemon::{BAN, Vauban};
use crate::lab::{AT_CLIENT, CLIENT, Lab, Reached, SCANNER, SCANNER6, SILENCE, VICTIM, VICTIM6};
use crate::process::{wait_for, wait_until};
use crate::services::{PAGE, Services, read_page};

/// A port below the ephemeral ones that nobody serves and no trap is.
const CLOSED: u16 = 7001;

/// What a closed UDP port says.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Refused,
    Nothing,
}

/// Sends a datagram from a port (0: any) to a port, and waits for what comes back.
fn say(from_port: u16, to: IpAddr, port: u16) -> Heard {
    let any: IpAddr =
        if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // A program that another test is about to start holds the last socket of this port for a moment.
    let socket = wait_for("the port is free", SILENCE, || UdpSocket::bind((any, from_port)).ok());
    socket.connect((to, port)).unwrap();
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    socket.send(b"anybody there?").unwrap();
    match socket.recv(&mut [0; 64]) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Heard::Refused,
        Err(error) if error.kind() == ErrorKind::WouldBlock => Heard::Nothing,
        other => panic!("{to} port {port}: {other:?}"),
    }
}

#[test]
#[ignore = "needs root"]
fn one_closed_port_is_refused_as_always() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    for (victim, scanner) in [(VICTIM, SCANNER), (VICTIM6, SCANNER6)] {
        let started = Instant::now();
        assert_eq!(lab.reach("scanner", victim, CLOSED), Reached::Refused);
        assert!(started.elapsed() < SILENCE / 2, "refused after {:?}", started.elapsed());
        vauban.settle();
        let explained = vauban.explain(scanner);
        assert_eq!(explained["state"], "watched", "{explained:#}");
        assert_eq!(explained["distinct_ports"], 1, "{explained:#}");
    }
    vauban.assert_all_quiet();
}

#[test]
#[ignore = "needs root"]
fn two_closed_ports_may_be_retried_for_ever() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    for victim in [VICTIM, VICTIM6] {
        for _ in 0..60 {
            for port in [CLOSED, CLOSED + 1] {
                assert_eq!(lab.reach("scanner", victim, port), Reached::Refused);
            }
        }
    }
    vauban.assert_all_quiet();
    assert_eq!(vauban.counter("probes"), 240);
    assert_eq!(vauban.explain(SCANNER)["evidence"].as_array().unwrap().len(), 2);
}

/// With a window of a second, the ports are forgotten and come back as new ones again and again.
#[test]
#[ignore = "needs root"]
fn two_closed_ports_may_be_retried_for_many_windows() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "[trigger]\nwindow = \"500ms\"\n");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) {
        for port in [CLOSED, CLOSED + 1] {
            assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
        }
    }
    vauban.assert_all_quiet();
}

#[test]
#[ignore = "needs root"]
fn a_closed_udp_port_is_unreachable_as_always() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    for victim in [VICTIM, VICTIM6] {
        for port in [CLOSED, CLOSED + 1, CLOSED, CLOSED + 1] {
            assert_eq!(lab.inside("scanner", move || say(0, victim, port)), Heard::Refused);
        }
    }
    vauban.assert_all_quiet();
}

/// What the tests around it leave alone is no accident of the laboratory: a third port triggers.
#[test]
#[ignore = "needs root"]
fn a_third_closed_port_is_one_too_many() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    for (victim, scanner) in [(VICTIM, SCANNER), (VICTIM6, SCANNER6)] {
        let heard = [CLOSED, CLOSED + 1, CLOSED + 2].map(|port| {
            // Not from a port below 1024, not to a port that may be late answers'.
            lab.inside("scanner", move || say(5000, victim, port))
        });
        assert_eq!(heard, [Heard::Refused, Heard::Refused, Heard::Nothing]);
        let explained = vauban.suspected(scanner);
        assert_eq!(explained["evidence"].as_array().unwrap().len(), 3, "{explained:#}");
    }
}

/// Traceroute sends to a new closed port for each hop and waits for the refusal of the last one.
#[test]
#[ignore = "needs root"]
fn traceroute() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    for victim in [VICTIM, VICTIM6] {
        for port in 33_434..33_464 {
            assert_eq!(lab.inside("scanner", move || say(0, victim, port)), Heard::Refused);
        }
    }
    vauban.assert_all_quiet();
    assert_eq!(vauban.counter("probes"), 60);
}

/// The victim asks from these ports (0: any) and waits for nothing; each question is answered when
/// its socket is closed.
fn answer_late(lab: &Lab, server: u16, ports: &'static [u16]) {
    for (victim, scanner) in [(VICTIM, SCANNER), (VICTIM6, SCANNER6)] {
        let asked = lab.inside("scanner", move || UdpSocket::bind((scanner, server)).unwrap());
        asked.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut questions = Vec::new();
        for port in ports {
            lab.inside("victim", move || {
                let asking =
                    wait_for("the port is free", SILENCE, || UdpSocket::bind((victim, *port)).ok());
                asking.send_to(b"what is the time?", (scanner, server)).unwrap();
            });
            questions.push(asked.recv_from(&mut [0; 64]).unwrap().1);
        }
        for from in questions {
            asked.send_to(b"late", from).unwrap();
        }
    }
}

/// Ports as resolvers ask from: any above 1023, not only the ephemeral ones.
const HIGH: [u16; 8] = [1024, 2001, 4711, 9999, 12_345, 31_999, 61_001, 65_535];

/// Questions that the victim no longer waits for when they are answered.
#[test]
#[ignore = "needs root"]
fn late_answers() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    // Not from a well-known port: it is the question that tells.
    answer_late(&lab, 5353, &[0; 8]);
    vauban.assert_all_quiet();
    for address in [SCANNER, SCANNER6] {
        vauban.assert_unknown(address);
    }
}

/// The same from name servers.
#[test]
#[ignore = "needs root"]
fn answers_of_name_servers() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    answer_late(&lab, 53, &HIGH);
    vauban.assert_all_quiet();
    for address in [SCANNER, SCANNER6] {
        vauban.assert_unknown(address);
    }
}

/// What answers no question is a probe, from port 53 too: only what was asked excuses it.
#[test]
#[ignore = "needs root"]
fn answers_that_nobody_asked_for() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    answer_late(&lab, 53, &[4000, 4001]);
    for (victim, scanner) in [(VICTIM, SCANNER), (VICTIM6, SCANNER6)] {
        let heard =
            [2001, 2002, 2003].map(|port| lab.inside("scanner", move || say(53, victim, port)));
        assert_eq!(heard, [Heard::Refused, Heard::Refused, Heard::Nothing]);
        vauban.suspected(scanner);
    }
}

/// Announcements to everybody are for whoever wants them.
#[test]
#[ignore = "needs root"]
fn broadcast_and_multicast() {
    let lab = Lab::pair();
    lab.ip("scanner", "route add default dev eth0");
    let vauban = Vauban::start(&lab, "");
    // A member of the group, or its packets would not come as far as our program.
    let member = lab.inside("victim", || {
        let member = UdpSocket::bind("0.0.0.0:0").unwrap();
        let group = Ipv4Addr::new(224, 0, 0, 251);
        member.join_multicast_v4(&group, &Ipv4Addr::new(192, 0, 2, 1)).unwrap();
        member
    });
    let interface = lab.ip("scanner", "-o link show dev eth0");
    let interface: u32 = interface.split(':').next().unwrap().trim().parse().unwrap();
    lab.inside("scanner", move || {
        let v4 = UdpSocket::bind("0.0.0.0:5000").unwrap();
        v4.set_broadcast(true).unwrap();
        let v6 = UdpSocket::bind("[::]:5001").unwrap();
        for port in (9990..10_000).chain([5353, 1900, 137]) {
            for to in ["255.255.255.255", "192.0.2.255", "224.0.0.251", "224.0.0.1"] {
                v4.send_to(b"hello, all", (to, port)).unwrap();
            }
            let all_nodes = "ff02::1".parse().unwrap();
            v6.send_to(
                b"hello, all",
                SocketAddr::V6(std::net::SocketAddrV6::new(all_nodes, port, 0, interface)),
            )
            .unwrap();
        }
    });
    // What comes after them has passed, so they have come.
    assert_eq!(lab.inside("scanner", || say(5002, VICTIM, CLOSED)), Heard::Refused);
    vauban.assert_all_quiet();
    assert_eq!(vauban.counter("probes"), 1);
    drop(member);
}

/// A client that fetches all the time, from new source ports and from one and the same, so that
/// its SYNs meet sockets in TIME_WAIT, while somebody else scans, and is banned for it.
fn a_busy_client(unproven: &str, scan: &str) {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, &format!("{unproven}[ban]\nfirst = \"1s\"\nfactor = 1\n"));

    // Not the port that is used again and again below.
    lab.sysctl("client", "net/ipv4/ip_local_port_range", "41000 60999");
    let stop = Arc::new(AtomicBool::new(false));
    let fetching = {
        let (stop, path) = (Arc::clone(&stop), Path::new("/run/netns").join(lab.name("client")));
        std::thread::spawn(move || {
            netns::enter(&path).unwrap();
            let mut pages = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                let server = SocketAddr::new(AT_CLIENT, 80);
                let call = std::net::TcpStream::connect_timeout(&server, SILENCE)
                    .unwrap_or_else(|error| panic!("after {pages} pages: {error}"));
                let page =
                    read_page(&call).unwrap_or_else(|error| panic!("after {pages} pages: {error}"));
                assert!(page.ends_with(PAGE), "{page:?}");
                pages += 1;
                // Thousands per second would be a test of the machine.
                std::thread::sleep(Duration::from_millis(1));
            }
            pages
        })
    };
    // Three scans, so that the scanner is a suspect, banned, free and caught again.
    let mut same_port = 0;
    for round in 0..3 {
        wait_until("it is free", Duration::from_secs(5), || vauban.bans().is_empty());
        let mut scan = crate::process::Running::start({
            let mut nmap = lab.on(
                "scanner",
                &format!(
                    "nmap -n -Pn {scan} -T4 --max-retries 0 --min-rate 200 --max-rtt-timeout \
                     200ms -p 100-300 192.0.2.1"
                ),
            );
            nmap.stdout(std::process::Stdio::null());
            nmap
        });
        let begin = Instant::now();
        while scan.ended().is_none() || vauban.log().matches("Ban 192.0.2.2").count() <= round {
            assert!(begin.elapsed() < Duration::from_secs(15), "it is caught again: {round}");
            let fetch = "curl -sS --max-time 2 --local-port 40000 http://198.51.100.1/";
            assert_eq!(lab.run("client", fetch).success(), PAGE, "after {same_port} pages");
            same_port += 1;
        }
    }
    let waiting = lab.run("victim", "ss -Htan state time-wait dport = 40000").success();
    assert!(waiting.contains("40000"), "the server hung up first: {waiting:?}");

    stop.store(true, Ordering::Relaxed);
    let pages = fetching.join().unwrap();
    assert!(pages > 100 && same_port > 20, "{pages} and {same_port} pages");
    vauban.assert_unknown(CLIENT);
    assert!(!lab.knows(CLIENT));
    assert_eq!(vauban.explain(CLIENT)["state"], "unknown");
}

#[test]
#[ignore = "needs root"]
fn a_busy_client_while_somebody_connects_to_decoys() {
    a_busy_client("", "-sT");
}

#[test]
#[ignore = "needs root"]
fn a_busy_client_while_somebody_scans() {
    a_busy_client(BAN, "-sS");
}

/// Clients that the host talks to first are no scanners when they hang up oddly: RST, and a FIN
/// that comes when the socket is gone.
#[test]
#[ignore = "needs root"]
fn ends_of_connections_are_no_probes() {
    let lab = Lab::pair();
    let services = Services::open(&lab, "victim", &[80, 81, 82, 83, 84], &[]);
    let vauban = Vauban::start(&lab, "");
    let mut calls = Vec::new();
    for port in 80..85 {
        calls.push(lab.connect("scanner", VICTIM, port).unwrap());
    }
    // The server goes away, with connections open: the client's last words meet closed ports.
    drop(services);
    for call in &calls {
        use std::io::Write;
        let mut call: &std::net::TcpStream = call;
        let _ = call.write_all(b"hello?");
        let _ = call.shutdown(std::net::Shutdown::Both);
    }
    drop(calls);
    wait_until("all is over", Duration::from_secs(5), || {
        lab.run("scanner", "ss -Htan state established").success().is_empty()
    });
    vauban.assert_all_quiet();
    assert_eq!(vauban.counter("probes"), 0);
}
