//! What a damaged database still tells.
//!
//! Plain SELECTs over the table itself, in the order of its rows; where a page can't be read, it
//! goes on behind it. What is found must make sense and bear its seal. The damaged file is only
//! read.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::grants;
use super::remaining::Wall;
use super::rows::{self, State, StoredBan};
use super::words::Ending;

/// Rows that are read at most: twice as many bans as a kernel program holds, and it takes seconds.
const MOST_ROWS: usize = 400_000;

/// Rows that are written as one change: a few MiB of memory.
const AT_ONCE: u32 = 1_000;

/// Places that can't be read, one after the other, after which nothing more is expected. The step
/// doubles each time, so that is past any row that could be.
const MOST_MISSES: u32 = 40;

/// Places that can't be read in all: each costs a look or two.
const MOST_HOLES: u32 = 1_000;

/// A damaged database that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it lies now; what SQLite kept beside it lies there, too.
    pub to: PathBuf,
    /// What is wrong with it.
    pub why: String,
    /// What was saved.
    pub rescued: Rescued,
}

/// What could be read of a damaged database, and is in the new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Bans in force, with such evidence as could be read.
    pub in_force: usize,
    /// Bans that had ended, without evidence.
    pub ended: usize,
    /// Rows that were found, but can't be believed.
    pub unreadable: usize,
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rescued { in_force, ended, unreadable } = self.rescued;
        write!(
            f,
            "the database is damaged ({}) and now lies at {}; a new one has been made, with what \
             could be read of it: {in_force} bans in force and {ended} past ones",
            self.why,
            self.to.display()
        )?;
        if unreadable > 0 { write!(f, "; {unreadable} rows could not") } else { Ok(()) }
    }
}

/// A ban of the damaged database, and how it ended if it did.
type Found = (StoredBan, Option<(Wall, Ending)>);

/// What is copied as one change.
#[derive(Default)]
struct Part {
    found: Vec<Found>,
    unreadable: usize,
}

/// Copies what can be read of the database `from` to `into`.
pub(super) fn rescue(from: &Path, into: &mut Connection) -> Rescued {
    let mut rescued = Rescued::default();
    let Ok(from) = open(from) else { return rescued };
    rescue_grants(&from, into);
    let mut reader = Reader { from, at: 0, hole: None, read: 0, looks: 0, misses: 0 };
    loop {
        let Part { found, unreadable } = reader.some();
        rescued.unreadable += unreadable;
        if found.is_empty() {
            return rescued;
        }
        // All or nothing for each part; a new database that can't be written will say so itself.
        let Ok((in_force, ended)) = copy(&found, into) else { return rescued };
        rescued.in_force += in_force;
        rescued.ended += ended;
    }
}

/// Whom operators had allowed, as far as that can be read.
fn rescue_grants(from: &Connection, into: &mut Connection) {
    let Ok((found, _)) = grants::all(from) else { return };
    // All or nothing; a new database that can't be written will say so itself.
    let copied =
        into.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|change| {
            found.iter().try_for_each(|grant| grants::put(&change, grant))?;
            change.commit()
        });
    drop(copied);
}

/// Opens it so that nothing in its folder is written.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = Connection::open_with_flags(path, flags)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // Nothing is written to the schema: this is how SQLite is told to read on where the file is
    // shorter than its header says.
    db.pragma_update(None, "writable_schema", true)?;
    Ok(db)
}

fn copy(found: &[Found], into: &mut Connection) -> rusqlite::Result<(usize, usize)> {
    let change = into.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (mut in_force, mut ended) = (0, 0);
    for (ban, end) in found {
        if end.is_some() {
            ended += 1;
        } else {
            // Two in force would be the damage's doing: the later row is the later word.
            rows::end_of(&change, &ban.subject, ban.times.start, Ending::Replaced)?;
            in_force += 1;
        }
        rows::insert(&change, ban, *end)?;
    }
    change.commit()?;
    Ok((in_force, ended))
}

/// Goes through the table, around what can't be read.
struct Reader {
    from: Connection,
    /// The first id that has not been looked at.
    at: i64,
    /// Where the place begins that can't be read, while behind it nothing has been found yet.
    hole: Option<i64>,
    read: usize,
    looks: u32,
    misses: u32,
}

impl Reader {
    /// The next rows that can be read, none at the end, and how many could not be believed.
    fn some(&mut self) -> Part {
        let mut part = Part::default();
        while part.found.len() < AT_ONCE as usize
            && self.read < MOST_ROWS
            && self.looks < MOST_HOLES
        {
            let from = self.at;
            let whole = self.run(from, i64::MAX, "", &mut part);
            if let Some(hole) = self.hole.filter(|_| whole || self.at > from) {
                // The last step may have gone too far: back from there to the hole.
                self.hole = None;
                self.misses = 0;
                self.run(hole, from, "DESC", &mut part);
            }
            if whole && self.at == from {
                break;
            }
            if !whole {
                // How many rows lie on the page that can't be read, nobody knows: the step doubles
                // until there is something again.
                self.hole.get_or_insert(self.at);
                self.looks += 1;
                self.misses += 1;
                if self.misses > MOST_MISSES {
                    break;
                }
                self.at = self.at.max(0).saturating_add(1_i64 << self.misses);
            }
        }
        part
    }

    /// Reads rows with ids `from..to` in this order, until enough, the last one (both true) or a
    /// page that can't be read (false).
    fn run(&mut self, from: i64, to: i64, order: &str, part: &mut Part) -> bool {
        let sql = format!(
            "SELECT {} FROM ban NOT INDEXED WHERE id >= ?1 AND id < ?2 ORDER BY id {order} LIMIT ?3",
            rows::BAN
        );
        // Without the table there is nothing to look for.
        let Ok(mut statement) = self.from.prepare_cached(&sql) else { return true };
        let Ok(mut rows) = statement.query(params![from, to, AT_ONCE]) else { return false };
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => rows::ban(row),
                Ok(None) => return true,
                Err(_) => return false,
            };
            self.at = row.id.saturating_add(1).max(self.at);
            self.read += 1;
            match (row.ban, row.state) {
                (Some(mut ban), State::InForce) => {
                    // Evidence that can't be read is missing then; the ban is what acts.
                    let (evidence, lost) = rows::evidence(&self.from, row.id).unwrap_or_default();
                    ban.evidence = evidence;
                    ban.not_kept = ban.not_kept.saturating_add(lost);
                    part.found.push((ban, None));
                }
                (Some(ban), State::Ended(at, how)) => part.found.push((ban, Some((at, how)))),
                _ => part.unreadable += 1,
            }
        }
    }
}
