//! A dry run: the scanner learns everything, and Vauban says what it would have done. Nobody is told
//! anything by a decoy, so nobody can prove an address: only bans at the trigger would have been
//! made.

use std::time::Duration;

use serde_json::Value;

use crate::daemon::{BAN, Vauban};
use crate::lab::{Lab, Reached, SCANNER, SCANNER6, SILENCE, VICTIM, VICTIM6};
use crate::process::wait_until;
use crate::services::{Services, answers};
use crate::wire::{TCP, Wire, answered, opened, probed};

fn nothing_is_dropped(config: &str, arguments: &str) {
    let bans = config.contains(BAN);
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[102, 105, 110], &[]);
    let vauban = Vauban::start_with(&lab, config, arguments);
    let call = lab.connect("scanner", VICTIM, 105).unwrap();
    for (six, victim, scanner) in [("", VICTIM, SCANNER), ("-6", VICTIM6, SCANNER6)] {
        let nmap = format!(
            "nmap {six} -n -Pn -T4 --max-retries 0 --max-rtt-timeout 300ms -p 101-112 {victim}"
        );
        let wire = Wire::tap(&lab);
        lab.run("scanner", &format!("{nmap} -sS")).success();
        // A second time, as a suspect that is said to be banned, or to see decoys.
        lab.run("scanner", &format!("{nmap} -sT")).success();
        let packets = wire.packets();
        let probed = probed(&packets, TCP, scanner, victim);
        let answered = answered(&packets, TCP, victim, scanner);
        assert_eq!(probed.len(), 12);
        assert!(probed.iter().all(|port| answered.contains(port)), "{probed:?} {answered:?}");

        // No decoy among the answers.
        let opened: Vec<u16> = opened(&packets, victim, scanner).into_iter().collect();
        assert_eq!(opened, [102, 105, 110]);

        let explained = if bans { vauban.banned(scanner) } else { vauban.suspected(scanner) };
        assert!(explained["evidence"].as_array().unwrap().len() >= 3, "{explained:#}");
        assert_eq!(lab.reach("scanner", victim, 105), Reached::Open);
        assert_eq!(lab.reach("scanner", victim, 106), Reached::Refused);
        let line = format!("Would ban {scanner} for 3m (first ban): SYN scan: ");
        assert_eq!(vauban.log().contains(&line), bans, "{line}: {}", vauban.log());
        assert!(vauban.log().contains(&format!("Suspect {scanner}: ")), "{}", vauban.log());
        if bans {
            assert_eq!(explained["decoys"], 0, "{explained:#}");
        } else {
            would_be_told(&explained);
        }
    }
    assert!(answers(&call, SILENCE));
    let would: &[&str] = if bans { &["192.0.2.2", "2001:db8:1::2"] } else { &[] };
    assert_eq!(vauban.bans(), would);
    assert!(!vauban.log().contains(" Ban "), "{}", vauban.log());
    let status = vauban.json("status");
    assert_eq!(status["mode"], "dry-run");
    // Seven of the nine closed ports twice, the trigger once, and one port more, from both.
    let told = if bans { 0 } else { 2 * (7 + 9 + 1) };
    assert_eq!(status["decoys"]["told"], told, "{status:#}");
    assert_eq!(status["decoys"]["contacts"], 0, "{status:#}");
    assert!(vauban.verb("status").success().contains("dry run: nothing is dropped"));
    let program = lab.run("victim", "nft list table inet vauban").success();
    assert!(!program.contains("drop"), "{program}");
}

/// The decoys that would have been played, in the source's own words.
fn would_be_told(explained: &Value) {
    assert_eq!(explained["decoys"], 7 + 9, "{explained:#}");
    assert_eq!(explained["proven"], serde_json::json!([]), "{explained:#}");
    let missing = explained["missing"].as_str().unwrap();
    assert!(missing.contains("in a dry run nobody is answered"), "{missing}");
    let later = &explained["evidence"][3];
    assert_eq!(later["meaning"], "of-suspect", "{explained:#}");
    let text = later["text"].as_str().unwrap();
    assert!(text.contains("would be told by a decoy that it is open"), "{text}");
}

#[test]
#[ignore = "needs root"]
fn nothing_is_dropped_by_option() {
    nothing_is_dropped("", "--dry-run");
}

#[test]
#[ignore = "needs root"]
fn nothing_is_dropped_where_the_trigger_would_be_a_ban() {
    nothing_is_dropped(BAN, "--dry-run");
}

#[test]
#[ignore = "needs root"]
fn nothing_is_dropped_by_configuration() {
    nothing_is_dropped("dry_run = true\n", "");
}

#[test]
#[ignore = "needs root"]
fn bans_run_out_in_a_dry_run_too() {
    let lab = Lab::pair();
    let config = format!("{BAN}[ban]\nfirst = \"1s\"\n");
    let vauban = Vauban::start_with(&lab, &config, "--dry-run");
    for port in 101..106 {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
    }
    wait_until("it is over", Duration::from_secs(5), || {
        vauban.log().contains("Would unban 192.0.2.2: the ban is over")
    });
    assert_eq!(vauban.bans(), [""; 0]);
}
