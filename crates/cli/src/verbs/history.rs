//! `vauban history`, and the pages that it and `export` read.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use vauban_config::duration;
use vauban_daemon::control::dates;
use vauban_daemon::control::protocol::{History, MOST_HISTORY, Request};
use vauban_daemon::paint::{FAINT, WARN, paint};

use crate::ask::{ask, list, number, print, print_json, text};
use crate::exit::Trouble;
use crate::table::table;

/// What `--since` says, in milliseconds since 1970.
pub fn since(text: Option<&str>) -> Result<Option<u64>, Trouble> {
    let now = vauban_daemon::clock::wall();
    text.map(|text| dates::read_since(text, now).map_err(Trouble::Usage)).transpose()
}

/// Reads page after page, each given to `each` with its answer, until the end or until `most` bans.
/// Says whether there are more.
pub fn pages(
    socket: &Path,
    mut asked: History,
    most: u32,
    mut each: impl FnMut(&Value, &[Value]) -> Result<(), Trouble>,
) -> Result<bool, Trouble> {
    let mut left = most;
    loop {
        asked.limit = Some(left.min(MOST_HISTORY));
        let answer = ask(socket, &Request::History(asked.clone()))?;
        let bans = list(&answer, "/bans");
        each(&answer, bans)?;
        let next = text(&answer, "/next");
        left = left.saturating_sub(u32::try_from(bans.len()).unwrap_or(u32::MAX));
        // A place that does not move would be asked for again for ever.
        if next.is_empty() || asked.after.as_deref() == Some(next) {
            return Ok(false);
        }
        if left == 0 {
            return Ok(true);
        }
        asked.after = Some(next.to_owned());
    }
}

/// Lists bans, over and in force.
pub fn run(
    socket: &Path,
    json: bool,
    address: Option<String>,
    since_text: Option<&str>,
    limit: u32,
) -> Result<(), Trouble> {
    let asked = History { address, since_ms: since(since_text)?, ..History::default() };
    let mut bans: Vec<Value> = Vec::new();
    let (mut stored, mut dry_run) = (true, false);
    let more = pages(socket, asked, limit, |answer, page| {
        stored &= answer.pointer("/stored").is_some_and(|value| value == true);
        dry_run |= answer.pointer("/dry_run").is_some_and(|value| value == true);
        bans.extend_from_slice(page);
        Ok(())
    })?;
    if json {
        let answer = json!({ "dry_run": dry_run, "stored": stored, "bans": bans, "more": more });
        return print_json(&answer);
    }
    if bans.is_empty() && stored {
        return print("no bans");
    }
    let rows: Vec<Vec<String>> = bans.iter().map(row).collect();
    let headings = ["SUBJECT", "BEGAN", "ENDED", "HOW", "TIMES", "REASON"];
    let mut lines = vec![table(&headings, &rows)];
    if more {
        lines.push(paint(FAINT, "these are not all: --limit shows more"));
    }
    if !stored {
        let text = "bans are missing here, as not all of them are stored: see vauban status";
        lines.push(paint(WARN, text));
    }
    print(&lines.join("\n"))
}

fn row(ban: &Value) -> Vec<String> {
    let in_force = ban.pointer("/in_force").is_some_and(|value| value == true);
    let (ended, how) = if in_force {
        let left = ban.pointer("/remaining").and_then(Value::as_u64);
        let left = left.map_or_else(
            || "for ever".to_owned(),
            |left| format!("for {} more", duration::format(Duration::from_secs(left))),
        );
        ("in force".to_owned(), left)
    } else {
        (text(ban, "/ended").to_owned(), how(text(ban, "/how")).to_owned())
    };
    vec![
        text(ban, "/subject").to_owned(),
        text(ban, "/start").to_owned(),
        ended,
        how,
        number(ban, "/level").to_string(),
        text(ban, "/reason").to_owned(),
    ]
}

/// How a ban ended, in two words.
fn how(word: &str) -> &str {
    match word {
        "expired" => "ran out",
        "unbanned" => "by the operator",
        "never-ban" => "never banned now",
        "unrecorded" => "not recorded",
        other => other,
    }
}
