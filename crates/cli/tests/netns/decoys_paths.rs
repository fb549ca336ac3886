//! Decoys and their proof on other ways than one plain link: address translation, stateful
//! firewalls on either side, bridges, tunnels without link addresses, virtual interfaces.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Stdio;
use std::time::Duration;

use crate::daemon::Vauban;
use crate::decoys::{Report, assert_is_suspect, shake};
use crate::lab::{Lab, Reached, SCANNER, SCANNER6, VICTIM, VICTIM6};
use crate::process::{Running, wait_until};
use crate::services::Services;

/// A half-open scan finds ports 101 to 150 open, but those below the trigger, and proves nothing;
/// then three connections prove enough. `closed`: what those below the trigger look like.
fn decoys_and_proof(lab: &Lab, vauban: &Vauban, from: &str, to: IpAddr, as_: IpAddr, closed: &str) {
    let six = if to.is_ipv6() { "-6" } else { "" };
    let report = Report::nmap(lab, from, &format!("{six} -sS -p 101-150 {to}"));
    // Processors may swap packets on their way, so these need not be the first two. And where two
    // of them meet the first two packets at the same moment, the second is taken for one too many:
    // then there is but one below the trigger.
    let below = report.except("open", 101..=150);
    assert!((1..=2).contains(&below.len()), "{report:?}");
    assert_eq!(report.except(closed, below), [0; 0], "{report:?}");
    vauban.settle();
    assert_is_suspect(vauban, as_);
    // It can still reach what is served.
    assert_eq!(lab.reach(from, to, 80), Reached::Open);
    let _calls = shake(lab, from, to, &[201, 202, 203]);
    let explained = vauban.banned(as_);
    assert_eq!(explained["ban"]["proven"], true, "{explained:#}");
    assert_eq!(lab.reach(from, to, 80), Reached::Silent);
}

/// The scanner's namespace becomes a router for one more behind it.
fn behind_a_router(rules: &str) -> Lab {
    let mut lab = Lab::pair();
    lab.add("inside");
    lab.link(("scanner", "eth1", [2, 0, 0, 0, 3, 1]), ("inside", "eth0", [2, 0, 0, 0, 3, 2]));
    lab.ip("scanner", "addr add 10.0.0.1/24 dev eth1");
    lab.ip("inside", "addr add 10.0.0.2/24 dev eth0");
    lab.ip("inside", "route add default via 10.0.0.1");
    lab.sysctl("scanner", "net/ipv4/ip_forward", "1");
    let file = lab.folder().join("router.nft");
    std::fs::write(&file, rules).unwrap();
    lab.run("scanner", &format!("nft -f {}", file.display())).success();
    lab
}

const MASQUERADE: &str = "table ip nat { chain post { type nat hook postrouting priority srcnat; \
                          oifname eth0 masquerade; }; }\n";

#[test]
#[ignore = "needs root"]
fn behind_a_nat() {
    let lab = behind_a_router(MASQUERADE);
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    decoys_and_proof(&lab, &vauban, "inside", VICTIM, SCANNER, "closed");
}

/// A router that lets through only what it can follow.
#[test]
#[ignore = "needs root"]
fn behind_a_nat_with_a_stateful_firewall() {
    let rules = format!(
        "{MASQUERADE}table inet filter {{\n\
         chain forward {{ type filter hook forward priority filter; policy drop;\n\
         ct state vmap {{ established : accept, related : accept, invalid : drop }}\n\
         iifname eth1 ct state new tcp flags & (fin|syn|rst|ack) == syn accept\n}}\n}}\n"
    );
    let lab = behind_a_router(&rules);
    // Strictly: windows are checked, and nothing is picked up in its middle.
    lab.sysctl("scanner", "net/netfilter/nf_conntrack_tcp_loose", "0");
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    decoys_and_proof(&lab, &vauban, "inside", VICTIM, SCANNER, "closed");
}

const STATEFUL: &str = "table inet filter {\n\
     chain input { type filter hook input priority filter; policy drop;\n\
     ct state vmap { established : accept, related : accept, invalid : drop }\n\
     iif lo accept\n\
     meta l4proto { icmp, ipv6-icmp } accept\n\
     OPEN\n}\n}\n";

#[test]
#[ignore = "needs root"]
fn a_stateful_firewall_on_the_scanner() {
    let lab = Lab::pair();
    let file = lab.folder().join("scanner.nft");
    std::fs::write(&file, STATEFUL.replace("OPEN", "")).unwrap();
    lab.run("scanner", &format!("nft -f {}", file.display())).success();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    decoys_and_proof(&lab, &vauban, "scanner", VICTIM, SCANNER, "closed");
    decoys_and_proof(&lab, &vauban, "scanner", VICTIM6, SCANNER6, "closed");
}

#[test]
#[ignore = "needs root"]
fn a_default_drop_firewall_on_the_victim() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    lab.nft_load(&STATEFUL.replace("OPEN", "ct state new tcp dport 80 accept"));
    let vauban = Vauban::start(&lab, "");
    decoys_and_proof(&lab, &vauban, "scanner", VICTIM, SCANNER, "filtered");
    decoys_and_proof(&lab, &vauban, "scanner", VICTIM6, SCANNER6, "filtered");
}

#[test]
#[ignore = "needs root"]
fn a_default_drop_firewall_of_iptables_on_the_victim() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    for line in [
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -m conntrack --ctstate INVALID -j DROP",
        "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        "-A INPUT -p tcp --syn --dport 80 -j ACCEPT",
        "-P INPUT DROP",
    ] {
        lab.run("victim", &format!("iptables {line}")).success();
    }
    let vauban = Vauban::start(&lab, "");
    decoys_and_proof(&lab, &vauban, "scanner", VICTIM, SCANNER, "filtered");
}

/// Nothing that the host sends by itself leaves it, but what its rules name. Decoys do.
#[test]
#[ignore = "needs root"]
fn a_strict_output_chain_on_the_victim() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let output = "table inet strict {\n\
         chain output { type filter hook output priority filter; policy drop;\n\
         oif lo accept\n\
         meta l4proto ipv6-icmp accept\n\
         tcp sport 80 ct state established accept\n}\n}\n";
    let input = STATEFUL.replace("OPEN", "ct state new tcp dport 80 accept");
    lab.nft_load(&format!("{output}{input}"));
    let vauban = Vauban::start(&lab, "");
    decoys_and_proof(&lab, &vauban, "scanner", VICTIM, SCANNER, "filtered");
    decoys_and_proof(&lab, &vauban, "scanner", VICTIM6, SCANNER6, "filtered");
}

/// Moves the victim's addresses to another interface.
fn move_addresses(lab: &Lab, interface: &str) {
    lab.ip("victim", "addr flush dev eth0");
    lab.ip("victim", &format!("link set {interface} up"));
    lab.ip("victim", &format!("addr add 192.0.2.1/24 dev {interface}"));
    lab.ip("victim", &format!("addr add 2001:db8:1::1/64 dev {interface} nodad"));
}

#[test]
#[ignore = "needs root"]
fn over_a_bridge() {
    let lab = Lab::pair();
    lab.ip("victim", "link add br0 type bridge forward_delay 0");
    lab.ip("victim", "link set eth0 master br0");
    move_addresses(&lab, "br0");
    let _services = Services::open(&lab, "victim", &[80], &[]);
    lab.reached_again("scanner", VICTIM, 80, Duration::from_secs(5));
    let vauban = Vauban::start(&lab, "");
    decoys_and_proof(&lab, &vauban, "scanner", VICTIM, SCANNER, "closed");
    decoys_and_proof(&lab, &vauban, "scanner", VICTIM6, SCANNER6, "closed");
}

#[test]
#[ignore = "needs root"]
fn over_a_macvlan() {
    let lab = Lab::pair();
    lab.ip("victim", "link add link eth0 name mac0 type macvlan mode bridge");
    move_addresses(&lab, "mac0");
    let _services = Services::open(&lab, "victim", &[80], &[]);
    lab.reached_again("scanner", VICTIM, 80, Duration::from_secs(5));
    let vauban = Vauban::start(&lab, "");
    decoys_and_proof(&lab, &vauban, "scanner", VICTIM, SCANNER, "closed");
    decoys_and_proof(&lab, &vauban, "scanner", VICTIM6, SCANNER6, "closed");
}

/// A tunnel whose packets begin with their IP header: there is no link address to answer to.
#[test]
#[ignore = "needs root"]
fn over_a_tun_without_link_addresses() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let end = |role: &str, peer: &str, address: &str| {
        let path = |role: &str| lab.folder().join(format!("{role}.tun")).display().to_string();
        let line = format!(
            "socat TUN:{address}/24,tun-name=tun0,tun-type=tun,iff-no-pi \
             UNIX-SENDTO:{},bind={}",
            path(peer),
            path(role)
        );
        let mut socat = lab.on(role, &line);
        socat.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Running::start(socat)
    };
    let _ends = [end("victim", "scanner", "10.9.0.1"), end("scanner", "victim", "10.9.0.2")];
    for role in ["victim", "scanner"] {
        wait_until("both ends are there", Duration::from_secs(5), || {
            lab.run(role, "ip -br addr").success().contains("10.9.0.")
        });
    }
    for role in ["victim", "scanner"] {
        lab.ip(role, "link set tun0 up");
    }
    let [victim, scanner] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(10, 9, 0, last)));
    wait_until("it carries", Duration::from_secs(5), || lab.connect("scanner", victim, 80).is_ok());
    let vauban = Vauban::start(&lab, "");
    decoys_and_proof(&lab, &vauban, "scanner", victim, scanner, "closed");
}
