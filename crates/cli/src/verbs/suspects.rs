//! `vauban suspects`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use vauban_config::duration;
use vauban_daemon::control::protocol::Request;

use crate::ask::{ask, list, number, print, print_json, text, words};
use crate::exit::Trouble;
use crate::table::table;

/// Ports shown per line; `--json` has them all.
const PORTS_SHOWN: usize = 6;

/// Lists the suspects.
pub fn run(socket: &Path, json: bool) -> Result<(), Trouble> {
    let answer = ask(socket, &Request::Suspects)?;
    if json {
        return print_json(&answer);
    }
    let rows: Vec<Vec<String>> = list(&answer, "/suspects")
        .iter()
        .map(|suspect| {
            let banned = suspect.pointer("/banned").is_some_and(|v| v == true);
            vec![
                text(suspect, "/subject").to_owned(),
                duration::format(Duration::from_secs(number(suspect, "/remaining"))),
                if banned { "yes" } else { "no" }.to_owned(),
                text(suspect, "/kind").to_owned(),
                number(suspect, "/decoys").to_string(),
                proven(suspect),
                words(suspect, "/ports", PORTS_SHOWN),
            ]
        })
        .collect();
    let watched = watched(&answer);
    if rows.is_empty() {
        return print(&format!("no suspects{watched}"));
    }
    let mut lines =
        table(&["SUSPECT", "FOR", "BANNED", "LOOKS LIKE", "DECOYS", "PROVEN", "PORTS"], &rows);
    // The same for all of them unless they have proven different numbers of ports.
    let missing: BTreeSet<&str> = list(&answer, "/suspects")
        .iter()
        .map(|suspect| text(suspect, "/missing"))
        .filter(|text| !text.is_empty())
        .collect();
    if let ([one], false) = (missing.iter().collect::<Vec<_>>().as_slice(), missing.is_empty()) {
        lines.push_str("\n\nmissing to a ban: ");
        lines.push_str(one);
    }
    lines.push_str(&watched);
    print(&lines)
}

/// Who would be a suspect in zones that are only watched, below the others.
fn watched(answer: &Value) -> String {
    let rows: Vec<Vec<String>> = list(answer, "/watched")
        .iter()
        .map(|seen| {
            vec![
                text(seen, "/subject").to_owned(),
                text(seen, "/zone").to_owned(),
                duration::format(Duration::from_secs(number(seen, "/remaining"))),
                text(seen, "/kind").to_owned(),
                words(seen, "/ports", PORTS_SHOWN),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = ["ONLY WATCHED", "ZONE", "FOR", "LOOKS LIKE", "PORTS"];
    format!("\n\n{}", table(&head, &rows))
}

/// The proven ports, or that there are none.
fn proven(suspect: &Value) -> String {
    match words(suspect, "/proven", PORTS_SHOWN) {
        ports if ports.is_empty() => "none".to_owned(),
        ports => ports,
    }
}
