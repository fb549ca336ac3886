//! How the daemon begins, ends, and gets over what others do to it.

use std::process::Stdio;
use std::time::Duration;

use vauban_sys::nflog::NflogSocket;

use crate::daemon::{PROGRAM, Vauban};
use crate::lab::{Lab, Reached, SCANNER, SCANNER6, VICTIM, VICTIM6};
use crate::process::{Running, wait_until};
use crate::services::Services;

#[test]
#[ignore = "needs root"]
fn signals_end_it_cleanly() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    for signal in ["TERM", "INT"] {
        let mut vauban = Vauban::start(&lab, "");
        vauban.verb(&format!("ban {SCANNER}")).success();
        assert!(lab.is_loaded() && vauban.socket.exists());
        assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);

        assert_eq!(vauban.stop(signal), Some(0), "{signal}: {}", vauban.errors());
        assert!(!lab.is_loaded(), "{signal}");
        assert!(!vauban.socket.exists(), "{signal}");
        assert_eq!(vauban.errors(), "", "{signal}");
        assert!(vauban.log().contains("Stopping"), "{signal}: {}", vauban.log());
        assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open, "{signal}");
        assert_eq!(vauban.verb("status").code, Some(69));
    }
}

/// Also while packets keep coming, and while it starts.
#[test]
#[ignore = "needs root"]
fn signals_end_it_at_any_time() {
    let lab = Lab::pair();
    let mut hping3 = lab.on("scanner", &format!("hping3 -n -q -S -p ++1 -i u200 {VICTIM}"));
    hping3.stdout(Stdio::null()).stderr(Stdio::null());
    let mut flood = Running::start(hping3);
    for delay in [0, 5, 10, 20, 40, 80, 160] {
        let mut vauban = Vauban::launch(&lab, "", "");
        std::thread::sleep(Duration::from_millis(delay));
        let code = vauban.stop("TERM");
        // Before it listens for signals it ends as any program does.
        assert!(matches!(code, Some(0) | None), "{delay} ms: {code:?}: {}", vauban.errors());
        assert!(!lab.is_loaded(), "after {delay} ms");
        assert!(!vauban.socket.exists(), "after {delay} ms");
    }
    assert_eq!(flood.ended(), None);
}

/// A second one on the same host is told so, whatever socket and NFLOG group it would use, and
/// the first does not notice.
#[test]
#[ignore = "needs root"]
fn there_is_one_per_host() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    vauban.verb(&format!("ban {SCANNER}")).success();
    let same_socket = format!("--socket {}", vauban.socket.display());
    for arguments in [same_socket.as_str(), ""] {
        for config in ["", "[kernel]\nnflog_group = 99\n"] {
            let mut second = Vauban::launch(&lab, config, arguments);
            assert_eq!(second.end(), Some(70), "{}", second.errors());
            let says = "another vauban protects this host already; stop it first";
            assert!(second.errors().contains(says), "{}", second.errors());
        }
    }
    assert!(vauban.socket.exists());
    assert_eq!(vauban.bans(), ["192.0.2.2"]);
    assert!(lab.holds("banned4", "192.0.2.2"));
    for port in [101, 102, 103] {
        lab.reach("scanner", VICTIM6, port);
    }
    assert_eq!(vauban.suspected(SCANNER6)["decoys"], 1);
}

/// One that protects another host (namespace) may not take the socket of this one's.
#[test]
#[ignore = "needs root"]
fn there_is_one_per_socket() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let socket = vauban.socket.display();
    let second = lab.run("scanner", &format!("{PROGRAM} run --config /dev/null --socket {socket}"));
    assert_eq!(second.code, Some(70), "{second:?}");
    assert!(second.err.contains(&socket.to_string()), "{second:?}");
    assert!(second.err.contains("another vauban answers"), "{second:?}");
    assert_eq!(lab.run("scanner", "nft list tables").success(), "");
    assert!(vauban.socket.exists());
    vauban.verb("status").success();

    // Nor is a file that somebody keeps there its to take.
    let file = lab.folder().join("precious");
    std::fs::write(&file, "words").unwrap();
    let line = format!("{PROGRAM} run --config /dev/null --socket {}", file.display());
    let second = lab.run("scanner", &line);
    assert_eq!(second.code, Some(70), "{second:?}");
    assert!(second.err.contains("no socket"), "{second:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "words");
}

/// An NFLOG group that another program listens to: named, with the key to change.
#[test]
#[ignore = "needs root"]
fn the_nflog_group_is_taken() {
    let lab = Lab::pair();
    let _taken = lab.inside("victim", || NflogSocket::open(77).unwrap());
    let config = "[kernel]\nnflog_group = 77\n";
    let mut vauban = Vauban::launch(&lab, config, "");
    assert_eq!(vauban.end(), Some(70), "{}", vauban.errors());
    assert!(vauban.errors().contains("NFLOG group 77"), "{}", vauban.errors());
    assert!(vauban.errors().contains("kernel.nflog_group"), "{}", vauban.errors());
    assert!(!vauban.socket.exists());
    assert!(!lab.is_loaded());
    Vauban::start(&lab, "[kernel]\nnflog_group = 78\n");
}

/// What a daemon that was killed leaves behind is no hindrance.
#[test]
#[ignore = "needs root"]
fn a_killed_one_is_replaced() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let mut killed = Vauban::start(&lab, "");
    killed.verb(&format!("ban {SCANNER} --for 1h")).success();
    killed.stop("KILL");
    assert!(lab.is_loaded() && killed.socket.exists());
    let socket = killed.socket.display().to_string();
    assert_eq!(killed.verb("status").code, Some(69));

    let mut next = Vauban::start_with(&lab, "", &format!("--socket {socket}"));
    // It has another store, and keeps whom the kernel holds all the same.
    assert_eq!(next.bans(), ["192.0.2.2"]);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    next.verb("unban --all").success();
    assert!(lab.elements("banned4").is_empty());
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
    assert_eq!(next.stop("TERM"), Some(0));
    assert!(!lab.is_loaded() && !next.socket.exists());
}

/// `nft flush ruleset`, as many a script does.
#[test]
#[ignore = "needs root"]
fn a_flushed_ruleset_comes_back_with_its_bans() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    for address in ["192.0.2.2", "203.0.113.9", "2001:db8:1::2", "2001:db8:77::1"] {
        vauban.verb(&format!("ban {address} --for 1h")).success();
    }
    lab.run("victim", "nft flush ruleset").success();
    assert_eq!(lab.tables(), [""; 0]);
    wait_until("the table is back", Duration::from_secs(15), || lab.is_loaded());
    wait_until("so are the bans", Duration::from_secs(2), || lab.elements("banned4").len() == 2);
    for (set, key) in [
        ("banned4", "192.0.2.2"),
        ("banned4", "203.0.113.9"),
        ("banned6x", "2001:db8:1::2"),
        ("banned6", "2001:db8:77::"),
    ] {
        assert!(lab.holds(set, key), "{set} {key}");
    }
    // For what is left of the hour.
    let timeouts = lab.elements("banned4").into_iter().map(|element| element.timeout.unwrap());
    assert!(timeouts.clone().all(|timeout| (3500..=3600).contains(&timeout)), "{timeouts:?}");
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    assert!(vauban.log().contains("table inet vauban was gone"), "{}", vauban.log());
    // And it sees what it saw, and answers.
    vauban.verb("unban 192.0.2.2").success();
    for port in [101, 102] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
    }
    for port in [103, 104, 105] {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Open);
    }
    vauban.banned(SCANNER);
}

/// Somebody asks for a ban in the seconds in which the table is gone.
#[test]
#[ignore = "needs root"]
fn a_ban_while_the_table_is_gone() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    lab.run("victim", "nft delete table inet vauban").success();
    vauban.verb(&format!("ban {SCANNER}")).success();
    assert!(lab.is_loaded(), "{}", vauban.log());
    assert!(lab.holds("banned4", "192.0.2.2"), "{}", vauban.log());
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
}

/// An address that the host gets while it runs: protected from then on, and whoever is banned
/// under it is let go.
#[test]
#[ignore = "needs root"]
fn what_the_host_is_like_may_change() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    vauban.verb(&format!("ban {SCANNER}")).success();
    lab.ip("victim", "route add default via 192.0.2.2");
    wait_until("the new gateway is let go", Duration::from_secs(15), || vauban.bans().is_empty());
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Open);
    assert_eq!(vauban.state(SCANNER), "never-banned");
    assert!(vauban.log().contains("192.0.2.2 is never banned: default gateway"));
    for port in 101..107 {
        assert_eq!(lab.reach("scanner", VICTIM, port), Reached::Refused);
    }
    vauban.settle();
    assert_eq!(vauban.bans(), [""; 0]);
}
