//! What `--json` shows. Field names are stable: scripts rely on them.
//!
//! Times are RFC 3339 in UTC; spans are seconds; addresses and ports are written as everywhere
//! (`192.0.2.1`, `2001:db8::/64`, `tcp/22`).

use std::fmt::Write as _;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use serde_json::Value;
use vauban_engine::detect::{Dossier, Sighting};
use vauban_engine::evidence::{Evidence, Meaning};
use vauban_engine::ledger::{Ban, Origin};
use vauban_engine::policy::Policy;
use vauban_engine::zone::{Mode, Zone, ZoneName, Zones};
use vauban_engine::{Prefix, Timestamp};

use super::pages::{Dossiers, History};
use crate::clock::Dates;
use crate::words;

/// What an answer shows.
#[derive(Debug)]
pub enum View {
    /// Anything small.
    Value(Value),
    /// All bans in force.
    Bans(Box<Bans>),
    /// Some of the past and the present.
    History(Box<History>),
    /// All suspects.
    Dossiers(Box<Dossiers>),
}

/// All bans in force, as `bans` shows them. There may be a hundred thousand of them, so each is
/// turned into its view only as it is written, by whoever writes the answer.
#[derive(Debug)]
pub struct Bans {
    /// Whether only what a list in a terminal shows is wanted.
    pub brief: bool,
    /// Whether nothing is blocked.
    pub dry_run: bool,
    /// Whether all of them are on the disk.
    pub stored: bool,
    /// The bans, in the order of their subjects.
    pub bans: Vec<Ban>,
    /// The time of the answer.
    pub now: Timestamp,
    /// How its times are dated.
    pub dates: Dates,
    /// What they were judged by.
    pub policy: Policy,
}

impl View {
    /// Says that what it shows is not on the disk.
    pub fn unstored(&mut self) {
        match self {
            Self::Value(value) => {
                if let Some(stored) = value.get_mut("stored") {
                    *stored = Value::Bool(false);
                }
            }
            Self::Bans(bans) => bans.stored = false,
            Self::History(history) => history.stored = false,
            Self::Dossiers(_) => {}
        }
    }
}

impl Serialize for View {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::History(history) => history.serialize(serializer),
            Self::Dossiers(all) => all.serialize(serializer),
            Self::Bans(all) => {
                let mut object = serializer.serialize_struct("Bans", 3)?;
                object.serialize_field("dry_run", &all.dry_run)?;
                object.serialize_field("stored", &all.stored)?;
                object.serialize_field("bans", &Each(all))?;
                object.end()
            }
        }
    }
}

/// The list within.
struct Each<'a>(&'a Bans);

impl Serialize for Each<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Bans { brief, bans, now, dates, policy, .. } = self.0;
        if *brief {
            // Most bans of a long list have the same reason as the one before.
            let mut last: Option<(&Ban, String)> = None;
            return serializer.collect_seq(bans.iter().map(|ban| {
                let same = last.as_ref().filter(|(of, _)| {
                    of.origin == ban.origin && of.evidence.is_empty() && ban.evidence.is_empty()
                });
                let reason = match same {
                    Some((_, reason)) => reason.clone(),
                    None => words::reason(ban, policy),
                };
                if same.is_none() {
                    last = Some((ban, reason.clone()));
                }
                BriefView {
                    subject: ban.subject.to_string(),
                    remaining: ban.remaining(*now).map(seconds),
                    level: ban.level,
                    start: time(dates.wall(ban.start)),
                    reason,
                }
            }));
        }
        serializer.collect_seq(bans.iter().map(|item| ban(item, *now, dates, policy)))
    }
}

/// A ban, as `bans`, `ban` and `explain` show it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct BanView {
    /// Whom it covers.
    pub subject: String,
    /// The address that was seen.
    pub source: String,
    /// When it began.
    pub start: String,
    /// When it ends; null for never.
    pub end: Option<String>,
    /// Seconds until then; null for never.
    pub remaining: Option<u64>,
    /// The how-manieth ban of this subject.
    pub level: u32,
    /// `scan` or `operator`; `kernel` where only the kernel still knew of it.
    pub origin: &'static str,
    /// Whether the address is proven to be the sender's own: it completed decoys' handshakes.
    /// Scans alone prove nothing.
    pub proven: bool,
    /// Why, in a sentence.
    pub reason: String,
    /// The distinct ports of the evidence.
    pub ports: Vec<String>,
    /// How many packets counted.
    pub packets: u64,
}

/// What a list in a terminal shows of a ban: a part of [`BanView`].
#[derive(Clone, Debug, serde::Serialize)]
pub struct BriefView {
    /// Whom it covers.
    pub subject: String,
    /// Seconds until it ends; null for never.
    pub remaining: Option<u64>,
    /// The how-manieth ban of this subject.
    pub level: u32,
    /// When it began.
    pub start: String,
    /// Why, in a sentence.
    pub reason: String,
}

/// A suspect, as `suspects` shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SuspectView {
    /// Whom the suspicion covers.
    pub subject: String,
    /// Seconds until it lapses, unless it probes again.
    pub remaining: u64,
    /// Whether it is banned as well.
    pub banned: bool,
    /// What it looks like.
    pub kind: String,
    /// The distinct ports of the evidence.
    pub ports: Vec<String>,
    /// How many packets counted.
    pub packets: u64,
    /// How many could not: with a wrong checksum, or too long to verify it.
    pub uncountable: u64,
    /// How many of its probes a decoy answered; in a dry run, would have.
    pub decoys: u64,
    /// The ports whose decoys it has completed handshakes with, as far as they count.
    pub proven: Vec<String>,
    /// What is missing to a ban, in a sentence; empty when it is banned.
    pub missing: String,
}

/// One packet that counted, as `explain` shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct EvidenceView {
    /// When it came.
    pub at: String,
    /// The address it came from.
    pub source: String,
    /// The port it came from.
    pub source_port: u16,
    /// The address of ours it went to.
    pub destination: String,
    /// The port it went to.
    pub port: String,
    /// Its TCP flags; null for UDP.
    pub flags: Option<String>,
    /// `closed-port`, `trap-port`, `impossible-flags` or `of-suspect`; of contacts with decoys
    /// `proven`, `proven-trap` or `excused`.
    pub meaning: &'static str,
    /// The same in a sentence.
    pub text: String,
    /// What its sender said first to a decoy, in hexadecimal; empty if nothing.
    pub said: String,
    /// Its first bytes from the IP header on, in hexadecimal.
    pub bytes: String,
}

/// Whole seconds, rounded up: zero would say that it is over.
#[must_use]
pub fn seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

/// The view of a ban at `now`.
#[must_use]
pub fn ban(ban: &Ban, now: Timestamp, dates: &Dates, policy: &Policy) -> BanView {
    BanView {
        subject: ban.subject.to_string(),
        source: ban.source.to_string(),
        start: time(dates.wall(ban.start)),
        end: ban.end.map(|end| time(dates.wall(end))),
        remaining: ban.remaining(now).map(seconds),
        level: ban.level,
        origin: match &ban.origin {
            Origin::Scan(_) => "scan",
            Origin::Operator(text) if text == words::ADOPTED => "kernel",
            Origin::Operator(_) => "operator",
        },
        proven: ban.is_proven(),
        reason: words::reason(ban, policy),
        ports: ports(&ban.evidence),
        packets: ban.not_kept.saturating_add(ban.evidence.len() as u64),
    }
}

/// The view of a suspect that is one for `left` more; its dossier, if there is one.
#[must_use]
pub fn suspect(
    subject: &Prefix,
    left: Duration,
    dossier: Option<&Dossier<'_>>,
    banned: bool,
    policy: &Policy,
) -> SuspectView {
    let evidence = dossier.map_or(&[][..], |dossier| dossier.evidence.as_slice());
    let proven = dossier.map_or(&[][..], |dossier| dossier.proven.as_slice());
    let counted = evidence.len() as u64 + dossier.map_or(0, |dossier| dossier.not_kept);
    SuspectView {
        subject: subject.to_string(),
        remaining: seconds(left),
        banned,
        kind: if evidence.is_empty() {
            "nothing that counts".into()
        } else {
            words::scan_kind(evidence.iter().copied())
        },
        ports: ports(evidence.iter().copied()),
        packets: counted,
        uncountable: dossier.map_or(0, |dossier| dossier.uncountable),
        decoys: dossier.map_or(0, |dossier| dossier.decoys),
        proven: proven.iter().map(ToString::to_string).collect(),
        missing: if banned { String::new() } else { words::missing(proven.len(), policy) },
    }
}

/// What was seen of a source in a zone that is only watched, as `suspects` and `explain` show it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SightingView {
    /// Whom it covers; left out where that is said already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The zone.
    pub zone: String,
    /// Seconds until it would lapse as a suspicion; null where it would be none.
    pub remaining: Option<u64>,
    /// What it looks like.
    pub kind: String,
    /// The distinct ports of the evidence.
    pub ports: Vec<String>,
    /// How many packets counted.
    pub packets: u64,
    /// Why nobody is banned for it, in a sentence.
    pub why: String,
}

/// The view of what was seen in a zone that is only watched.
#[must_use]
pub fn sighting(
    subject: Option<&Prefix>,
    seen: &Sighting<'_>,
    left: Option<Duration>,
) -> SightingView {
    SightingView {
        subject: subject.map(ToString::to_string),
        zone: seen.zone.to_string(),
        remaining: left.map(seconds),
        kind: words::scan_kind(seen.evidence.iter().copied()),
        ports: ports(seen.evidence.iter().copied()),
        packets: seen.not_kept.saturating_add(seen.evidence.len() as u64),
        why: words::only_watched(seen.zone),
    }
}

/// The zones, as `status` shows them.
#[must_use]
pub fn zones(zones: &Zones) -> Value {
    let view = |zone: &Zone| {
        serde_json::json!({
            "zone": zone.name.as_str(),
            "mode": match zone.mode {
                Mode::Protect => "protect",
                Mode::Watch => "watch",
                Mode::Ignore => "ignore",
            },
            "interfaces": zone.interfaces.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "comment": zone.comment,
        })
    };
    zones.0.iter().map(view).collect()
}

/// The view of a packet that would have counted, were its zone not only watched.
#[must_use]
pub fn watched_evidence(
    item: &Evidence,
    zone: &ZoneName,
    dates: &Dates,
    policy: &Policy,
) -> EvidenceView {
    let text = words::watched_evidence(item, zone, policy);
    EvidenceView { text, ..evidence(item, dates, policy) }
}

/// The view of a packet that counted.
#[must_use]
pub fn evidence(item: &Evidence, dates: &Dates, policy: &Policy) -> EvidenceView {
    let tcp = item.port.protocol == vauban_engine::Protocol::Tcp;
    EvidenceView {
        at: time(dates.wall(item.at)),
        source: item.source.to_string(),
        source_port: item.source_port,
        destination: item.destination.to_string(),
        port: item.port.to_string(),
        flags: tcp.then(|| item.flags.to_string()),
        meaning: match item.meaning {
            Meaning::ClosedPort { .. } => "closed-port",
            Meaning::TrapPort => "trap-port",
            Meaning::ImpossibleFlags => "impossible-flags",
            Meaning::OfSuspect => "of-suspect",
            Meaning::Proven { .. } => "proven",
            Meaning::ProvenTrap => "proven-trap",
            Meaning::Excused(_) => "excused",
        },
        text: words::evidence(item, policy),
        said: hexadecimal(&item.said),
        bytes: hexadecimal(&item.bytes),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn ports<'a>(evidence: impl IntoIterator<Item = &'a Evidence>) -> Vec<String> {
    let mut ports: Vec<_> = evidence.into_iter().map(|item| item.port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports.iter().map(ToString::to_string).collect()
}

/// A time of the wall clock as RFC 3339 in UTC, to the millisecond.
#[must_use]
pub fn time(at: Timestamp) -> String {
    let millis = i64::try_from(at.0 / 1_000_000).unwrap_or(i64::MAX);
    let Ok(at) = jiff::Timestamp::from_millisecond(millis) else {
        return "beyond the calendar".into();
    };
    let at = TimeZone::UTC.to_datetime(at);
    // Digit by digit: a list of a hundred thousand bans has as many dates.
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let fields = [
        (0..4, u32::from(at.year().unsigned_abs())),
        (5..7, u32::from(at.month().unsigned_abs())),
        (8..10, u32::from(at.day().unsigned_abs())),
        (11..13, u32::from(at.hour().unsigned_abs())),
        (14..16, u32::from(at.minute().unsigned_abs())),
        (17..19, u32::from(at.second().unsigned_abs())),
        (20..23, u32::from(at.millisecond().unsigned_abs())),
    ];
    for (place, mut number) in fields {
        for digit in text.get_mut(place).into_iter().flatten().rev() {
            *digit += u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let millis = |millis: u64| time(Timestamp(millis * 1_000_000));
        assert_eq!(millis(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(millis(1_795_273_220_952), "2026-11-21T15:00:20.952Z");
        assert_eq!(millis(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(time(Timestamp(u64::MAX)), "2554-07-21T23:34:33.709Z");
    }
}
