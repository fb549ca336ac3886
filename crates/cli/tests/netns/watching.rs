//! What a person or a program sees while somebody scans: `top`, `doctor`, the log as JSON and in the
//! journal.

use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::daemon::{PROGRAM, Vauban, verb_at};
use crate::lab::{Lab, PATIENCE, SCANNER, VICTIM};
use crate::process::{Running, command, finish, needs, wait_until};

const SCAN: &str = "nmap -n -Pn -sS -T4 --max-retries 0 -p 101-140";

/// Scans, and waits until it is noticed.
fn scan(lab: &Lab, vauban: &Vauban) {
    lab.run("scanner", &format!("{SCAN} {VICTIM}")).success();
    wait_until("the scanner is a suspect", PATIENCE, || vauban.state(SCANNER) == "suspect");
}

#[test]
#[ignore = "needs root"]
fn top_shows_who_probes_and_what_was_decided() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    scan(&lab, &vauban);
    let shown = vauban.json("top --once --interval 100ms");
    assert_eq!(shown["shown"][0]["subject"], SCANNER.to_string(), "{shown:#}");
    assert_eq!(shown["shown"][0]["class"], "syn", "{shown:#}");
    assert!(shown["shown"][0]["decoys"].as_u64().unwrap() > 0, "{shown:#}");
    assert!(shown["totals"]["probes"].as_u64().unwrap() >= 30, "{shown:#}");
    assert_eq!(shown["suspects"], 1, "{shown:#}");
    let decided = &shown["decisions"][0];
    assert_eq!(decided["kind"], "suspect", "{shown:#}");
    assert_eq!(decided["subject"], SCANNER.to_string(), "{shown:#}");

    let text = vauban.verb("top --once --interval 100ms").success();
    assert!(text.contains(&SCANNER.to_string()) && text.contains("DECIDED LAST"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let refused = vauban.verb("top");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("--once"), "{refused:?}");
}

#[test]
#[ignore = "needs root"]
fn a_flood_of_suspects_is_one_screen() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let many: Vec<String> =
        (0..600).map(|n| format!("10.0.{}.{} timeout 60s", n / 250, n % 250 + 1)).collect();
    let many = many.join(", ");
    lab.run("victim", &format!("nft add element inet vauban suspect4 {{{many}}}")).success();
    scan(&lab, &vauban);
    let shown = vauban.json("top --once --interval 100ms");
    assert!(shown["shown"].as_array().unwrap().len() <= 256, "{shown:#}");
    assert_eq!(shown["shown"][0]["subject"], SCANNER.to_string(), "{shown:#}");
}

/// The terminal is taken, drawn on and given back, though it is told to end by a signal.
#[test]
#[ignore = "needs root"]
fn a_terminal_is_given_back() {
    needs("script");
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let file = lab.folder().join("typescript");
    let shell = lab.folder().join("top.sh");
    let socket = vauban.socket.display();
    std::fs::write(
        &shell,
        format!(
            "stty rows 24 cols 80; timeout --foreground -s TERM 2 {PROGRAM} top --socket {socket}\n"
        ),
    )
    .unwrap();
    let line = format!("script --quiet --flush --command {} {}", shell.display(), file.display());
    std::fs::set_permissions(&shell, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = command(&line);
    command.env("SHELL", "/bin/sh").env("TERM", "xterm").stdin(Stdio::null());
    finish(command, PATIENCE);
    let seen = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
    let (taken, given) = ("\u{1b}[?1049h", "\u{1b}[?1049l");
    let at = |what: &str| seen.find(what).unwrap_or_else(|| panic!("no {what:?} in {seen:?}"));
    assert!(at(taken) < at("enforcing") && at("enforcing") < at(given), "{seen:?}");
}

#[test]
#[ignore = "needs root"]
fn doctor_finds_no_trouble_and_changes_nothing() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let tables = || lab.run("victim", "nft -s list tables").success();
    let before = tables();
    let (config, socket) = (vauban.config.display(), vauban.socket.display());
    let line = format!("{PROGRAM} doctor --json --config {config} --socket {socket}");
    let done = lab.run("victim", &line);
    let report: Value = serde_json::from_str(&done.out).unwrap();
    let of = |verdict: &str| -> Vec<&Value> {
        let all = report["findings"].as_array().unwrap();
        all.iter().filter(|finding| finding["verdict"] == verdict).collect()
    };
    assert_eq!(done.code, Some(0), "{:#?}", of("trouble"));
    for what in ["our program", "running", "kernel program", "sandbox"] {
        assert!(of("ok").iter().any(|f| f["what"] == what), "{what}: {report:#}");
    }
    assert_eq!(tables(), before);

    std::fs::write(&vauban.config, "nonsense = 1\n").unwrap();
    let done = lab.run("victim", &line);
    assert_eq!(done.code, Some(1), "{done:?}");
    let report: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(report["counts"]["trouble"], 1, "{report:#}");
}

#[test]
#[ignore = "needs root"]
fn the_log_as_json() {
    let lab = Lab::pair();
    let vauban = Vauban::start_with(&lab, "", "--log json");
    scan(&lab, &vauban);
    vauban.verb("ban 203.0.113.5 --for 1h --reason test").success();
    wait_until("both are logged", PATIENCE, || vauban.log().contains("203.0.113.5"));
    let entries: Vec<Value> =
        vauban.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| entries.iter().find(|entry| entry["kind"] == kind).unwrap();
    let suspect = of("suspect");
    assert_eq!(suspect["subject"], SCANNER.to_string());
    assert_eq!(suspect["class"], "syn", "{suspect:#}");
    assert!(suspect["port_count"].as_u64().unwrap() >= 1, "{suspect:#}");
    let ban = of("ban");
    assert_eq!((&ban["level"], &ban["proven"]), (&Value::from(1), &Value::from(false)));
    assert!(ban["reason"].as_str().unwrap().ends_with("test"), "{ban:#}");
}

/// A journal of the test's own, where the real one listens, for this daemon alone.
#[test]
#[ignore = "needs root"]
fn decisions_go_to_the_journal_with_their_fields_and_not_as_lines() {
    needs("unshare");
    let lab = Lab::pair();
    let folder = lab.folder().join("journal");
    std::fs::create_dir(&folder).unwrap();
    let journal = UnixDatagram::bind(folder.join("socket")).unwrap();
    journal.set_read_timeout(Some(PATIENCE)).unwrap();
    let file = |name: &str| lab.folder().join(name).display().to_string();
    let (out, socket, config) = (file("out"), file("sock"), file("empty.toml"));
    std::fs::write(&config, "").unwrap();
    let script = file("run.sh");
    std::fs::write(
        &script,
        format!(
            "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal &&\n\
             mount --bind {0} /run/systemd/journal && : > {out} &&\n\
             JOURNAL_STREAM=$(stat -c %d:%i {out}) exec {PROGRAM} run --config {config} \
             --socket {socket} --store {1}/vauban.db >> {out}\n",
            folder.display(),
            file("store"),
        ),
    )
    .unwrap();
    let mut command = lab.on("victim", &format!("unshare --mount sh {script}"));
    command.stdin(Stdio::null());
    let mut daemon = Running::start(command);
    wait_until("vauban answers", Duration::from_secs(10), || {
        assert!(daemon.ended().is_none(), "it has ended");
        verb_at(&socket, "status").code == Some(0)
    });
    verb_at(&socket, "ban 203.0.113.5 --for 1h --reason test").success();
    let mut bytes = vec![0; 65_536];
    let mut received = Vec::new();
    // Some lines of the start come before it.
    let entry = loop {
        let length = journal.recv(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(bytes.get(..length).unwrap()).into_owned();
        if text.contains("VAUBAN_KIND=ban\n") {
            break text;
        }
        received.push(text);
        assert!(received.len() < 100, "{received:?}");
    };
    for field in [
        "MESSAGE=Ban 203.0.113.5 for 1h (first ban): banned by the operator: test\n",
        "PRIORITY=5\n",
        "SYSLOG_IDENTIFIER=vauban\n",
        "MESSAGE_ID=ead2790653d5407b98d9676fde068dcf\n",
        "VAUBAN_SUBJECT=203.0.113.5\n",
        "VAUBAN_LEVEL=1\n",
        "VAUBAN_UNTIL=",
    ] {
        assert!(entry.contains(field), "{field}: {entry}");
    }
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "", "nothing is said twice");

    // A journal that is gone neither stops nor ends it: what it decides is lines then.
    drop(journal);
    std::fs::remove_file(folder.join("socket")).unwrap();
    verb_at(&socket, "ban 203.0.113.6 --for 1h").success();
    wait_until("it is a line", PATIENCE, || {
        std::fs::read_to_string(&out).unwrap().contains(" Ban 203.0.113.6 for 1h")
    });
    daemon.signal("TERM");
    assert!(daemon.wait(PATIENCE).success());
}
