//! Kernel sets that strangers have filled: to newcomers, closed ports look open like a suspect's
//! (or fall silent, where the trigger is a ban); ports with a listener serve everybody.

use std::net::IpAddr;
use std::time::Duration;

use crate::daemon::{BAN, Vauban};
use crate::lab::{AT_CLIENT, CLIENT, Lab, Reached, SCANNER, SCANNER6, VICTIM, VICTIM6};
use crate::process::wait_until;
use crate::services::Services;

const SMALL: &str = "[kernel]\nsources = 16\n";

/// A route for answers to anybody.
fn lab() -> Lab {
    let lab = Lab::trio();
    lab.ip("scanner", "addr add 192.0.2.254/24 dev eth0");
    lab.ip("victim", "route add default via 192.0.2.254");
    lab
}

/// What a newcomer meets: `closed` at closed ports. He is then `state`.
fn assert_closed_side(lab: &Lab, vauban: &Vauban, closed: Reached, state: &str) {
    let full = vauban.counter("set_full");
    assert_eq!(lab.reach("client", AT_CLIENT, 101), closed);
    assert_eq!(lab.reach("client", AT_CLIENT, 102), closed);
    assert!(vauban.counter("set_full") > full);
    for _ in 0..5 {
        assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
        assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
    }
    vauban.settle();
    assert_eq!(vauban.state(CLIENT), state);
    // Other kinds of sources have their own sets.
    assert_eq!(lab.reach("scanner", VICTIM6, 80), Reached::Open);
    assert_eq!(lab.reach("scanner", VICTIM6, 101), Reached::Refused);
    let shown = vauban.verb("status").success();
    assert!(shown.contains("met a full set"), "{shown}");
}

/// That the engine has found a suspect for whom the kernel has no room.
fn assert_announced(vauban: &Vauban, address: IpAddr) {
    let line = format!("Suspect {address}: ");
    wait_until("it is announced", Duration::from_secs(5), || vauban.log().contains(&line));
    assert_eq!(vauban.explain(address)["ban"], serde_json::Value::Null);
}

fn of_forged_sources(unproven: &str, closed: Reached) {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, &format!("{unproven}{SMALL}"));
    let flood = format!("hping3 -n -q -S --rand-source -p 101 -c 300 -i u2000 {VICTIM}");
    lab.run("scanner", &flood);
    for set in ["slot1_4", "port1_4"] {
        assert_eq!(lab.elements(set).len(), 16, "{set}");
    }
    assert!(vauban.counter("set_full") > 200);
    // There is no room for further suspects either; but the daemon hears of it and counts.
    assert_closed_side(&lab, &vauban, closed, "watched");
    assert_eq!(vauban.bans(), [""; 0]);
    // Whom the kernel has no room to count, the engine counts.
    assert_eq!(lab.reach("client", AT_CLIENT, 103), closed);
    if unproven == BAN {
        vauban.banned(CLIENT);
        assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Silent);
    } else {
        assert_announced(&vauban, CLIENT);
        assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    }
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
}

#[test]
#[ignore = "needs root"]
fn full_of_forged_sources() {
    of_forged_sources("", Reached::Open);
}

#[test]
#[ignore = "needs root"]
fn full_of_forged_sources_with_bans_at_the_trigger() {
    of_forged_sources(BAN, Reached::Silent);
}

/// Who was there before the sets were full is treated as ever, and so is who serves nobody: the
/// third port is still one too many.
fn before_they_were_full(unproven: &str, closed: Reached) {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, &format!("{unproven}{SMALL}"));
    assert_eq!(lab.reach("scanner", VICTIM, 101), Reached::Refused);
    let flood = format!("hping3 -n -q -S --rand-source -p 101 -c 25 -i u2000 {VICTIM}");
    lab.run("scanner", &flood);
    // Whoever probes when nobody can be counted any more is a suspect at once, where that is no ban.
    let state = if unproven == BAN { "watched" } else { "suspect" };
    assert_closed_side(&lab, &vauban, closed, state);

    for port in [101, 102, 101, 102] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
    }
    for port in [103, 101, 80] {
        assert_eq!(lab.reach("scanner", VICTIM, port), closed);
    }
    if unproven == BAN {
        vauban.banned(SCANNER);
    } else {
        vauban.suspected(SCANNER);
        assert!(lab.holds("suspect4", &SCANNER.to_string()));
        // Its address can be proven as ever.
        lab.reach("scanner", VICTIM, 104);
        assert_eq!(vauban.banned(SCANNER)["ban"]["proven"], true);
    }
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    // An unban gives the place back, and somebody else can have it.
    vauban.verb(&format!("unban {SCANNER}")).success();
    assert_eq!(lab.elements("slot1_4").len(), 15);
    vauban.verb(&format!("unban {CLIENT}")).success();
    assert_eq!(lab.reach("client", AT_CLIENT, 101), Reached::Refused);
}

#[test]
#[ignore = "needs root"]
fn known_before_they_were_full() {
    before_they_were_full("", Reached::Open);
}

#[test]
#[ignore = "needs root"]
fn known_before_they_were_full_with_bans_at_the_trigger() {
    before_they_were_full(BAN, Reached::Silent);
}

/// More suspects than fit: what the set does not hold is answered packet by packet.
#[test]
#[ignore = "needs root"]
fn full_of_suspects() {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, SMALL);
    // XMAS: suspects at once, and nobody is banned in another's name.
    let flood = format!("hping3 -n -q -F -P -U --rand-source -p 80 -c 100 -i u2000 {VICTIM}");
    lab.run("scanner", &flood);
    vauban.settle();
    assert_eq!(vauban.bans(), [""; 0]);
    assert_eq!(lab.elements("suspect4").len(), 16);
    // One more scanner is met like all others.
    let reports = lab.run("scanner", &format!("hping3 -n -F -p 101 -c 3 -i u2000 {VICTIM}"));
    assert!(reports.err.contains("100% packet loss"), "{reports:?}");
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    for port in [103, 104] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
    }
    for port in [105, 106, 80] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Open);
    }
    assert!(!lab.holds("suspect4", &SCANNER.to_string()));
    assert_announced(&vauban, SCANNER);
    assert_eq!(lab.reach("scanner", VICTIM6, 101), Reached::Refused);
    vauban.settle();
    assert_eq!(vauban.state(SCANNER6), "watched");
}

/// More suspects than fit, all of them to be banned: what the set does not hold is dropped packet
/// by packet.
#[test]
#[ignore = "needs root"]
fn full_of_suspects_with_bans_at_the_trigger() {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let config = format!("{BAN}{SMALL}bans = 16\n");
    let vauban = Vauban::start(&lab, &config);
    // XMAS: suspects at once.
    let flood = format!("hping3 -n -q -F -P -U --rand-source -p 80 -c 100 -i u2000 {VICTIM}");
    lab.run("scanner", &flood);
    vauban.settle();
    assert_eq!(vauban.bans().len(), 16);
    assert_eq!(lab.elements("suspect4").len(), 16);
    // The bans that end first made room for later ones.
    assert!(vauban.log().contains("the ledger is full"), "{}", vauban.log());
    // One more scanner is met like all others.
    let reports = lab.run("scanner", &format!("hping3 -n -F -p 101 -c 3 -i u2000 {VICTIM}"));
    assert!(reports.err.contains("100% packet loss"), "{reports:?}");
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    for port in [103, 104, 105, 80] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Silent);
    }
    vauban.banned(SCANNER);
    assert_eq!(vauban.bans().len(), 16);
    assert_eq!(lab.reach("scanner", VICTIM6, 101), Reached::Refused);
    vauban.settle();
    assert_eq!(vauban.state(SCANNER6), "watched");
}

/// More probes than may be copied: what decoys need is copied all the same.
#[test]
#[ignore = "needs root"]
fn more_probes_than_copies() {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "[kernel]\ncopies_per_second = 1\n");
    for port in [101, 102] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
    }
    for port in [103, 104, 105, 80] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Open);
    }
    let status = vauban.json("status");
    assert!(status["kernel"]["counters"]["copies"]["packets"].as_u64().unwrap() < 3, "{status:#}");
    assert_eq!(status["kernel"]["counters"]["decoys"]["packets"], 3, "{status:#}");
    assert_eq!(vauban.banned(SCANNER)["ban"]["proven"], true);
}

/// The same where the trigger is a ban: the kernel stops the scan on its own, and the daemon bans
/// whom it hears of.
#[test]
#[ignore = "needs root"]
fn more_probes_than_copies_with_bans_at_the_trigger() {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let config = format!("{BAN}[kernel]\ncopies_per_second = 1\n");
    let vauban = Vauban::start(&lab, &config);
    // Takes the copies of this second, and of some to come none.
    for port in [201, 202, 203] {
        lab.reach("client", AT_CLIENT, port);
    }
    assert!(lab.holds("suspect4", &CLIENT.to_string()));
    for port in [101, 102] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
    }
    for port in [103, 104, 80] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Silent);
    }
    assert!(lab.holds("suspect4", &SCANNER.to_string()));
    // It goes on, and is heard of sooner or later.
    wait_until("it is banned", Duration::from_secs(10), || {
        lab.reach("scanner", VICTIM, 105);
        vauban.state(SCANNER) == "banned"
    });
}
