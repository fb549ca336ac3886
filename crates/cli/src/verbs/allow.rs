//! `vauban allow` and `vauban disallow`.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use vauban_config::duration;
use vauban_daemon::control::protocol::{Request, length_fields};
use vauban_daemon::paint::{WARN, paint};
use vauban_engine::policy::Length;

use crate::ask::{ask, list as items, print, print_json, text};
use crate::exit::Trouble;
use crate::table::table;

/// Allows an address or a prefix.
pub fn run(
    socket: &Path,
    json: bool,
    prefix: String,
    length: Option<Length>,
    comment: String,
    force: bool,
) -> Result<(), Trouble> {
    // For ever is what it is without a word.
    let (for_ms, _) = length_fields(length);
    let answer = ask(socket, &Request::Allow { prefix, for_ms, comment, force })?;
    if json {
        return print_json(&answer);
    }
    let allowed = answer.pointer("/allowed").unwrap_or(&Value::Null);
    let mut lines = vec![format!("allowed {} for {}", text(allowed, "/prefix"), left(allowed))];
    for item in items(&answer, "/unbanned") {
        let banned = item.pointer("/was_banned").is_some_and(|value| value == true);
        let what = if banned { "unbanned" } else { "no longer watched:" };
        lines.push(format!("{what} {}", text(item, "/subject")));
    }
    lines.extend(unstored(&answer));
    print(&lines.join("\n"))
}

/// Takes back what was allowed.
pub fn take_back(socket: &Path, json: bool, prefix: String) -> Result<(), Trouble> {
    let answer = ask(socket, &Request::Disallow { prefix })?;
    if json {
        return print_json(&answer);
    }
    let mut lines = vec![format!("no longer allowed: {}", text(&answer, "/disallowed"))];
    let still = text(&answer, "/still");
    if !still.is_empty() {
        lines.push(paint(WARN, &format!("but {still}")));
    }
    lines.extend(unstored(&answer));
    print(&lines.join("\n"))
}

/// Lists who is allowed.
pub fn list(socket: &Path, json: bool) -> Result<(), Trouble> {
    let answer = ask(socket, &Request::Allowed)?;
    if json {
        return print_json(&answer);
    }
    let rows: Vec<Vec<String>> = items(&answer, "/allowed")
        .iter()
        .map(|item| {
            vec![
                text(item, "/prefix").to_owned(),
                left(item),
                text(item, "/origin").to_owned(),
                text(item, "/comment").to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return print("nobody is allowed but this host itself and its gateways");
    }
    print(&table(&["ALLOWED", "FOR", "BY", "COMMENT"], &rows))
}

fn left(item: &Value) -> String {
    let left = item.pointer("/remaining").and_then(Value::as_u64);
    left.map_or_else(|| "ever".into(), |left| duration::format(Duration::from_secs(left)))
}

fn unstored(answer: &Value) -> Option<String> {
    let stored = answer.pointer("/stored").is_none_or(|value| value == true);
    (!stored).then(|| paint(WARN, "it is not stored: see vauban status"))
}
