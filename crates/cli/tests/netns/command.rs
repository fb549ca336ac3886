//! The verbs' exit statuses, and who may use them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use serde_json::json;

use crate::daemon::{PROGRAM, Vauban, verb_at};
use crate::lab::{Lab, PATIENCE};
use crate::process::{Done, command, finish};

fn vauban(line: &str) -> Done {
    finish(command(&format!("{PROGRAM} {line}")), PATIENCE)
}

#[test]
#[ignore = "needs root"]
fn exit_statuses() {
    let lab = Lab::pair();
    let daemon = Vauban::start(&lab, "");
    for (line, code, says) in [
        ("status", 0, "enforcing"),
        ("suspects", 0, "no suspects"),
        ("bans", 0, "no bans"),
        ("ban 203.0.113.5", 0, "banned 203.0.113.5 for 3m"),
        ("explain 203.0.113.5", 0, "banned by the operator"),
        ("unban 203.0.113.5", 0, "unbanned 203.0.113.5"),
        ("unban --all", 0, "nobody"),
        ("explain 203.0.113.5", 1, "nothing is known of 203.0.113.5"),
        ("unban 203.0.113.5", 1, "203.0.113.5 is neither banned nor a suspect"),
        ("ban 127.0.0.1", 1, "loopback"),
        ("why-not 203.0.113.5", 0, "nothing has been seen of it"),
        ("history", 0, "by the operator"),
        ("allow", 0, "nobody is allowed"),
        ("allow 203.0.113.5", 0, "allowed 203.0.113.5 for ever"),
        ("why-not 203.0.113.5", 0, "vauban disallow 203.0.113.5"),
        ("ban 203.0.113.5", 1, "allowed by the operator"),
        ("disallow 203.0.113.5", 0, "no longer allowed: 203.0.113.5"),
        ("disallow 203.0.113.5", 1, "203.0.113.5 is not allowed"),
        ("export --format list", 0, ""),
        ("import /nowhere", 66, "/nowhere"),
        ("ban nobody", 2, "nobody"),
        ("ban 203.0.113.5 --for 5", 2, "5"),
        ("ban 203.0.113.5 --for 0s", 2, ""),
        ("unban", 2, "ADDR"),
        ("unban 203.0.113.5 --all", 2, "--all"),
        ("forgive 203.0.113.5", 2, "forgive"),
    ] {
        let done = daemon.verb(line);
        assert_eq!(done.code, Some(code), "{line}: {done:?}");
        let said = if code == 0 { &done.out } else { &done.err };
        assert!(said.contains(says), "{line}: {done:?}");
    }
    let help = vauban("--help").success();
    for status in
        ["0 done", "1 the", "2 wrong", "65 some", "66 the", "69 no", "70 some", "77 not", "78 the"]
    {
        assert!(help.contains(status), "{help}");
    }
}

#[test]
#[ignore = "needs root"]
fn no_daemon_answers() {
    let lab = Lab::pair();
    let nowhere = lab.folder().join("nowhere").display().to_string();
    for line in [
        "status",
        "suspects",
        "bans",
        "ban 203.0.113.5",
        "unban --all",
        "explain ::1",
        "why-not ::1",
        "history",
        "allow",
        "disallow ::1",
        "export",
    ] {
        let done = verb_at(&nowhere, line);
        assert_eq!(done.code, Some(69), "{line}: {done:?}");
        assert!(done.err.contains("no daemon answers"), "{line}: {done:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_configuration_with_errors() {
    let lab = Lab::pair();
    let mut daemon = Vauban::launch(&lab, "[trigger]\nports = 1\nwindows = 5\n", "");
    assert_eq!(daemon.end(), Some(78), "{}", daemon.errors());
    assert!(daemon.errors().contains("vauban.toml:2"), "{}", daemon.errors());
    assert!(daemon.errors().contains("vauban.toml:3"), "{}", daemon.errors());
    assert!(!lab.is_loaded());
    assert!(!daemon.socket.exists());
    assert_eq!(vauban("ruleset --config /nowhere/vauban.toml").code, Some(78));
}

/// A daemon that strangers have taken over may say what it likes, but not to the terminal.
#[test]
#[ignore = "needs root"]
fn what_the_daemon_says_commands_no_terminal() {
    let lab = Lab::pair();
    let socket = lab.folder().join("evil");
    let listener = UnixListener::bind(&socket).unwrap();
    let evil = "\u{1b}]0;owned\u{7}\u{9b}31m\r\u{202e}";
    let ban = json!({
        "subject": evil, "start": evil, "reason": evil, "remaining": 1, "level": 1, "in_force": false,
        "ended": evil, "how": evil, "evidence": [{ "at": evil, "text": evil }],
    });
    let ok = json!({
        "dry_run": false, "stored": true, "bans": [ban], "suspects": [ban], "ban": ban,
        "state": "watched", "address": evil, "subject": evil, "evidence": [{ "at": evil, "text": evil }],
        "why_not": [{ "what": evil, "text": evil }], "version": evil, "configuration": evil,
        "allowed": [{ "prefix": evil, "origin": evil, "comment": evil }], "still": evil,
        "disallowed": evil, "unbanned": [{ "subject": evil }], "policy": { evil: evil },
    });
    let lines = [
        "status",
        "suspects",
        "bans",
        "bans --json",
        "explain ::1",
        "why-not ::1",
        "history",
        "history --json",
        "allow",
        "disallow ::1",
        "unban ::1",
        "ban ::1",
        "reload",
        "export",
        "export --format csv",
        "export --format list",
        "export evidence",
        "export history",
    ];
    for reply in [json!({ "ok": ok }), json!({ "no": evil })] {
        // Escaped as JSON has it, and raw, as a JSON text may have all but the first thirty-two.
        let text = format!("{reply}\n");
        for line in lines {
            let done = std::thread::scope(|scope| {
                let verb = scope.spawn(|| verb_at(&socket.display().to_string(), line));
                listener.set_nonblocking(true).unwrap();
                while !verb.is_finished() {
                    let Ok((mut call, _)) = listener.accept() else {
                        std::thread::yield_now();
                        continue;
                    };
                    call.set_nonblocking(false).unwrap();
                    let mut asked = String::new();
                    BufReader::new(&call).read_line(&mut asked).unwrap();
                    call.write_all(text.as_bytes()).unwrap();
                }
                verb.join().unwrap()
            });
            let said = format!("{}{}", done.out, done.err);
            assert!(!said.is_empty(), "{line}");
            let bad = |c: char| (c.is_control() && c != '\n' && c != '\r') || c == '\u{202e}';
            assert!(!said.contains(bad), "{line}: {said:?}");
            // Ends of line of CSV are the only ones of their kind.
            assert!(!said.replace("\r\n", "").contains('\r'), "{line}: {said:?}");
        }
    }
}

/// Only root is listened to, whatever the socket's permissions say.
#[test]
#[ignore = "needs root"]
fn nobody_may_command() {
    let lab = Lab::pair();
    let daemon = Vauban::start(&lab, "");
    // Where everybody may read it, wherever it was built.
    let program = lab.folder().join("vauban");
    std::fs::copy(PROGRAM, &program).unwrap();
    let as_nobody = |line: &str| {
        let setpriv = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        finish(command(&format!("{setpriv} {} {line}", program.display())), PATIENCE)
    };
    let socket = daemon.socket.display();
    let verbs = ["status", "bans", "ban 203.0.113.5", "unban --all", "explain 192.0.2.2"];
    let mode = std::fs::metadata(&daemon.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for line in verbs {
        let done = as_nobody(&format!("{line} --socket {socket}"));
        assert_eq!(done.code, Some(77), "{line}: {done:?}");
    }
    std::fs::set_permissions(&daemon.socket, PermissionsExt::from_mode(0o666)).unwrap();
    for line in verbs {
        let done = as_nobody(&format!("{line} --socket {socket}"));
        assert_eq!(done.code, Some(77), "{line}: {done:?}");
        assert!(done.err.contains("65534"), "{line}: {done:?}");
        assert_eq!(done.out, "", "{line}");
    }
    assert_eq!(daemon.bans(), [""; 0]);

    let own = lab.folder().join("own").display().to_string();
    for line in [format!("run --config /dev/null --socket {own}"), "demo".into()] {
        let done = as_nobody(&line);
        assert_eq!(done.code, Some(77), "{line}: {done:?}");
        assert!(done.err.contains("root"), "{line}: {done:?}");
    }
    // Reading needs no privilege.
    assert!(as_nobody("ruleset --config /dev/null").success().contains("table inet vauban"));
}

/// What `ruleset` prints is what `run` loads.
#[test]
#[ignore = "needs root"]
fn the_printed_program_is_the_loaded_one() {
    let lab = Lab::pair();
    let text = lab.run("victim", &format!("{PROGRAM} ruleset --config /dev/null")).success();
    lab.nft_load(&text);
    let list = "nft -s list table inet vauban";
    let printed = lab.run("victim", list).success();
    let _daemon = Vauban::start(&lab, "");
    let loaded = lab.run("victim", list).success();
    // The daemon's word that it answers, in two sets in turn.
    let word = |line: &&str| line.trim() == "elements = { tcp timeout 4s }";
    assert!(loaded.lines().filter(word).count() <= 2, "{loaded}");
    let of_program = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !word(line)).map(str::to_owned).collect()
    };
    assert_eq!(of_program(&loaded), of_program(&printed));
}
