//! The daemon: whether it answers, and how it does.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use vauban_daemon::control::protocol::Request;

use super::Patient;
use super::finding::Finding;
use super::host::{Host, Said};
use crate::ask::{ask, number, text};
use crate::exit::Trouble;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What it says of itself.
pub(super) fn status(socket: &Path) -> Result<Value, Trouble> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let path = socket.to_owned();
    std::thread::spawn(move || {
        // Nobody waits for an answer that comes late.
        let _ = sender.try_send(ask(&path, &Request::Status));
    });
    let silent = || {
        let text =
            format!("the daemon at {} does not answer within {PATIENCE:?}", socket.display());
        Trouble::Failed(text)
    };
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(silent()))
}

/// Whether the host is meant to start it at boot.
pub(super) fn is_enabled(host: &Host) -> Option<String> {
    match host.ask("systemctl", &["is-enabled", "vauban.service"]) {
        Said::Done(_, text, _) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    }
}

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    match &patient.status {
        Ok(status) => healthy(status, env!("CARGO_PKG_VERSION")),
        Err(Trouble::Denied(_)) => vec![Finding::needs_root("running")],
        Err(Trouble::Unavailable(text)) => {
            let meant = patient.host.has_systemd()
                && is_enabled(patient.host).is_some_and(|word| word == "enabled");
            vec![if meant {
                Finding::trouble("running", text.clone())
                    .remedy("systemctl start vauban; why it ended: journalctl -u vauban -n 50")
            } else {
                Finding::note("running", text.clone())
            }]
        }
        Err(trouble) => vec![
            Finding::trouble("running", trouble.to_string())
                .remedy("systemctl restart vauban; why: journalctl -u vauban -n 50"),
        ],
    }
}

fn healthy(status: &Value, version: &str) -> Vec<Finding> {
    let word = |pointer: &str| text(status, pointer);
    let running = word("/version");
    let mut findings = vec![if running == version {
        Finding::ok("running", format!("version {running}, mode {}", word("/mode")))
    } else {
        Finding::warning("running", format!("version {running}; this program is {version}"))
            .remedy("systemctl restart vauban")
    }];
    findings.push(match word("/kernel/program") {
        "loaded" => Finding::ok("kernel program", "loaded"),
        other => Finding::trouble("kernel program", other)
            .remedy("who takes it away: nft monitor; what the daemon says: journalctl -u vauban"),
    });
    let decoys = word("/unproven") == "decoy" && word("/mode") == "enforce";
    if decoys && status.pointer("/decoys/answering") == Some(&Value::Bool(false)) {
        findings.push(
            Finding::trouble(
                "decoys",
                "not answered: suspects open no connections, listeners neither",
            )
            .remedy("systemctl restart vauban"),
        );
    }
    let sandbox = word("/process/sandbox");
    findings.push(if sandbox.contains("seccomp") && sandbox.contains("landlock") {
        Finding::ok("sandbox", format!("{sandbox}, user {}", number(status, "/process/user")))
    } else {
        Finding::warning("sandbox", sandbox.to_owned()).remedy("see kernel, above")
    });
    let lost = ["queue_full", "overruns"].map(|name| number(status, &format!("/probes/{name}")));
    let full = number(status, "/kernel/counters/set_full/packets");
    findings.push(if lost == [0, 0] && full == 0 {
        Finding::ok("losses", "none since its start")
    } else {
        let [queue, overruns] = lost;
        let text = format!(
            "since its start {queue} copies met a full queue, {overruns} times the kernel's buffer was \
             full, {full} probes met a full set; what was dropped stays dropped"
        );
        Finding::note("losses", text)
            .remedy("if that goes on: lower kernel.copies_per_second, or raise kernel.sources")
    });
    findings.push(match word("/store/trouble") {
        "" => Finding::ok("storing", "every ban is on the disk"),
        trouble => Finding::trouble("storing", format!("bans are not stored: {trouble}"))
            .remedy("see database, above; what is in force stays in force meanwhile"),
    });
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Verdict;
    use super::*;

    fn status() -> Value {
        json!({
            "version": "1.2.3", "mode": "enforce", "unproven": "decoy",
            "kernel": { "program": "loaded", "counters": {} },
            "decoys": { "answering": true },
            "process": { "user": 998, "sandbox": "landlock (version 7), seccomp" },
            "probes": { "queue_full": 0, "overruns": 0 },
            "store": { "trouble": "" },
        })
    }

    /// The findings that are not ok.
    fn complaints(status: &Value) -> Vec<(&'static str, Verdict)> {
        let findings = healthy(status, "1.2.3").into_iter();
        findings.filter(|f| f.verdict != Verdict::Ok).map(|f| (f.what, f.verdict)).collect()
    }

    #[test]
    fn what_ails_it_is_said() {
        assert_eq!(complaints(&status()), []);
        for (pointer, value, expected) in [
            ("/version", json!("1.0.0"), ("running", Verdict::Warning)),
            ("/kernel/program", json!("missing"), ("kernel program", Verdict::Trouble)),
            ("/decoys/answering", json!(false), ("decoys", Verdict::Trouble)),
            ("/process/sandbox", json!("seccomp"), ("sandbox", Verdict::Warning)),
            ("/probes/overruns", json!(3), ("losses", Verdict::Note)),
            ("/store/trouble", json!("the disk is full"), ("storing", Verdict::Trouble)),
        ] {
            let mut status = status();
            *status.pointer_mut(pointer).unwrap() = value;
            assert_eq!(complaints(&status), [expected]);
        }
    }

    #[test]
    fn an_answer_of_another_shape_is_no_crash() {
        assert!(!complaints(&json!({})).is_empty());
    }
}
