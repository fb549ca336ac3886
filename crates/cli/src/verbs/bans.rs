//! `vauban bans`.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use vauban_config::duration;
use vauban_daemon::control::protocol::Request;

use crate::ask::{ask, list, number, print, print_json, text};
use crate::exit::Trouble;
use crate::table::table;

/// Lists the bans in force.
pub fn run(socket: &Path, json: bool) -> Result<(), Trouble> {
    let answer = ask(socket, &Request::Bans)?;
    if json {
        return print_json(&answer);
    }
    let rows: Vec<Vec<String>> = list(&answer, "/bans")
        .iter()
        .map(|ban| {
            vec![
                text(ban, "/subject").to_owned(),
                left(ban),
                number(ban, "/level").to_string(),
                text(ban, "/start").to_owned(),
                text(ban, "/reason").to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return print("no bans");
    }
    let heading = match answer.pointer("/dry_run") {
        Some(Value::Bool(true)) => "WOULD BE BANNED",
        _ => "BANNED",
    };
    print(&table(&[heading, "FOR", "TIMES", "SINCE", "REASON"], &rows))
}

/// How long a ban still lasts.
pub fn left(ban: &Value) -> String {
    ban.pointer("/remaining")
        .and_then(Value::as_u64)
        .map_or_else(|| "ever".into(), |seconds| duration::format(Duration::from_secs(seconds)))
}
