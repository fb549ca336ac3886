//! `vauban reload`.

use std::path::Path;

use vauban_daemon::control::protocol::Request;

use crate::ask::{ask, print, print_json, text};
use crate::exit::Trouble;

/// Has the daemon read its configuration again.
pub fn run(socket: &Path, json: bool) -> Result<(), Trouble> {
    let answer = ask(socket, &Request::Reload)?;
    if json {
        return print_json(&answer);
    }
    print(&match text(&answer, "/configuration") {
        "" => "reloaded: there is no configuration file, so the defaults hold".to_owned(),
        file => format!("reloaded: {file}"),
    })
}
