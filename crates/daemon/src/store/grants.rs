//! Whom operators have allowed while the daemon ran, as rows, and back.
//!
//! Sealed as bans are: a byte that changed lets nobody off. What it does not do: say who is allowed
//! now; a row whose time is up is dropped when the store is loaded or settled.

use std::time::Duration;

use rusqlite::{Connection, Result, Row, Transaction, params};
use vauban_engine::Prefix;
use vauban_engine::grants::MOST_GRANTS;

use super::Store;
use super::errors::WriteError;
use super::remaining::{Anchor, Mono, Now, Times, Wall, anchored, remaining};
use super::rows::{Octets, Seal, address};

/// A grant, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGrant {
    /// Whom.
    pub prefix: Prefix,
    /// The operator's words.
    pub comment: String,
    /// Since when, and until when.
    pub times: Times,
}

impl Store {
    /// Makes `grants` the ones that hold, as one change: to catch up after a time when nothing could
    /// be written.
    ///
    /// # Errors
    /// See [`StoreError`](super::StoreError); nothing was written then.
    pub fn replace_grants(
        &mut self,
        grants: &[StoredGrant],
    ) -> std::result::Result<(), WriteError> {
        self.change(|change| {
            change.execute("DELETE FROM allowed", [])?;
            grants.iter().try_for_each(|grant| put(change, grant))
        })
    }
}

/// Writes a grant, in place of one for the same prefix.
pub(super) fn put(change: &Transaction<'_>, grant: &StoredGrant) -> Result<()> {
    let octets = Octets::of(grant.prefix.addr());
    let anchor = grant.times.anchor;
    let boot = anchor.map(|anchor| anchor.boot.to_string());
    let (mono_start, mono_end) =
        (anchor.map(|a| a.start.0), anchor.and_then(|a| a.end).map(|end| end.0));
    let seal = seal(&Columns {
        prefix: octets.bytes(),
        length: grant.prefix.len().into(),
        comment: &grant.comment,
        boot: boot.as_deref(),
        numbers: [
            Some(grant.times.start.0),
            grant.times.end.map(|end| end.0),
            mono_start,
            mono_end,
        ],
    });
    let mut statement = change
        .prepare_cached("REPLACE INTO allowed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    let values = params![
        octets.bytes(),
        grant.prefix.len(),
        grant.comment,
        grant.times.start.0,
        grant.times.end.map(|end| end.0),
        boot,
        mono_start,
        mono_end,
        seal
    ];
    statement.execute(values).map(drop)
}

/// Takes the grant for exactly this prefix out, if there is one.
pub(super) fn remove(change: &Transaction<'_>, prefix: &Prefix) -> Result<()> {
    let octets = Octets::of(prefix.addr());
    let mut statement =
        change.prepare_cached("DELETE FROM allowed WHERE prefix = ?1 AND length = ?2")?;
    statement.execute(params![octets.bytes(), prefix.len()]).map(drop)
}

/// A grant, and how much is left of it; `None` without end.
type Held = (StoredGrant, Option<Duration>);

/// What of them still holds, with how much is left of each, and how many can't be read.
pub(super) fn load(db: &Connection, now: &Now) -> Result<(Vec<Held>, usize)> {
    let (all, unreadable) = all(db)?;
    let with_left = all.into_iter().map(|grant| {
        let left = remaining(&grant.times, now);
        (grant, left)
    });
    Ok((with_left.filter(|(_, left)| *left != Some(Duration::ZERO)).collect(), unreadable))
}

/// Takes what earlier boots left into this one; those whose time is up, and those that can't be
/// read, go.
pub(super) fn settle(change: &Transaction<'_>, now: &Now) -> Result<()> {
    let (held, _) = load(change, now)?;
    change.execute("DELETE FROM allowed", [])?;
    for (mut grant, _) in held {
        if grant.times.anchor.is_none_or(|anchor| anchor.boot != now.boot) {
            grant.times = anchored(&grant.times, now);
        }
        put(change, &grant)?;
    }
    Ok(())
}

/// All of them that can be read, and how many can't.
pub(super) fn all(db: &Connection) -> Result<(Vec<StoredGrant>, usize)> {
    let mut statement = db.prepare(
        "SELECT prefix, length, comment, starts, ends, boot, mono_start, mono_end, seal \
         FROM allowed LIMIT ?1",
    )?;
    let mut rows = statement.query([i64::try_from(MOST_GRANTS).unwrap_or(i64::MAX)])?;
    let (mut found, mut unreadable) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        match grant(row) {
            Some(grant) => found.push(grant),
            None => unreadable += 1,
        }
    }
    Ok((found, unreadable))
}

/// The columns that the seal is over.
struct Columns<'a> {
    prefix: &'a [u8],
    length: i64,
    comment: &'a str,
    boot: Option<&'a str>,
    /// Start and end by the wall clock, start and end in that boot.
    numbers: [Option<i64>; 4],
}

fn seal(columns: &Columns<'_>) -> i64 {
    let mut seal = Seal::default();
    seal.bytes(columns.prefix);
    seal.bytes(columns.comment.as_bytes());
    seal.bytes(columns.boot.unwrap_or_default().as_bytes());
    seal.number(Some(columns.length));
    for number in columns.numbers {
        seal.number(number);
    }
    seal.value()
}

fn grant(row: &Row<'_>) -> Option<StoredGrant> {
    let columns = Columns {
        prefix: row.get_ref(0).ok()?.as_blob().ok()?,
        length: row.get(1).ok()?,
        comment: row.get_ref(2).ok()?.as_str().ok()?,
        boot: row.get_ref(5).ok()?.as_str_or_null().ok()?,
        numbers: [Some(row.get(3).ok()?), row.get(4).ok()?, row.get(6).ok()?, row.get(7).ok()?],
    };
    if row.get(8) != Ok(seal(&columns)) {
        return None;
    }
    let [starts, ends, mono_start, mono_end] = columns.numbers;
    let (first, length) = (address(columns.prefix)?, u8::try_from(columns.length).ok()?);
    let prefix = Prefix::new(first, length)
        .filter(|prefix| prefix.addr() == first && prefix.len() == length)?;
    let anchor = match (columns.boot, mono_start) {
        (Some(boot), Some(start)) => {
            let end = mono_end.map(Mono);
            Some(Anchor { boot: boot.parse().ok()?, start: Mono(start), end })
        }
        _ => None,
    };
    let times = Times { start: Wall(starts?), end: ends.map(Wall), anchor };
    Some(StoredGrant { prefix, comment: columns.comment.to_owned(), times })
}
