//! `vauban export`: bans, past bans and evidence, for other programs.
//!
//! Everything that is written is asked for page by page; nothing is read from files of the daemon.

mod csv;
mod file;
mod json;
mod pcapng;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::Value;
use vauban_daemon::control::protocol::{History, Request};

use self::file::Out;
use super::history::{pages, since};
use crate::ask::{ask_for_text, body, list, text};
use crate::exit::Trouble;

/// What is exported, and how.
#[derive(Args, Clone)]
pub struct What {
    /// What to write: bans in force, all bans that are known, or the packets that they and the
    /// suspects rest on
    #[arg(value_enum, default_value = "bans")]
    thing: Thing,
    /// Only this address's, or this subject's; with history and evidence
    #[arg(value_name = "ADDR")]
    address: Option<String>,
    /// As what; pcapng holds evidence, list holds subjects
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// Bans begun since: how long ago (90s, 1d), or a date in UTC; for evidence, those that are over
    /// as well
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Write to this file, which is replaced when all of it is written [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Thing {
    /// Bans in force
    Bans,
    /// The packets that counted, of bans and suspects
    Evidence,
    /// Bans, over and in force
    History,
}

/// As what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON, in the shapes of docs/reference/exports.md
    Json,
    /// Comma-separated values (RFC 4180)
    Csv,
    /// A capture that tcpdump and Wireshark open
    Pcapng,
    /// One address or prefix per line
    List,
}

/// Writes an export.
pub fn run(socket: &Path, what: &What) -> Result<(), Trouble> {
    let usage = |text: &str| Err(Trouble::Usage(text.to_owned()));
    match (what.thing, what.format) {
        (Thing::Bans | Thing::History, Format::Pcapng) => {
            return usage("pcapng holds packets: vauban export evidence --format pcapng");
        }
        (Thing::Evidence, Format::List) => {
            return usage("list holds subjects: vauban export bans --format list");
        }
        _ => {}
    }
    if what.thing == Thing::Bans && (what.address.is_some() || what.since.is_some()) {
        return usage("ADDR and --since go with history and evidence: vauban export history …");
    }
    let since_ms = since(what.since.as_deref())?;
    let mut out = Out::open(what.output.as_deref())?;
    match what.thing {
        Thing::Bans => bans(socket, what.format, &mut out)?,
        Thing::History => {
            let asked = History { address: what.address.clone(), since_ms, ..History::default() };
            history(socket, what.format, asked, &mut out)?;
        }
        Thing::Evidence => {
            let asked = History {
                address: what.address.clone(),
                since_ms,
                in_force: since_ms.is_none(),
                evidence: true,
                ..History::default()
            };
            evidence(socket, what.format, &asked, &mut out)?;
        }
    }
    out.finish()
}

fn unreadable(error: &serde_json::Error) -> Trouble {
    Trouble::Failed(format!("the daemon's answer cannot be read: {error}"))
}

fn bans(socket: &Path, format: Format, out: &mut Out) -> Result<(), Trouble> {
    let text = ask_for_text(socket, &Request::Bans { brief: false })?;
    let answer = body(&text).unwrap_or_default();
    let answer: Value = serde_json::from_str(answer).map_err(|error| unreadable(&error))?;
    if format == Format::Json {
        let is = |field: &str| answer.get(field).cloned().unwrap_or_default();
        let head = json::head("vauban-bans");
        let (dry_run, stored) = (is("dry_run"), is("stored"));
        out.write(&format!("{head},\"dry_run\":{dry_run},\"stored\":{stored},\"bans\":["))?;
        let mut items = json::Items::default();
        list(&answer, "/bans").iter().try_for_each(|ban| items.write(ban, out))?;
        return out.write("\n]}\n");
    }
    let mut rows = Rows::new(format, csv::BANS, out)?;
    list(&answer, "/bans").iter().try_for_each(|ban| rows.ban(ban))
}

fn history(socket: &Path, format: Format, asked: History, out: &mut Out) -> Result<(), Trouble> {
    if format == Format::Json {
        out.write(&format!("{},\"bans\":[", json::head("vauban-history")))?;
        let mut items = json::Items::default();
        pages(socket, asked, u32::MAX, |_, bans| {
            bans.iter().try_for_each(|ban| items.write(ban, out))
        })?;
        return out.write("\n]}\n");
    }
    let mut rows = Rows::new(format, csv::HISTORY, out)?;
    pages(socket, asked, u32::MAX, |_, bans| bans.iter().try_for_each(|ban| rows.ban(ban)))?;
    Ok(())
}

/// Bans as rows, or as a list of their subjects.
struct Rows<'a> {
    format: Format,
    columns: &'a [&'a str],
    out: &'a mut Out,
}

impl<'a> Rows<'a> {
    fn new(format: Format, columns: &'a [&'a str], out: &'a mut Out) -> Result<Self, Trouble> {
        if format == Format::Csv {
            out.write(&csv::head(columns))?;
        }
        Ok(Self { format, columns, out })
    }

    fn ban(&mut self, ban: &Value) -> Result<(), Trouble> {
        if self.format == Format::Csv {
            return self.out.write(&csv::row(self.columns, &[ban]));
        }
        self.out.write(&format!("{}\n", text(ban, "/subject")))
    }
}

/// Bans with their packets, and suspects with theirs.
fn evidence(socket: &Path, format: Format, asked: &History, out: &mut Out) -> Result<(), Trouble> {
    let asked_too = Request::Dossiers { address: asked.address.clone() };
    let dossiers = ask_for_text(socket, &asked_too)?;
    let dossiers: Value = serde_json::from_str(body(&dossiers).unwrap_or_default())
        .map_err(|error| unreadable(&error))?;
    let suspects = list(&dossiers, "/suspects");
    let of_bans = |each: &mut dyn FnMut(&Value) -> Result<(), Trouble>| {
        pages(socket, asked.clone(), u32::MAX, |_, bans| bans.iter().try_for_each(&mut *each))
    };
    match format {
        Format::Json => {
            let policy = dossiers.pointer("/policy").unwrap_or(&Value::Null);
            let head = json::head("vauban-evidence");
            out.write(&format!("{head},\"policy\":{policy},\"bans\":["))?;
            let mut items = json::Items::default();
            of_bans(&mut |ban| items.write(ban, out))?;
            out.write("\n],\"suspects\":[")?;
            let mut items = json::Items::default();
            suspects.iter().try_for_each(|suspect| items.write(suspect, out))?;
            out.write("\n]}\n")
        }
        Format::Csv => {
            out.write(&csv::head(csv::EVIDENCE))?;
            let mut rows = |of: &Value| {
                let packets = list(of, "/evidence").iter();
                packets
                    .map(|packet| csv::row(csv::EVIDENCE, &[packet, of]))
                    .try_for_each(|row| out.write(&row))
            };
            of_bans(&mut rows)?;
            suspects.iter().try_for_each(&mut rows)
        }
        Format::Pcapng => {
            let mut capture = pcapng::Capture::default();
            of_bans(&mut |ban| {
                capture.add(ban);
                Ok(())
            })?;
            for suspect in suspects {
                capture.add(suspect);
            }
            out.write_all(&capture.finish()).map_err(Trouble::from)
        }
        Format::List => Ok(()),
    }
}
