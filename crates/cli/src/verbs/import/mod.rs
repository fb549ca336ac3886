//! `vauban import`: bans the addresses of a list, part by part.

mod read;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use vauban_config::duration;
use vauban_daemon::clean::clean;
use vauban_daemon::control::protocol::{
    Imported, LONGEST_REASON, LONGEST_REQUEST, MOST_IMPORTED, Request, length_fields,
};
use vauban_engine::policy::Length;

use self::read::{Entry, Found};
use crate::ask::{ask, list, print, print_json, text};
use crate::exit::Trouble;

/// What is imported, and how.
#[derive(Args, Clone)]
pub struct What {
    /// The list: lines, or what `export` has written as JSON or CSV; - for standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// How long, like 90s, 10m, 1h30m, 1d, forever [default: what is left of an exported ban, else as
    /// configured]
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse_length)]
    length: Option<Length>,
    /// Why, for `explain` [default: as exported, else "imported"]
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Lines that are named on standard error; the others are counted.
const MOST_NAMED: usize = 100;

/// Bytes of a request from which on the next entry goes into another one: half of what a request may
/// have, and an entry has some thousands at most.
const FULL: u64 = LONGEST_REQUEST / 2;

/// What became of all of it.
#[derive(Default)]
struct Tally {
    banned: usize,
    already: usize,
    refused: Vec<Value>,
    wrong: Vec<Value>,
    /// Of a trial, who would be banned.
    named: BTreeSet<String>,
    stored: bool,
    /// Nothing was done, by the caller's wish or the daemon's.
    dry_run: bool,
}

/// Bans a list.
pub fn run(socket: &Path, json: bool, what: &What) -> Result<(), Trouble> {
    let name = if what.file == Path::new("-") {
        "standard input".to_owned()
    } else {
        what.file.display().to_string()
    };
    if what.reason.as_ref().is_some_and(|reason| reason.len() > LONGEST_REASON) {
        let text = format!("the reason is longer than {LONGEST_REASON} bytes");
        return Err(Trouble::Usage(text));
    }
    let Found { entries, wrong, expired } = read::read(&what.file, &name)?;
    let mut tally = Tally { stored: true, dry_run: what.dry_run, ..Tally::default() };
    for (line, why) in wrong {
        tally.wrong.push(json!({ "line": line, "why": why }));
    }
    let mut entries = entries.into_iter().peekable();
    while entries.peek().is_some() {
        let (mut part, mut lines, mut size) = (Vec::new(), Vec::new(), 0);
        while part.len() < MOST_IMPORTED
            && let Some(entry) = entries.next_if(|_| size < FULL)
        {
            let (line, imported) = imported(entry, what);
            size += serde_json::to_string(&imported).map_or(0, |text| text.len() as u64);
            lines.push(line);
            part.push(imported);
        }
        tally.ask(socket, what.dry_run, part, &lines)?;
    }
    tally.wrong.sort_by_key(|item| item.pointer("/line").and_then(Value::as_u64));
    tally.say(json, expired, &name)
}

/// An entry as it is asked for.
fn imported(entry: Entry, what: &What) -> (usize, Imported) {
    let length = what.length.or(entry.left);
    let reason = what.reason.clone().or(entry.reason).unwrap_or_else(|| "imported".into());
    let (for_ms, forever) = length_fields(length);
    (entry.line, Imported { subject: entry.subject, for_ms, forever, reason })
}

impl Tally {
    fn ask(
        &mut self,
        socket: &Path,
        dry_run: bool,
        entries: Vec<Imported>,
        lines: &[usize],
    ) -> Result<(), Trouble> {
        let done = self.banned;
        let answer = ask(socket, &Request::Import { entries, dry_run }).map_err(|trouble| {
            match trouble {
                // What went before is done.
                Trouble::Unavailable(text) if done > 0 => {
                    Trouble::Unavailable(format!("{text} ({done} were banned before that)"))
                }
                other => other,
            }
        })?;
        self.dry_run |= answer.pointer("/dry_run").is_some_and(|value| value == true);
        self.stored &= answer.pointer("/stored").is_none_or(|value| value == true);
        for (line, result) in lines.iter().zip(list(&answer, "/results")) {
            let why = text(result, "/why");
            match text(result, "/outcome") {
                // A trial bans nobody, so the next entry of the same subject is not known there.
                "banned" if dry_run && !self.named.insert(text(result, "/subject").to_owned()) => {
                    self.already += 1;
                }
                "banned" => self.banned += 1,
                "already" => self.already += 1,
                "invalid" => self.wrong.push(json!({ "line": line, "why": why })),
                _ => {
                    let subject = text(result, "/subject");
                    self.refused.push(json!({ "line": line, "subject": subject, "why": why }));
                }
            }
        }
        Ok(())
    }

    fn say(self, json: bool, expired: usize, name: &str) -> Result<(), Trouble> {
        let Self { banned, already, refused, wrong, stored, dry_run, named: _ } = self;
        if json {
            print_json(&json!({
                "dry_run": dry_run,
                "stored": stored,
                "banned": banned,
                "already": already,
                "expired": expired,
                "refused": refused,
                "wrong": wrong,
            }))?;
        } else {
            name_all(name, &refused);
            name_all(name, &wrong);
            let would = if dry_run { "would be " } else { "" };
            let over =
                if expired > 0 { format!(", {expired} over already") } else { String::new() };
            let unstored =
                if stored { "" } else { "\nnot all of them are stored: see vauban status" };
            print(&format!(
                "{banned} {would}banned, {already} banned already, {} refused, {} wrong{over}{unstored}",
                refused.len(),
                wrong.len()
            ))?;
        }
        match (wrong.len(), refused.len()) {
            (0, 0) => Ok(()),
            (0, 1) => Err(Trouble::No(format!("{name}: one was refused"))),
            (0, some) => Err(Trouble::No(format!("{name}: {some} were refused"))),
            (1, _) => Err(Trouble::Data(format!("{name}: one line is wrong"))),
            (some, _) => Err(Trouble::Data(format!("{name}: {some} lines are wrong"))),
        }
    }
}

/// Names lines and what is wrong with them.
fn name_all(name: &str, items: &[Value]) {
    for item in items.iter().take(MOST_NAMED) {
        let line = item.pointer("/line").and_then(Value::as_u64).unwrap_or_default();
        let subject = text(item, "/subject");
        let of = if subject.is_empty() { String::new() } else { format!("{subject}: ") };
        let said = format!("{name}:{line}: {of}{}", text(item, "/why"));
        eprintln!("vauban: {}", clean(&said));
    }
    if items.len() > MOST_NAMED {
        eprintln!("vauban: {name}: and {} more; --json names all", items.len() - MOST_NAMED);
    }
}
