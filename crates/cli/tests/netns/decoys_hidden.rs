//! Services that the host's own firewall keeps from strangers: among decoys they stand out by
//! nothing, whatever the firewall does with whom it keeps out.

use std::net::TcpListener;
use std::time::Duration;

use crate::daemon::Vauban;
use crate::decoys::{Report, assert_is_suspect, judged, proven, suspect};
use crate::lab::{AT_CLIENT, CLIENT, Lab, Reached, SCANNER, SCANNER6, SILENCE, VICTIM, VICTIM6};
use crate::services::{Services, answers};

/// Served for everybody.
const OPEN: [u16; 2] = [22, 80];
/// Served, but not for strangers.
const HIDDEN: [u16; 4] = [3306, 5432, 6379, 8080];

/// What a suspect's half-open scan says of real, hidden and closed ports.
fn nothing_stands_out(lab: &Lab, before: Reached) {
    let ports = [&OPEN[..], &HIDDEN[..]].concat();
    let _services = Services::open(lab, "victim", &ports, &[]);
    for port in HIDDEN {
        assert_eq!(lab.reach("scanner", VICTIM, port), before, "before: {port}");
    }
    let vauban = Vauban::start(lab, "");
    let theirs = lab.connect("client", AT_CLIENT, 22).unwrap();
    // The firewall refuses or drops what is closed, too.
    lab.run("scanner", "nmap -n -Pn -r -T4 -sS --max-retries 0 -p 101-103 192.0.2.1").success();
    vauban.settle();
    assert_is_suspect(&vauban, SCANNER);

    for round in 0..2 {
        let line = format!("-sS -p 20-120,3300-3310,5432,6379,8078-8082 {VICTIM}");
        let report = Report::nmap(lab, "scanner", &line);
        let all = (20..=120).chain(3300..=3310).chain([5432, 6379]).chain(8078..=8082);
        assert_eq!(report.except("open", all), [0; 0], "round {round}: {report:?}");
        vauban.settle();
        assert_is_suspect(&vauban, SCANNER);
    }
    let hidden = vauban.json("status")["decoys"]["hidden_listeners"].as_u64().unwrap();
    assert_eq!(hidden, 8, "two scans of four hidden ports");

    // A handshake with what is served, though not for everybody, is no proof.
    for port in HIDDEN {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Open);
    }
    judged();
    assert_eq!(proven(&vauban, SCANNER), [""; 0]);
    assert_is_suspect(&vauban, SCANNER);

    for port in OPEN {
        let call = lab.connect("client", AT_CLIENT, port).unwrap();
        assert!(answers(&call, SILENCE), "an innocent client at {port}");
        let call = lab.connect("scanner", VICTIM, port).unwrap();
        assert!(answers(&call, SILENCE), "a suspect at {port}");
    }
    assert!(answers(&theirs, SILENCE));
    vauban.assert_unknown(CLIENT);
}

/// An ACK belongs to no connection here: neither closed nor hidden ports may tell by what they
/// say to it.
#[test]
#[ignore = "needs root"]
fn hidden_from_a_scan_by_acknowledgements() {
    for rest in ["", "meta l4proto tcp reject with tcp reset", "reject"] {
        let lab = Lab::pair();
        lab.nft_load(&nft(rest));
        let _services = Services::open(&lab, "victim", &[3306, 5432], &[]);
        let vauban = Vauban::start(&lab, "");
        lab.run("scanner", "nmap -n -Pn -r -T4 -sS --max-retries 0 -p 101-103 192.0.2.1").success();
        assert_is_suspect(&vauban, SCANNER);
        let report = Report::nmap(&lab, "scanner", &format!("-sA -p 3300-3310,5430-5434 {VICTIM}"));
        let closed = report.state(3300).to_owned();
        let differ = report.except(&closed, (3300..=3310).chain(5430..=5434));
        assert_eq!(differ, [0; 0], "{rest:?}: {report:?}");
    }
}

/// Accepts what is established and new connections to what is open; the rest meets this.
fn nft(rest: &str) -> String {
    format!(
        "table inet filter {{\nchain input {{ type filter hook input priority filter; policy drop;\n\
         ct state established,related accept\niif lo accept\n\
         meta l4proto {{ icmp, ipv6-icmp }} accept\n\
         tcp dport {{ 22, 80 }} accept\n{rest}\n}}\n}}\n"
    )
}

#[test]
#[ignore = "needs root"]
fn hidden_by_drop() {
    let lab = Lab::trio();
    lab.nft_load(&nft(""));
    nothing_stands_out(&lab, Reached::Silent);
}

#[test]
#[ignore = "needs root"]
fn hidden_by_reject_with_a_reset() {
    let lab = Lab::trio();
    lab.nft_load(&nft("meta l4proto tcp reject with tcp reset"));
    nothing_stands_out(&lab, Reached::Refused);
}

#[test]
#[ignore = "needs root"]
fn hidden_by_reject_with_port_unreachable() {
    let lab = Lab::trio();
    lab.nft_load(&nft("reject"));
    nothing_stands_out(&lab, Reached::Refused);
}

fn iptables(lab: &Lab, reject: &str) {
    for line in [
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        "-A INPUT -p tcp -m multiport --dports 22,80 -j ACCEPT",
        &format!("-A INPUT -p tcp -j REJECT {reject}"),
    ] {
        lab.run("victim", &format!("iptables {line}")).success();
    }
}

#[test]
#[ignore = "needs root"]
fn hidden_by_reject_of_iptables() {
    let lab = Lab::trio();
    iptables(&lab, "");
    nothing_stands_out(&lab, Reached::Refused);
}

#[test]
#[ignore = "needs root"]
fn hidden_by_reject_of_iptables_with_a_reset() {
    let lab = Lab::trio();
    iptables(&lab, "--reject-with tcp-reset");
    nothing_stands_out(&lab, Reached::Refused);
}

/// The same for IPv6.
#[test]
#[ignore = "needs root"]
fn hidden_over_ipv6() {
    let lab = Lab::pair();
    lab.nft_load(&nft("meta l4proto tcp reject with tcp reset"));
    let _services = Services::open(&lab, "victim", &[22, 80, 3306, 5432], &[]);
    let vauban = Vauban::start(&lab, "");
    suspect(&lab, &vauban, VICTIM6, SCANNER6);
    let report = Report::nmap(&lab, "scanner", &format!("-6 -sS -p 20-120,3306,5432 {VICTIM6}"));
    assert_eq!(report.except("open", (20..=120).chain([3306, 5432])), [0; 0], "{report:?}");
    vauban.settle();
    assert_is_suspect(&vauban, SCANNER6);
}

/// A service that only the host itself, or only another network, can talk to: for the scanner it
/// is a closed port like all others, also when it has just been stopped.
#[test]
#[ignore = "needs root"]
fn services_at_other_addresses() {
    let lab = Lab::trio();
    let bind = |at: &'static str| lab.inside("victim", move || TcpListener::bind(at).unwrap());
    let listeners = [bind("127.0.0.1:6379"), bind("198.51.100.1:3306")];
    let vauban = Vauban::start(&lab, "");
    std::thread::sleep(Duration::from_secs(2));
    suspect(&lab, &vauban, VICTIM, SCANNER);
    let scan = || {
        let report = Report::nmap(&lab, "scanner", &format!("-sS -p 3300-3310,6375-6384 {VICTIM}"));
        report.except("open", (3300..=3310).chain(6375..=6384))
    };
    assert_eq!(scan(), [0; 0], "while they run");
    drop(listeners);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(scan(), [0; 0], "when they have gone");
    vauban.settle();
    assert_is_suspect(&vauban, SCANNER);
}
