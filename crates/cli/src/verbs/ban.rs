//! `vauban ban`.

use std::path::Path;
use std::time::Duration;

use vauban_daemon::control::protocol::Request;

use super::bans::left;
use crate::ask::{ask, print, print_json, text};
use crate::exit::Trouble;

/// Bans an address.
pub fn run(
    socket: &Path,
    json: bool,
    subject: String,
    length: Option<Duration>,
    reason: String,
) -> Result<(), Trouble> {
    let for_ms = length.map(|length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
    let answer = ask(socket, &Request::Ban { subject, for_ms, reason })?;
    if json {
        return print_json(&answer);
    }
    let ban = answer.pointer("/ban").unwrap_or(&serde_json::Value::Null);
    print(&format!("banned {} for {}", text(ban, "/subject"), left(ban)))
}
