//! What `top` shows: totals, the busiest suspects, and what was decided last, in one answer of bounded
//! size.
//!
//! Everything is a total since the start: whoever asks twice has the rates. What it does not do: keep
//! anything for those who ask.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use vauban_enforce::boundary::{Answer, Ask};
use vauban_engine::detect::Dossier;
use vauban_engine::policy::{Enforcement, Unproven};
use vauban_engine::{Class, Prefix};

use super::core::Core;
use super::link::Orphaned;
use crate::control::protocol::MOST_TOP;
use crate::control::view;

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
        let mut suspects = self.engine.suspects();
        let all = suspects.len();
        suspects.sort_by_cached_key(|(subject, dossier)| {
            let left = dossier.suspect_until.map_or(Duration::ZERO, |until| until.since(now));
            let silent = policy.trigger.suspect.saturating_sub(left);
            (silent > BUSY, std::cmp::Reverse(counted(dossier)), *subject)
        });
        suspects.truncate(most.min(MOST_TOP));
        let shown: Vec<Value> =
            suspects.iter().map(|(subject, dossier)| self.row(subject, dossier)).collect();
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
                "banned": tally.banned,
                "refused": tally.refused,
                "not_judged": load(&losses.unreadable) + load(&losses.queue_full)
                    + load(&losses.overruns),
            },
            "bans": self.engine.bans().count(),
            "suspects": all,
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
}

/// How many packets have come from it, as far as they are known here.
fn counted(dossier: &Dossier<'_>) -> u64 {
    let kept = u64::try_from(dossier.evidence.len()).unwrap_or(u64::MAX);
    kept.saturating_add(dossier.not_kept).saturating_add(dossier.uncountable)
}
