//! What is forgotten, and when: never a ban in force.
//!
//! Bans that have ended go when they are old, and when the file is too large, the ones that ended
//! first before the others. If that is not enough, the evidence of bans in force goes, except that
//! of the newest. One call does a bounded piece of work and says whether there is more.

use std::time::Duration;

use rusqlite::{Transaction, params};

use super::errors::WriteError;
use super::remaining::Wall;
use super::{Store, schema};

/// Bans taken out by one statement; the size is looked at in between.
const BANS_AT_ONCE: i64 = 100;

/// Packets of evidence taken out by one statement.
const PACKETS_AT_ONCE: i64 = 500;

/// Statements of one call at most: some 10 ms, while bans have to wait.
const MOST_STEPS: usize = 5;

/// Free pages that stay in the file, 1 MiB: the next bans take them, without growing it again.
const FREE_PAGES: i64 = 256;

/// Pages given back to the file system by one call at most: each may have to be moved.
const PAGES_AT_ONCE: i64 = 256;

/// How much the store may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bans that ended longer ago are forgotten.
    pub max_age: Duration,
    /// What the database should have at most, in bytes of used pages. Bans in force stay even if
    /// they alone are more.
    pub max_bytes: u64,
    /// So many of the newest bans in force keep their evidence even then.
    pub keep_evidence: u32,
}

impl Default for Limits {
    /// A year; 64 MiB, some 100,000 bans with a few packets each; the evidence of the last 1,000.
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(365 * 24 * 3_600),
            max_bytes: 64 << 20,
            keep_evidence: 1_000,
        }
    }
}

/// What a call took out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Bans that had ended, with their evidence.
    pub bans: usize,
    /// Packets of bans in force.
    pub evidence: usize,
    /// Bytes given back to the file system, once the log is written back.
    pub bytes: u64,
    /// Whether there is more to do: call again, soon.
    pub more: bool,
}

impl Store {
    /// Forgets what is beyond the limits at `now`, or a piece of it.
    ///
    /// # Errors
    /// See [`StoreError`](super::StoreError); nothing was forgotten then.
    pub fn prune(&mut self, now: Wall) -> Result<Pruned, WriteError> {
        let limits = self.limits;
        let age = i64::try_from(limits.max_age.as_millis()).unwrap_or(i64::MAX);
        let oldest = now.0.saturating_sub(age);
        let mut pruned = Pruned::default();
        if self.excess(oldest)? {
            self.change(|change| forget(change, oldest, &limits, &mut pruned))?;
        }
        self.give_back(&mut pruned)?;
        Ok(pruned)
    }

    /// Whether anything is too old or too much: one look, without a lock.
    fn excess(&self, oldest: i64) -> Result<bool, WriteError> {
        let look = || {
            let mut statement =
                self.db.prepare_cached("SELECT EXISTS (SELECT 1 FROM ban WHERE ended_at < ?1)")?;
            let old: bool = statement.query_row([oldest], |row| row.get(0))?;
            Ok(old || used(&self.db)? > self.limits.max_bytes)
        };
        look().map_err(|error: rusqlite::Error| self.failed(&error))
    }

    /// Shortens the file, if much of it is free. Without effect on a database that was not made to
    /// (`auto_vacuum`); its free pages are used again all the same.
    fn give_back(&self, pruned: &mut Pruned) -> Result<(), WriteError> {
        let mut work = || {
            let free = schema::number(&self.db, "freelist_count")?;
            let incremental = schema::number(&self.db, "auto_vacuum")? == 2;
            if free <= FREE_PAGES || !incremental {
                return Ok(());
            }
            let pages = (free - FREE_PAGES).min(PAGES_AT_ONCE);
            self.db.execute_batch(&format!("PRAGMA incremental_vacuum({pages})"))?;
            let left = schema::number(&self.db, "freelist_count")?;
            let size = schema::number(&self.db, "page_size")?;
            pruned.bytes = u64::try_from((free - left).saturating_mul(size)).unwrap_or(0);
            pruned.more |= left > FREE_PAGES && left < free;
            Ok(())
        };
        work().map_err(|error: rusqlite::Error| self.failed(&error))
    }
}

/// Takes out a piece of what is too much.
fn forget(
    change: &Transaction<'_>,
    oldest: i64,
    limits: &Limits,
    pruned: &mut Pruned,
) -> rusqlite::Result<()> {
    pruned.more = true;
    for _ in 0..MOST_STEPS {
        let mut gone = ended_before(change, oldest)?;
        if gone == 0 {
            if used(change)? <= limits.max_bytes {
                pruned.more = false;
                return Ok(());
            }
            gone = ended_before(change, i64::MAX)?;
        }
        pruned.bans += gone;
        if gone == 0 {
            let packets = packets(change, limits.keep_evidence)?;
            pruned.evidence += packets;
            if packets == 0 {
                // What is left stays, however much it is.
                pruned.more = false;
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Deletes bans that ended before `time`, the first ones; their evidence goes with them.
fn ended_before(change: &Transaction<'_>, time: i64) -> rusqlite::Result<usize> {
    let mut statement = change.prepare_cached(
        "DELETE FROM ban WHERE id IN \
         (SELECT id FROM ban WHERE ended_at < ?1 ORDER BY ended_at, id LIMIT ?2)",
    )?;
    statement.execute([time, BANS_AT_ONCE])
}

/// Deletes the oldest packets of bans in force, but for the newest bans, which `keep` them; they
/// are counted as not kept.
fn packets(change: &Transaction<'_>, keep: u32) -> rusqlite::Result<usize> {
    let mut statement = change.prepare_cached(
        "SELECT ban, n FROM evidence WHERE ban <= coalesce(( \
             SELECT id FROM ban INDEXED BY ban_in_force WHERE ended_at IS NULL \
             ORDER BY id DESC LIMIT 1 OFFSET ?1), -1) \
         ORDER BY ban, n LIMIT ?2",
    )?;
    let mut delete = change.prepare_cached("DELETE FROM evidence WHERE ban = ?1 AND n = ?2")?;
    let mut count =
        change.prepare_cached("UPDATE ban SET not_kept = not_kept + 1 WHERE id = ?1")?;
    let rows = statement.query_map(params![keep, PACKETS_AT_ONCE], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    let mut gone = 0;
    for row in rows.collect::<rusqlite::Result<Vec<_>>>()? {
        delete.execute([row.0, row.1])?;
        count.execute([row.0])?;
        gone += 1;
    }
    Ok(gone)
}

/// Bytes of the pages that hold something.
fn used(db: &rusqlite::Connection) -> rusqlite::Result<u64> {
    let number = |pragma| schema::number(db, pragma);
    let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
    Ok(u64::try_from(pages.saturating_mul(number("page_size")?)).unwrap_or(0))
}
