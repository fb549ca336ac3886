//! The never-ban set, by packets: neither the gateway nor this host nor an allowed address is ever
//! a suspect or blocked, whoever sends in its name.

use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use crate::daemon::Vauban;
use crate::lab::{Lab, PATIENCE, Reached, SCANNER, VICTIM};
use crate::process::{Running, wait_until};
use crate::services::Services;
use crate::wire::{TCP, UDP, Wire, answered, probed};

const GATEWAY: &str = "192.0.2.254";
const GATEWAY6: &str = "2001:db8:1::fe";
const ALLOWED: &str = "192.0.2.77";
const ALLOWED6: &str = "2001:db8:1::77";
/// Allowed as part of a network.
const FRIEND: &str = "192.0.2.130";

const CONFIG: &str = r#"
allow = [
    { address = "192.0.2.77", comment = "monitoring" },
    "2001:db8:1::77",
    "192.0.2.128/26",
]
"#;

/// The scanner answers to all of these addresses, so what is sent to them can be seen there.
fn lab() -> Lab {
    let lab = Lab::pair();
    for address in [GATEWAY, ALLOWED, FRIEND] {
        lab.ip("scanner", &format!("addr add {address}/24 dev eth0"));
    }
    for address in [GATEWAY6, ALLOWED6] {
        lab.ip("scanner", &format!("addr add {address}/64 dev eth0 nodad"));
    }
    lab.ip("victim", &format!("route add default via {GATEWAY}"));
    lab.ip("victim", &format!("route add default via {GATEWAY6}"));
    // Even a packet with our own address may come in, as on a host with an odd set-up.
    lab.sysctl("victim", "net/ipv4/conf/all/accept_local", "1");
    lab.sysctl("victim", "net/ipv4/conf/eth0/accept_local", "1");
    lab
}

fn assert_harmless(lab: &Lab, vauban: &Vauban, address: &str) {
    let address: IpAddr = address.parse().unwrap();
    vauban.assert_unknown(address);
    assert_eq!(vauban.state(address), "never-banned");
    assert!(!lab.knows(address), "{address} is in a set");
}

#[test]
#[ignore = "needs root"]
fn scans_in_their_name_are_answered_and_change_nothing() {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[105], &[105]);
    let vauban = Vauban::start(&lab, CONFIG);
    for (name, six) in
        [(GATEWAY, ""), (ALLOWED, ""), (FRIEND, ""), (GATEWAY6, "-6"), (ALLOWED6, "-6")]
    {
        let victim = if six.is_empty() { "192.0.2.1" } else { "2001:db8:1::1" };
        let (from, to): (IpAddr, IpAddr) = (name.parse().unwrap(), victim.parse().unwrap());
        let scan = format!(
            "nmap {six} -n -Pn -r -T4 --max-retries 0 --max-rtt-timeout 200ms -e eth0 -S {name}"
        );
        for (kind, protocol) in [("-sS", TCP), ("-sU", UDP)] {
            let wire = Wire::tap(&lab);
            lab.run("scanner", &format!("{scan} {kind} -p 101-108 {victim}")).success();
            let packets = wire.packets();
            let probed = probed(&packets, protocol, from, to);
            assert_eq!(probed, (101..=108).collect::<Vec<_>>());
            let answered = answered(&packets, protocol, to, from);
            assert_eq!(answered.into_iter().collect::<Vec<_>>(), probed, "{name} {kind}");
        }
        for kind in ["-sF", "-sN", "-sX"] {
            lab.run("scanner", &format!("{scan} {kind} -p 101-105 {victim}")).success();
        }
        assert_harmless(&lab, &vauban, name);
    }
    vauban.assert_all_quiet();
    assert_eq!(vauban.counter("probes"), 0);
}

#[test]
#[ignore = "needs root"]
fn forged_packets_change_nothing() {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[105], &[]);
    // Says that our own address has come in from outside: many a kernel throws it away before.
    lab.nft_load(
        "table ip seen { counter own { }
            chain in {
                type filter hook input priority -20
                iif eth0 ip saddr 192.0.2.1 counter name own
            }
        }",
    );
    let vauban = Vauban::start(&lab, CONFIG);
    let hping3 = |name: &str, flags: &str| {
        let tool = format!("hping3 -n -q {flags} -a {name} -p ++101 -c 8 -i u2000 {VICTIM}");
        let mut command = lab.on("scanner", &tool);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Running::start(command)
    };
    let names = [GATEWAY, ALLOWED, FRIEND, "192.0.2.1", "127.0.0.1"];
    // It waits a second for answers that go elsewhere, so all of them at a time.
    let tools: Vec<Running> = names
        .iter()
        .flat_map(|name| ["-S", "-F -P -U", "-S -F", "--udp"].map(|flags| hping3(name, flags)))
        .collect();
    for mut tool in tools {
        tool.wait(PATIENCE);
    }
    let own = lab.run("victim", "nft list counter ip seen own").success();
    assert!(own.contains("packets 32 "), "{own}");
    for name in names {
        assert_harmless(&lab, &vauban, name);
    }
    vauban.assert_all_quiet();
    assert_eq!(vauban.counter("probes"), 0);
    // Forged in somebody else's name they do.
    hping3("192.0.2.99", "-S").wait(PATIENCE);
    vauban.suspected("192.0.2.99".parse().unwrap());
}

#[test]
#[ignore = "needs root"]
fn the_operator_is_told_why_not() {
    let lab = lab();
    let vauban = Vauban::start(&lab, CONFIG);
    for (address, why) in [
        (GATEWAY, "192.0.2.254 is never banned: default gateway"),
        (GATEWAY6, "2001:db8:1::fe is never banned: default gateway"),
        ("192.0.2.1", "192.0.2.1 is never banned: this host's own address"),
        ("2001:db8:1::1", "this host's own address"),
        (ALLOWED, "192.0.2.77 is never banned: in the allow-list: monitoring"),
        (ALLOWED6, "in the allow-list"),
        (FRIEND, "192.0.2.128/26 is never banned: in the allow-list"),
        ("127.3.2.1", "127.0.0.0/8 is never banned: loopback"),
        ("224.0.0.1", "not the address of one host"),
        ("255.255.255.255", "not the address of one host"),
    ] {
        let done = vauban.verb(&format!("ban {address}"));
        assert_eq!(done.code, Some(1), "{address}: {done:?}");
        assert!(done.err.contains(why), "{address}: {done:?}");
        assert!(!lab.knows(address.parse().unwrap()), "{address}");
    }
    assert_eq!(vauban.bans(), [""; 0]);
    for set in ["banned4", "banned6", "banned6x"] {
        assert!(lab.elements(set).is_empty(), "{set}");
    }
}

/// The kernel program asks for the never-ban set before it asks for bans.
#[test]
#[ignore = "needs root"]
fn an_element_put_in_by_hand_blocks_none_of_them() {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, CONFIG);
    // It takes what it never asked for away again at once, so it must not see it.
    vauban.signal("STOP");
    let open = |from: &str, six: &str, to: &str| {
        let nmap = format!(
            "nmap {six} -n -Pn -sS --max-retries 1 --max-rtt-timeout 300ms -e eth0 -S {from} \
             -p 80 -oG - {to}"
        );
        lab.run("scanner", &nmap).success().contains("80/open")
    };
    let (scanner, scanner6) = ("192.0.2.2", "2001:db8:1::2");
    let put_in = |kind: &str, addresses: &[&str]| {
        for set in ["banned", "known"] {
            for address in addresses {
                let element = format!("{set}{kind} {{ {address} timeout 1m }}");
                lab.run("victim", &format!("nft add element inet vauban {element}")).success();
            }
        }
    };
    put_in("4", &[ALLOWED, GATEWAY, FRIEND, scanner]);
    put_in("6x", &[ALLOWED6, GATEWAY6, scanner6]);
    // The whole /64 that they are in.
    put_in("6", &["2001:db8:1::"]);
    assert!(!open(scanner, "", "192.0.2.1"), "by hand it works for others");
    assert!(lab.holds("banned4", ALLOWED) && lab.holds("known4", ALLOWED));
    for name in [ALLOWED, GATEWAY, FRIEND] {
        assert!(open(name, "", "192.0.2.1"), "{name}");
    }
    assert!(!open(scanner6, "-6", "2001:db8:1::1"), "by hand it works for others");
    for name in [ALLOWED6, GATEWAY6] {
        assert!(open(name, "-6", "2001:db8:1::1"), "{name}");
    }
    vauban.signal("CONT");
    wait_until("it is taken away", Duration::from_secs(2), || !lab.holds("banned4", scanner));
}

/// What is put in by hand is taken out again: the ledger says who is banned.
#[test]
#[ignore = "needs root"]
fn what_nobody_asked_for_is_taken_away() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    vauban.verb("ban 203.0.113.9").success();
    for set in ["banned4", "known4"] {
        let elements = format!("nft add element inet vauban {set} {{ 192.0.2.2 timeout 10m }}");
        lab.run("victim", &elements).success();
        let elements = format!("nft delete element inet vauban {set} {{ 203.0.113.9 }}");
        lab.run("victim", &elements).success();
    }
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    lab.reached_again("scanner", VICTIM, 80, Duration::from_secs(15));
    wait_until("it is healed", Duration::from_secs(2), || {
        ["banned4", "known4"]
            .iter()
            .all(|set| lab.holds(set, "203.0.113.9") && !lab.holds(set, &SCANNER.to_string()))
    });
    assert!(vauban.log().contains("Healed: 1 blocks were missing"), "{}", vauban.log());
}
