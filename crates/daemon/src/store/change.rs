//! What is written: all of it, or nothing.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Transaction, TransactionBehavior};
use vauban_engine::Prefix;

use super::errors::WriteError;
use super::grants::{self, StoredGrant};
use super::remaining::{Now, Wall, anchored, remaining};
use super::rows::{self, State, StoredBan};
use super::words::Ending;
use super::{Store, damaged};

/// Something to write down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A ban was made. One of the same subject that is in force is replaced.
    Banned(StoredBan),
    /// A ban ended. If there is none in force, nothing happens: it may never have been written.
    Ended {
        /// Whose.
        subject: Prefix,
        /// When.
        at: Wall,
        /// How.
        how: Ending,
    },
    /// An operator has allowed somebody, in place of what was allowed for the same prefix.
    Allowed(StoredGrant),
    /// That is over.
    Disallowed(Prefix),
}

impl Store {
    /// Writes all `records`, in their order, as one change. When it returns they are on the disk.
    ///
    /// # Errors
    /// See [`StoreError`](super::StoreError); nothing was written then.
    pub fn write(&mut self, records: &[Record]) -> Result<(), WriteError> {
        if records.is_empty() {
            return Ok(());
        }
        self.change(|change| {
            for record in records {
                match record {
                    Record::Banned(ban) => put(change, ban)?,
                    Record::Ended { subject, at, how } => rows::end_of(change, subject, *at, *how)?,
                    Record::Allowed(grant) => grants::put(change, grant)?,
                    Record::Disallowed(prefix) => grants::remove(change, prefix)?,
                }
            }
            Ok(())
        })
    }

    /// Makes `bans` the ones in force, as one change: to catch up after a time when nothing could
    /// be written.
    ///
    /// A ban is the same as a row if subject and start are; such a row stays as it is, with its
    /// evidence. Rows without a ban end: replaced, if the subject has another one; expired, if
    /// their time is up; else in a way that nobody recorded. When exactly is not known: `now`, but
    /// not after their end. Rows that can't be read end, too.
    ///
    /// # Errors
    /// See [`StoreError`](super::StoreError); nothing was written then.
    pub fn replace_in_force(&mut self, bans: &[StoredBan], now: &Now) -> Result<(), WriteError> {
        self.change(|change| {
            let mut missing: HashMap<Prefix, &StoredBan> =
                bans.iter().map(|ban| (ban.subject, ban)).collect();
            for (id, row) in in_force(change)? {
                let Some(row) = row else {
                    rows::end(change, id, now.wall, Ending::Unrecorded)?;
                    continue;
                };
                let how = match missing.get(&row.subject) {
                    Some(ban) if ban.times.start == row.times.start => {
                        missing.remove(&row.subject);
                        continue;
                    }
                    Some(_) => Ending::Replaced,
                    None if remaining(&row.times, now) == Some(Duration::ZERO) => Ending::Expired,
                    None => Ending::Unrecorded,
                };
                let at = row.times.end.unwrap_or(now.wall).min(now.wall);
                rows::end(change, id, at, how)?;
            }
            // In the order of the snapshot: rows that are written together lie together.
            for ban in bans {
                if missing.remove(&ban.subject).is_some() {
                    put(change, ban)?;
                }
            }
            Ok(())
        })
    }

    /// Takes what earlier boots left into this one: bans whose time is up end, the others get what
    /// is left of them in this boot's time, so that a wall clock that is set later does not count
    /// any more. Rows that can't be read end, and stay for those who want to look.
    ///
    /// To be called once after opening; it may take a second after a boot with many bans.
    ///
    /// # Errors
    /// See [`StoreError`](super::StoreError); nothing was written then.
    pub fn settle(&mut self, now: &Now) -> Result<(), WriteError> {
        self.change(|change| {
            for (id, row) in in_force(change)? {
                let Some(mut ban) = row else {
                    rows::end(change, id, now.wall, Ending::Unrecorded)?;
                    continue;
                };
                if remaining(&ban.times, now) == Some(Duration::ZERO) {
                    let at = ban.times.end.unwrap_or(now.wall).min(now.wall);
                    rows::end(change, id, at, Ending::Expired)?;
                } else if ban.times.anchor.is_none_or(|anchor| anchor.boot != now.boot) {
                    ban.times = anchored(&ban.times, now);
                    rows::anchor(change, id, &ban)?;
                }
            }
            grants::settle(change, now)
        })
    }

    /// One transaction around `work`.
    pub(super) fn change<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, WriteError> {
        let run = || {
            let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&change)?;
            change.commit()?;
            Ok(result)
        };
        run().map_err(|error: rusqlite::Error| WriteError::new(self.place.path(), &error))
    }
}

fn put(change: &Transaction<'_>, ban: &StoredBan) -> rusqlite::Result<()> {
    rows::end_of(change, &ban.subject, ban.times.start, Ending::Replaced)?;
    rows::insert(change, ban, None).map(drop)
}

/// Every row in force, with its ban if it can be read.
fn in_force(change: &Transaction<'_>) -> rusqlite::Result<Vec<(i64, Option<StoredBan>)>> {
    let sql = format!(
        "SELECT {} FROM ban INDEXED BY ban_in_force WHERE ended_at IS NULL ORDER BY id",
        rows::BAN
    );
    let mut statement = change.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let row = rows::ban(row);
        if row.state != State::InForce {
            return Err(damaged("a ban that has ended stands among those in force"));
        }
        found.push((row.id, row.ban));
    }
    Ok(found)
}
