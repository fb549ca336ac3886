//! Suspects that are not banned: what the kernel saw of them has wrong checksums, which is no
//! evidence.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::crafted::{send, wrong};
use crate::daemon::Vauban;
use crate::lab::{AT_CLIENT, Lab, Reached, SCANNER, SCANNER6, SILENCE, VICTIM, VICTIM6};
use crate::process::wait_until;
use crate::services::{Services, answers};

/// Long enough for what is tried meanwhile.
const CONFIG: &str = "[trigger]\nsuspect = \"6s\"\n";

/// Makes the scanner a suspect by a scan that the host throws away.
fn suspect(lab: &Lab, victim: IpAddr) {
    let (IpAddr::V6(victim), IpAddr::V6(scanner)) = (victim, SCANNER6) else {
        let scan = "nmap -n -Pn -sS -T4 --badsum --max-retries 0 --max-rtt-timeout 200ms";
        lab.run("scanner", &format!("{scan} -p 101,102,103 {victim}")).success();
        return;
    };
    // With -6, nmap's neighbour discovery has wrong checksums as well and finds nobody.
    for port in [101, 102, 103] {
        send(lab, wrong(scanner, victim, port));
    }
}

fn opens_no_connection_but_keeps_those_it_has(victim: IpAddr, scanner: IpAddr, set: &str) {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80, 81], &[]);
    let vauban = Vauban::start(&lab, CONFIG);
    let call = lab.connect("scanner", victim, 80).unwrap();
    suspect(&lab, victim);
    let last_probe = Instant::now();
    assert_eq!(vauban.state(scanner), "suspect");
    let listed = vauban.json("suspects");
    assert_eq!(listed["suspects"][0]["subject"], scanner.to_string(), "{listed:#}");
    assert_eq!(listed["suspects"][0]["banned"], false, "{listed:#}");
    assert!(lab.holds(set, &scanner.to_string()));

    assert!(answers(&call, SILENCE), "established");
    let refused = vauban.counter("suspect_connections");
    assert_eq!(lab.reach("scanner", victim, 80), Reached::Silent, "a served port");
    assert_eq!(lab.reach("scanner", victim, 81), Reached::Silent, "another");
    assert!(vauban.counter("suspect_connections") >= refused + 2);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open, "somebody else");
    assert!(answers(&call, SILENCE), "established");

    // To knock at a served port again and again prolongs nothing.
    lab.reached_again("scanner", victim, 80, Duration::from_secs(10));
    let passed = last_probe.elapsed();
    assert!(passed > Duration::from_secs(3) && passed < Duration::from_secs(9), "{passed:?}");
    assert_eq!(vauban.bans(), [""; 0]);
    wait_until("it is no suspect any more", Duration::from_secs(2), || {
        vauban.json("suspects")["suspects"].as_array().unwrap().is_empty()
    });
}

#[test]
#[ignore = "needs root"]
fn a_suspect_opens_no_connection_but_keeps_those_it_has() {
    opens_no_connection_but_keeps_those_it_has(VICTIM, SCANNER, "suspect4");
}

#[test]
#[ignore = "needs root"]
fn a_suspect_over_ipv6_is_one_as_well() {
    opens_no_connection_but_keeps_those_it_has(VICTIM6, SCANNER6, "suspect6x");
}

/// One that goes on probing is banned at its first packet that counts.
#[test]
#[ignore = "needs root"]
fn a_suspect_that_goes_on_is_banned() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, CONFIG);
    suspect(&lab, VICTIM);
    assert_eq!(vauban.bans(), [""; 0]);
    assert_eq!(lab.reach("scanner", VICTIM, 104), Reached::Silent);
    let explained = vauban.banned(SCANNER);
    assert_eq!(explained["ban"]["level"], 1, "{explained:#}");
    assert!(explained["ban"]["reason"].as_str().unwrap().contains("goes on"), "{explained:#}");
}

/// A trap port needs no company, unless somebody serves it.
#[test]
#[ignore = "needs root"]
fn one_packet_to_a_trap_port() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[2323], &[]);
    let vauban = Vauban::start(&lab, "");
    assert_eq!(lab.reach("client", AT_CLIENT, 2323), Reached::Open);
    vauban.assert_all_quiet();
    assert_eq!(lab.reach("scanner", VICTIM, 23), Reached::Silent);
    let explained = vauban.banned(SCANNER);
    assert_eq!(explained["evidence"][0]["meaning"], "trap-port", "{explained:#}");
    assert_eq!(explained["evidence"][0]["port"], "tcp/23", "{explained:#}");
}

/// A port can be served without a socket, if the configuration says so.
#[test]
#[ignore = "needs root"]
fn served_by_configuration() {
    let lab = Lab::pair();
    let ports = "served = [\"tcp/101\", \"tcp/102\", \"tcp/103\", \"tcp/104\"]\n";
    let vauban = Vauban::start(&lab, ports);
    for port in 101..=104 {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
    }
    vauban.assert_all_quiet();
    assert_eq!(vauban.counter("probes"), 0);
}

/// A ban that is over opens the door, also when the suspicion would have lasted longer.
#[test]
#[ignore = "needs root"]
fn a_short_ban_ends_the_suspicion() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "[ban]\nfirst = \"1s\"\n");
    for port in [101, 102, 103] {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.banned(SCANNER);
    wait_until("the ban is over", Duration::from_secs(4), || vauban.bans().is_empty());
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
    assert_eq!(lab.reach("scanner", VICTIM, 104), Reached::Refused);
}
