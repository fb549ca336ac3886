//! What a banned source can still do, which is nothing, and how a ban ends.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::{BAN, Vauban};
use crate::lab::{AT_CLIENT, CLIENT, Lab, Reached, SCANNER, SCANNER6, SILENCE, VICTIM, VICTIM6};
use crate::process::wait_until;
use crate::services::{Services, answers};

/// Makes the scanner a banned one by connections to closed ports, from this one on: the third is
/// the trigger, and the decoys of three prove its address.
fn scan(lab: &Lab, vauban: &Vauban, first: u16) -> Value {
    for port in first..first + 5 {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.banned(SCANNER)
}

/// Whether an echo request is answered.
fn pings(lab: &Lab, to: IpAddr) -> bool {
    let six = if to.is_ipv6() { "-6" } else { "" };
    let nmap = format!("nmap -n {six} -sn -PE --send-ip --max-retries 1 --host-timeout 2s {to}");
    lab.run("scanner", &nmap).success().contains("Host is up")
}

#[test]
#[ignore = "needs root"]
fn a_banned_source_reaches_nothing() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    for (victim, scanner) in [(VICTIM, SCANNER), (VICTIM6, SCANNER6)] {
        let call = lab.connect("scanner", victim, 80).unwrap();
        assert!(answers(&call, SILENCE));
        assert!(pings(&lab, victim));

        vauban.verb(&format!("ban {scanner}")).success();
        assert!(!answers(&call, SILENCE), "established");
        assert!(!pings(&lab, victim), "ICMP");
        assert_eq!(lab.reach("scanner", victim, 80), Reached::Silent, "a served port");
        assert_eq!(lab.reach("scanner", victim, 101), Reached::Silent, "a closed port");

        vauban.verb(&format!("unban {scanner}")).success();
        // What was said into the silence is sent again now, and so are the answers.
        assert!(answers(&call, Duration::from_secs(6)), "established, after the ban");
        assert!(pings(&lab, victim));
        assert_eq!(lab.reach("scanner", victim, 80), Reached::Open);
    }
}

#[test]
#[ignore = "needs root"]
fn a_banned_source_reaches_nobody_behind_the_host() {
    let lab = Lab::trio();
    lab.sysctl("victim", "net/ipv4/ip_forward", "1");
    lab.sysctl("victim", "net/ipv6/conf/all/forwarding", "1");
    lab.ip("scanner", "route add 198.51.100.0/24 via 192.0.2.1");
    lab.ip("scanner", "route add 2001:db8:2::/64 via 2001:db8:1::1");
    lab.ip("client", "route add default via 2001:db8:2::1");
    let _services = Services::open(&lab, "client", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    let client6: IpAddr = "2001:db8:2::2".parse().unwrap();
    for (behind, scanner) in [(CLIENT, SCANNER), (client6, SCANNER6)] {
        // Closed ports there are none of ours.
        for port in 101..106 {
            assert_eq!(lab.reach("scanner", behind, port), Reached::Refused);
        }
        let call = lab.connect("scanner", behind, 80).unwrap();
        assert!(answers(&call, SILENCE));
        vauban.assert_unknown(scanner);

        vauban.verb(&format!("ban {scanner}")).success();
        assert!(!answers(&call, SILENCE));
        assert_eq!(lab.reach("scanner", behind, 80), Reached::Silent);

        vauban.verb(&format!("unban {scanner}")).success();
        assert_eq!(lab.reach("scanner", behind, 80), Reached::Open);
    }
}

#[test]
#[ignore = "needs root"]
fn a_ban_is_one_sources_only() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    scan(&lab, &vauban, 101);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    assert_eq!(lab.reach("client", AT_CLIENT, 81), Reached::Refused);
    // The same machine, by another name: IPv6 is another matter.
    assert_eq!(lab.reach("scanner", VICTIM6, 80), Reached::Open);
}

fn run_out_and_double(unproven: &str) {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let config = format!("{unproven}[trigger]\nsuspect = \"1s\"\n[ban]\nfirst = \"2s\"\n");
    let vauban = Vauban::start(&lab, &config);
    for (level, seconds) in [(1, 2), (2, 4), (3, 8)] {
        // Ports that were tried before would not count.
        let first = 100 + level * 10;
        let begin = Instant::now();
        let ban = &if unproven == BAN {
            for port in first..first + 3 {
                lab.reach("scanner", VICTIM, port);
            }
            vauban.banned(SCANNER)
        } else {
            scan(&lab, &vauban, first)
        }["ban"];
        assert_eq!(ban["level"], level, "{ban:#}");
        assert_eq!(ban["proven"], unproven != BAN, "{ban:#}");
        let held = lab.elements("banned4");
        assert_eq!(held.len(), 1);
        assert_eq!((held[0].key.as_str(), held[0].timeout), ("192.0.2.2", Some(seconds)));
        if level == 3 {
            break;
        }
        let passed = begin.elapsed()
            + lab.reached_again("scanner", VICTIM, 80, Duration::from_secs(seconds + 5));
        // The last try may have begun before the end.
        assert!(passed + SILENCE > Duration::from_secs(seconds), "{passed:?}");
        assert_eq!(vauban.bans(), [""; 0]);
        assert!(lab.elements("banned4").is_empty());
    }
    assert!(vauban.log().contains("Unban 192.0.2.2: the ban is over"), "{}", vauban.log());
    assert!(vauban.log().contains("Ban 192.0.2.2 for 4s (2nd ban)"), "{}", vauban.log());
}

#[test]
#[ignore = "needs root"]
fn bans_run_out_and_double() {
    run_out_and_double("");
}

#[test]
#[ignore = "needs root"]
fn bans_at_the_trigger_run_out_and_double() {
    run_out_and_double(BAN);
}

#[test]
#[ignore = "needs root"]
fn an_unban_works_at_once_and_forgets() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    scan(&lab, &vauban, 101);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);

    let said = vauban.verb("unban 192.0.2.2").success();
    assert_eq!(said, "unbanned 192.0.2.2\n");
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
    // A wrong port, old or new, is what it is for everybody: one of three.
    assert_eq!(lab.reach("scanner", VICTIM, 104), Reached::Refused);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
    vauban.settle();
    assert_eq!(vauban.bans(), [""; 0]);
    assert_eq!(vauban.state(SCANNER), "watched");
    assert_eq!(vauban.explain(SCANNER)["proven"], serde_json::json!([]));
    // Nor is the next ban a second one.
    assert_eq!(scan(&lab, &vauban, 105)["ban"]["level"], 1);
}

#[test]
#[ignore = "needs root"]
fn everybody_is_unbanned() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    scan(&lab, &vauban, 101);
    for address in [CLIENT, SCANNER6, "2001:db8:77::1".parse().unwrap()] {
        vauban.verb(&format!("ban {address}")).success();
    }
    assert_eq!(vauban.bans(), ["192.0.2.2", "198.51.100.2", "2001:db8:1::2", "2001:db8:77::/64"]);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Silent);

    let answer = vauban.json("unban --all");
    assert_eq!(answer["unbanned"].as_array().unwrap().len(), 4, "{answer:#}");
    assert_eq!(vauban.bans(), [""; 0]);
    for set in ["banned4", "banned6", "banned6x", "suspect4", "known4", "known6", "known6x"] {
        assert!(lab.elements(set).is_empty(), "{set}");
    }
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
    assert_eq!(lab.reach("scanner", VICTIM6, 80), Reached::Open);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    assert_eq!(vauban.verb("unban --all").success(), "nobody was banned or a suspect\n");
}

#[test]
#[ignore = "needs root"]
fn a_ban_of_the_operator_lasts_as_long_as_he_says() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    let begin = Instant::now();
    let said = vauban.verb("ban 192.0.2.2 --for 2s --reason because").success();
    assert_eq!(said, "banned 192.0.2.2 for 2s\n");
    let explained = vauban.explain(SCANNER);
    assert_eq!(explained["ban"]["origin"], "operator");
    assert_eq!(explained["ban"]["reason"], "banned by the operator: because");
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    lab.reached_again("scanner", VICTIM, 80, Duration::from_secs(6));
    assert!(begin.elapsed() + SILENCE > Duration::from_secs(2), "{:?}", begin.elapsed());
    // Over in the kernel; a moment later in the books as well.
    wait_until("it is over", Duration::from_secs(2), || vauban.bans().is_empty());
    assert_eq!(vauban.state(SCANNER), "unknown");
}

/// A second ban by the operator counts from now, whatever the first one said.
#[test]
#[ignore = "needs root"]
fn a_ban_can_be_made_shorter_and_longer() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    for (length, seconds) in [("1h", 3600), ("30s", 30), ("2h", 7200)] {
        vauban.verb(&format!("ban {SCANNER} --for {length}")).success();
        assert_eq!(vauban.bans(), ["192.0.2.2"]);
        let held = lab.elements("banned4");
        assert_eq!((held.len(), held[0].timeout), (1, Some(seconds)));
    }
}

/// When there are as many bans as are allowed, further ones are refused, aloud.
fn most_bans(unproven: &str, of_suspect: Reached) {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, &format!("{unproven}[kernel]\nbans = 16\n"));
    for last in 100..116 {
        let address = Ipv4Addr::new(203, 0, 113, last);
        vauban.verb(&format!("ban {address}")).success();
    }
    let done = vauban.verb("ban 203.0.113.200");
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("kernel.bans"), "{done:?}");
    assert_eq!(lab.elements("banned4").len(), 16);
    // Nor by a scan; the scanner is a suspect all the same, and is met like one.
    for port in 101..106 {
        lab.reach("scanner", VICTIM, port);
    }
    wait_until("it is refused", Duration::from_secs(5), || {
        vauban.log().contains("Refused to ban 192.0.2.2")
    });
    assert_eq!(lab.reach("scanner", VICTIM, 106), of_suspect);
    assert_eq!(vauban.state(SCANNER), "suspect");
    assert_eq!(lab.elements("banned4").len(), 16);
    // One place is free again.
    vauban.verb("unban 203.0.113.100").success();
    vauban.verb(&format!("ban {SCANNER}")).success();
    assert!(lab.holds("banned4", "192.0.2.2"));
}

#[test]
#[ignore = "needs root"]
fn the_most_bans_there_can_be() {
    most_bans("", Reached::Open);
}

#[test]
#[ignore = "needs root"]
fn the_most_bans_at_the_trigger_there_can_be() {
    most_bans(BAN, Reached::Silent);
}
