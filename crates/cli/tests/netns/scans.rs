//! Scans by the tools that people scan with: seen, stopped at the trigger, banned, explained.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::crafted::{send, wrong};
use crate::daemon::Vauban;
use crate::lab::{Lab, SCANNER, SCANNER6, VICTIM, VICTIM6};
use crate::services::Services;
use crate::wire::{TCP, UDP, Wire, answered, probed};

/// What is scanned: no trap ports among them, no ports of traceroute or of late answers.
const PORTS: &str = "101-112";
/// Those of them that somebody serves.
const OPEN: [u16; 3] = [102, 105, 110];
/// How many different closed ports are the trigger.
const TRIGGER: usize = 3;

/// nmap without questions, retries and waiting.
const NMAP: &str = "nmap -n -Pn -r -T4 --max-retries 0 --min-rate 100 \
                    --initial-rtt-timeout 200ms --max-rtt-timeout 200ms";

struct Scan {
    tool: String,
    protocol: u8,
    from: IpAddr,
    to: IpAddr,
    /// How it is called.
    kind: &'static str,
    /// Whether its first packet is the trigger.
    impossible: bool,
}

impl Scan {
    fn nmap(options: &str, kind: &'static str) -> Self {
        Self::by(format!("{NMAP} {options} -p {PORTS} {VICTIM}"), kind)
    }

    fn by(tool: String, kind: &'static str) -> Self {
        Self { tool, protocol: TCP, from: SCANNER, to: VICTIM, kind, impossible: false }
    }

    fn over6(options: &str, kind: &'static str) -> Self {
        let tool = format!("{NMAP} -6 {options} -p {PORTS} {VICTIM6}");
        Self { from: SCANNER6, to: VICTIM6, ..Self::by(tool, kind) }
    }

    /// Runs it against a Vauban with its defaults.
    fn is_stopped(&self) {
        let lab = Lab::pair();
        let _services = Services::open(&lab, "victim", &OPEN, &OPEN);
        let vauban = Vauban::start(&lab, "");
        let wire = Wire::tap(&lab);
        let done = lab.run("scanner", &self.tool);
        let packets = wire.packets();
        let probed = probed(&packets, self.protocol, self.from, self.to);
        assert_eq!(probed.len(), 12, "the tool has scanned: {probed:?}\n{done:?}");

        let explained = vauban.banned(self.from);
        self.check_silence(&probed, &answered(&packets, self.protocol, self.to, self.from));
        self.check_evidence(&probed, &explained);
        assert_eq!(vauban.bans(), [self.from.to_string()]);
        let set = if self.from.is_ipv4() { "banned4" } else { "banned6x" };
        assert!(lab.holds(set, &self.from.to_string()));
        let line = format!("Ban {} for 3m (first ban): {} scan", self.from, self.kind);
        assert!(vauban.log().contains(&line), "{line}: {}", vauban.log());
    }

    /// Until the trigger every port answers as it always does; from then on none does.
    fn check_silence(&self, probed: &[u16], answered: &BTreeSet<u16>) {
        let trigger = if self.impossible {
            0
        } else {
            let mut closed = probed
                .iter()
                .enumerate()
                .filter(|(_, port)| !OPEN.contains(port))
                .skip(TRIGGER - 1);
            closed.next().unwrap().0
        };
        let before: BTreeSet<u16> = probed[..trigger].iter().copied().collect();
        assert_eq!(*answered, before, "probed in this order: {probed:?}");
    }

    /// What counted is explained, in the order in which it was sent.
    fn check_evidence(&self, probed: &[u16], explained: &Value) {
        let protocol = if self.protocol == TCP { "tcp" } else { "udp" };
        let evidence = explained["evidence"].as_array().unwrap();
        let at = |index: usize| {
            let item = &evidence[index];
            assert_eq!(item["source"], self.from.to_string());
            assert_eq!(item["destination"], self.to.to_string());
            (item["port"].as_str().unwrap(), item["meaning"].as_str().unwrap())
        };
        let text = |index: usize| evidence[index]["text"].as_str().unwrap();
        if self.impossible {
            assert_eq!(at(0), (format!("tcp/{}", probed[0]).as_str(), "impossible-flags"));
            assert!(text(0).starts_with(&format!("TCP {}", self.kind)), "{}", text(0));
        } else {
            let closed = probed.iter().filter(|port| !OPEN.contains(port)).take(TRIGGER);
            for (index, port) in closed.enumerate() {
                assert_eq!(at(index), (format!("{protocol}/{port}").as_str(), "closed-port"));
                let count = format!("distinct closed port {} of 3 within 1m", index + 1);
                assert!(text(index).contains(&count), "{}", text(index));
            }
        }
        let first = if self.impossible { 1 } else { TRIGGER };
        let later = if self.impossible { "impossible-flags" } else { "of-suspect" };
        for index in first..evidence.len() {
            assert_eq!(at(index).1, later);
        }
        let reason = explained["ban"]["reason"].as_str().unwrap();
        assert!(reason.starts_with(&format!("{} scan: ", self.kind)), "{reason}");
        assert_eq!(explained["ban"]["origin"], "scan");
        assert_eq!(explained["ban"]["proven"], false);
    }
}

#[test]
#[ignore = "needs root"]
fn nmap_syn() {
    Scan::nmap("-sS", "SYN").is_stopped();
}

#[test]
#[ignore = "needs root"]
fn nmap_connect() {
    Scan::nmap("-sT", "SYN").is_stopped();
}

#[test]
#[ignore = "needs root"]
fn nmap_fin() {
    Scan { impossible: true, ..Scan::nmap("-sF", "FIN") }.is_stopped();
}

#[test]
#[ignore = "needs root"]
fn nmap_null() {
    Scan { impossible: true, ..Scan::nmap("-sN", "NULL") }.is_stopped();
}

#[test]
#[ignore = "needs root"]
fn nmap_xmas() {
    Scan { impossible: true, ..Scan::nmap("-sX", "XMAS") }.is_stopped();
}

#[test]
#[ignore = "needs root"]
fn nmap_udp() {
    Scan { protocol: UDP, ..Scan::nmap("-sU", "UDP") }.is_stopped();
}

#[test]
#[ignore = "needs root"]
fn nmap_syn_in_fragments() {
    Scan::nmap("-sS -f", "SYN").is_stopped();
}

#[test]
#[ignore = "needs root"]
fn nmap_syn_over_ipv6() {
    Scan::over6("-sS", "SYN").is_stopped();
}

#[test]
#[ignore = "needs root"]
fn nmap_udp_over_ipv6() {
    Scan { protocol: UDP, ..Scan::over6("-sU", "UDP") }.is_stopped();
}

#[test]
#[ignore = "needs root"]
fn nmap_fin_over_ipv6() {
    Scan { impossible: true, ..Scan::over6("-sF", "FIN") }.is_stopped();
}

#[test]
#[ignore = "needs root"]
fn masscan() {
    let tool = format!(
        "masscan -p{PORTS} {VICTIM}/32 --rate 100 --wait 0 --adapter eth0 --adapter-ip {SCANNER} \
         --adapter-mac 02-00-00-00-00-02 --router-mac 02-00-00-00-00-01"
    );
    Scan::by(tool, "SYN").is_stopped();
}

#[test]
#[ignore = "needs root"]
fn hping3_scan_mode() {
    Scan::by(format!("hping3 -n -8 {PORTS} -S {VICTIM}"), "SYN").is_stopped();
}

#[test]
#[ignore = "needs root"]
fn hping3_port_after_port() {
    let tool = format!("hping3 -n -q -S -p ++101 -c 12 -i u10000 {VICTIM}");
    Scan::by(tool, "SYN").is_stopped();
}

/// A host throws packets with a wrong checksum away, so anybody can send them in anybody's name.
#[test]
#[ignore = "needs root"]
fn wrong_checksums_are_no_evidence() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &OPEN, &OPEN);
    let vauban = Vauban::start(&lab, "");
    for scan in ["-sS", "-sU", "-sF"] {
        lab.run("scanner", &format!("{NMAP} --badsum {scan} -p {PORTS} {VICTIM}")).success();
    }
    // With -6, nmap's neighbour discovery has wrong checksums as well and finds nobody.
    let (IpAddr::V6(victim), IpAddr::V6(scanner)) = (VICTIM6, SCANNER6) else { panic!() };
    for port in 101..=106 {
        send(&lab, wrong(scanner, victim, port));
    }
    vauban.settle();
    assert!(vauban.counter("probes") >= 12, "the packets have come");
    assert_eq!(vauban.bans(), [""; 0]);
    for address in [SCANNER, SCANNER6] {
        let answer = vauban.assert_no_evidence(address);
        assert!(answer["uncountable"].as_u64().unwrap() >= 3, "{answer:#}");
    }
    assert!(!vauban.log().contains("Suspect"), "{}", vauban.log());
}
