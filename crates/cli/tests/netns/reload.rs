//! Another configuration while the daemon runs: what changes, what stays, and that there is no
//! moment without protection.

use std::time::Duration;

use serde_json::json;

use crate::daemon::{BAN, Vauban};
use crate::knocks::Knocks;
use crate::lab::{AT_CLIENT, CLIENT, Lab, Reached, SCANNER, VICTIM};
use crate::process::wait_until;
use crate::services::Services;

/// What a reload by a signal may take.
const SOON: Duration = Duration::from_secs(2);

/// Bans in three sets, and a suspect. Returns the lists of both.
fn population(lab: &Lab, vauban: &Vauban) {
    for address in ["203.0.113.5", "2001:db8:1::9", "2001:db8:77::1"] {
        vauban.verb(&format!("ban {address} --for 1h")).success();
    }
    for port in 101..104 {
        lab.reach("client", AT_CLIENT, port);
    }
    vauban.suspected(CLIENT);
}

fn suspects(vauban: &Vauban) -> Vec<String> {
    let answer = vauban.json("suspects");
    let suspects = answer["suspects"].as_array().unwrap();
    suspects.iter().map(|suspect| suspect["subject"].as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs root"]
fn who_becomes_allowed_is_let_go() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    vauban.verb(&format!("ban {SCANNER} --for 1h")).success();
    vauban.verb("ban 203.0.113.5 --for 1h").success();
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    vauban.reload("allow = [{ address = \"192.0.2.0/24\", comment = \"our own\" }]\n");
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open, "at once");
    assert_eq!(vauban.bans(), ["203.0.113.5"]);
    assert_eq!(vauban.state(SCANNER), "never-banned");
    let log = vauban.log();
    assert!(
        log.contains("Unban 192.0.2.2: ban ended because 192.0.2.0/24 is never banned"),
        "{log}"
    );
    assert!(log.contains("our own"), "{log}");
    assert!(log.contains("Reloaded: "), "{log}");
    let done = vauban.verb(&format!("ban {SCANNER}"));
    assert_eq!(done.code, Some(1), "{done:?}");
    // And back, by the other way.
    std::fs::write(&vauban.config, "").unwrap();
    vauban.signal("HUP");
    wait_until("it is read", SOON, || vauban.log().matches("Reloaded: ").count() == 2);
    vauban.verb(&format!("ban {SCANNER}")).success();
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
}

/// Each key that makes another program: it holds at once, and nobody is let go by it.
#[test]
#[ignore = "needs root"]
fn what_changes_changes_and_the_rest_stays() {
    let lab = Lab::trio();
    let vauban = Vauban::start(&lab, "");
    population(&lab, &vauban);
    let bans = vauban.bans();
    assert_eq!(bans.len(), 3);
    let size = |set: &str| {
        let text = lab.run("victim", &format!("nft list set inet vauban {set}")).success();
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let size = words.iter().position(|word| word == "size").unwrap();
        words[size + 1].parse::<u64>().unwrap()
    };
    for config in [
        "[kernel]\nbans = 5000\n",
        "[kernel]\nbans = 70000\nsources = 2000\n",
        "[trigger]\nports = 7\n",
        "[trigger]\nports = 7\nwindow = \"33s\"\nsuspect = \"20m\"\n",
        "unproven = \"drop\"\n",
        "unproven = \"ban\"\n",
        "dry_run = true\n",
        "dry_run = true\nunproven = \"ban\"\n[kernel]\nbans = 4000\n",
        "",
    ] {
        vauban.reload(config);
        assert_eq!(vauban.bans(), bans, "{config}");
        assert!(lab.holds("banned4", "203.0.113.5"), "{config}");
        assert!(lab.holds("banned6x", "2001:db8:1::9"), "{config}");
        assert!(lab.holds("banned6", "2001:db8:77::"), "{config}");
        let timeouts = lab.elements("banned4").into_iter().map(|e| e.timeout.unwrap());
        assert!(
            timeouts.clone().all(|left| (3500..=3600).contains(&left)),
            "{config}: {timeouts:?}"
        );
        assert_eq!(suspects(&vauban), ["198.51.100.2"], "{config}");
        let status = vauban.json("status");
        let bans_line = config.lines().find_map(|line| line.strip_prefix("bans = "));
        if let Some(bans) = bans_line {
            // And some that are on their way out.
            let bans: u64 = bans.parse().unwrap();
            assert!(
                (bans..bans + 2000).contains(&size("banned4")),
                "{config}: {}",
                size("banned4")
            );
        }
        if config.contains("ports = 7") {
            assert_eq!(status["trigger"]["ports"], 7, "{status:#}");
        }
        if config.contains("33s") {
            assert_eq!(status["trigger"]["window"], 33.0, "{status:#}");
            assert_eq!(status["trigger"]["suspect"], 1200.0, "{status:#}");
        }
        let mode = if config.contains("dry_run") { "dry-run" } else { "enforce" };
        assert_eq!(status["mode"], mode, "{status:#}");
    }
    // The kernel goes by them, too, and not only the lists.
    vauban.reload("[trigger]\nports = 7\n");
    for port in 201..207 {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused, "{port}");
    }
    vauban.settle();
    assert_eq!(vauban.state(SCANNER), "watched");
    vauban.reload(&format!("{BAN}[trigger]\nports = 3\n"));
    for port in 301..304 {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.banned(SCANNER);
    assert_eq!(vauban.errors(), "");
    assert!(!vauban.log().contains("Healed"), "{}", vauban.log());
    assert!(!vauban.log().contains("Trouble"), "{}", vauban.log());
}

/// Twenty in a row, of every kind, while a banned source sends all the time.
#[test]
#[ignore = "needs root"]
fn a_banned_source_gets_nothing_through() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let knocks = Knocks::begin(&lab, VICTIM);
    vauban.verb(&format!("ban {SCANNER} --for 1h")).success();
    let through = knocks.settled();
    let sent = knocks.sent();
    let configs = [
        "allow = [\"203.0.113.0/24\"]\n",
        "[kernel]\nbans = 5000\n",
        "[trigger]\nports = 7\nwindow = \"33s\"\n",
        "unproven = \"drop\"\n",
        "unproven = \"ban\"\n[kernel]\nsources = 3000\n",
        "",
    ];
    for round in 0..20 {
        let config = configs[round % configs.len()];
        if round % 2 == 0 {
            vauban.reload(config);
        } else {
            std::fs::write(&vauban.config, config).unwrap();
            vauban.signal("HUP");
            wait_until("it is read", SOON, || {
                vauban.log().matches("Reloaded: ").count() == round + 1
            });
        }
        assert_eq!((knocks.received(), knocks.answered()), through, "{round}: {config}");
    }
    knocks.send(500);
    assert_eq!((knocks.received(), knocks.answered()), through);
    assert!(knocks.sent() > sent + 1000, "{}", knocks.sent() - sent);
    vauban.verb(&format!("unban {SCANNER}")).success();
    knocks.flow();
}

/// A wrong file is named with line and column, and nothing changes; nor does a missing one.
#[test]
#[ignore = "needs root"]
fn a_wrong_file_changes_nothing() {
    let lab = Lab::trio();
    let vauban = Vauban::start(&lab, "[trigger]\nports = 4\n");
    population_of_four(&lab, &vauban);
    let program = || {
        let text = lab.run("victim", "nft -s -a list table inet vauban").success();
        // What packets and the daemon's word change.
        let still = |line: &&str| !line.contains("elements") && !line.contains("timeout");
        text.lines().filter(still).map(str::to_owned).collect::<Vec<_>>()
    };
    let rules = program();
    let file = vauban.config.display().to_string();
    std::fs::write(&vauban.config, "[trigger]\nports = 3\nwindow = \"soon\"\n").unwrap();
    let done = vauban.verb("reload");
    assert_eq!(done.code, Some(78), "{done:?}");
    assert!(done.err.contains(&format!("{file}:3:10")), "{done:?}");
    vauban.signal("HUP");
    wait_until("it is said", SOON, || vauban.errors().contains(&format!("{file}:3:10")));
    assert!(vauban.errors().contains("the configuration stays as it was"), "{}", vauban.errors());
    std::fs::remove_file(&vauban.config).unwrap();
    let done = vauban.verb("reload");
    assert_eq!(done.code, Some(78), "{done:?}");
    assert!(done.err.contains(&file), "{done:?}");
    assert_eq!(program(), rules, "not a rule was written");
    assert_eq!(vauban.json("status")["trigger"]["ports"], 4);
    assert_eq!(vauban.bans(), ["203.0.113.5"]);
    assert_eq!(suspects(&vauban), ["198.51.100.2"]);
    vauban.reload("[trigger]\nports = 6\n");
    assert_eq!(vauban.json("status")["trigger"]["ports"], 6);
}

fn population_of_four(lab: &Lab, vauban: &Vauban) {
    vauban.verb("ban 203.0.113.5 --for 1h").success();
    for port in 101..105 {
        lab.reach("client", AT_CLIENT, port);
    }
    vauban.suspected(CLIENT);
}

/// What was opened at the start stays open, and that is said.
#[test]
#[ignore = "needs root"]
fn what_needs_a_restart_is_said() {
    let lab = Lab::pair();
    let (socket, store) = (lab.folder().join("other"), lab.folder().join("b").join("other.db"));
    let vauban = Vauban::start(&lab, "");
    vauban.reload(&format!(
        "[kernel]\nnflog_group = 99\n[control]\nsocket = \"{}\"\n[store]\npath = \"{}\"\n[trigger]\nports = 6\n",
        socket.display(),
        store.display()
    ));
    let log = vauban.log();
    // Those that the command line gives do not come from the file at all.
    assert!(log.contains("kernel.nflog_group changes with the next start only"), "{log}");
    let status = vauban.json("status");
    assert_eq!(status["trigger"]["ports"], json!(6));
    assert!(!socket.exists() && !store.exists());
    for port in 101..107 {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.suspected(SCANNER);
}
