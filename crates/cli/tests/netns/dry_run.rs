//! A dry run: the scanner learns everything, and Vauban says what it would have done.

use std::time::Duration;

use crate::daemon::Vauban;
use crate::lab::{Lab, Reached, SCANNER, SCANNER6, SILENCE, VICTIM, VICTIM6};
use crate::process::wait_until;
use crate::services::{Services, answers};
use crate::wire::{TCP, Wire, answered, probed};

fn nothing_is_dropped(config: &str, arguments: &str) {
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
        // A second time, as a suspect that is said to be banned.
        lab.run("scanner", &format!("{nmap} -sT")).success();
        let packets = wire.packets();
        let probed = probed(&packets, TCP, scanner, victim);
        let answered = answered(&packets, TCP, victim, scanner);
        assert_eq!(probed.len(), 12);
        assert!(probed.iter().all(|port| answered.contains(port)), "{probed:?} {answered:?}");

        let explained = vauban.banned(scanner);
        assert!(explained["evidence"].as_array().unwrap().len() >= 3, "{explained:#}");
        assert_eq!(lab.reach("scanner", victim, 105), Reached::Open);
        assert_eq!(lab.reach("scanner", victim, 106), Reached::Refused);
        let line = format!("Would ban {scanner} for 3m (first ban): SYN scan: ");
        assert!(vauban.log().contains(&line), "{line}: {}", vauban.log());
    }
    assert!(answers(&call, SILENCE));
    assert_eq!(vauban.bans(), ["192.0.2.2", "2001:db8:1::2"]);
    assert!(!vauban.log().contains(" Ban "), "{}", vauban.log());
    let status = vauban.json("status");
    assert_eq!(status["mode"], "dry-run");
    assert!(vauban.verb("status").success().contains("dry run: nothing is dropped"));
    let program = lab.run("victim", "nft list table inet vauban").success();
    assert!(!program.contains("drop"), "{program}");
}

#[test]
#[ignore = "needs root"]
fn nothing_is_dropped_by_option() {
    nothing_is_dropped("", "--dry-run");
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
    let vauban = Vauban::start_with(&lab, "[ban]\nfirst = \"1s\"\n", "--dry-run");
    for port in 101..106 {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
    }
    wait_until("it is over", Duration::from_secs(5), || {
        vauban.log().contains("Would unban 192.0.2.2: the ban is over")
    });
    assert_eq!(vauban.bans(), [""; 0]);
}
