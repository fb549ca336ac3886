//! `vauban unban`.

use std::path::Path;

use vauban_daemon::control::protocol::Request;

use crate::ask::{ask, list, print, print_json, text};
use crate::exit::Trouble;

/// Ends the ban and the suspicion of an address, or of everybody.
pub fn run(socket: &Path, json: bool, address: Option<String>) -> Result<(), Trouble> {
    let answer = ask(socket, &Request::Unban { address })?;
    if json {
        return print_json(&answer);
    }
    let unbanned = list(&answer, "/unbanned");
    if unbanned.is_empty() {
        return print("nobody was banned or a suspect");
    }
    let lines: Vec<String> = unbanned
        .iter()
        .map(|item| {
            let banned = item.pointer("/was_banned").is_some_and(|value| value == true);
            let what = if banned { "unbanned" } else { "no longer watched:" };
            format!("{what} {}", text(item, "/subject"))
        })
        .collect();
    print(&lines.join("\n"))
}
