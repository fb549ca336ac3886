//! Without decoys: by configuration, and in a dry run.

use crate::daemon::Vauban;
use crate::decoys::{NMAP, Report, assert_is_suspect, judged, proven};
use crate::lab::{AT_CLIENT, Lab, Reached, SCANNER, VICTIM};
use crate::services::Services;
use crate::wire::{TCP, Wire, opened, probed};

/// Silence instead of decoys: nobody can prove anything, so nobody is banned.
#[test]
#[ignore = "needs root"]
fn a_suspect_that_is_dropped_is_never_banned() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "unproven = \"drop\"\n");
    let report = Report::nmap(&lab, "scanner", &format!("-sS -p 101-150 {VICTIM}"));
    assert_eq!(report.except("filtered", 101..=150).len(), 2, "{report:?}");
    lab.run("scanner", &format!("{NMAP} -sT -p 23,101-150 {VICTIM}")).success();
    for port in [80, 101, 23] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Silent);
    }
    judged();
    assert_is_suspect(&vauban, SCANNER);
    assert_eq!(vauban.bans(), [""; 0]);
    assert!(!vauban.log().contains(" Ban "), "{}", vauban.log());
    let status = vauban.json("status");
    assert_eq!(status["unproven"], "drop");
    assert_eq!(status["decoys"]["told"], 0, "{status:#}");
    let text = vauban.verb(&format!("explain {SCANNER}")).success();
    assert!(text.contains("(unproven = \"drop\"): no ban"), "{text}");
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
}

/// A dry run answers nobody, and says whom it would have answered.
#[test]
#[ignore = "needs root"]
fn a_dry_run_tells_what_would_have_been_answered() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "dry_run = true\n");
    let wire = Wire::tap(&lab);
    lab.run("scanner", &format!("{NMAP} -sS -p 80,101-150 {VICTIM}")).success();
    lab.run("scanner", &format!("{NMAP} -sT -p 80,101-150 {VICTIM}")).success();
    let packets = wire.packets();
    assert_eq!(probed(&packets, TCP, SCANNER, VICTIM).len(), 51);
    assert_eq!(opened(&packets, VICTIM, SCANNER).into_iter().collect::<Vec<_>>(), [80]);
    judged();
    vauban.settle();
    assert_is_suspect(&vauban, SCANNER);
    assert_eq!(vauban.bans(), [""; 0]);
    assert_eq!(proven(&vauban, SCANNER), [""; 0]);
    let told = vauban.json("status")["decoys"]["told"].as_u64().unwrap();
    assert_eq!(told, 48 + 50, "the second scan found a suspect");
    let text = vauban.verb(&format!("explain {SCANNER}")).success();
    for words in ["nothing: a dry run; otherwise", "it cannot prove its address: no ban"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let text = vauban.verb("status").success();
    assert!(text.contains("in a dry run nobody is answered, so no suspect can prove"), "{text}");
    let listed = vauban.json("suspects");
    assert_eq!(listed["dry_run"], true, "{listed:#}");
    assert_eq!(listed["suspects"][0]["decoys"], 98, "{listed:#}");
    let missing = listed["suspects"][0]["missing"].as_str().unwrap();
    assert!(missing.contains("cannot prove its address"), "{missing}");
}
