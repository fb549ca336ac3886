//! `vauban explain`.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use vauban_config::duration;
use vauban_daemon::control::protocol::Request;

use super::bans::left;
use crate::ask::{ask, list, number, print, print_json, text};
use crate::exit::Trouble;
use vauban_daemon::paint::{ALERT, FAINT, GOOD, WARN, paint};

/// Says what is known of an address. Nothing known is an answer of no.
pub fn run(socket: &Path, json: bool, address: String) -> Result<(), Trouble> {
    let answer = ask(socket, &Request::Explain { address })?;
    if json {
        print_json(&answer)?;
    }
    match text(&answer, "/state") {
        "unknown" => Err(Trouble::No(format!("nothing is known of {}", text(&answer, "/address")))),
        _ if json => Ok(()),
        _ => print(&words(&answer)),
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
                Some(Value::Bool(true)) => "the address is proven to be the sender's own",
                _ => "none: packets like these can carry anybody's address",
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
        "never-banned" => lines.push(format!(
            "{address} is {}: {}",
            paint(GOOD, "never banned"),
            text(answer, "/never/because")
        )),
        _ => {}
    }
    let evidence = list(answer, "/evidence");
    if !evidence.is_empty() {
        lines.push("  what counted:".into());
    }
    for item in evidence {
        lines.push(format!("  {}  {}", paint(FAINT, text(item, "/at")), text(item, "/text")));
    }
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
