//! Suspects that are not banned: what the kernel saw of them has wrong checksums, which is no
//! evidence; or nobody is.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::crafted::{send, wrong};
use crate::daemon::{BAN, DROP, Vauban};
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

fn opens_no_connection_but_keeps_those_it_has(
    unproven: &str,
    (victim, scanner, set): (IpAddr, IpAddr, &str),
) {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80, 81], &[]);
    let vauban = Vauban::start(&lab, &format!("{unproven}{CONFIG}"));
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

const V4: (IpAddr, IpAddr, &str) = (VICTIM, SCANNER, "suspect4");
const V6: (IpAddr, IpAddr, &str) = (VICTIM6, SCANNER6, "suspect6x");

#[test]
#[ignore = "needs root"]
fn a_suspect_opens_no_connection_but_keeps_those_it_has() {
    opens_no_connection_but_keeps_those_it_has(BAN, V4);
}

#[test]
#[ignore = "needs root"]
fn a_suspect_over_ipv6_is_one_as_well() {
    opens_no_connection_but_keeps_those_it_has(BAN, V6);
}

#[test]
#[ignore = "needs root"]
fn so_is_one_where_nobody_is_banned() {
    opens_no_connection_but_keeps_those_it_has(DROP, V4);
}

/// With decoys, suspicion costs nothing where somebody listens: whoever is suspected in another's
/// name is served as ever.
fn reaches_what_is_served((victim, scanner, set): (IpAddr, IpAddr, &str)) {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80, 81], &[]);
    let vauban = Vauban::start(&lab, CONFIG);
    let call = lab.connect("scanner", victim, 80).unwrap();
    suspect(&lab, victim);
    assert_eq!(vauban.state(scanner), "suspect");
    assert!(lab.holds(set, &scanner.to_string()));

    assert!(answers(&call, SILENCE), "established");
    for port in [80, 81, 80] {
        let new = lab.connect("scanner", victim, port).unwrap();
        assert!(answers(&new, SILENCE), "{port}");
    }
    assert_eq!(vauban.counter("suspect_visits"), 3);
    assert_eq!(vauban.counter("suspect_connections"), 0);
    assert_eq!(lab.reach("scanner", victim, 104), Reached::Open, "a decoy");
    let last_probe = Instant::now();

    // To call at a served port again and again prolongs nothing.
    wait_until("it is no suspect any more", Duration::from_secs(10), || {
        assert_eq!(lab.reach("scanner", victim, 80), Reached::Open);
        vauban.state(scanner) != "suspect"
    });
    let passed = last_probe.elapsed();
    assert!(passed > Duration::from_secs(5) && passed < Duration::from_secs(8), "{passed:?}");
    assert_eq!(vauban.bans(), [""; 0]);
    assert!(vauban.json("suspects")["suspects"].as_array().unwrap().is_empty());
}

#[test]
#[ignore = "needs root"]
fn a_suspect_reaches_what_is_served() {
    reaches_what_is_served(V4);
}

#[test]
#[ignore = "needs root"]
fn a_suspect_over_ipv6_reaches_it_as_well() {
    reaches_what_is_served(V6);
}

/// The same silence as with bans at the trigger, for as long as it is a suspect, and never a ban.
#[test]
#[ignore = "needs root"]
fn nobody_is_banned() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let config = format!("{DROP}[trigger]\nwindow = \"3s\"\nsuspect = \"3s\"\n");
    let vauban = Vauban::start(&lab, &config);
    for port in [101, 102] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
    }
    for port in [103, 23, 104, 80] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Silent, "{port}");
    }
    let explained = vauban.suspected(SCANNER);
    assert_eq!(explained["decoys"], 0, "{explained:#}");
    assert!(explained["missing"].as_str().unwrap().contains("no ban"), "{explained:#}");
    lab.reached_again("scanner", VICTIM, 80, Duration::from_secs(6));
    assert_eq!(vauban.bans(), [""; 0]);
    assert_eq!(vauban.json("status")["decisions"]["banned"], 0);
}

/// One that goes on probing is banned at its first packet that counts.
#[test]
#[ignore = "needs root"]
fn a_suspect_that_goes_on_is_banned() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, &format!("{BAN}{CONFIG}"));
    suspect(&lab, VICTIM);
    assert_eq!(vauban.bans(), [""; 0]);
    assert_eq!(lab.reach("scanner", VICTIM, 104), Reached::Silent);
    let explained = vauban.banned(SCANNER);
    assert_eq!(explained["ban"]["level"], 1, "{explained:#}");
    assert!(explained["ban"]["reason"].as_str().unwrap().contains("goes on"), "{explained:#}");
}

/// A trap port needs no company, unless somebody serves it.
fn trap_port(unproven: &str, syn: &str, connection: Reached) {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[2323], &[]);
    let vauban = Vauban::start(&lab, unproven);
    assert_eq!(lab.reach("client", AT_CLIENT, 2323), Reached::Open);
    vauban.assert_all_quiet();
    let nmap = "nmap -n -Pn -sS --max-retries 0 --max-rtt-timeout 300ms -p 23 -oG - 192.0.2.1";
    let report = lab.run("scanner", nmap).success();
    assert!(report.contains(syn), "{report}");
    let explained =
        if unproven == BAN { vauban.banned(SCANNER) } else { vauban.suspected(SCANNER) };
    assert_eq!(explained["evidence"][0]["meaning"], "trap-port", "{explained:#}");
    assert_eq!(explained["evidence"][0]["port"], "tcp/23", "{explained:#}");

    // A single connection is proof enough.
    assert_eq!(lab.reach("scanner", VICTIM, 23), connection);
    let explained = vauban.banned(SCANNER);
    assert_eq!(explained["ban"]["proven"], unproven != BAN, "{explained:#}");
    assert_eq!(lab.reach("scanner", VICTIM, 23), Reached::Silent);
    assert_eq!(lab.reach("client", AT_CLIENT, 2323), Reached::Open);
}

#[test]
#[ignore = "needs root"]
fn one_packet_to_a_trap_port() {
    trap_port("", "23/open", Reached::Open);
}

#[test]
#[ignore = "needs root"]
fn one_packet_to_a_trap_port_with_bans_at_the_trigger() {
    trap_port(BAN, "23/filtered", Reached::Silent);
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
fn short_ban(unproven: &str, ports: u16) {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, &format!("{unproven}[ban]\nfirst = \"1s\"\n"));
    for port in 101..101 + ports {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.banned(SCANNER);
    wait_until("the ban is over", Duration::from_secs(4), || vauban.bans().is_empty());
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
    assert_eq!(lab.reach("scanner", VICTIM, 107), Reached::Refused);
}

#[test]
#[ignore = "needs root"]
fn a_short_ban_ends_the_suspicion() {
    short_ban("", 5);
}

#[test]
#[ignore = "needs root"]
fn a_short_ban_at_the_trigger_ends_the_suspicion() {
    short_ban(BAN, 3);
}
