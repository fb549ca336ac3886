//! `vauban suspects`.

use std::path::Path;
use std::time::Duration;

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
                words(suspect, "/ports", PORTS_SHOWN),
            ]
        })
        .collect();
    if rows.is_empty() {
        return print("no suspects");
    }
    print(&table(&["SUSPECT", "FOR", "BANNED", "LOOKS LIKE", "PORTS"], &rows))
}
