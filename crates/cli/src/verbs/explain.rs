//! `vauban explain`.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use vauban_config::duration;
use vauban_daemon::control::protocol::Request;

use super::bans::left;
use crate::ask::{ask, list, number, print, print_json, text, words as words_of};
use crate::exit::Trouble;
use vauban_daemon::paint::{ALERT, FAINT, GOOD, WARN, paint};

/// Ports shown at most; `--json` has them all.
const PORTS_SHOWN: usize = 8;

/// Says what is known of an address. Nothing known is an answer of no.
pub fn run(socket: &Path, json: bool, address: String) -> Result<(), Trouble> {
    let answer = ask(socket, &Request::Explain { address })?;
    if json {
        print_json(&answer)?;
    }
    match text(&answer, "/state") {
        "unknown" => Err(Trouble::No(unknown(&answer))),
        _ if json => Ok(()),
        _ => print(&words(&answer)),
    }
}

/// Nothing is held against it; its past is the history's.
fn unknown(answer: &Value) -> String {
    let address = text(answer, "/address");
    match answer.pointer("/last_ban") {
        None | Some(Value::Null) => format!("nothing is known of {address}"),
        Some(_) => {
            format!("nothing is known of {address} any more but its past: vauban history {address}")
        }
    }
}

/// The answer in words.
pub fn words(answer: &Value) -> String {
    let (address, subject) = (text(answer, "/address"), text(answer, "/subject"));
    let of = if address == subject { String::new() } else { format!(" (as {subject})") };
    let mut lines = Vec::new();
    let span = |pointer: &str| duration::format(Duration::from_secs(number(answer, pointer)));
    match text(answer, "/state") {
        "banned" => {
            let ban = answer.pointer("/ban").unwrap_or(&Value::Null);
            let times = match u32::try_from(number(ban, "/level")).unwrap_or(u32::MAX) {
                0 | 1 => String::new(),
                level => format!(", its {} ban", vauban_daemon::words::ordinal(level)),
            };
            let is = match answer.pointer("/dry_run") {
                Some(Value::Bool(true)) => format!("would be {}", paint(WARN, "banned (dry run)")),
                _ => format!("is {}", paint(ALERT, "banned")),
            };
            lines.push(format!("{address}{of} {is}, for {} more{times}", left(ban)));
            lines.push(format!("  since   {}", text(ban, "/start")));
            lines.push(format!("  reason  {}", text(ban, "/reason")));
            let proof = match ban.pointer("/proven") {
                _ if text(ban, "/origin") == "operator" => "not needed: the operator's word",
                _ if text(ban, "/origin") == "kernel" => "not known any more",
                Some(Value::Bool(true)) => "the address is proven to be the sender's own",
                _ => "none: packets like these can carry anybody's address (unproven = \"ban\")",
            };
            lines.push(format!("  proof   {proof}"));
        }
        "suspect" => lines.push(format!(
            "{address}{of} is a {} for {} more, unless it probes again",
            paint(WARN, "suspect"),
            span("/suspect_for")
        )),
        "watched" => lines.push(format!(
            "{address}{of} is watched: {} of {} distinct closed ports so far",
            number(answer, "/distinct_ports"),
            number(answer, "/trigger_ports"),
        )),
        "only-watched" => {
            lines.push(format!(
                "{address}{of} was seen only where this host is watched, not protected"
            ));
        }
        "never-banned" => lines.push(format!(
            "{address} is {}: {}",
            paint(GOOD, "never banned"),
            text(answer, "/never/because")
        )),
        _ => {}
    }
    lines.extend(standing(answer));
    let evidence = list(answer, "/evidence");
    if !evidence.is_empty() {
        lines.push("  what counted:".into());
    }
    for item in evidence {
        lines.push(format!("  {}  {}", paint(FAINT, text(item, "/at")), text(item, "/text")));
    }
    lines.extend(watched(answer));
    match number(answer, "/not_kept") {
        0 => {}
        more => lines.push(format!("  and {more} more packets that are not kept")),
    }
    match number(answer, "/uncountable") {
        0 => {}
        count => lines.push(format!(
            "  {count} packets do not count: their checksum is wrong, or they are too long to verify it"
        )),
    }
    lines.join("\n")
}

/// What was seen of it in zones that are only watched.
fn watched(answer: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for seen in list(answer, "/seen_in") {
        let zone = text(seen, "/zone");
        let is = match seen.pointer("/remaining").and_then(Value::as_u64) {
            Some(left) => format!(
                "a {} for {} more, unless it probes again",
                paint(WARN, "suspect"),
                duration::format(Duration::from_secs(left))
            ),
            None => format!(
                "{} of {} distinct closed ports so far",
                number(seen, "/distinct_ports"),
                number(answer, "/trigger_ports"),
            ),
        };
        lines.push(format!("  zone    {zone}: {is}; nothing is done about it there"));
        for item in list(seen, "/evidence") {
            lines.push(format!("  {}  {}", paint(FAINT, text(item, "/at")), text(item, "/text")));
        }
    }
    lines
}

/// What it was told, what it has proven, and what is missing to a ban.
fn standing(answer: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let dry = answer.pointer("/dry_run").is_some_and(|v| v == true);
    match number(answer, "/decoys") {
        0 => {}
        told => {
            let dry = if dry { "nothing: a dry run; otherwise, " } else { "" };
            let met = if told == 1 { "an open port: a decoy" } else { "open ports: decoys" };
            lines.push(format!("  told    {dry}that {told} of its probes met {met}"));
        }
    }
    let proven = words_of(answer, "/proven", PORTS_SHOWN);
    if !proven.is_empty() {
        lines.push(format!("  proven  completed handshakes with the decoys of {proven}"));
    }
    if let Some(left) = answer.pointer("/proof_suspended_for").and_then(Value::as_u64) {
        lines.push(format!(
            "  guesses {} wrong acknowledgements in its name: a trap port alone is no proof for {} more",
            number(answer, "/guesses"),
            duration::format(Duration::from_secs(left))
        ));
    } else if number(answer, "/guesses") > 0 {
        let guesses = number(answer, "/guesses");
        lines.push(format!("  guesses {guesses} wrong acknowledgements in its name"));
    }
    if text(answer, "/state") != "banned" {
        for reason in list(answer, "/why_not") {
            let label = match text(reason, "/what") {
                // Said above.
                "never-banned" => continue,
                "allowed" => "how   ",
                "was-banned" => "before",
                _ => "to ban",
            };
            lines.push(format!("  {label}  {}", text(reason, "/text")));
        }
    }
    lines
}
