//! The whole report, on a host that a test has made of files, and on this one.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use super::*;

/// A folder that looks like a host; it goes when this goes.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root =
            std::env::temp_dir().join(format!("vauban-doctor-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (path, text) in files {
            let path = root.join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(root)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn patient(host: &Host) -> Patient<'_> {
    let config = Config {
        store: vauban_config::Store {
            path: "/nonexistent/vauban/vauban.db".into(),
            ..vauban_config::Store::default()
        },
        ..Config::default()
    };
    Patient {
        host,
        configured: Ok((config.clone(), String::new())),
        config,
        status: Err(Trouble::Unavailable("no daemon answers".into())),
        root: true,
    }
}

/// What is not ok, by name and verdict.
fn complaints(findings: &[Finding]) -> Vec<(&str, Verdict)> {
    let bad = findings.iter().filter(|finding| finding.verdict != Verdict::Ok);
    bad.map(|finding| (finding.what, finding.verdict)).collect()
}

#[test]
fn an_empty_host_gets_verdicts_and_no_crash() {
    let files = Files::new("empty", &[]);
    fs::create_dir_all(&files.0).unwrap();
    let host = Host::of_files(&files.0);
    let mut patient = patient(&host);
    for root in [true, false] {
        patient.root = root;
        for check in Check::ALL {
            assert!(!check.run(&patient).is_empty(), "{check:?}");
        }
    }
    // Without nft nothing works.
    patient.root = true;
    assert!(complaints(&Check::Nft.run(&patient)).contains(&("version", Verdict::Trouble)));
}

#[test]
fn a_host_as_it_should_be() {
    let files = Files::new(
        "good",
        &[
            ("/proc/sys/kernel/osrelease", "6.1.0-28-amd64\n"),
            ("/sys/module/nf_tables/refcnt", "3"),
            ("/sys/kernel/security/lsm", "lockdown,capability,landlock,yama"),
            ("/proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\nSeccomp:\t0\n"),
            ("/proc/net/netfilter/nfnetlink_log", ""),
            ("/proc/sys/net/ipv4/conf/all/rp_filter", "2\n"),
            ("/proc/sys/net/ipv4/tcp_timestamps", "1\n"),
            ("/proc/sys/net/ipv4/ip_forward", "0\n"),
            ("/run/systemd/timesync/synchronized", ""),
        ],
    );
    let host = Host::of_files(&files.0);
    let patient = patient(&host);
    for check in [Check::Kernel, Check::Network, Check::Clock] {
        assert_eq!(complaints(&check.run(&patient)), [], "{check:?}");
    }
}

#[test]
fn a_host_as_it_should_not_be() {
    let files = Files::new(
        "bad",
        &[
            ("/proc/sys/kernel/osrelease", "5.10.0-8-amd64\n"),
            ("/sys/kernel/security/lsm", "capability,yama\n"),
            ("/proc/net/netfilter/nfnetlink_log", "   10  4711     0 2 65535  100  1\n"),
            ("/proc/4711/comm", "ulogd\n"),
            ("/proc/812/comm", "portsentry\n"),
            ("/proc/813/comm", "fail2ban-server\n"),
            ("/proc/sys/net/ipv4/ip_forward", "1\n"),
        ],
    );
    let host = Host::of_files(&files.0);
    let mut patient = patient(&host);
    patient.config.policy.kernel.group = 10;
    let kernel = Check::Kernel.run(&patient);
    assert_eq!(
        complaints(&kernel),
        [
            ("version", Verdict::Warning),
            ("nf_tables", Verdict::Note),
            ("NFLOG group", Verdict::Trouble),
            ("Landlock", Verdict::Warning),
            ("seccomp", Verdict::Warning),
        ]
    );
    let nflog = kernel.iter().find(|finding| finding.what == "NFLOG group").unwrap();
    assert_eq!(nflog.found, "10 is taken by process 4711 (ulogd)");
    assert_eq!(nflog.remedy, ["in /etc/vauban/vauban.toml: kernel.nflog_group = 1"]);
    let tools = Check::Tools.run(&patient);
    assert!(complaints(&tools).contains(&("portsentry", Verdict::Warning)));
    assert!(complaints(&tools).contains(&("fail2ban", Verdict::Note)));
    patient.configured = Err("vauban.toml:3: `nonsense` is no key".into());
    assert_eq!(complaints(&Check::Configuration.run(&patient)), [("file", Verdict::Trouble)]);
}

#[test]
fn whatever_is_not_well_has_a_remedy_and_the_report_stands_in_columns() {
    let files = Files::new("columns", &[("/proc/1/comm", "psad\n")]);
    let host = Host::of_files(&files.0);
    let patient = patient(&host);
    let all: Vec<(Check, Vec<Finding>)> =
        Check::ALL.into_iter().map(|check| (check, check.run(&patient))).collect();
    for finding in all.iter().flat_map(|(_, findings)| findings) {
        let bad = matches!(finding.verdict, Verdict::Warning | Verdict::Trouble);
        assert!(!bad || !finding.remedy.is_empty(), "{finding:?}");
    }
    let report = words(&all);
    let lines = report.lines().filter(|line| line.contains("warning  "));
    let columns: Vec<Option<usize>> = lines.map(|line| line.find("warning")).collect();
    assert!(columns.iter().all(|column| *column == Some(15)), "{report}");
    assert!(as_json(&all).pointer("/findings/0/remedy").is_some());
}

#[test]
fn what_others_print_commands_no_terminal() {
    let finding = Finding::trouble("x", "a\x1b[2J\nb").remedy("c\r\x07");
    let lines = finding.lines("x", 4).join("\n");
    assert!(!lines.contains(|c: char| c.is_control() && c != '\n'), "{lines:?}");
}

#[test]
fn a_program_that_never_answers_is_given_up() {
    let began = Instant::now();
    let said = Host::real().ask("sleep", &["60"]);
    assert!(matches!(said, host::Said::Silent(_)), "{said:?}");
    assert!(began.elapsed().as_secs() < 10);
    assert_eq!(Host::real().ask("no-such-program-here", &[]), host::Said::Missing);
}
