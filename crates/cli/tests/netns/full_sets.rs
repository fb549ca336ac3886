//! Kernel sets that strangers have filled: closed ports fall silent for newcomers, ports with a
//! listener serve everybody.

use crate::daemon::Vauban;
use crate::lab::{AT_CLIENT, CLIENT, Lab, Reached, SCANNER, SCANNER6, VICTIM, VICTIM6};
use crate::services::Services;

const SMALL: &str = "[kernel]\nsources = 16\n";

/// A route for answers to anybody.
fn lab() -> Lab {
    let lab = Lab::trio();
    lab.ip("scanner", "addr add 192.0.2.254/24 dev eth0");
    lab.ip("victim", "route add default via 192.0.2.254");
    lab
}

fn assert_closed_side(lab: &Lab, vauban: &Vauban) {
    let full = vauban.counter("set_full");
    assert_eq!(lab.reach("client", AT_CLIENT, 101), Reached::Silent);
    assert_eq!(lab.reach("client", AT_CLIENT, 102), Reached::Silent);
    assert!(vauban.counter("set_full") >= full + 2);
    for _ in 0..5 {
        assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
        assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
    }
    // To be turned away is not to be a suspect; but the daemon hears of it and counts.
    vauban.settle();
    assert_eq!(vauban.state(CLIENT), "watched");
    // Other kinds of sources have their own sets.
    assert_eq!(lab.reach("scanner", VICTIM6, 80), Reached::Open);
    assert_eq!(lab.reach("scanner", VICTIM6, 101), Reached::Refused);
    let shown = vauban.verb("status").success();
    assert!(shown.contains("met a full set"), "{shown}");
}

#[test]
#[ignore = "needs root"]
fn full_of_forged_sources() {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, SMALL);
    let flood = format!("hping3 -n -q -S --rand-source -p 101 -c 300 -i u2000 {VICTIM}");
    lab.run("scanner", &flood);
    for set in ["slot1_4", "port1_4"] {
        assert_eq!(lab.elements(set).len(), 16, "{set}");
    }
    assert!(vauban.counter("set_full") > 200);
    assert_closed_side(&lab, &vauban);
    assert_eq!(vauban.bans(), [""; 0]);
    // Whom the kernel has no room to count, the engine counts.
    assert_eq!(lab.reach("client", AT_CLIENT, 103), Reached::Silent);
    vauban.banned(CLIENT);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Silent);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
}

/// Who was there before the sets were full is treated as ever, and so is who serves nobody: the
/// third port is still one too many.
#[test]
#[ignore = "needs root"]
fn known_before_they_were_full() {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, SMALL);
    assert_eq!(lab.reach("scanner", VICTIM, 101), Reached::Refused);
    let flood = format!("hping3 -n -q -S --rand-source -p 101 -c 100 -i u2000 {VICTIM}");
    lab.run("scanner", &flood);
    assert_closed_side(&lab, &vauban);

    for port in [101, 102, 101, 102] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
    }
    for port in [103, 101, 80] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Silent);
    }
    vauban.banned(SCANNER);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    // An unban gives the place back, and somebody else can have it.
    vauban.verb(&format!("unban {SCANNER}")).success();
    assert_eq!(lab.elements("slot1_4").len(), 15);
    assert_eq!(lab.reach("client", AT_CLIENT, 101), Reached::Refused);
}

/// More suspects than fit: what the set does not hold is dropped packet by packet.
#[test]
#[ignore = "needs root"]
fn full_of_suspects() {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let config = format!("{SMALL}bans = 16\n");
    let vauban = Vauban::start(&lab, &config);
    // XMAS: suspects at once.
    let flood = format!("hping3 -n -q -F -P -U --rand-source -p 80 -c 100 -i u2000 {VICTIM}");
    lab.run("scanner", &flood);
    vauban.settle();
    assert_eq!(vauban.bans().len(), 16);
    assert_eq!(lab.elements("suspect4").len(), 16);
    // The bans that end first made room for later ones.
    assert!(vauban.log().contains("the ban is over"), "{}", vauban.log());
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

/// More probes than may be copied: the kernel stops the scan on its own, and the daemon bans whom
/// it hears of.
#[test]
#[ignore = "needs root"]
fn more_probes_than_copies() {
    let lab = lab();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "[kernel]\ncopies_per_second = 1\n");
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
    crate::process::wait_until("it is banned", std::time::Duration::from_secs(10), || {
        lab.reach("scanner", VICTIM, 105);
        vauban.state(SCANNER) == "banned"
    });
}
