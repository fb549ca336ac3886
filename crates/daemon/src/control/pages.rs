//! Answers that come in pages or may be large: bans of the past, and what is held against suspects.
//!
//! Each item is turned into its view only as it is written, by whoever writes the answer. Field
//! names are stable, as in [`super::view`].

use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use serde_json::{Value, json};
use vauban_engine::Timestamp;
use vauban_engine::evidence::Evidence;
use vauban_engine::ledger::Ban;
use vauban_engine::policy::{Enforcement, Length, Policy, Unproven};

use super::view::{self, BanView, EvidenceView, SuspectView};
use crate::clock::Dates;
use crate::store::{Entry, Now, Page, PageEnd, Wall, remaining};

/// A page of bans, over and in force, as `history` shows them.
#[derive(Debug)]
pub struct History {
    /// Whether nothing is blocked.
    pub dry_run: bool,
    /// Whether all bans in force are on the disk: the others are not in it.
    pub stored: bool,
    /// The bans.
    pub page: Page,
    /// Whether to show their evidence.
    pub evidence: bool,
    /// The time of the answer.
    pub now: Now,
    /// How the times of packets are dated.
    pub dates: Dates,
    /// What they are described by.
    pub policy: Policy,
}

/// A ban of the past or the present.
#[derive(Debug, serde::Serialize)]
pub struct PastView {
    /// As `bans` shows it; `end` is when it ends or would have, `remaining` zero when it is over.
    #[serde(flatten)]
    pub ban: BanView,
    /// Whether it is in force.
    pub in_force: bool,
    /// When it ended; null while it is in force.
    pub ended: Option<String>,
    /// How: `expired`, `unbanned`, `never-ban`, `pushed out`, `replaced` or `unrecorded`; null while
    /// it is in force.
    pub how: Option<&'static str>,
    /// What it rests on, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Vec<EvidenceView>>,
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("History", 4)?;
        object.serialize_field("dry_run", &self.dry_run)?;
        object.serialize_field("stored", &self.stored)?;
        object.serialize_field("bans", &Entries(self))?;
        object.serialize_field("next", &self.page.next.map(place))?;
        object.end()
    }
}

struct Entries<'a>(&'a History);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The dates of bans are the wall clock's already.
        let dates = Dates::new();
        serializer.collect_seq(self.0.page.entries.iter().map(|entry| past(entry, self.0, &dates)))
    }
}

/// The view of one.
fn past(entry: &Entry, of: &History, dates: &Dates) -> PastView {
    let stored = &entry.ban;
    let ban = Ban {
        subject: stored.subject,
        source: stored.source,
        start: stored.times.start.timestamp(),
        end: stored.times.end.map(Wall::timestamp),
        level: stored.level,
        origin: stored.origin.clone(),
        evidence: stored.evidence.clone(),
        not_kept: stored.not_kept,
    };
    let mut view = view::ban(&ban, of.now.wall.timestamp(), dates, &of.policy);
    view.remaining = match entry.ended {
        Some(_) => Some(0),
        None => remaining(&stored.times, &of.now).map(view::seconds),
    };
    let packets =
        || ban.evidence.iter().map(|item| view::evidence(item, &of.dates, &of.policy)).collect();
    PastView {
        ban: view,
        in_force: entry.ended.is_none(),
        ended: entry.ended.map(|(at, _)| view::time(at.timestamp())),
        how: entry.ended.map(|(_, how)| how.name()),
        evidence: of.evidence.then(packets),
    }
}

/// A place as callers give it back.
fn place(end: PageEnd) -> String {
    format!("{}.{}", end.start.0, end.row)
}

/// The place that a caller gives back.
#[must_use]
pub fn read_place(text: &str) -> Option<PageEnd> {
    let (start, row) = text.split_once('.')?;
    Some(PageEnd { start: Wall(start.parse().ok()?), row: row.parse().ok()? })
}

/// Every suspect with its evidence, and what they are judged by.
#[derive(Debug)]
pub struct Dossiers {
    /// Each, and the packets that counted.
    pub suspects: Vec<(SuspectView, Vec<Evidence>)>,
    /// The time of the answer.
    pub at: Timestamp,
    /// How its times are dated.
    pub dates: Dates,
    /// What they are judged by.
    pub policy: Policy,
}

#[derive(serde::Serialize)]
struct DossierView<'a> {
    #[serde(flatten)]
    suspect: &'a SuspectView,
    evidence: Vec<EvidenceView>,
}

impl Serialize for Dossiers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Dossiers", 3)?;
        object.serialize_field("at", &view::time(self.dates.wall(self.at)))?;
        object.serialize_field("policy", &policy(&self.policy))?;
        object.serialize_field("suspects", &Suspects(self))?;
        object.end()
    }
}

struct Suspects<'a>(&'a Dossiers);

impl Serialize for Suspects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Dossiers { suspects, dates, policy, .. } = self.0;
        serializer.collect_seq(suspects.iter().map(|(suspect, evidence)| DossierView {
            suspect,
            evidence: evidence.iter().map(|item| view::evidence(item, dates, policy)).collect(),
        }))
    }
}

/// What of the policy says what evidence is worth. Spans are seconds.
#[must_use]
pub fn policy(policy: &Policy) -> Value {
    let ports = |ports: &[vauban_engine::Port]| -> Vec<String> {
        ports.iter().map(ToString::to_string).collect()
    };
    json!({
        "mode": match policy.enforcement {
            Enforcement::Enforce => "enforce",
            Enforcement::DryRun => "dry-run",
        },
        "unproven": match policy.unproven {
            Unproven::Decoy => "decoy",
            Unproven::Drop => "drop",
            Unproven::Ban => "ban",
        },
        "trigger": {
            "ports": policy.trigger.ports,
            "window": policy.trigger.window.as_secs_f64(),
            "suspect": policy.trigger.suspect.as_secs_f64(),
        },
        "decoy": {
            "ports": policy.decoy.ports,
            "window": policy.decoy.window.as_secs_f64(),
        },
        "ban": {
            "first": seconds_of(policy.ban.first),
            "factor": policy.ban.factor,
            "limit": seconds_of(policy.ban.limit),
            "memory": policy.ban.memory.as_secs_f64(),
        },
        "traps": ports(&policy.traps),
        "served": ports(&policy.served),
    })
}

/// Seconds; null for a length without an end.
fn seconds_of(length: Length) -> Option<f64> {
    match length {
        Length::Span(span) => Some(span.as_secs_f64()),
        Length::Forever => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let end = PageEnd { start: Wall(1_795_262_400_000), row: -7 };
        assert_eq!(read_place(&place(end)), Some(end));
        for bad in ["", "1", "1.", ".1", "1.2.3", "a.1"] {
            assert_eq!(read_place(bad), None, "{bad}");
        }
    }
}
