//! `vauban ban`.

use std::path::Path;

use serde_json::Value;
use vauban_daemon::control::protocol::{Request, length_fields};
use vauban_daemon::paint::{WARN, paint};
use vauban_engine::policy::Length;

use super::bans::left;
use crate::ask::{ask, print, print_json, text};
use crate::exit::Trouble;

/// Bans an address.
pub fn run(
    socket: &Path,
    json: bool,
    subject: String,
    length: Option<Length>,
    reason: String,
) -> Result<(), Trouble> {
    let (for_ms, forever) = length_fields(length);
    let answer = ask(socket, &Request::Ban { subject, for_ms, forever, reason })?;
    if json {
        return print_json(&answer);
    }
    let ban = answer.pointer("/ban").unwrap_or(&Value::Null);
    let done = match answer.pointer("/dry_run") {
        Some(Value::Bool(true)) => "would have banned (dry run)",
        _ => "banned",
    };
    let stored = match answer.pointer("/stored") {
        Some(Value::Bool(false)) => {
            format!("\n{}", paint(WARN, "it is not stored: see vauban status"))
        }
        _ => String::new(),
    };
    print(&format!("{done} {} for {}{stored}", text(ban, "/subject"), left(ban)))
}
