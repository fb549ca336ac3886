//! `vauban bans`.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use vauban_config::duration;
use vauban_daemon::control::protocol::Request;
use vauban_daemon::paint::{HEAD, WARN, paint};

use crate::ask::{ask_for_text, body, print, print_json};
use crate::exit::Trouble;

/// Up to this many bytes, JSON is indented for people; more is for programs only.
const INDENTED: usize = 256 * 1024;

/// The answer, as far as it is shown. Nothing is copied out of it: a hundred thousand bans are listed
/// in a tenth of a second.
#[derive(Deserialize)]
struct Answer<'a> {
    dry_run: bool,
    stored: bool,
    #[serde(borrow)]
    bans: Vec<Ban<'a>>,
}

#[derive(Deserialize)]
struct Ban<'a> {
    #[serde(borrow)]
    subject: Cow<'a, str>,
    remaining: Option<u64>,
    level: u32,
    #[serde(borrow)]
    start: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
}

/// Lists the bans in force.
pub fn run(socket: &Path, json: bool) -> Result<(), Trouble> {
    let text = ask_for_text(socket, &Request::Bans { brief: !json })?;
    let text = body(&text).unwrap_or_default();
    if json && text.len() > INDENTED {
        return print(text);
    }
    let unreadable = |error: serde_json::Error| Trouble::Failed(error.to_string());
    if json {
        return print_json(&serde_json::from_str(text).map_err(unreadable)?);
    }
    let answer: Answer<'_> = serde_json::from_str(text).map_err(unreadable)?;
    if answer.bans.is_empty() {
        return print("no bans");
    }
    let mut out = listed(&answer);
    if !answer.stored {
        out.push_str(&paint(WARN, "not all of them are stored: see vauban status"));
    }
    print(&out)
}

fn listed(answer: &Answer<'_>) -> String {
    let heading = if answer.dry_run { "WOULD BE BANNED" } else { "BANNED" };
    let bans = &answer.bans;
    let spans: Vec<String> = bans.iter().map(|ban| span(ban.remaining)).collect();
    let widest =
        |least: usize, lengths: &mut dyn Iterator<Item = usize>| lengths.fold(least, usize::max);
    // All of these are ASCII.
    let subject = widest(heading.len(), &mut bans.iter().map(|ban| ban.subject.len()));
    let length = widest("FOR".len(), &mut spans.iter().map(String::len));
    let start = widest("SINCE".len(), &mut bans.iter().map(|ban| ban.start.len()));
    let head = format!("{heading:subject$}  {:length$}  TIMES  {:start$}  REASON", "FOR", "SINCE");
    let mut out = String::with_capacity(bans.len() * 2 * head.len());
    out.push_str(&paint(HEAD, &head));
    out.push('\n');
    for (ban, left) in bans.iter().zip(&spans) {
        let Ban { subject: whom, level, start: since, reason, .. } = ban;
        // Writing to a String cannot fail.
        let _ =
            writeln!(out, "{whom:subject$}  {left:length$}  {level:<5}  {since:start$}  {reason}");
    }
    out
}

/// How long a ban still lasts.
pub fn left(ban: &Value) -> String {
    span(ban.pointer("/remaining").and_then(Value::as_u64))
}

fn span(seconds: Option<u64>) -> String {
    seconds.map_or_else(|| "ever".into(), |seconds| duration::format(Duration::from_secs(seconds)))
}
