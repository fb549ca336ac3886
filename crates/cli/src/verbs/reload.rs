//! `vauban reload`.

use std::path::Path;

use vauban_daemon::control::protocol::Request;
use vauban_daemon::paint::{WARN, paint};

use super::status::configuration;
use crate::ask::{ask, number, print, print_json, text, words};
use crate::exit::Trouble;

/// Has the daemon read its configuration again.
pub fn run(socket: &Path, json: bool) -> Result<(), Trouble> {
    let answer = ask(socket, &Request::Reload)?;
    if json {
        return print_json(&answer);
    }
    let mut said = match (text(&answer, "/configuration"), number(&answer, "/drop_ins")) {
        ("", 0) => "reloaded: there is no configuration file, so the defaults hold".to_owned(),
        _ => format!("reloaded: {}", configuration(&answer)),
    };
    let later = words(&answer, "/next_start", 8);
    if !later.is_empty() {
        said.push_str(&paint(WARN, &format!("\nwith the next start only: {later}")));
    }
    print(&said)
}
