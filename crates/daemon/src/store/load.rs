//! What outlived the daemon, read in one go when it starts.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use rusqlite::Connection;
use vauban_engine::Prefix;

use super::change::Record;
use super::damaged;
use super::grants::{self, StoredGrant};
use super::remaining::{Now, Wall, remaining};
use super::rows::{self, State, StoredBan};
use super::words::Ending;

/// Past bans that are loaded at most: as many as the ledger remembers.
const MOST_PAST: usize = 16_384;

/// Ended rows that are read for that at most, as a subject may have several.
const MOST_PAST_READ: usize = 2 * MOST_PAST;

const IN_FORCE_BY_SUBJECT: &str =
    "SELECT count(*) FROM ban INDEXED BY ban_of_subject WHERE ended_at IS NULL";

/// What outlived the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Bans in force, without their evidence.
    pub bans: Vec<InForce>,
    /// The last ban of subjects whose next ban is longer for it: its level, and when it ended. The
    /// one that ended last is first.
    pub past: Vec<(Prefix, u32, Wall)>,
    /// Bans that ran out while nobody looked, to be written as such; `past` has them.
    pub over: Vec<Record>,
    /// Rows of bans in force that say nothing that could be believed. They block nobody.
    pub unreadable: usize,
    /// Whom operators have allowed, with how long they still do; `None` without end.
    pub grants: Vec<(StoredGrant, Option<Duration>)>,
    /// Rows of such that can't be believed. They allow nobody.
    pub unreadable_grants: usize,
}

/// A ban in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The ban, without its evidence.
    pub ban: StoredBan,
    /// How much is left of it; `None` without end.
    pub left: Option<Duration>,
}

/// See [`Store::load`](super::Store::load).
pub(super) fn load(db: &Connection, now: &Now) -> rusqlite::Result<Loaded> {
    let mut loaded = Loaded::default();
    let expected: i64 = db.query_row(IN_FORCE_BY_SUBJECT, [], |row| row.get(0))?;
    // Growing it as it fills would copy it over and over. A damaged index does not promise more
    // than there are rows, as each takes bytes of the file.
    loaded.bans.reserve_exact(usize::try_from(expected).unwrap_or(0));
    let sql = format!(
        "SELECT {} FROM ban INDEXED BY ban_in_force WHERE ended_at IS NULL ORDER BY id",
        rows::BAN
    );
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let (mut count, mut last) = (0_i64, None);
    while let Some(row) = rows.next()? {
        let row = rows::ban(row);
        count += 1;
        if last.is_some_and(|last| row.id <= last) {
            return Err(damaged("an index is out of order"));
        }
        last = Some(row.id);
        match row.ban {
            Some(ban) if row.state == State::InForce => {
                let left = remaining(&ban.times, now);
                loaded.bans.push(InForce { ban, left });
            }
            _ => loaded.unreadable += 1,
        }
    }
    if count != expected {
        return Err(damaged("two indexes do not agree"));
    }
    let over = loaded.bans.extract_if(.., |found| found.left == Some(Duration::ZERO));
    for InForce { ban, .. } in over {
        let at = ban.times.end.unwrap_or(now.wall).min(now.wall);
        loaded.past.push((ban.subject, ban.level, at));
        loaded.over.push(Record::Ended { subject: ban.subject, at, how: Ending::Expired });
    }
    past(db, &mut loaded)?;
    (loaded.grants, loaded.unreadable_grants) = grants::load(db, now)?;
    Ok(loaded)
}

/// Adds what has ended to `loaded.past`, where the newest word on each subject counts.
fn past(db: &Connection, loaded: &mut Loaded) -> rusqlite::Result<()> {
    let mut known: HashSet<Prefix> = loaded.past.iter().map(|(subject, ..)| *subject).collect();
    let sql = format!(
        "SELECT {} FROM ban WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT ?1",
        rows::BAN
    );
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query([i64::try_from(MOST_PAST_READ).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        if loaded.past.len() >= MOST_PAST {
            break;
        }
        let row = rows::ban(row);
        let (Some(ban), State::Ended(at, how)) = (row.ban, row.state) else { continue };
        let Some(counts) = how.counts() else { continue };
        if known.insert(ban.subject) && counts {
            loaded.past.push((ban.subject, ban.level, at));
        }
    }
    loaded.past.sort_by_key(|(subject, _, at)| (Reverse(*at), *subject));
    loaded.past.truncate(MOST_PAST);
    Ok(())
}
