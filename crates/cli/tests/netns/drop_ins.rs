//! A configuration in several files, and bans without end, as the running program has them.

use std::fs;

use crate::daemon::Vauban;
use crate::lab::{Lab, Reached, SCANNER, VICTIM};
use crate::services::Services;

#[test]
#[ignore = "needs root"]
fn a_reload_takes_drop_ins_too() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "[trigger]\nports = 4\n");
    assert_eq!(vauban.json("status")["drop_ins"], 0);
    let directory = vauban.config.with_extension("d");
    fs::create_dir(&directory).unwrap();
    let write = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
    write("10-a.toml", "trigger.ports = 5\nallow = [\"192.0.2.2\"]\n");
    write("20-b.toml", "trigger.ports = 6\nallow = [\"203.0.113.9\"]\n");
    write(".30-c.toml", "!");
    let said = vauban.verb("reload").success();
    assert!(said.contains("and 2 drop-ins"), "{said}");
    let status = vauban.json("status");
    assert_eq!((&status["trigger"]["ports"], &status["drop_ins"]), (&6.into(), &2.into()));
    let words = vauban.verb("status").success();
    assert!(words.contains("and 2 drop-ins"), "{words}");
    assert_eq!(vauban.state(SCANNER), "never-banned");
    assert_eq!(vauban.verb("ban 203.0.113.9").code, Some(1));
    // A wrong one is named, and nothing changes.
    write("20-b.toml", "\ntrigger.ports = 60\n");
    let done = vauban.verb("reload");
    assert_eq!(done.code, Some(78), "{done:?}");
    assert!(done.err.contains("/20-b.toml") || done.err.contains("20-b.toml:2:17"), "{done:?}");
    assert_eq!(vauban.json("status")["trigger"]["ports"], 6);
    fs::remove_file(directory.join("20-b.toml")).unwrap();
    vauban.verb("reload").success();
    let status = vauban.json("status");
    assert_eq!((&status["trigger"]["ports"], &status["drop_ins"]), (&5.into(), &1.into()));
    assert!(vauban.log().contains("Reloaded: 5 distinct"), "{}", vauban.log());
}

/// Years.
const LONG: u64 = 60 * 365 * 24 * 60 * 60;

#[test]
#[ignore = "needs root"]
fn a_ban_for_ever_has_a_timeout_in_the_kernel_and_outlives_the_daemon() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let mut vauban = Vauban::start(&lab, "[ban]\nfirst = \"forever\"\n");
    vauban.verb(&format!("ban {SCANNER}")).success();
    let said = vauban.verb("ban 203.0.113.5 --for forever").success();
    assert!(said.contains("for ever"), "{said}");
    vauban.verb("ban 203.0.113.6 --for 1h").success();
    let done = vauban.verb("ban 203.0.113.7 --for always");
    assert_eq!(done.code, Some(2), "{done:?}");
    let check = |vauban: &Vauban| {
        for address in ["192.0.2.2", "203.0.113.5"] {
            for set in ["banned4", "known4"] {
                let elements = lab.elements(set);
                let element = elements.iter().find(|element| element.key == address).unwrap();
                assert!(element.timeout.is_some_and(|left| left > LONG), "{set}: {element:?}");
            }
            let ban = &vauban.explain(address.parse().unwrap())["ban"];
            assert!(ban["end"].is_null() && ban["remaining"].is_null(), "{ban:#}");
        }
        assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
        assert_eq!(vauban.bans().len(), 3);
    };
    check(&vauban);
    // Another program, and another daemon: both keep it so.
    vauban.reload("[kernel]\nbans = 5000\n");
    check(&vauban);
    vauban.stop("TERM");
    let vauban = Vauban::after(&lab, &vauban);
    check(&vauban);
    assert!(!vauban.log().contains("Healed"), "{}", vauban.log());
    vauban.verb(&format!("unban {SCANNER}")).success();
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
}
