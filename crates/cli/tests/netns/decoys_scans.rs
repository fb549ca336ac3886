//! Decoys against the tools that people scan with: a half-open scan learns nothing and proves
//! nothing; whoever completes connections bans itself.

use crate::daemon::Vauban;
use crate::decoys::{NMAP, Report, assert_is_suspect, proven};
use crate::lab::{Lab, SCANNER, SCANNER6, VICTIM, VICTIM6};
use crate::process::wait_until;
use crate::services::Services;
use crate::wire::{TCP, Wire, opened, probed};

/// Real ports among those that are scanned.
const REAL: [u16; 4] = [22, 80, 443, 993];

/// nmap -sS over a thousand ports: all are open from the trigger on, and nobody is banned for it.
fn half_open(six: &str, victim: std::net::IpAddr, scanner: std::net::IpAddr) {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &REAL, &[]);
    let vauban = Vauban::start(&lab, "");
    let report = Report::nmap(&lab, "scanner", &format!("{six} -sS -p 1-1000 {victim}"));
    // Two closed ports are below the trigger; one, if two processors took the first two at once.
    let below = report.except("open", 1..=1000);
    let found: Vec<_> = below.iter().map(|port| (port, report.state(*port))).collect();
    assert!((1..=2).contains(&below.len()), "{found:?} {:#}", vauban.json("status"));
    let decoys = 1000 - REAL.len() - below.len();
    assert_eq!(report.except("closed", below), [0; 0]);
    vauban.settle();
    assert_is_suspect(&vauban, scanner);
    assert_eq!(proven(&vauban, scanner), [""; 0]);
    let status = vauban.json("status");
    // A thousand ports without the real ones and those below the trigger.
    assert_eq!(status["decoys"]["told"], decoys, "{status:#}");
    assert_eq!(status["decoys"]["contacts"], 0, "{status:#}");
    let listed = vauban.verb("suspects").success();
    assert!(listed.contains(&scanner.to_string()) && listed.contains("994"), "{listed}");
    // A real port among the decoys serves the suspect still.
    let page = crate::services::read_page(&lab.connect("scanner", victim, 80).unwrap());
    assert_eq!(page.unwrap().lines().last(), Some("served"));
    assert_is_suspect(&vauban, scanner);
}

#[test]
#[ignore = "needs root"]
fn a_half_open_scan_finds_every_port_open_and_bans_nobody() {
    half_open("", VICTIM, SCANNER);
}

#[test]
#[ignore = "needs root"]
fn a_half_open_scan_over_ipv6_finds_every_port_open_and_bans_nobody() {
    half_open("-6", VICTIM6, SCANNER6);
}

/// Runs a tool and waits for the ban that its handshakes prove.
fn proves_itself(line: &str, scanner: std::net::IpAddr) {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    lab.run("scanner", line).success();
    let explained = vauban.banned(scanner);
    assert_eq!(explained["ban"]["proven"], true, "{explained:#}");
    let reason = explained["ban"]["reason"].as_str().unwrap();
    assert!(reason.contains("completed handshakes with 3 distinct decoys"), "{reason}");
    let evidence = explained["evidence"].as_array().unwrap();
    assert!(evidence.iter().any(|item| item["meaning"] == "proven"), "{explained:#}");
    assert_eq!(lab.reach("scanner", VICTIM, 80) == crate::lab::Reached::Silent, scanner == SCANNER);
}

#[test]
#[ignore = "needs root"]
fn a_connect_scan_is_banned_by_its_own_handshakes() {
    proves_itself(&format!("{NMAP} -sT -p 101-200 {VICTIM}"), SCANNER);
}

#[test]
#[ignore = "needs root"]
fn a_connect_scan_over_ipv6_is_banned_by_its_own_handshakes() {
    proves_itself(&format!("{NMAP} -6 -sT -p 101-200 {VICTIM6}"), SCANNER6);
}

#[test]
#[ignore = "needs root"]
fn asking_what_runs_on_the_decoys_is_a_ban() {
    let line = format!("{NMAP} -sV --version-intensity 0 --host-timeout 10s -p 101-107 {VICTIM}");
    proves_itself(&line, SCANNER);
}

/// masscan, half-open, two thousand ports in a second.
#[test]
#[ignore = "needs root"]
fn masscan_finds_every_port_open() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &REAL, &[]);
    let vauban = Vauban::start(&lab, "");
    let wire = Wire::tap(&lab);
    let line = format!(
        "masscan -p1001-3000 {VICTIM}/32 --rate 2000 --wait 1 --adapter eth0 \
         --adapter-ip {SCANNER} --adapter-mac 02-00-00-00-00-02 --router-mac 02-00-00-00-00-01 \
         -oL -"
    );
    let said = lab.run("scanner", &line).success();
    let packets = wire.packets();
    let probed = probed(&packets, TCP, SCANNER, VICTIM);
    let open = opened(&packets, VICTIM, SCANNER);
    assert_eq!(probed.len(), 2000);
    let closed: Vec<_> = probed.iter().filter(|port| !open.contains(port)).collect();
    // Whatever came first was below the trigger.
    assert!(closed.len() <= 2, "{closed:?}");
    // It misses some packets itself, but calls nothing closed.
    assert!(said.matches("open tcp").count() >= 1700, "{}", said.matches("open tcp").count());
    assert!(!said.contains("closed"), "{said}");
    vauban.settle();
    assert_is_suspect(&vauban, SCANNER);
}

/// zmap asks many addresses for one port; a trap port is the trigger at once.
#[test]
#[ignore = "needs root"]
fn zmap_finds_every_address_open() {
    let lab = Lab::pair();
    lab.ip("victim", "route add local 198.18.0.0/24 dev lo");
    let vauban = Vauban::start(&lab, "");
    for port in [23, 8081] {
        let line = format!(
            "zmap -q -e 1 -p {port} -r 2000 -c 1 -T 1 -i eth0 -S {SCANNER} -G 02:00:00:00:00:01 \
             -b /dev/null -o - 198.18.0.0/24"
        );
        let said = lab.run("scanner", &line).success();
        let found = said.lines().filter(|line| line.starts_with("198.18.0.")).count();
        assert_eq!(found, 256, "port {port}");
    }
    vauban.settle();
    assert_is_suspect(&vauban, SCANNER);
}

/// What is not TCP's beginning gets no answer from the trigger on, and no ban.
#[test]
#[ignore = "needs root"]
fn udp_and_odd_flags_of_a_suspect_meet_silence() {
    for (scan, silent) in
        [("-sU", "open|filtered"), ("-sF", "open|filtered"), ("-sN", "open|filtered")]
    {
        let lab = Lab::pair();
        let vauban = Vauban::start(&lab, "");
        crate::decoys::suspect(&lab, &vauban, VICTIM, SCANNER);
        let report = Report::nmap(&lab, "scanner", &format!("{scan} -p 201-220 {VICTIM}"));
        assert_eq!(report.except(silent, 201..=220), [0; 0], "{scan}: {report:?}");
        vauban.settle();
        assert_is_suspect(&vauban, SCANNER);
    }
}

/// `explain` and `status` tell what the scanner was told and what is missing to a ban.
#[test]
#[ignore = "needs root"]
fn what_the_scanner_was_told_is_explained() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    crate::decoys::suspect(&lab, &vauban, VICTIM, SCANNER);
    let _calls = crate::decoys::shake(&lab, "scanner", VICTIM, &[104, 105]);
    wait_until("both are proven", std::time::Duration::from_secs(4), || {
        proven(&vauban, SCANNER).len() == 2
    });
    let text = vauban.verb(&format!("explain {SCANNER}")).success();
    for words in [
        "is a suspect",
        "told    that 3 of its probes",
        "decoys of tcp/104 tcp/105",
        "1 more of 3 distinct",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let text = vauban.verb("status").success();
    assert!(text.contains("2 handshakes completed"), "{text}");
    let text = vauban.verb("suspects").success();
    assert!(text.contains("tcp/104"), "{text}");
}
