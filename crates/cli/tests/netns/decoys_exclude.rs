//! Who and what meets no decoys: ports and sources of `decoy_exclude`, and services that restart.

use std::net::IpAddr;
use std::time::Duration;

use crate::daemon::Vauban;
use crate::decoys::{Report, assert_is_suspect, judged, proven, suspect};
use crate::lab::{AT_CLIENT, CLIENT, Lab, Reached, SCANNER, SCANNER6, VICTIM, VICTIM6};
use crate::services::Services;

#[test]
#[ignore = "needs root"]
fn excluded_ports_are_answered_as_always_and_never_count() {
    let lab = Lab::pair();
    let config = "decoy_exclude = [\"tcp/7001\", \"tcp/7002\", \"tcp/7003\", \"tcp/23\"]\n";
    let vauban = Vauban::start(&lab, config);
    let refused = || {
        for victim in [VICTIM, VICTIM6] {
            for port in [7001, 7002, 7003, 23] {
                assert_eq!(lab.reach("scanner", victim, port), Reached::Refused, "{victim} {port}");
            }
        }
    };
    refused();
    vauban.assert_all_quiet();
    assert_eq!(vauban.counter("probes"), 0);
    for (victim, scanner) in [(VICTIM, SCANNER), (VICTIM6, SCANNER6)] {
        suspect(&lab, &vauban, victim, scanner);
        refused();
        judged();
        assert_is_suspect(&vauban, scanner);
        assert_eq!(proven(&vauban, scanner), [""; 0]);
        assert_eq!(lab.reach("scanner", victim, 7004), Reached::Open);
    }
}

/// Excluded sources may try whatever they like; everybody else may not.
fn excluded(entry: &str, victim: IpAddr, scanner: IpAddr) {
    let lab = Lab::trio();
    let vauban = Vauban::start(&lab, &format!("decoy_exclude = [\"{entry}\"]\n"));
    let six = if victim.is_ipv6() { "-6" } else { "" };
    let report = Report::nmap(&lab, "scanner", &format!("{six} -sT -p 1-200 {victim}"));
    assert_eq!(report.except("closed", 1..=200), [0; 0], "{report:?}");
    lab.run("scanner", &format!("nmap {six} -n -Pn -T4 -sF -p 1-20 {victim}")).success();
    vauban.assert_all_quiet();
    vauban.assert_unknown(scanner);
    for port in [101, 102] {
        assert_eq!(lab.reach("client", AT_CLIENT, port), Reached::Refused);
    }
    assert_eq!(lab.reach("client", AT_CLIENT, 103), Reached::Open);
    assert_eq!(vauban.state(CLIENT), "suspect");
}

#[test]
#[ignore = "needs root"]
fn an_excluded_address_never_becomes_a_suspect() {
    excluded("192.0.2.2", VICTIM, SCANNER);
}

#[test]
#[ignore = "needs root"]
fn an_excluded_network_never_becomes_a_suspect() {
    excluded("192.0.2.0/24", VICTIM, SCANNER);
}

#[test]
#[ignore = "needs root"]
fn an_excluded_ipv6_network_never_becomes_a_suspect() {
    excluded("2001:db8:1::/64", VICTIM6, SCANNER6);
}

/// Ports of services that were stopped look closed to suspects, and to meet them so is no proof.
fn looks_down(used: bool, gone_for: Duration) {
    let lab = Lab::trio();
    let services = Services::open(&lab, "victim", &[7001], &[]);
    let vauban = Vauban::start(&lab, "");
    // One was there before Vauban, one came later.
    let later = Services::open(&lab, "victim", &[7002], &[]);
    std::thread::sleep(Duration::from_secs(2));
    if used {
        for port in [7001, 7002] {
            assert_eq!(lab.reach("client", AT_CLIENT, port), Reached::Open);
        }
    }
    for (victim, scanner) in [(VICTIM, SCANNER), (VICTIM6, SCANNER6)] {
        suspect(&lab, &vauban, victim, scanner);
    }
    drop(services);
    drop(later);
    std::thread::sleep(gone_for);
    for (victim, scanner) in [(VICTIM, SCANNER), (VICTIM6, SCANNER6)] {
        for port in [7001, 7002] {
            assert_eq!(lab.reach("scanner", victim, port), Reached::Refused, "{victim} {port}");
        }
        assert_eq!(lab.reach("scanner", victim, 7004), Reached::Open);
        judged();
        assert_eq!(proven(&vauban, scanner), ["tcp/7004"]);
        assert_is_suspect(&vauban, scanner);
    }
    // And they are there again when they are.
    let _services = Services::open(&lab, "victim", &[7001, 7002], &[]);
    for port in [7001, 7002] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Open);
    }
    vauban.assert_unknown(CLIENT);
}

#[test]
#[ignore = "needs root"]
fn a_service_that_somebody_used_looks_down_while_it_restarts() {
    looks_down(true, Duration::ZERO);
}

#[test]
#[ignore = "needs root"]
fn a_service_that_nobody_used_looks_down_while_it_restarts() {
    looks_down(false, Duration::from_secs(2));
}

#[test]
#[ignore = "needs root"]
fn a_service_that_has_just_gone_looks_down() {
    looks_down(false, Duration::ZERO);
}
