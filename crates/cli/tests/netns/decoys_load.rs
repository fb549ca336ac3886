//! When decoys cannot be played, listeners must not stand out among ports that are silent: then a
//! suspect's new connections are dropped too. Others notice nothing.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::daemon::Vauban;
use crate::decoys::{NMAP, assert_is_suspect, suspect};
use crate::lab::{AT_CLIENT, CLIENT, Lab, Reached, SCANNER, SILENCE, VICTIM};
use crate::process::{Running, command, finish, wait_until};
use crate::services::{Services, answers};

#[test]
#[ignore = "needs root"]
fn a_scan_that_is_too_fast_meets_silence_everywhere_until_it_slows_down() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "[decoy]\nper_source = 50\n");
    let call = lab.connect("scanner", VICTIM, 80).unwrap();
    suspect(&lab, &vauban, VICTIM, SCANNER);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
    let mut flood = {
        let line = format!("hping3 -n -q -S -p ++1001 -c 2000 -i u2000 {VICTIM}");
        let mut flood = lab.on("scanner", &line);
        flood.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        Running::start(flood)
    };
    wait_until("it is too fast", Duration::from_secs(3), || vauban.counter("suspect_too_fast") > 0);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent, "a listener");
    assert_eq!(lab.reach("scanner", VICTIM, 81), Reached::Silent, "a decoy");
    assert!(answers(&call, SILENCE), "established");
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open, "somebody else");
    assert_eq!(lab.reach("client", AT_CLIENT, 7001), Reached::Refused, "somebody else");
    flood.wait(Duration::from_secs(20));
    let took = lab.reached_again("scanner", VICTIM, 80, Duration::from_secs(6));
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!(lab.reach("scanner", VICTIM, 81), Reached::Open, "a decoy again");
    assert_is_suspect(&vauban, SCANNER);
    let text = vauban.verb("status").success();
    assert!(text.contains("they could not be answered in time"), "{text}");
}

/// The daemon's own process, and those that it was started through.
fn processes(vauban: &Vauban) -> Vec<String> {
    let socket = vauban.socket.display().to_string();
    let found = finish(command("ps -eo pid=,args="), SILENCE * 5).success();
    let ours = found.lines().filter(|line| line.contains(&socket) && line.contains(" run "));
    ours.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// Stops a daemon before or after the scanner becomes a suspect, and continues it later.
fn nobody_plays(known: bool) {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    if known {
        suspect(&lab, &vauban, VICTIM, SCANNER);
    }
    wait_until("a listener is reached", SILENCE * 3, || {
        lab.reach("scanner", VICTIM, 80) == Reached::Open
    });
    let ids = processes(&vauban);
    let signal = |name: &str| {
        for id in &ids {
            finish(command(&format!("kill -{name} {id}")), SILENCE * 5).success();
        }
    };
    assert!(!ids.is_empty());
    signal("STOP");
    let stopped = Instant::now();
    if !known {
        // The kernel knows of the suspect, nobody else.
        lab.run("scanner", &format!("{NMAP} -sS -p 101-103 {VICTIM}"));
    }
    let mut took = None;
    while stopped.elapsed() < Duration::from_secs(6) {
        if lab.reach("scanner", VICTIM, 80) != Reached::Open {
            took = Some(stopped.elapsed());
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let others = [80, 7001].map(|port| lab.reach("client", AT_CLIENT, port));
    let decoy = lab.reach("scanner", VICTIM, 81);
    signal("CONT");
    assert_eq!(others, [Reached::Open, Reached::Refused], "somebody else");
    assert_eq!(decoy, Reached::Silent);
    assert!(took.is_some(), "a suspect still reaches a listener, and no decoy");
    lab.reached_again("scanner", VICTIM, 80, Duration::from_secs(5));
    lab.reached_again("scanner", VICTIM, 81, Duration::from_secs(5));
    assert_eq!(vauban.bans(), [""; 0]);
}

#[test]
#[ignore = "needs root"]
fn listeners_fall_silent_for_suspects_when_nobody_plays_decoys_any_more() {
    nobody_plays(true);
}

#[test]
#[ignore = "needs root"]
fn listeners_are_silent_for_suspects_when_nobody_plays_decoys_from_the_start() {
    nobody_plays(false);
}

/// So many strangers' names that the kernel has no room for one more scanner.
#[test]
#[ignore = "needs root"]
fn full_sets_tell_a_later_scanner_nothing() {
    let lab = Lab::trio();
    lab.ip("scanner", "addr add 192.0.2.254/24 dev eth0");
    lab.ip("victim", "route add default via 192.0.2.254");
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "[kernel]\nsources = 16\n");
    // Both kinds of names: those that tried one port, and suspects.
    for what in ["-S -p 101", "-F -P -U -p 101"] {
        let flood = format!("hping3 -n -q {what} --rand-source -c 200 -i u2000 {VICTIM}");
        lab.run("scanner", &flood);
    }
    vauban.settle();
    assert!(vauban.counter("set_full") > 0);
    let later: IpAddr = SCANNER;
    for port in 201..=220 {
        assert_ne!(lab.reach("scanner", VICTIM, port), Reached::Refused, "{port}");
    }
    for _ in 0..5 {
        assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    }
    vauban.assert_unknown(CLIENT);
    assert!(["suspect", "banned", "watched"].contains(&vauban.state(later).as_str()));
}
