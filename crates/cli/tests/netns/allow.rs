//! Whom an operator allows while it runs: let go at once, never banned, through everything.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use crate::daemon::{BAN, Vauban};
use crate::lab::{Lab, Reached, SCANNER, SCANNER6, VICTIM, VICTIM6};
use crate::process::wait_until;
use crate::services::Services;

/// Tries so many closed ports, from this one on.
fn scan(lab: &Lab, victim: IpAddr, first: u16) {
    for port in first..first + 5 {
        lab.reach("scanner", victim, port);
    }
}

/// Whether the kernel's set covers an address: alone, or in a range.
fn is_in_set(lab: &Lab, set: &str, address: &str) -> bool {
    let line = format!("nft get element inet vauban {set} {{ {address} }}");
    lab.run("victim", &line).code == Some(0)
}

fn reasons(vauban: &Vauban, address: IpAddr) -> Vec<String> {
    let answer = vauban.json(&format!("why-not {address}"));
    let reasons = answer["why_not"].as_array().unwrap();
    reasons.iter().map(|reason| reason["what"].as_str().unwrap().to_owned()).collect()
}

fn lets_go_and_keeps(victim: IpAddr, scanner: IpAddr, never: &str) {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, BAN);
    scan(&lab, victim, 101);
    vauban.banned(scanner);
    assert_eq!(lab.reach("scanner", victim, 80), Reached::Silent);

    let out = vauban.verb(&format!("allow {scanner} --comment ours")).success();
    assert!(out.contains(&format!("allowed {scanner} for ever")), "{out}");
    assert!(out.contains("unbanned"), "{out}");
    assert_eq!(vauban.bans(), [""; 0]);
    assert!(is_in_set(&lab, never, &scanner.to_string()));
    assert_eq!(lab.reach("scanner", victim, 80), Reached::Open);
    assert_eq!(reasons(&vauban, scanner)[0], "allowed");
    assert_eq!(vauban.json(&format!("history {scanner}"))["bans"][0]["how"], "never-ban");
    // However much it scans.
    scan(&lab, victim, 111);
    vauban.settle();
    assert_eq!(lab.reach("scanner", victim, 80), Reached::Open);
    assert_eq!(lab.reach("scanner", victim, 120), Reached::Refused);
    let done = vauban.verb(&format!("ban {scanner}"));
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("allowed by the operator: ours"), "{done:?}");

    // Another configuration, and a firewall that somebody has flushed.
    vauban.reload(&format!("{BAN}[ban]\nfirst = \"5m\"\n"));
    assert!(is_in_set(&lab, never, &scanner.to_string()));
    lab.run("victim", "nft flush ruleset").success();
    wait_until("the program is loaded again", Duration::from_secs(15), || {
        lab.is_loaded() && is_in_set(&lab, never, &scanner.to_string())
    });
    // Its counters begin anew, so nobody can wait for all copies.
    scan(&lab, victim, 121);
    assert_eq!(vauban.bans(), [""; 0]);
    assert_eq!(lab.reach("scanner", victim, 80), Reached::Open);

    // Another process, with the same store.
    let mut vauban = vauban;
    assert_eq!(vauban.stop("TERM"), Some(0), "{}", vauban.errors());
    let vauban = Vauban::after(&lab, &vauban);
    assert!(is_in_set(&lab, never, &scanner.to_string()));
    let listed = vauban.json("allow");
    assert_eq!(listed["allowed"][0]["prefix"], scanner.to_string(), "{listed:#}");
    assert_eq!(listed["allowed"][0]["comment"], "ours", "{listed:#}");
    scan(&lab, victim, 131);
    vauban.settle();
    assert_eq!(vauban.bans(), [""; 0]);

    vauban.verb(&format!("disallow {scanner}")).success();
    assert!(!is_in_set(&lab, never, &scanner.to_string()));
    scan(&lab, victim, 141);
    vauban.banned(scanner);
    assert_eq!(lab.reach("scanner", victim, 80), Reached::Silent);
    let done = vauban.verb(&format!("disallow {scanner}"));
    assert_eq!(done.code, Some(1), "{done:?}");
}

#[test]
#[ignore = "needs root"]
fn who_is_allowed_is_let_go_and_stays_so() {
    lets_go_and_keeps(VICTIM, SCANNER, "never4");
}

#[test]
#[ignore = "needs root"]
fn so_is_an_ipv6_address() {
    lets_go_and_keeps(VICTIM6, SCANNER6, "never6");
}

#[test]
#[ignore = "needs root"]
fn it_runs_out_by_itself_also_in_the_kernel() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, BAN);
    let answer = vauban.json("allow 203.0.113.0/24 --for 2s");
    assert_eq!(answer["allowed"]["prefix"], "203.0.113.0/24", "{answer:#}");
    assert!(is_in_set(&lab, "never4", "203.0.113.77"));
    assert_eq!(vauban.verb("ban 203.0.113.77").code, Some(1));
    wait_until("its time is up", Duration::from_secs(6), || {
        !is_in_set(&lab, "never4", "203.0.113.77")
    });
    assert_eq!(vauban.json("allow")["allowed"], Value::Array(Vec::new()));
    vauban.verb("ban 203.0.113.77").success();
    let log = vauban.log();
    assert!(log.contains("Allow 203.0.113.0/24 for 2s"), "{log}");
    assert!(log.contains("Disallow 203.0.113.0/24: its time is up"), "{log}");
}

/// A /64 that contains whom an operator allows is banned no more; its other addresses are, one by one.
#[test]
#[ignore = "needs root"]
fn an_ipv6_address_is_itself() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    vauban.verb("ban 2001:db8:9::9").success();
    assert_eq!(vauban.bans(), ["2001:db8:9::/64"]);
    vauban.verb("allow 2001:db8:9::1").success();
    // Whom the ban was about stays out, on his own.
    assert_eq!(vauban.bans(), ["2001:db8:9::9"]);
    vauban.verb("unban 2001:db8:9::9").success();
    vauban.verb("ban 2001:db8:9::9").success();
    assert_eq!(vauban.bans(), ["2001:db8:9::9"]);
    assert!(is_in_set(&lab, "exact6", "2001:db8:9::9"));
}

#[test]
#[ignore = "needs root"]
fn nonsense_is_refused_with_what_helps() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "allow = [\"198.51.100.0/24\"]\n");
    let config = vauban.config.display().to_string();
    let long = "x".repeat(300);
    for (line, code, says) in [
        ("allow nobody", 2, "not an address"),
        ("allow 0.0.0.0/0 --force", 2, "dry_run"),
        ("allow 10.0.0.0/7", 2, "--force"),
        ("allow 2000::/8", 2, "--force"),
        ("allow 10.1.2.3/8", 2, "write 10.0.0.0/8 or 10.1.2.3"),
        ("allow 203.0.113.1 --for 0s", 2, ""),
        (&format!("allow 203.0.113.1 --comment {long}"), 2, "longer than 256 bytes"),
        ("allow 203.0.113.1 --comment \u{1b}[31m", 2, "control characters"),
        ("allow --for 5s", 2, "ADDR"),
        ("disallow 203.0.113.1", 1, "is not allowed"),
        ("disallow 198.51.100.7", 1, &config),
        ("disallow 198.51.100.0/24", 1, "take it out of allow"),
    ] {
        let done = vauban.verb(line);
        assert_eq!(done.code, Some(code), "{line}: {done:?}");
        assert!(done.err.contains(says), "{line}: {done:?}");
    }
    let out = vauban.verb("allow").success();
    assert!(out.contains("198.51.100.0/24") && out.contains("configuration"), "{out}");
    vauban.verb("allow 0.0.0.0/1 --force").success();
    vauban.verb("disallow 0.0.0.0/1").success();
    assert_eq!(vauban.errors(), "");
}

/// The table that a daemon leaves behind holds who is allowed then, and nobody who is not any more.
#[test]
#[ignore = "needs root"]
fn what_is_left_behind_knows_who_is_allowed() {
    let lab = Lab::pair();
    let config = "[ban]\nat_stop = \"leave\"\n";
    let mut vauban = Vauban::start(&lab, config);
    vauban.verb("allow 203.0.113.1").success();
    vauban.reload(config);
    vauban.verb("disallow 203.0.113.1").success();
    vauban.verb("ban 203.0.113.1").success();
    vauban.verb("allow 203.0.113.2").success();
    assert_eq!(vauban.stop("TERM"), Some(0), "{}", vauban.errors());
    assert!(lab.holds("banned4", "203.0.113.1"));
    assert!(!is_in_set(&lab, "never4", "203.0.113.1"));
    assert!(is_in_set(&lab, "never4", "203.0.113.2"));
}

/// `explain` and `why-not` are one view.
#[test]
#[ignore = "needs root"]
fn why_not_says_what_is_missing() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    assert_eq!(reasons(&vauban, SCANNER), ["unknown"]);
    let words = vauban.verb(&format!("why-not {SCANNER}")).success();
    assert!(words.contains("3 distinct closed ports within 1m, one trap port"), "{words}");
    for port in [101, 102] {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.settle();
    assert_eq!(reasons(&vauban, SCANNER), ["watched"]);
    let words = vauban.verb(&format!("why-not {SCANNER}")).success();
    assert!(words.contains("2 of 3 distinct closed ports"), "{words}");
    assert!(words.contains("tcp/101 (counts for "), "{words}");
    let explained = vauban.explain(SCANNER);
    assert_eq!(explained["live_ports"][1]["port"], "tcp/102", "{explained:#}");
    assert!(vauban.verb(&format!("explain {SCANNER}")).success().contains("to ban  2 of 3"));

    lab.reach("scanner", VICTIM, 103);
    vauban.suspected(SCANNER);
    assert_eq!(reasons(&vauban, SCANNER), ["suspect"]);
    for port in [104, 105, 106, 107] {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.banned(SCANNER);
    let done = vauban.verb(&format!("why-not {SCANNER}"));
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains(&format!("vauban explain {SCANNER}")), "{done:?}");

    vauban.verb(&format!("unban {SCANNER}")).success();
    assert_eq!(reasons(&vauban, SCANNER), ["unknown", "was-banned"]);
    let words = vauban.verb(&format!("why-not {SCANNER}")).success();
    assert!(words.contains("its first ban") && words.contains("by the operator"), "{words}");
    vauban.reload("unproven = \"drop\"\n");
    assert_eq!(reasons(&vauban, SCANNER)[0], "unproven-drop");
    vauban.reload(&format!("decoy_exclude = [\"{SCANNER}\"]\n"));
    assert_eq!(reasons(&vauban, SCANNER)[0], "excluded");
    assert_eq!(reasons(&vauban, VICTIM)[0], "never-banned");
}
