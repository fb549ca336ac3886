//! What `--json` shows. Field names are stable: scripts rely on them.
//!
//! Times are RFC 3339 in UTC; spans are seconds; addresses and ports are written as everywhere
//! (`192.0.2.1`, `2001:db8::/64`, `tcp/22`).

use std::fmt::Write as _;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Serialize;
use vauban_engine::detect::Dossier;
use vauban_engine::evidence::{Evidence, Meaning};
use vauban_engine::ledger::{Ban, Origin};
use vauban_engine::policy::Policy;
use vauban_engine::{Prefix, Timestamp};

use crate::words;

/// A ban, as `bans`, `ban` and `explain` show it.
#[derive(Clone, Debug, Serialize)]
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
    /// `scan` or `operator`.
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

/// A suspect, as `suspects` shows it.
#[derive(Clone, Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
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
pub fn ban(ban: &Ban, now: Timestamp, policy: &Policy) -> BanView {
    BanView {
        subject: ban.subject.to_string(),
        source: ban.source.to_string(),
        start: time(ban.start),
        end: ban.end.map(time),
        remaining: ban.remaining(now).map(seconds),
        level: ban.level,
        origin: match ban.origin {
            Origin::Scan(_) => "scan",
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

/// The view of a packet that counted.
#[must_use]
pub fn evidence(item: &Evidence, policy: &Policy) -> EvidenceView {
    let tcp = item.port.protocol == vauban_engine::Protocol::Tcp;
    EvidenceView {
        at: time(item.at),
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

/// A point in time as RFC 3339 in UTC, to the millisecond.
#[must_use]
pub fn time(at: Timestamp) -> String {
    let millis = i64::try_from(at.0 / 1_000_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).map_or_else(
        |_| "beyond the calendar".into(),
        |at| at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
    )
}
