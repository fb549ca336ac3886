//! `vauban status`.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use vauban_config::duration;
use vauban_daemon::control::protocol::Request;

use crate::ask::{ask, list, number, print, print_json, text, words as words_of};
use crate::exit::Trouble;
use vauban_daemon::paint::{ALERT, FAINT, GOOD, WARN, paint};

/// Interfaces of a zone that are shown at most; `--json` has them all.
const INTERFACES_SHOWN: usize = 4;

/// Says how the daemon is doing.
pub fn run(socket: &Path, json: bool) -> Result<(), Trouble> {
    let status = ask(socket, &Request::Status)?;
    if json { print_json(&status) } else { print(&words(&status)) }
}

fn words(status: &Value) -> String {
    let seconds = |pointer: &str| {
        let value = status.pointer(pointer).and_then(Value::as_f64).unwrap_or_default();
        duration::format(Duration::from_secs_f64(value))
    };
    let counter = |name: &str| number(status, &format!("/kernel/counters/{name}/packets"));
    let mode = match text(status, "/mode") {
        "dry-run" => paint(WARN, "dry run: nothing is dropped"),
        _ => paint(GOOD, "enforcing"),
    };
    let program = match text(status, "/kernel/program") {
        "loaded" => paint(GOOD, "loaded"),
        other => paint(ALERT, other),
    };
    let configuration = configuration(status);
    let dropped = if text(status, "/mode") == "dry-run" { "would drop" } else { "dropped" };
    let lost = ["unreadable", "queue_full", "overruns"]
        .map(|name| number(status, &format!("/probes/{name}")));
    let mut lines = vec![
        format!("vauban {}, up {}, {mode}", text(status, "/version"), seconds("/uptime"),),
        format!("  kernel program  {program}; table inet vauban"),
        format!("  configuration   {configuration}"),
        format!(
            "  trigger         {} distinct closed ports within {}; a suspect for {}",
            number(status, "/trigger/ports"),
            seconds("/trigger/window"),
            seconds("/trigger/suspect"),
        ),
        format!("  unproven        {}", unproven(status)),
        format!("  zones           {}", zones(status)),
        format!("  store           {}", store(status)),
        format!(
            "  judging         as user {}, sandbox: {}",
            number(status, "/process/user"),
            text(status, "/process/sandbox"),
        ),
        String::new(),
        format!("  bans            {}", number(status, "/bans")),
        format!("  suspects        {}", number(status, "/suspects")),
        format!("  never banned    {} addresses and prefixes", number(status, "/never")),
        String::new(),
        format!("  probes          {}", counter("probes")),
        format!(
            "  {dropped:<14}  {} of banned sources, {} probes and {} new connections of suspects",
            counter("banned"),
            counter("triggers") + counter("suspect_probes"),
            counter("suspect_connections"),
        ),
    ];
    if counter("hidden_headers") > 0 {
        let text = format!("{} IPv6 fragments that hid their headers", counter("hidden_headers"));
        lines.push(format!("  {}", paint(WARN, &text)));
    }
    if counter("set_full") > 0 {
        let text = format!("{} probes met a full set and were dropped", counter("set_full"));
        lines.push(format!("  {}", paint(WARN, &text)));
    }
    if lost.iter().any(|count| *count > 0) {
        let [unreadable, queue_full, overruns] = lost;
        let text = format!(
            "copies not judged: {unreadable} unreadable, {queue_full} with a full queue, \
             {overruns} overruns"
        );
        lines.push(format!("  {}", paint(WARN, &text)));
    }
    if text(status, "/unproven") == "decoy" {
        lines.extend(decoys(status));
    }
    let uncountable = number(status, "/probes/uncountable");
    if uncountable > 0 {
        let text = format!(
            "{uncountable} probes with a checksum that is wrong or could not be verified: never counted"
        );
        lines.push(format!("  {}", paint(FAINT, &text)));
    }
    lines.join("\n")
}

/// The files that were read.
pub(super) fn configuration(answer: &Value) -> String {
    match (number(answer, "/drop_ins"), text(answer, "/configuration")) {
        (0, "") => "defaults, no file".to_owned(),
        (0, file) => file.to_owned(),
        (1, "") => "1 drop-in, no main file".to_owned(),
        (count, "") => format!("{count} drop-ins, no main file"),
        (1, file) => format!("{file} and 1 drop-in"),
        (count, file) => format!("{file} and {count} drop-ins"),
    }
}

/// Which interfaces are protected.
fn zones(status: &Value) -> String {
    let mut zones: Vec<String> = list(status, "/zones")
        .iter()
        .map(|zone| {
            let of = match words_of(zone, "/interfaces", INTERFACES_SHOWN) {
                names if names.is_empty() => String::new(),
                names => format!(" ({names})"),
            };
            format!("{}{of}: {}", text(zone, "/zone"), text(zone, "/mode"))
        })
        .collect();
    if zones.is_empty() {
        return "none: every interface is protected".to_owned();
    }
    if !list(status, "/zones").iter().any(|zone| text(zone, "/zone") == "wan") {
        zones.push("all else: protect".to_owned());
    }
    zones.join(", ")
}

/// Where bans outlive the daemon, and how that goes.
fn store(status: &Value) -> String {
    let path = text(status, "/store/path");
    let trouble = text(status, "/store/trouble");
    if !trouble.is_empty() {
        return paint(ALERT, &format!("not written: {trouble}"));
    }
    let kib = number(status, "/store/bytes") / 1024;
    let past = number(status, "/store/history");
    format!("{path}: {kib} KiB, {past} bans that are over")
}

/// What a suspect meets.
fn unproven(status: &Value) -> &'static str {
    match text(status, "/unproven") {
        "decoy" => "decoys: closed ports look open to suspects; a ban needs proof",
        "drop" => "drop: suspects open no new connection; no bans",
        "ban" => "ban: at the trigger, proven or not",
        _ => "",
    }
}

/// What decoys have done.
fn decoys(status: &Value) -> Vec<String> {
    let count = |name: &str| number(status, &format!("/decoys/{name}"));
    let dry = text(status, "/mode") == "dry-run";
    let mut lines = vec![format!(
        "  decoys          {} {}, {} handshakes completed, {} wrong acknowledgements",
        count("told"),
        if dry { "would have been sent" } else { "sent" },
        count("handshakes"),
        count("guesses"),
    )];
    if dry {
        lines.push(
            "                  in a dry run nobody is answered, so no suspect can prove itself"
                .into(),
        );
    }
    let counter = |name: &str| number(status, &format!("/kernel/counters/{name}/packets"));
    if counter("suspect_too_fast") > 0 {
        let text = format!(
            "{} SYNs of suspects were dropped because they could not be answered in time",
            counter("suspect_too_fast")
        );
        lines.push(format!("  {}", paint(WARN, &text)));
    }
    if status.pointer("/decoys/answering").is_some_and(|v| v == false) && !dry {
        let text = "decoys are not answered at the moment: suspects open no connections";
        lines.push(format!("  {}", paint(WARN, text)));
    }
    lines
}
