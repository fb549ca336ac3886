//! Lists that `import` bans, into real sets.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::Vauban;
use crate::lab::{Lab, Reached, SCANNER, VICTIM};
use crate::services::Services;

fn file(lab: &Lab, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = lab.folder().join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
#[ignore = "needs root"]
fn good_lines_are_banned_and_bad_ones_named() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    let list = "# ours\r\n203.0.113.1\r\n\r\n 192.0.2.2 ; the scanner\nnobody\n203.0.113.1\n\
                2001:db8:9::1\n10.0.0.0/8\n127.0.0.1\n2001:db8:8::/64\n";
    let path = file(&lab, "list", list).display().to_string();
    let done = vauban.verb(&format!("import {path} --dry-run"));
    assert!(done.out.contains("would be banned"), "{done:?}");
    assert_eq!(vauban.bans(), [""; 0]);

    let done = vauban.verb(&format!("import {path} --for 1h --reason known"));
    assert_eq!(done.code, Some(65), "{done:?}");
    assert!(done.out.contains("4 banned, 1 banned already, 2 refused, 1 wrong"), "{done:?}");
    for says in [
        format!("{path}:5: \"nobody\" is no address or prefix; write one per line"),
        format!("{path}:8: 10.0.0.0/8: it is more than one source: ban an address"),
        format!("{path}:9: 127.0.0.1: 127.0.0.0/8 is never banned: loopback"),
    ] {
        assert!(done.err.contains(&says), "{says}: {done:?}");
    }
    let mut bans = vauban.bans();
    bans.sort();
    assert_eq!(bans, ["192.0.2.2", "2001:db8:8::/64", "2001:db8:9::/64", "203.0.113.1"]);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    assert_eq!(lab.elements("banned4").len(), 2);
    assert_eq!(vauban.explain(SCANNER)["ban"]["reason"], "banned by the operator: known");

    let path = file(&lab, "refused", "127.0.0.1\n").display().to_string();
    assert_eq!(vauban.verb(&format!("import {path}")).code, Some(1));
    let path = file(&lab, "good", "203.0.113.2\n").display().to_string();
    let answer = vauban.json(&format!("import {path}"));
    assert_eq!((&answer["banned"], &answer["wrong"]), (&1.into(), &Value::Array(vec![])));
    for (content, code, says) in [
        (&b"\x00\x01\xff"[..], 65, "no text"),
        (b"{\"bans\":", 65, "export it again"),
        (b"{}", 65, "vauban export bans"),
    ] {
        let path = file(&lab, "bad", content).display().to_string();
        let done = vauban.verb(&format!("import {path}"));
        assert_eq!(done.code, Some(code), "{done:?}");
        assert!(done.err.contains(says), "{done:?}");
    }
    let done = vauban.verb("import /nowhere/list");
    assert_eq!(done.code, Some(66), "{done:?}");
    assert!(done.err.contains("/nowhere/list"), "{done:?}");
}

/// What one daemon has exported, another one takes, with reason and what is left.
#[test]
#[ignore = "needs root"]
fn exports_come_back() {
    let lab = Lab::pair();
    let mut first = Vauban::start(&lab, "");
    first.verb("ban 203.0.113.1 --for 1h --reason noisy").success();
    first.verb("ban 2001:db8:9::9 --for 2h").success();
    let json = file(&lab, "bans.json", first.verb("export").success());
    let csv = file(&lab, "bans.csv", first.verb("export --format csv").success());
    let list = file(&lab, "bans.list", first.verb("export --format list").success());
    assert_eq!(first.stop("TERM"), Some(0));
    let vauban = Vauban::start(&lab, "");
    for path in [json, csv] {
        vauban.verb(&format!("import {}", path.display())).success();
        let bans = vauban.json("bans");
        assert_eq!(bans["bans"][0]["subject"], "203.0.113.1", "{bans:#}");
        assert_eq!(bans["bans"][0]["reason"], "banned by the operator: noisy", "{bans:#}");
        let left = bans["bans"][0]["remaining"].as_u64().unwrap();
        assert!(left > 3_500 && left <= 3_600, "{left}");
        assert_eq!(bans["bans"].as_array().unwrap().len(), 2);
        vauban.verb("unban --all").success();
    }
    vauban.verb(&format!("import {} --for 5m", list.display())).success();
    assert_eq!(vauban.bans().len(), 2);
}

/// A blocklist of ten thousand lines. The bound is for a busy machine; what it takes is printed.
#[test]
#[ignore = "needs root"]
fn ten_thousand_lines_take_seconds() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let lines: Vec<String> = (0..10_000).map(|n| format!("10.{}.{}.7", n / 250, n % 250)).collect();
    let path = file(&lab, "list", lines.join("\n"));
    let begun = Instant::now();
    let out = vauban.verb(&format!("import {} --for 1h", path.display())).success();
    let took = begun.elapsed();
    println!("10,000 lines: {took:?}");
    assert!(out.contains("10000 banned"), "{out}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(lab.elements("banned4").len(), 10_000);
    assert_eq!(vauban.json("status")["bans"], 10_000);
    let begun = Instant::now();
    let exported = vauban.verb("export --format list").success();
    println!("exported again: {:?}", begun.elapsed());
    assert_eq!(exported.lines().count(), 10_000);
    assert!(vauban.errors().is_empty(), "{}", vauban.errors());
}
