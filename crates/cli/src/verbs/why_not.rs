//! `vauban why-not`: the other half of what `explain` says, by the same view.

use std::path::Path;

use vauban_daemon::control::protocol::Request;
use vauban_daemon::paint::{GOOD, WARN, paint};

use crate::ask::{ask, list, print, print_json, text};
use crate::exit::Trouble;

/// Says why an address is not banned. That it is banned is an answer of no.
pub fn run(socket: &Path, json: bool, address: String) -> Result<(), Trouble> {
    let answer = ask(socket, &Request::Explain { address })?;
    let (address, subject) = (text(&answer, "/address"), text(&answer, "/subject"));
    let of = if address == subject { String::new() } else { format!(" (as {subject})") };
    let reasons: Vec<&str> =
        list(&answer, "/why_not").iter().map(|reason| text(reason, "/text")).collect();
    if json {
        print_json(&answer)?;
    }
    let state = text(&answer, "/state");
    if state == "banned" {
        let why = reasons.join("; ");
        return Err(Trouble::No(format!(
            "{address}{of}: {why}; vauban explain {address} says why"
        )));
    }
    if json {
        return Ok(());
    }
    let is = match state {
        "suspect" => format!("is not banned, but a {}", paint(WARN, "suspect")),
        "never-banned" => paint(GOOD, "is never banned"),
        _ => "is not banned".to_owned(),
    };
    let mut out = format!("{address}{of} {is}:");
    for reason in reasons {
        out.push_str("\n  - ");
        out.push_str(reason);
    }
    print(&out)
}
