//! What a list to be banned says: lines, or an export of our own, known by what it begins with.
//!
//! It knows the form of an entry only. Whether it may be banned is the daemon's to say.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use vauban_daemon::clock;
use vauban_daemon::control::dates::read_time;
use vauban_daemon::control::protocol::LONGEST_REASON;
use vauban_engine::policy::Length;
use vauban_engine::{Prefix, Timestamp};

use crate::ask::{list, text};
use crate::exit::Trouble;

/// The longest list, in bytes: more addresses than any kernel's sets are made for.
const LONGEST: u64 = 64 << 20;

/// The longest address or prefix: no way to write one takes more characters (RFC 4291 section 2.2).
const LONGEST_SUBJECT: usize = 64;

/// What is repeated of an entry in a message, in characters.
const SHOWN: usize = 60;

/// One to be banned.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its line; of JSON, the how-manieth it is.
    pub line: usize,
    /// Whom.
    pub subject: String,
    /// How long, if an export says so.
    pub left: Option<Length>,
    /// Why, if an export says so.
    pub reason: Option<String>,
}

/// What a list says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Those that can be asked for.
    pub entries: Vec<Entry>,
    /// Lines that are wrong, and why.
    pub wrong: Vec<(usize, String)>,
    /// Bans of an export that are over.
    pub expired: usize,
}

/// Reads a list, called `name` in messages; `-` is standard input.
pub fn read(file: &Path, name: &str) -> Result<Found, Trouble> {
    let unreadable = |error: io::Error| Trouble::NoInput(format!("{name}: {error}"));
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
    };
    read.map_err(unreadable)?;
    let data = |text: String| Trouble::Data(format!("{name}: {text}"));
    if bytes.len() as u64 > LONGEST {
        let most = LONGEST >> 20;
        return Err(data(format!("it is longer than {most} MiB; import it in parts (split -l)")));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => text,
        _ => {
            let text = "it is no text; write one address or prefix per line, in UTF-8";
            return Err(data(text.into()));
        }
    };
    parse(text.trim_start_matches('\u{feff}'), clock::wall()).map_err(data)
}

/// What a text says at this time. An error concerns all of it.
fn parse(text: &str, now: Timestamp) -> Result<Found, String> {
    if text.trim_start().starts_with('{') {
        return json(text, now);
    }
    if text.starts_with("subject,") {
        return csv(text, now);
    }
    let mut found = Found::default();
    for (line, text) in (1..).zip(text.lines()) {
        let entry = text.split(['#', ';']).next().unwrap_or_default().trim();
        if !entry.is_empty() {
            found.add(Entry { line, subject: entry.to_owned(), left: None, reason: None });
        }
    }
    Ok(found)
}

impl Found {
    /// Takes an entry if its subject is an address or a prefix.
    fn add(&mut self, entry: Entry) {
        if entry.subject.len() <= LONGEST_SUBJECT && entry.subject.parse::<Prefix>().is_ok() {
            return self.entries.push(entry);
        }
        let shown = shorter(&entry.subject);
        let more = if shown.len() < entry.subject.len() { " …" } else { "" };
        self.wrong.push((
            entry.line,
            format!(
                "{shown:?}{more} is no address or prefix; write one per line, like 203.0.113.9 or \
                 2001:db8::/64"
            ),
        ));
    }

    /// The same of an export: a ban that is over is passed over.
    fn add_exported(&mut self, line: usize, ban: &Exported<'_>, now: Timestamp) {
        let over = ban.ended || ban.in_force == Some(false);
        let left = match (over, ban.end) {
            (true, _) => Some(Length::from(Duration::ZERO)),
            (false, "") => Some(Length::Forever),
            (false, end) => read_time(end).map(|end| end.since(now).into()),
        };
        let Some(left) = left else {
            let why = format!("its end, {:?}, is no time; export it again", shorter(ban.end));
            return self.wrong.push((line, why));
        };
        if left == Length::from(Duration::ZERO) {
            self.expired += 1;
            return;
        }
        // Ours is said again by whoever shows it.
        let reason = ban.reason.strip_prefix("banned by the operator").unwrap_or(ban.reason);
        let reason = reason.strip_prefix(": ").unwrap_or(reason).to_owned();
        let reason = Some(reason).filter(|reason| !reason.is_empty());
        if reason.as_ref().is_some_and(|reason| reason.len() > LONGEST_REASON) {
            let why = format!(
                "its reason is longer than {LONGEST_REASON} bytes; give another one: --reason"
            );
            return self.wrong.push((line, why));
        }
        self.add(Entry { line, subject: ban.subject.to_owned(), left: Some(left), reason });
    }
}

/// The beginning of a text, for a message.
fn shorter(text: &str) -> &str {
    text.char_indices().nth(SHOWN).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// A ban as it was exported.
struct Exported<'a> {
    subject: &'a str,
    end: &'a str,
    reason: &'a str,
    ended: bool,
    in_force: Option<bool>,
}

/// An export as JSON; also what `bans --json` and `history --json` print.
fn json(whole: &str, now: Timestamp) -> Result<Found, String> {
    let value: Value = serde_json::from_str(whole)
        .map_err(|error| format!("it begins as JSON, but is none: {error}; export it again"))?;
    let format = value.get("format").and_then(Value::as_str);
    let ours = format.is_none_or(|format| {
        matches!(format, "vauban-bans" | "vauban-history" | "vauban-evidence")
    });
    if !ours || value.get("bans").and_then(Value::as_array).is_none() {
        return Err("it is JSON, but no export of bans; make one: vauban export bans".into());
    }
    if let Some(version) = value.get("version").filter(|version| **version != 1) {
        return Err(format!("it is an export of version {version}; import it with a newer vauban"));
    }
    let mut found = Found::default();
    for (line, ban) in (1..).zip(list(&value, "/bans")) {
        let exported = Exported {
            subject: text(ban, "/subject"),
            end: text(ban, "/end"),
            reason: text(ban, "/reason"),
            ended: !text(ban, "/ended").is_empty(),
            in_force: ban.get("in_force").and_then(Value::as_bool),
        };
        found.add_exported(line, &exported, now);
    }
    Ok(found)
}

/// An export as CSV.
fn csv(text: &str, now: Timestamp) -> Result<Found, String> {
    let mut rows = Records { rest: text, line: 1 };
    let head = rows.next().map(|(_, cells)| cells).unwrap_or_default();
    let places: HashMap<&str, usize> =
        head.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    if !places.contains_key("end") {
        return Err(
            "it is no export of bans: the column end is missing; make one: vauban export bans \
                    --format csv"
                .into(),
        );
    }
    let mut found = Found::default();
    for (line, cells) in rows {
        let cell = |name: &str| {
            places.get(name).and_then(|place| cells.get(*place)).map_or("", String::as_str)
        };
        if cells.len() != head.len() {
            let why =
                format!("it has {} cells in place of {}; export it again", cells.len(), head.len());
            found.wrong.push((line, why));
            continue;
        }
        // The quote that keeps a spreadsheet from calculating.
        let reason = cell("reason");
        let exported = Exported {
            subject: cell("subject"),
            end: cell("end"),
            reason: reason
                .strip_prefix('\'')
                .filter(|rest| rest.starts_with(['=', '+', '-', '@']))
                .unwrap_or(reason),
            ended: !cell("ended").is_empty(),
            in_force: cell("in_force").parse().ok(),
        };
        found.add_exported(line, &exported, now);
    }
    Ok(found)
}

/// The records of RFC 4180, each with the line that it begins on.
struct Records<'a> {
    rest: &'a str,
    line: usize,
}

impl Iterator for Records<'_> {
    type Item = (usize, Vec<String>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let begun = self.line;
        let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
        let mut chars = self.rest.char_indices().peekable();
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            if c == '\n' {
                self.line += 1;
            }
            match c {
                '"' if quoted && chars.next_if(|(_, next)| *next == '"').is_some() => {
                    cell.push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(std::mem::take(&mut cell)),
                '\r' if !quoted => {}
                '\n' if !quoted => {
                    end = at + 1;
                    break;
                }
                c => cell.push(c),
            }
        }
        cells.push(cell);
        self.rest = self.rest.get(end..).unwrap_or_default();
        Some((begun, cells))
    }
}

#[cfg(test)]
mod tests;
