//! The ledger's way into the store and back: the engine's times as dates and as times of this boot.

use std::fs;
use std::path::Path;

use vauban_config::Config;
use vauban_engine::Timestamp;
use vauban_engine::event::Restored;
use vauban_engine::grants::Grant;
use vauban_engine::ledger::{Ban, Origin, Past};
use vauban_engine::output::{Block, Notice, Release};

use super::records::{self, Found, Records};
use crate::clock::{self, Clock, Dates};
use crate::run::RunError;
use crate::store::{
    Anchor, BootId, Ending, InForce, Limits, Loaded, Mono, Now, Record, Store, StoredBan,
    StoredGrant, Times, Wall, What,
};
use crate::words::ADOPTED;

/// Where Linux says which boot this is (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Bans that have what they rest on in memory from the start on, the newest: at some 0.1 ms each, an
/// eightieth of a second. For the others it is read when somebody asks.
const WITH_EVIDENCE: usize = 128;

/// Which boot this is. Without an answer every start counts as another boot, and bans go by the
/// wall clock.
pub(super) fn boot() -> BootId {
    let text = fs::read_to_string(BOOT_ID).unwrap_or_default();
    text.parse().unwrap_or_else(|_| BootId(u128::from(clock::wall().0)))
}

/// What the clocks say.
pub(super) fn now(clock: Clock, at: Timestamp, boot: BootId) -> Now {
    Now { wall: Wall::of(clock::wall()), boot, mono: mono(clock, at) }
}

fn mono(clock: Clock, at: Timestamp) -> Mono {
    Mono(i64::try_from(clock.monotonic(at).as_millis()).unwrap_or(i64::MAX))
}

/// How much the configuration lets be kept.
pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        max_age: config.store.history,
        max_bytes: u64::from(config.store.megabytes) << 20,
        ..Limits::default()
    }
}

/// What opening the store gives.
pub(super) struct Opened {
    pub(super) records: Records,
    /// What it holds.
    pub(super) restored: Restored,
    /// What people should know about it.
    pub(super) said: Vec<String>,
    /// It may have held more: what the kernel holds from before is to be kept.
    pub(super) lost: bool,
    /// It could not be read yet.
    pub(super) unread: bool,
}

/// Opens the store.
pub(super) fn open(config: &Config, clock: Clock, boot: BootId) -> Result<Opened, RunError> {
    let at = clock.now();
    let now = now(clock, at, boot);
    let path = &config.store.path;
    let limits = limits(config);
    let Found { store, what, loaded } =
        records::open(path, limits, &now).map_err(RunError::Failed)?;
    let unread = store.is_err();
    let lost = unread
        || loaded.unreadable > 0
        || matches!(what, Some(What::SetAside(_) | What::New))
        || store.as_ref().is_ok_and(Store::was_behind);
    let (mut restored, said) = found(path, what, loaded, at);
    if let Ok(store) = &store {
        remember_evidence(store, &mut restored.bans);
    }
    let records = Records::start(path.clone(), limits, store, now, lost)
        .map_err(|error| RunError::failed("cannot start a thread", &error))?;
    Ok(Opened { records, restored, said, lost, unread })
}

/// What a store holds as the engine has it, and what people should know about it.
pub(super) fn found(
    path: &Path,
    what: Option<What>,
    loaded: Loaded,
    at: Timestamp,
) -> (Restored, Vec<String>) {
    let mut said = Vec::new();
    match what {
        Some(What::SetAside(aside)) => {
            said.push(format!("Trouble: the store was damaged: {aside}"));
        }
        Some(What::Migrated { from }) => {
            said.push(format!(
                "The store, {}, was of version {from} and is converted",
                path.display()
            ));
        }
        Some(What::New | What::Found) | None => {}
    }
    if loaded.unreadable > 0 {
        said.push(format!(
            "Trouble: {} bans in {} cannot be read and are not in force",
            loaded.unreadable,
            path.display()
        ));
    }
    let bans: Vec<Ban> = loaded.bans.into_iter().map(|found| restored(found, at)).collect();
    if !bans.is_empty() {
        said.push(format!("Restored: {} bans from {}", bans.len(), path.display()));
    }
    let past = loaded.past.into_iter().map(|(subject, level, end)| {
        let end = end.timestamp().min(at);
        (subject, Past { level, end })
    });
    if loaded.unreadable_grants > 0 {
        said.push(format!(
            "Trouble: {} entries of whom operators allowed in {} cannot be read and are gone; \
             vauban allow lists the others",
            loaded.unreadable_grants,
            path.display()
        ));
    }
    let grants = loaded.grants.into_iter().map(|(grant, left)| Grant {
        prefix: grant.prefix,
        comment: grant.comment,
        start: grant.times.start.timestamp(),
        end: left.map(|left| at.plus(left)),
    });
    let grants = grants.collect();
    // The one that ended last is first; the ledger forgets those it was told of first.
    let mut past: Vec<_> = past.collect();
    past.reverse();
    (Restored { bans, past, grants }, said)
}

/// A ban that only the kernel knows of: nobody can say any more who made it, and why.
pub(super) fn adopted(block: &Block, at: Timestamp) -> Ban {
    Ban {
        subject: block.subject,
        source: block.subject.addr(),
        start: at,
        end: block.remaining.map(|left| at.plus(left)),
        level: 1,
        origin: Origin::Operator(ADOPTED.into()),
        evidence: Vec::new(),
        not_kept: 0,
    }
}

/// Whether only the kernel knew of a ban.
pub(super) fn is_adopted(ban: &Ban) -> bool {
    matches!(&ban.origin, Origin::Operator(words) if words == ADOPTED)
}

/// Gives the newest bans of scans what they rest on. What cannot be read now may be readable when
/// somebody asks.
fn remember_evidence(store: &Store, bans: &mut [Ban]) {
    let scans = bans.iter_mut().rev().filter(|ban| matches!(ban.origin, Origin::Scan(_)));
    for ban in scans.take(WITH_EVIDENCE) {
        if let Ok(Some((evidence, not_kept))) = store.evidence(&ban.subject) {
            (ban.evidence, ban.not_kept) = (evidence, not_kept);
        }
    }
}

fn restored(found: InForce, at: Timestamp) -> Ban {
    let InForce { ban, left } = found;
    Ban {
        subject: ban.subject,
        source: ban.source,
        start: ban.times.start.timestamp(),
        end: left.map(|left| at.plus(left)),
        level: ban.level,
        origin: ban.origin,
        evidence: ban.evidence,
        not_kept: ban.not_kept,
    }
}

/// A ban as the store keeps it.
pub(super) fn stored(ban: &Ban, clock: Clock, dates: &Dates, boot: BootId) -> StoredBan {
    let anchor =
        Anchor { boot, start: mono(clock, ban.start), end: ban.end.map(|end| mono(clock, end)) };
    StoredBan {
        subject: ban.subject,
        source: ban.source,
        level: ban.level,
        origin: ban.origin.clone(),
        times: Times {
            start: Wall::of(dates.wall(ban.start)),
            end: ban.end.map(|end| Wall::of(dates.wall(end))),
            anchor: Some(anchor),
        },
        evidence: ban.evidence.clone(),
        not_kept: ban.not_kept,
    }
}

/// A grant as the store keeps it.
pub(super) fn stored_grant(
    grant: &Grant,
    clock: Clock,
    dates: &Dates,
    boot: BootId,
) -> StoredGrant {
    let end = grant.end.map(|end| mono(clock, end));
    StoredGrant {
        prefix: grant.prefix,
        comment: grant.comment.clone(),
        times: Times {
            start: Wall::of(dates.wall(grant.start)),
            end: grant.end.map(|end| Wall::of(dates.wall(end))),
            anchor: Some(Anchor { boot, start: mono(clock, grant.start), end }),
        },
    }
}

/// What of a notice is to be written down.
pub(super) fn record(notice: &Notice, clock: Clock, dates: &Dates, boot: BootId) -> Option<Record> {
    let ended = |subject: &_, at: &Timestamp, how| {
        Some(Record::Ended { subject: *subject, at: Wall::of(dates.wall(*at)), how })
    };
    match notice {
        Notice::Banned(ban) => Some(Record::Banned(stored(ban, clock, dates, boot))),
        Notice::Allowed(grant) => Some(Record::Allowed(stored_grant(grant, clock, dates, boot))),
        Notice::Disallowed { prefix, .. } => Some(Record::Disallowed(*prefix)),
        Notice::Expired { at, subject } => ended(subject, at, Ending::Expired),
        Notice::PushedOut { at, subject } => ended(subject, at, Ending::PushedOut),
        Notice::Unbanned { at, subject, was_banned: true, by } => {
            let how = match by {
                Release::Operator => Ending::Unbanned,
                Release::Never(_) => Ending::NeverBan,
            };
            ended(subject, at, how)
        }
        Notice::Unbanned { was_banned: false, .. }
        | Notice::Suspected { .. }
        | Notice::Refused { .. }
        | Notice::Healed { .. } => None,
    }
}
