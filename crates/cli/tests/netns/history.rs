//! Bans of the past and the present, as `history` lists them.

use std::time::Duration;

use serde_json::Value;

use crate::daemon::Vauban;
use crate::lab::{Lab, SCANNER, VICTIM};
use crate::process::wait_until;

fn column<'a>(answer: &'a Value, field: &str) -> Vec<&'a str> {
    let bans = answer["bans"].as_array().unwrap();
    bans.iter().map(|ban| ban[field].as_str().unwrap_or("-")).collect()
}

#[test]
#[ignore = "needs root"]
fn it_says_how_each_ban_ended_the_last_first() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    assert_eq!(vauban.verb("history").success().trim(), "no bans");
    for port in 101..106 {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.banned(SCANNER);
    vauban.verb("ban 203.0.113.1 --for 1s").success();
    wait_until("it runs out", Duration::from_secs(5), || vauban.bans().len() == 1);
    vauban.verb("ban 203.0.113.2").success();
    vauban.verb("unban 203.0.113.2").success();
    vauban.verb("ban 203.0.113.3").success();
    vauban.verb("allow 203.0.113.3").success();
    vauban.verb("ban 203.0.113.4").success();
    vauban.verb("ban 203.0.113.4 --for 1h").success();
    vauban.verb("ban 2001:db8:9::9").success();

    let answer = vauban.json("history");
    let expected = [
        ("2001:db8:9::/64", "-"),
        ("203.0.113.4", "-"),
        ("203.0.113.4", "replaced"),
        ("203.0.113.3", "never-ban"),
        ("203.0.113.2", "unbanned"),
        ("203.0.113.1", "expired"),
        ("192.0.2.2", "-"),
    ];
    let found: Vec<_> =
        column(&answer, "subject").into_iter().zip(column(&answer, "how")).collect();
    assert_eq!(found, expected, "{answer:#}");
    assert_eq!((&answer["more"], &answer["stored"]), (&false.into(), &true.into()));
    assert_eq!(answer["bans"][6]["in_force"], true);
    assert!(column(&answer, "reason")[6].contains("completed handshakes"), "{answer:#}");

    // Parts of it.
    assert_eq!(column(&vauban.json("history 203.0.113.4"), "subject").len(), 2);
    assert_eq!(column(&vauban.json("history 2001:db8:9::77"), "subject"), ["2001:db8:9::/64"]);
    assert_eq!(column(&vauban.json("history --since 1h"), "subject").len(), 7);
    assert_eq!(column(&vauban.json("history --since 2100-01-01"), "subject").len(), 0);
    let two = vauban.json("history --limit 2");
    assert_eq!((column(&two, "subject").len(), &two["more"]), (2, &true.into()));
    let words = vauban.verb("history --limit 2").success();
    assert!(words.contains("these are not all: --limit"), "{words}");
    assert!(words.contains("in force") && !words.contains("ran out"), "{words}");
    for (line, says) in
        [("history --since yesterday", "2026-11-20"), ("history x", "not an address")]
    {
        let done = vauban.verb(line);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.err.contains(says), "{done:?}");
    }

    // It is the store's, so a restart changes nothing but the end of what was in force.
    let mut vauban = vauban;
    assert_eq!(vauban.stop("TERM"), Some(0), "{}", vauban.errors());
    let vauban = Vauban::after(&lab, &vauban);
    assert_eq!(column(&vauban.json("history"), "subject"), column(&answer, "subject"));
}

#[test]
#[ignore = "needs root"]
fn pages_are_put_together() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let list = lab.folder().join("list");
    let lines: Vec<String> = (0..2_500).map(|n| format!("10.{}.{}.7", n / 250, n % 250)).collect();
    std::fs::write(&list, lines.join("\n")).unwrap();
    vauban.verb(&format!("import {}", list.display())).success();
    let answer = vauban.json("history --limit 3000");
    let mut subjects = column(&answer, "subject");
    subjects.sort_unstable();
    subjects.dedup();
    assert_eq!((subjects.len(), &answer["more"]), (2_500, &false.into()));
    assert_eq!(vauban.json("history --limit 1500")["more"], true);
}
