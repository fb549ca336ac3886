//! Zones: the same traffic by an interface that is protected, by one that is only watched, and by one
//! that is ignored.

use std::time::Duration;

use serde_json::Value;

use crate::daemon::{BAN, Vauban};
use crate::lab::{AT_CLIENT, CLIENT, Lab, Reached, SCANNER, VICTIM};
use crate::process::wait_until;
use crate::services::Services;

/// What a line or a ban may take.
const SOON: Duration = Duration::from_secs(5);

/// The client's side is the LAN.
const WATCHED: &str = "[zone.lan]\ninterfaces = [\"eth1\"]\n";

#[test]
#[ignore = "needs root"]
fn a_scan_in_a_watched_zone_is_said_and_nothing_is_done() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    for policy in [BAN, ""] {
        let vauban = Vauban::start(&lab, &format!("{policy}{WATCHED}"));
        for port in (101..113).chain([23]) {
            assert_eq!(lab.reach("client", AT_CLIENT, port), Reached::Refused, "{port}");
        }
        assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
        wait_until("it is said", SOON, || vauban.log().contains("Suspect 198.51.100.2: "));
        vauban.assert_all_quiet();
        let log = vauban.log();
        assert!(log.contains("; seen in zone lan, which is only watched\n"), "{log}");
        assert_eq!(log.matches("Suspect ").count(), 1, "once: {log}");
        let explained = vauban.explain(CLIENT);
        assert_eq!(explained["state"], "only-watched", "{explained:#}");
        assert_eq!(explained["missing"], "seen in zone lan, which is only watched: no ban");
        assert_eq!(explained["seen_in"][0]["zone"], "lan", "{explained:#}");
        let words = vauban.verb(&format!("explain {CLIENT}")).success();
        assert!(words.contains("seen in zone lan, which is only watched"), "{words}");
        let suspects = vauban.json("suspects");
        assert_eq!(suspects["suspects"], serde_json::json!([]), "{suspects:#}");
        assert_eq!(suspects["watched"][0]["subject"], "198.51.100.2", "{suspects:#}");
        let watched = &suspects["watched"][0];
        let ports = watched["ports"].as_array().unwrap().len();
        assert!(ports >= 10, "{suspects:#}");
        assert_eq!(watched.get("distinct_ports"), None, "{suspects:#}");
        top_says_so(&vauban);
        assert!(!lab.knows(CLIENT), "the kernel holds something of it");
        // On the other side all is as always.
        for port in 201..204 {
            lab.reach("scanner", VICTIM, port);
        }
        if policy == BAN {
            vauban.banned(SCANNER)
        } else {
            vauban.suspected(SCANNER)
        };
    }
}

/// `top` lists who is only watched, in words and in JSON, and counts no suspect.
fn top_says_so(vauban: &Vauban) {
    let shown = vauban.json("top --once --interval 100ms");
    assert_eq!((&shown["suspects"], &shown["watched"]), (&0.into(), &1.into()), "{shown:#}");
    assert_eq!(shown["totals"]["suspected"], 0, "{shown:#}");
    assert_eq!(shown["totals"]["watched"], 1, "{shown:#}");
    let row = &shown["shown"][0];
    assert_eq!(row["subject"], CLIENT.to_string(), "{shown:#}");
    assert_eq!((&row["zone"], &row["class"]), (&"lan".into(), &"syn".into()), "{shown:#}");
    assert_eq!(row["told"], "only watched (lan)", "{shown:#}");
    assert_eq!(row["missing"], "seen in zone lan, which is only watched: no ban", "{shown:#}");
    assert!(row["packets"].as_u64().unwrap() >= 10, "{shown:#}");
    assert_eq!(shown["decisions"][0]["zone"], "lan", "{shown:#}");
    let words = vauban.verb("top --once --interval 100ms").success();
    assert!(words.contains("0 suspects  1 only watched"), "{words}");
    assert!(words.contains("only watched (lan)") && !words.contains("nobody"), "{words}");
}

/// What programs read of it: the fields of a suspicion as everywhere, and the zone.
#[test]
#[ignore = "needs root"]
fn the_entry_of_a_watched_zone_has_its_fields() {
    let lab = Lab::trio();
    let vauban = Vauban::start_with(&lab, WATCHED, "--log json");
    for port in 101..104 {
        assert_eq!(lab.reach("client", AT_CLIENT, port), Reached::Refused, "{port}");
    }
    for port in 201..204 {
        lab.reach("scanner", VICTIM, port);
    }
    let entries = || -> Vec<Value> {
        let log = vauban.log();
        // The last line may be there in part only.
        let whole = log.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let all = whole.lines().map(|line| serde_json::from_str(line).unwrap());
        all.filter(|entry: &Value| entry["kind"] == "suspect").collect()
    };
    wait_until("both are said", SOON, || entries().len() == 2);
    let entries = entries();
    let of = |who: std::net::IpAddr| {
        let of = |entry: &&Value| entry["subject"] == who.to_string();
        entries.iter().find(of).unwrap_or_else(|| panic!("{who}: {entries:#?}"))
    };
    let watched = of(CLIENT);
    assert_eq!(watched["zone"], "lan", "{watched:#}");
    assert_eq!(watched["class"], "syn", "{watched:#}");
    let ports = serde_json::json!(["tcp/101", "tcp/102", "tcp/103"]);
    assert_eq!((&watched["ports"], &watched["port_count"]), (&ports, &3.into()), "{watched:#}");
    let said = "; seen in zone lan, which is only watched";
    for field in ["reason", "message"] {
        assert!(watched[field].as_str().unwrap().ends_with(said), "{watched:#}");
    }
    let elsewhere = of(SCANNER);
    assert_eq!(elsewhere.get("zone"), None, "{elsewhere:#}");
}

#[test]
#[ignore = "needs root"]
fn an_ignored_zone_passes_as_if_nobody_were_there() {
    let lab = Lab::trio();
    let config = format!("{BAN}[zone.lab]\ninterfaces = [\"eth1*\"]\nmode = \"ignore\"\n");
    let vauban = Vauban::start(&lab, &config);
    for port in (101..113).chain([23]) {
        assert_eq!(lab.reach("client", AT_CLIENT, port), Reached::Refused, "{port}");
    }
    vauban.assert_all_quiet();
    assert_eq!(vauban.counter("probes"), 0);
    assert_eq!(vauban.state(CLIENT), "unknown");
    assert!(!vauban.log().contains("Suspect"), "{}", vauban.log());
    assert!(!lab.knows(CLIENT));
    for port in 201..204 {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.banned(SCANNER);
}

/// Bans apply to this host and through it by protected interfaces only; a reload changes which those
/// are, and the bans stay.
#[test]
#[ignore = "needs root"]
fn bans_apply_where_a_zone_is_protected_and_a_reload_changes_that() {
    let lab = Lab::trio();
    lab.sysctl("victim", "net/ipv4/ip_forward", "1");
    lab.ip("scanner", "route add 198.51.100.0/24 via 192.0.2.1");
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let _behind = Services::open(&lab, "scanner", &[80], &[]);
    let vauban = Vauban::start(&lab, WATCHED);
    vauban.verb(&format!("ban {CLIENT} --for forever")).success();
    let ignored = "[zone.x]\nmode = \"ignore\"\ninterfaces = [\"eth1\"]\n";
    let all_watched = "[zone.wan]\nmode = \"watch\"\n";
    let exception = "[zone.lan]\ninterfaces = [\"eth*\"]\n[zone.wan]\ninterfaces = [\"eth1\"]\n";
    for (config, reached) in [
        (WATCHED, Reached::Open),
        ("", Reached::Silent),
        (ignored, Reached::Open),
        (exception, Reached::Silent),
        (all_watched, Reached::Open),
        ("[zone.lan]\ninterfaces = [\"eth0\"]\n", Reached::Silent),
    ] {
        vauban.reload(config);
        assert_eq!(lab.reach("client", AT_CLIENT, 80), reached, "{config}");
        assert_eq!(lab.reach("client", SCANNER, 80), reached, "through: {config}");
        assert_eq!(vauban.bans(), ["198.51.100.2"], "{config}");
    }
    assert_eq!(vauban.errors(), "");
    assert!(!vauban.log().contains("Healed"), "{}", vauban.log());
}

/// What is left of a daemon that has gone keeps to the zones, too.
#[test]
#[ignore = "needs root"]
fn bans_that_are_left_apply_where_they_did() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let mut vauban = Vauban::start(&lab, &format!("ban.at_stop = \"leave\"\n{WATCHED}"));
    for address in [CLIENT, SCANNER] {
        vauban.verb(&format!("ban {address}")).success();
    }
    assert_eq!(vauban.stop("TERM"), Some(0));
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    let vauban = Vauban::after(&lab, &vauban);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    assert_eq!(vauban.bans().len(), 2);
}

/// What somebody does in one zone is no reason for anything in another one.
#[test]
#[ignore = "needs root"]
fn a_watched_suspicion_stays_in_its_zone() {
    let lab = Lab::trio();
    let vauban = Vauban::start(&lab, &format!("{BAN}{WATCHED}"));
    // Two ports here, two there.
    for port in 101..103 {
        lab.reach("client", AT_CLIENT, port);
    }
    vauban.settle();
    vauban.reload(BAN);
    for port in 103..105 {
        assert_eq!(lab.reach("client", AT_CLIENT, port), Reached::Refused, "{port}");
    }
    vauban.settle();
    assert_eq!(vauban.state(CLIENT), "watched");
    assert_eq!(vauban.bans(), [""; 0]);
    // A suspect of before is none where it is only watched, and the other way round.
    lab.reach("client", AT_CLIENT, 105);
    vauban.banned(CLIENT);
    vauban.reload(&format!("{BAN}{WATCHED}"));
    assert_eq!(lab.reach("client", AT_CLIENT, 106), Reached::Refused);
    assert_eq!(vauban.state(CLIENT), "banned");
}
