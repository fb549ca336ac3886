//! What `top` shows: totals, the busiest suspects, those of zones that are only watched among them, and
//! what was decided last, in one answer of bounded size.
//!
//! Everything is a total since the start: whoever asks twice has the rates. What it does not do: keep
//! anything for those who ask.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use vauban_enforce::boundary::{Answer, Ask};
use vauban_engine::detect::{Dossier, Sighting};
use vauban_engine::policy::{Enforcement, Unproven};
use vauban_engine::{Class, Prefix, Timestamp};

use super::core::Core;
use super::link::Orphaned;
use crate::control::protocol::MOST_TOP;
use crate::control::view;
use crate::words;

/// Who has probed within this time is busy now: longer than a scan of one probe every few seconds
/// pauses, and no longer than somebody looks at one screen.
const BUSY: Duration = Duration::from_secs(10);

impl Core {
    /// The answer, with at most `most` suspects.
    pub(super) fn top(&mut self, most: usize) -> Result<Value, Orphaned> {
        let (program, counters) = match self.ask(&Ask::Count)? {
            Answer::Counted(counters) => ("loaded", counters),
            Answer::Lost => ("missing", Vec::new()),
            _ => ("unknown", Vec::new()),
        };
        let counter = |name: &str| {
            let found = counters.iter().find(|counter| counter.name == name);
            found.map_or(0, |counter| counter.packets)
        };
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (policy, tally) = (self.engine.policy(), self.engine.tally());
        let (counts, losses) = (&self.watched.counts, &self.watched.losses);
        let now = self.clock.now();
        // As the engine remembers them, which is some thousands: the kernel's list would take long in
        // a flood, once a second.
        let rank = |subject: &Prefix, until: Option<Timestamp>, packets: u64| {
            let left = until.map_or(Duration::ZERO, |until| until.since(now));
            let silent = policy.trigger.suspect.saturating_sub(left);
            (silent > BUSY, std::cmp::Reverse(packets), *subject)
        };
        let mut suspects = self.engine.suspects();
        let all = suspects.len();
        suspects.sort_by_cached_key(|(subject, dossier)| {
            rank(subject, dossier.suspect_until, counted(dossier))
        });
        let mut sighted: Vec<(Prefix, Sighting<'_>)> = self
            .engine
            .sighted()
            .into_iter()
            .flat_map(|(subject, dossier)| dossier.sightings.into_iter().map(move |s| (subject, s)))
            .filter(|(_, seen)| seen.suspect_until.is_some())
            .collect();
        let watched = sighted.len();
        sighted
            .sort_by_cached_key(|(subject, seen)| rank(subject, seen.suspect_until, packets(seen)));
        // A noisy zone that is only watched takes nobody's place.
        let shown: Vec<Value> = suspects
            .iter()
            .map(|(subject, dossier)| self.row(subject, dossier))
            .chain(sighted.iter().map(|(subject, seen)| self.watched_row(subject, seen)))
            .take(most.min(MOST_TOP))
            .collect();
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "at": view::time(self.dates.wall(now)),
            "mode": match policy.enforcement {
                Enforcement::Enforce => "enforce",
                Enforcement::DryRun => "dry-run",
            },
            "unproven": match policy.unproven {
                Unproven::Decoy => "decoy",
                Unproven::Drop => "drop",
                Unproven::Ban => "ban",
            },
            "started": view::time(self.dates.wall(self.clock.started())),
            "uptime": now.since(self.clock.started()).as_secs(),
            "program": program,
            "answering": self.watched.pulse.answers(now),
            "store_trouble": self.records.health().trouble,
            "totals": {
                "probes": counter("probes"),
                "dropped_banned": counter("banned"),
                "dropped_suspects": counter("triggers") + counter("suspect_probes")
                    + counter("suspect_connections"),
                "decoys": load(&counts.decoys),
                "handshakes": load(&counts.handshakes),
                "suspected": tally.suspected,
                "watched": tally.watched,
                "banned": tally.banned,
                "refused": tally.refused,
                "not_judged": load(&losses.unreadable) + load(&losses.queue_full)
                    + load(&losses.overruns),
            },
            "bans": self.engine.bans().count(),
            "suspects": all,
            "watched": watched,
            "wanted": policy.decoy.ports,
            "shown": shown,
            "decisions": self.recent.newest_first(),
        }))
    }

    /// One suspect.
    fn row(&self, subject: &Prefix, dossier: &Dossier<'_>) -> Value {
        let policy = self.engine.policy();
        let left = dossier.suspect_until;
        let left = left.map_or(Duration::ZERO, |until| until.since(self.clock.now()));
        let banned = self.engine.ban_of(subject.addr()).is_some();
        let view = view::suspect(subject, left, Some(dossier), banned, policy);
        json!({
            "subject": view.subject,
            "zone": null,
            "class": Class::of(dossier.evidence.iter().copied()).map(Class::as_str),
            "remaining": view.remaining,
            "banned": view.banned,
            "ports": view.ports,
            "packets": view.packets + view.uncountable,
            "uncountable": view.uncountable,
            "decoys": view.decoys,
            "proven": view.proven,
            "missing": view.missing,
        })
    }

    /// One who would be a suspect, had it not come by a zone that is only watched.
    fn watched_row(&self, subject: &Prefix, seen: &Sighting<'_>) -> Value {
        let left = seen.suspect_until;
        let left = left.map_or(Duration::ZERO, |until| until.since(self.clock.now()));
        let view = view::sighting(Some(subject), seen, Some(left));
        json!({
            "subject": view.subject,
            "zone": view.zone,
            "class": Class::of(seen.evidence.iter().copied()).map(Class::as_str),
            "remaining": view.remaining,
            "banned": self.engine.ban_of(subject.addr()).is_some(),
            "ports": view.ports,
            "packets": view.packets,
            // Who is only watched meets no decoys, and what does not count there is not kept.
            "uncountable": 0,
            "decoys": 0,
            "proven": [],
            "missing": words::missing_where_watched(seen.zone),
        })
    }
}

/// How many packets have come from it by that zone, as far as they are known here.
fn packets(seen: &Sighting<'_>) -> u64 {
    seen.not_kept.saturating_add(u64::try_from(seen.evidence.len()).unwrap_or(u64::MAX))
}

/// How many packets have come from it, as far as they are known here.
fn counted(dossier: &Dossier<'_>) -> u64 {
    let kept = u64::try_from(dossier.evidence.len()).unwrap_or(u64::MAX);
    kept.saturating_add(dossier.not_kept).saturating_add(dossier.uncountable)
}
