//! A daemon that ends, in good order or not, and the next one: what is left of each ban, and that
//! there is no moment in between that should not be.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::{BAN, Vauban};
use crate::knocks::Knocks;
use crate::lab::{AT_CLIENT, Lab, Reached, SCANNER, VICTIM};
use crate::process::{Running, send, wait_until};
use crate::services::Services;

/// Leaves bans in the kernel.
const LEAVE: &str = "[ban]\nat_stop = \"leave\"\n";

/// Bans that differ in all that a ban can differ in: proven and not, of both families, of operators
/// with and without words. Returns the addresses.
fn bans(lab: &Lab, vauban: &Vauban) -> Vec<&'static str> {
    for port in 101..106 {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.banned(SCANNER);
    for line in [
        "ban 203.0.113.5 --for 2h --reason because,_he_said_\u{201c}so\u{201d}",
        "ban 203.0.113.6",
        "ban 2001:db8:1::9 --for 3650d",
        "ban 2001:db8:77::1 --for 90s",
    ] {
        vauban.verb(line).success();
    }
    vec!["192.0.2.2", "203.0.113.5", "203.0.113.6", "2001:db8:1::9", "2001:db8:77::1"]
}

/// What is known of each, without what changes as time goes by, and the seconds left.
fn known(vauban: &Vauban, addresses: &[&'static str]) -> BTreeMap<&'static str, (Value, f64)> {
    let ask = |address: &&'static str| {
        let mut said = vauban.explain(address.parse().unwrap());
        let left = said["ban"]["remaining"].as_f64().unwrap_or_else(|| panic!("{said:#}"));
        let ban = said["ban"].as_object_mut().unwrap();
        // Of the end, `remaining` says the same, and is compared below.
        ban.remove("remaining");
        ban.remove("end");
        let kept = serde_json::json!({
            "ban": said["ban"], "evidence": said["evidence"], "not_kept": said["not_kept"],
            "state": said["state"], "subject": said["subject"],
        });
        (*address, (kept, left))
    };
    addresses.iter().map(ask).collect()
}

/// Fails unless a later daemon knows the same.
fn assert_same(vauban: &Vauban, before: &BTreeMap<&'static str, (Value, f64)>, when: Instant) {
    let addresses: Vec<&'static str> = before.keys().copied().collect();
    let after = known(vauban, &addresses);
    let passed = when.elapsed().as_secs_f64();
    for (address, (was, left)) in before {
        let (is, now_left) = &after[address];
        assert_eq!(was, is, "{address}");
        let should = left - passed;
        assert!((now_left - should).abs() < 1.0, "{address}: {now_left} s, not {should} s");
    }
}

/// Seconds left of each element of a set.
fn expiries(lab: &Lab, set: &str) -> BTreeMap<String, f64> {
    let text = lab.run("victim", &format!("nft -j list set inet vauban {set}")).success();
    let value: Value = serde_json::from_str(&text).unwrap();
    let set = value["nftables"].as_array().unwrap().iter().find_map(|item| item.get("set"));
    let elements = set.unwrap()["elem"].as_array().cloned().unwrap_or_default();
    let read = |element: &Value| {
        let inner = &element["elem"];
        Some((inner["val"].as_str()?.to_owned(), inner["expires"].as_f64()?))
    };
    elements.iter().filter_map(read).collect()
}

/// Fails unless the kernel holds what `bans` says, for as long.
fn assert_agreement(lab: &Lab, vauban: &Vauban) {
    let said = vauban.json("bans");
    let mut ledger: BTreeMap<String, f64> = BTreeMap::new();
    for ban in said["bans"].as_array().unwrap() {
        let subject = ban["subject"].as_str().unwrap().split('/').next().unwrap().to_owned();
        ledger.insert(subject, ban["remaining"].as_f64().unwrap());
    }
    let mut kernel = BTreeMap::new();
    for set in ["banned4", "banned6", "banned6x"] {
        kernel.extend(expiries(lab, set));
    }
    assert_eq!(
        kernel.keys().collect::<Vec<_>>(),
        ledger.keys().collect::<Vec<_>>(),
        "kernel and ledger"
    );
    for (subject, left) in kernel {
        assert!((left - ledger[&subject]).abs() < 3.0, "{subject}: {left}, {}", ledger[&subject]);
    }
}

/// The program is gone in between; what is left of each ban comes back, in one step.
#[test]
#[ignore = "needs root"]
fn what_is_left_of_each_ban_comes_back() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let mut first = Vauban::start(&lab, "");
    let addresses = bans(&lab, &first);
    let (before, when) = (known(&first, &addresses), Instant::now());
    let proven = &before["192.0.2.2"].0;
    assert_eq!(proven["ban"]["proven"], true, "{proven:#}");
    assert!(proven["evidence"].as_array().unwrap().len() > 3, "{proven:#}");
    assert_eq!(first.stop("TERM"), Some(0), "{}", first.errors());
    assert!(!lab.is_loaded());
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);

    let log = lab.folder().join("monitor");
    let mut monitor = lab.on("victim", "nft monitor elements");
    monitor.stdin(Stdio::null()).stdout(File::create(&log).unwrap()).stderr(Stdio::null());
    let _monitor = Running::start(monitor);
    let text = || std::fs::read_to_string(&log).unwrap();
    // It listens when it reports somebody's commit.
    lab.nft_load("table inet other { set s { type inet_service\n }\n}\n");
    wait_until("the monitor listens", Duration::from_secs(5), || {
        lab.run("victim", "nft add element inet other s { 1 }").success();
        lab.run("victim", "nft delete element inet other s { 1 }").success();
        text().contains("inet other s")
    });
    let second = Vauban::after(&lab, &first);
    assert_same(&second, &before, when);
    assert_agreement(&lab, &second);
    assert!(second.log().contains("Restored: 5 bans"), "{}", second.log());
    assert!(!second.log().contains("Healed"), "{}", second.log());
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    lab.run("victim", "nft add element inet other s { 2 }").success();
    wait_until("the monitor has said it all", Duration::from_secs(5), || text().contains("{ 2 }"));
    let text = text();
    let commits: Vec<&str> = text
        .split("# new generation")
        .filter(|commit| commit.contains("add element inet vauban banned"))
        .collect();
    assert_eq!(commits.len(), 1, "{text}");
    for address in ["192.0.2.2", "203.0.113.5", "203.0.113.6", "2001:db8:1::9", "2001:db8:77::"] {
        assert!(commits[0].contains(address), "{address}: {text}");
    }
}

/// The next ban is the longer one, also of a daemon that has seen nothing of the first.
#[test]
#[ignore = "needs root"]
fn earlier_bans_count() {
    let lab = Lab::pair();
    let config = format!("{BAN}[trigger]\nsuspect = \"1s\"\n[ban]\nfirst = \"1s\"\n");
    let mut first = Vauban::start(&lab, &config);
    for port in 101..104 {
        lab.reach("scanner", VICTIM, port);
    }
    assert_eq!(first.banned(SCANNER)["ban"]["level"], 1);
    wait_until("it is over", Duration::from_secs(5), || first.bans().is_empty());
    assert_eq!(first.stop("TERM"), Some(0));
    let second = Vauban::after(&lab, &first);
    for port in 111..114 {
        lab.reach("scanner", VICTIM, port);
    }
    let explained = second.banned(SCANNER);
    assert_eq!(explained["ban"]["level"], 2, "{explained:#}");
    assert!(second.log().contains("Ban 192.0.2.2 for 2s (2nd ban)"), "{}", second.log());
}

/// `at_stop = "leave"`: nobody watches, but bans hold, and run out by themselves.
#[test]
#[ignore = "needs root"]
fn bans_that_are_left_hold_and_run_out() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let mut vauban = Vauban::start(&lab, LEAVE);
    vauban.verb(&format!("ban {SCANNER} --for 5s")).success();
    let banned = Instant::now();
    vauban.verb("ban 203.0.113.5 --for 1h").success();
    for port in 101..104 {
        lab.reach("client", AT_CLIENT, port);
    }
    vauban.suspected(crate::lab::CLIENT);
    assert_eq!(vauban.stop("TERM"), Some(0), "{}", vauban.errors());
    assert!(vauban.log().contains("Stopping: bans stay"), "{}", vauban.log());
    assert_eq!(lab.tables(), ["table inet vauban"]);
    let table = lab.run("victim", "nft -s list table inet vauban").success();
    for word in ["@suspect", "@known", "log group", "@recent", "dynamic", "prerouting"] {
        assert!(!table.contains(word), "{word}: {table}");
    }
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    // No suspect is treated as one when nobody plays decoys.
    assert_eq!(lab.reach("client", AT_CLIENT, 104), Reached::Refused);
    let took = banned.elapsed() + lab.reached_again("scanner", VICTIM, 80, Duration::from_secs(8));
    assert!(took > Duration::from_secs(4), "{took:?}");
    assert_eq!(lab.elements("banned4").len(), 1);
    // The next one knows what has ended meanwhile.
    let next = Vauban::after(&lab, &vauban);
    assert_eq!(next.bans(), ["203.0.113.5"]);
    assert_agreement(&lab, &next);
}

/// One that goes and one that comes, again and again: the banned source gets nothing through.
#[test]
#[ignore = "needs root"]
fn there_is_no_gap_between_two_daemons() {
    let lab = Lab::pair();
    let mut vauban = Vauban::start(&lab, LEAVE);
    let knocks = Knocks::begin(&lab, VICTIM);
    let mut addresses = bans_of(&vauban);
    vauban.verb(&format!("ban {SCANNER} --for 1h")).success();
    addresses.push("192.0.2.2");
    let through = knocks.settled();
    let (before, when) = (known(&vauban, &addresses), Instant::now());
    for signal in ["TERM", "INT", "KILL", "TERM", "KILL"] {
        vauban.stop(signal);
        knocks.send(500);
        vauban = Vauban::after(&lab, &vauban);
        assert_same(&vauban, &before, when);
        assert_agreement(&lab, &vauban);
        assert_eq!((knocks.received(), knocks.answered()), through, "{signal}");
    }
    knocks.send(500);
    assert_eq!((knocks.received(), knocks.answered()), through);
    vauban.verb("unban --all").success();
    knocks.flow();
}

fn bans_of(vauban: &Vauban) -> Vec<&'static str> {
    vauban.verb("ban 203.0.113.5 --for 2h").success();
    vauban.verb("ban 2001:db8:77::1 --for 1h").success();
    vec!["203.0.113.5", "2001:db8:77::1"]
}

/// `at_stop = "remove"`: the kernel is as it was.
#[test]
#[ignore = "needs root"]
fn nothing_of_ours_is_left() {
    let lab = Lab::pair();
    lab.nft_load("table inet filter { chain input { type filter hook input priority 0\n }\n}\n");
    let (tables, rules) = (lab.tables(), lab.other_rules());
    let mut vauban = Vauban::start(&lab, "[ban]\nat_stop = \"remove\"\n");
    bans(&lab, &vauban);
    let child = vauban.child();
    assert_eq!(vauban.stop("TERM"), Some(0), "{}", vauban.errors());
    assert!(!crate::process::runs(child));
    assert_eq!(lab.tables(), tables);
    assert_eq!(lab.other_rules(), rules);
    assert!(!vauban.socket.exists());
    assert_eq!(vauban.errors(), "");
}

/// Both are killed: the next one takes over all that the kernel holds.
#[test]
#[ignore = "needs root"]
fn both_are_killed() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let mut vauban = Vauban::start(&lab, "");
    let addresses = bans(&lab, &vauban);
    for port in 101..104 {
        lab.reach("client", AT_CLIENT, port);
    }
    vauban.suspected(crate::lab::CLIENT);
    let (before, when) = (known(&vauban, &addresses), Instant::now());
    let child = vauban.child();
    vauban.signal("KILL");
    send(child, "KILL");
    vauban.end();
    assert!(lab.is_loaded());
    // Somebody meddles with what nobody watches.
    lab.run("victim", "nft delete element inet vauban banned4 { 203.0.113.5 }").success();
    lab.run("victim", "nft add element inet vauban banned4 { 203.0.113.99 timeout 1h }").success();
    let next = Vauban::after(&lab, &vauban);
    wait_until("kernel and ledger agree", Duration::from_secs(1), || {
        lab.elements("banned4").len() == 3
    });
    assert_same(&next, &before, when);
    assert_agreement(&lab, &next);
    assert_eq!(next.state(crate::lab::CLIENT), "suspect");
    assert_eq!(lab.reach("client", AT_CLIENT, 105), Reached::Open, "a decoy");
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
}

/// It is told to stop while it has most to do: each question that is open then is answered.
#[test]
#[ignore = "needs root"]
fn it_ends_in_good_order_under_load() {
    let lab = Lab::pair();
    let mut flood =
        lab.on("scanner", &format!("hping3 -n -q --rand-source -S -p 1 -i u1000 {VICTIM}"));
    flood.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut flood = Running::start(flood);
    let config = format!("{BAN}trap_ports = [\"tcp/1\"]\n");
    let mut vauban = Vauban::start(&lab, &config);
    for round in 0..15 {
        // It asks for something all the time: each packet is a ban.
        wait_until("there are bans", Duration::from_secs(5), || {
            vauban.json("status")["decisions"]["banned"].as_u64().unwrap() > 50
        });
        let line = format!("ban 198.18.0.{} --for 1h", round + 1);
        vauban.verb(&line).success();
        let stopped = Instant::now();
        assert_eq!(vauban.stop("TERM"), Some(0), "{round}: {}", vauban.errors());
        assert!(stopped.elapsed() < Duration::from_secs(3), "{round}: {:?}", stopped.elapsed());
        vauban = Vauban::after(&lab, &vauban);
    }
    let bans = vauban.bans();
    for round in 0..15 {
        let address = format!("198.18.0.{}", round + 1);
        assert!(bans.contains(&address), "{address} is lost");
    }
    assert_eq!(flood.ended(), None);
}
