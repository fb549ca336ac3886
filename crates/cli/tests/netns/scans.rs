//! Scans by the tools that people scan with: seen, led astray by decoys, explained; or, where the
//! trigger is a ban, stopped there.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::crafted::{send, wrong};
use crate::daemon::{BAN, Vauban};
use crate::lab::{Lab, SCANNER, SCANNER6, VICTIM, VICTIM6};
use crate::services::Services;
use crate::wire::{Packet, TCP, UDP, What, Wire, answered, opened, probed};

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
    /// Whether it completes handshakes.
    connects: bool,
}

impl Scan {
    fn nmap(options: &str, kind: &'static str) -> Self {
        Self::by(format!("{NMAP} {options} -p {PORTS} {VICTIM}"), kind)
    }

    fn by(tool: String, kind: &'static str) -> Self {
        Self {
            tool,
            protocol: TCP,
            from: SCANNER,
            to: VICTIM,
            kind,
            impossible: false,
            connects: false,
        }
    }

    fn over6(options: &str, kind: &'static str) -> Self {
        let tool = format!("{NMAP} -6 {options} -p {PORTS} {VICTIM6}");
        Self { from: SCANNER6, to: VICTIM6, ..Self::by(tool, kind) }
    }

    /// Runs it against a Vauban with its defaults, and against one that bans at the trigger.
    fn is_seen(&self) {
        self.is_led_astray();
        self.is_stopped();
    }

    fn is_led_astray(&self) {
        let lab = Lab::pair();
        let (vauban, packets, probed) = self.run(&lab, "");
        let explained =
            if self.connects { vauban.banned(self.from) } else { vauban.suspected(self.from) };
        self.check_decoys(&probed, &packets);
        self.check_evidence(&probed, &explained);
        if self.connects {
            self.check_ban(&lab, &vauban, "SYN, connect scan: completed handshakes with 3");
            assert_eq!(explained["ban"]["proven"], true);
        } else {
            assert_eq!(vauban.bans(), [""; 0]);
            let set = if self.from.is_ipv4() { "suspect4" } else { "suspect6x" };
            assert!(lab.holds(set, &self.from.to_string()));
            let listed = &vauban.json("suspects")["suspects"][0];
            assert_eq!(listed["subject"], self.from.to_string(), "{listed:#}");
            assert_eq!(listed["kind"], format!("{} scan", self.kind), "{listed:#}");
        }
        let line = format!("Suspect {}: ", self.from);
        assert_eq!(vauban.log().matches(&line).count(), 1, "{}", vauban.log());
    }

    fn is_stopped(&self) {
        let lab = Lab::pair();
        let (vauban, packets, probed) = self.run(&lab, BAN);
        let explained = vauban.banned(self.from);
        self.check_silence(&probed, &answered(&packets, self.protocol, self.to, self.from));
        self.check_evidence(&probed, &explained);
        let reason = explained["ban"]["reason"].as_str().unwrap();
        assert!(reason.starts_with(&format!("{} scan: ", self.kind)), "{reason}");
        assert_eq!(explained["ban"]["origin"], "scan");
        assert_eq!(explained["ban"]["proven"], false);
        self.check_ban(&lab, &vauban, &format!("{} scan: ", self.kind));
    }

    /// Scans a Vauban with this configuration.
    fn run(&self, lab: &Lab, config: &str) -> (Vauban, Vec<Packet>, Vec<u16>) {
        let _services = Services::open(lab, "victim", &OPEN, &OPEN);
        let vauban = Vauban::start(lab, config);
        let wire = Wire::tap(lab);
        let done = lab.run("scanner", &self.tool);
        let packets = wire.packets();
        let probed = probed(&packets, self.protocol, self.from, self.to);
        assert_eq!(probed.len(), 12, "the tool has scanned: {probed:?}\n{done:?}");
        (vauban, packets, probed)
    }

    fn check_ban(&self, lab: &Lab, vauban: &Vauban, why: &str) {
        assert_eq!(vauban.bans(), [self.from.to_string()]);
        let set = if self.from.is_ipv4() { "banned4" } else { "banned6x" };
        assert!(lab.holds(set, &self.from.to_string()));
        let line = format!("Ban {} for 3m (first ban): {why}", self.from);
        assert!(vauban.log().contains(&line), "{line}: {}", vauban.log());
    }

    /// How many ports were probed before the trigger.
    fn before_trigger(&self, probed: &[u16]) -> usize {
        let closed = |(_, port): &(usize, &u16)| !OPEN.contains(port);
        let third = || probed.iter().enumerate().filter(closed).nth(TRIGGER - 1).unwrap().0;
        if self.impossible { 0 } else { third() }
    }

    /// Until the trigger every port answers as it always does; from then on none does.
    fn check_silence(&self, probed: &[u16], answered: &BTreeSet<u16>) {
        let before: BTreeSet<u16> = probed[..self.before_trigger(probed)].iter().copied().collect();
        assert_eq!(*answered, before, "probed in this order: {probed:?}");
    }

    /// Until the trigger every port answers as it always does; from then on all look open that are
    /// asked by a plain SYN, and what is asked otherwise stays without an answer, unless somebody
    /// serves it.
    fn check_decoys(&self, probed: &[u16], packets: &[Packet]) {
        let before = &probed[..self.before_trigger(probed)];
        let decoys = self.protocol == TCP && !self.impossible;
        let ports = |wanted: &dyn Fn(&u16) -> bool| -> BTreeSet<u16> {
            probed.iter().copied().filter(wanted).collect()
        };
        let served = |port: &u16| OPEN.contains(port) && !self.impossible;
        let answered = answered(packets, self.protocol, self.to, self.from);
        let expected = ports(&|port| before.contains(port) || served(port) || decoys);
        assert_eq!(answered, expected, "probed in this order: {probed:?}");
        if self.protocol == TCP {
            // A port that was closed at first looks open when it is tried once more.
            let trigger = probed[before.len()];
            let is_trigger = |packet: &Packet| {
                packet.from == self.from
                    && matches!(packet.what, What::Tcp { to, .. } if to == trigger)
            };
            let since = &packets[packets.iter().position(is_trigger).unwrap()..];
            let tried = crate::wire::probed(since, TCP, self.from, self.to);
            let expected = ports(&|port| served(port) || decoys && tried.contains(port));
            let opened = opened(packets, self.to, self.from);
            assert_eq!(opened, expected, "probed in this order: {probed:?}");
        }
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
            let meaning = at(index).1;
            let proof = meaning == "proven" && explained["ban"]["proven"] == true;
            assert!(meaning == later || proof, "{explained:#}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn nmap_syn() {
    Scan::nmap("-sS", "SYN").is_seen();
}

#[test]
#[ignore = "needs root"]
fn nmap_connect() {
    Scan { connects: true, ..Scan::nmap("-sT", "SYN") }.is_seen();
}

#[test]
#[ignore = "needs root"]
fn nmap_fin() {
    Scan { impossible: true, ..Scan::nmap("-sF", "FIN") }.is_seen();
}

#[test]
#[ignore = "needs root"]
fn nmap_null() {
    Scan { impossible: true, ..Scan::nmap("-sN", "NULL") }.is_seen();
}

#[test]
#[ignore = "needs root"]
fn nmap_xmas() {
    Scan { impossible: true, ..Scan::nmap("-sX", "XMAS") }.is_seen();
}

#[test]
#[ignore = "needs root"]
fn nmap_udp() {
    Scan { protocol: UDP, ..Scan::nmap("-sU", "UDP") }.is_seen();
}

#[test]
#[ignore = "needs root"]
fn nmap_syn_in_fragments() {
    Scan::nmap("-sS -f", "SYN").is_seen();
}

#[test]
#[ignore = "needs root"]
fn nmap_syn_over_ipv6() {
    Scan::over6("-sS", "SYN").is_seen();
}

#[test]
#[ignore = "needs root"]
fn nmap_udp_over_ipv6() {
    Scan { protocol: UDP, ..Scan::over6("-sU", "UDP") }.is_seen();
}

#[test]
#[ignore = "needs root"]
fn nmap_fin_over_ipv6() {
    Scan { impossible: true, ..Scan::over6("-sF", "FIN") }.is_seen();
}

#[test]
#[ignore = "needs root"]
fn masscan() {
    let tool = format!(
        "masscan -p{PORTS} {VICTIM}/32 --rate 100 --wait 0 --adapter eth0 --adapter-ip {SCANNER} \
         --adapter-mac 02-00-00-00-00-02 --router-mac 02-00-00-00-00-01"
    );
    Scan::by(tool, "SYN").is_seen();
}

#[test]
#[ignore = "needs root"]
fn hping3_scan_mode() {
    Scan::by(format!("hping3 -n -8 {PORTS} -S {VICTIM}"), "SYN").is_seen();
}

#[test]
#[ignore = "needs root"]
fn hping3_port_after_port() {
    let tool = format!("hping3 -n -q -S -p ++101 -c 12 -i u10000 {VICTIM}");
    Scan::by(tool, "SYN").is_seen();
}

/// A host throws packets with a wrong checksum away, so anybody can send them in anybody's name.
#[test]
#[ignore = "needs root"]
fn wrong_checksums_are_no_evidence() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &OPEN, &OPEN);
    let vauban = Vauban::start(&lab, "");
    let wire = Wire::tap(&lab);
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
    // By a decoy neither.
    let packets = wire.packets();
    for (protocol, from, to) in
        [(TCP, VICTIM, SCANNER), (UDP, VICTIM, SCANNER), (TCP, VICTIM6, SCANNER6)]
    {
        assert_eq!(answered(&packets, protocol, from, to), BTreeSet::new());
    }
    assert_eq!(vauban.bans(), [""; 0]);
    for address in [SCANNER, SCANNER6] {
        let answer = vauban.assert_no_evidence(address);
        assert!(answer["uncountable"].as_u64().unwrap() >= 3, "{answer:#}");
    }
    assert!(!vauban.log().contains("Suspect"), "{}", vauban.log());
}
