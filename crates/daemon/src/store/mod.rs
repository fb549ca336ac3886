//! The store: bans that outlive the daemon, with what they rest on.
//!
//! One SQLite database in a folder that only the daemon writes. A ban that has been written is on
//! the disk, also through a power cut. What is in it can be read with the `sqlite3` tool while the
//! daemon runs; docs/development/store.md has the tables and the reasons.
//!
//! | file | says |
//! |---|---|
//! | `place` | the path, the lock, setting a database aside |
//! | `schema` | the tables, the way from older versions |
//! | `rows` | bans and evidence as rows, sealed |
//! | `enter` | is it ours, is it sound, is it of this version |
//! | `inspect` | is it sound, asked from outside |
//! | `load` | what a start reads |
//! | `grants` | whom operators have allowed, as rows |
//! | `history` | bans of the past and the present, page by page |
//! | `words` | causes, meanings and endings as text |
//! | `remaining` | how much of a ban is left |
//! | `change` | what is written |
//! | `rescue` | what a damaged database still tells |
//! | `prune` | what is forgotten, and when |
//! | `errors` | what goes wrong, and what to do about it |
//!
//! What it does not do: judge, read a clock, decide when to write, or keep anything in memory.

mod change;
mod enter;
mod errors;
mod grants;
mod history;
mod inspect;
mod load;
mod place;
mod prune;
mod remaining;
mod rescue;
mod rows;
mod schema;
mod words;

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, params};
use vauban_engine::Prefix;
use vauban_engine::evidence::Evidence;

pub use change::Record;
pub use errors::{OpenError, StoreError, Trouble, WriteError};
pub use grants::StoredGrant;
pub use history::{Entry, Page, Place as PageEnd, Query};
pub use inspect::{Inspection, inspect};
pub use load::{InForce, Loaded};
pub use prune::{Limits, Pruned};
pub use remaining::{Anchor, BootId, Mono, NotABootId, Now, Times, Wall, anchored, remaining};
pub use rescue::SetAside;
pub use rows::{PastBan, StoredBan};
pub use schema::VERSION;
pub use words::Ending;

use enter::{Unfit, enter};
use place::{Found, Place};
use rows::{Octets, State};

/// An open database.
pub struct Store {
    // Before the place: the connection must be closed when the lock goes.
    db: Connection,
    place: Place,
    limits: Limits,
}

/// What opening gives.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// What was found; [`What::SetAside`] must be told to people.
    pub what: What,
    /// What it holds.
    pub loaded: Loaded,
}

/// What was found where the database should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Nothing: a new one was made.
    New,
    /// A database of this version.
    Found,
    /// A database of an older version, which is of this one now.
    Migrated {
        /// The version that it had.
        from: i64,
    },
    /// A damaged one, which now lies elsewhere; a new one was made.
    SetAside(SetAside),
}

/// How large the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Bytes on the disk, with the log.
    pub bytes: u64,
    /// Bans in force.
    pub in_force: u64,
    /// Bans that have ended.
    pub ended: u64,
}

impl Store {
    /// Opens the database `path`, makes it if there is none, and loads what it holds.
    ///
    /// A damaged one is set aside, and what can be read of it is saved: see [`Opened::what`].
    ///
    /// # Errors
    /// See [`OpenError`]; the file is as it was then.
    pub fn open(path: &Path, limits: Limits, now: &Now) -> Result<Opened, OpenError> {
        let place = Place::take(path)?;
        match place.look()? {
            Found::Nothing => Self::make(place, limits, now, What::New),
            Found::Empty => Self::renew(place, limits, now, "it is empty".into()),
            Found::Leftovers => {
                Self::renew(place, limits, now, "only its log is there, not itself".into())
            }
            Found::File => match enter(&place, now) {
                Ok((db, what, loaded)) => {
                    Ok(Opened { store: Self { db, place, limits }, what, loaded })
                }
                Err(Unfit::Damaged(why)) => Self::renew(place, limits, now, why),
                Err(Unfit::Open(error)) => Err(error),
            },
        }
    }

    /// Sets this database aside because of `why`, saves what can be read of it, and goes on with a
    /// new one: for damage that shows after it was opened.
    ///
    /// # Errors
    /// It can't be moved, or no new one made.
    pub fn set_aside(self, why: String, now: &Now) -> Result<Opened, OpenError> {
        let Self { db, place, limits } = self;
        // What is damaged is not written to, not even to tidy up.
        let _ = db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        drop(db);
        Self::renew(place, limits, now, why)
    }

    fn renew(place: Place, limits: Limits, now: &Now, why: String) -> Result<Opened, OpenError> {
        let aside = place.set_aside(now.wall)?;
        let mut opened = Self::make(place, limits, now, What::New)?;
        let rescued = rescue::rescue(&aside, &mut opened.store.db);
        opened.loaded = opened.store.load(now).map_err(OpenError::Database)?;
        opened.what = What::SetAside(SetAside { to: aside, why, rescued });
        Ok(opened)
    }

    fn make(place: Place, limits: Limits, now: &Now, what: What) -> Result<Opened, OpenError> {
        place.create()?;
        match enter(&place, now) {
            Ok((db, _, loaded)) => Ok(Opened { store: Self { db, place, limits }, what, loaded }),
            Err(Unfit::Open(error)) => Err(error),
            Err(Unfit::Damaged(detail)) => Err(OpenError::Database(StoreError {
                path: place.path().into(),
                trouble: Trouble::Io,
                detail,
            })),
        }
    }

    /// Whether it lacked bans that were in force when whoever had it before ended: what the kernel
    /// still holds of them is to be kept.
    #[must_use]
    pub fn was_behind(&self) -> bool {
        self.place.was_behind()
    }

    /// Notes for the next start whether it lacks bans that are in force. Works on a full disk.
    pub fn mark(&self, behind: bool) {
        self.place.mark(behind);
    }

    /// Goes by other limits from here on.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The database's path, its folders without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// Reads what it holds, as far as the engine needs it: no evidence.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn load(&self, now: &Now) -> Result<Loaded, StoreError> {
        load::load(&self.db, now).map_err(|error| self.failed(&error))
    }

    /// The evidence of the ban of `subject` that is in force, or else of its last one, and how many
    /// more packets counted; `None` if it has none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn evidence(&self, subject: &Prefix) -> Result<Option<(Vec<Evidence>, u64)>, StoreError> {
        let octets = Octets::of(subject.addr());
        let look = |sql: &str| {
            let mut statement = self.db.prepare_cached(sql)?;
            let found = statement.query_row(params![octets.bytes(), subject.len()], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            });
            found.optional()
        };
        let read = || {
            let in_force = look(
                "SELECT id, not_kept FROM ban \
                 WHERE subject = ?1 AND length = ?2 AND ended_at IS NULL",
            )?;
            let found = match in_force {
                Some(found) => Some(found),
                None => look(
                    "SELECT id, not_kept FROM ban \
                     WHERE subject = ?1 AND length = ?2 AND ended_at IS NOT NULL \
                     ORDER BY ended_at DESC, id DESC LIMIT 1",
                )?,
            };
            let Some((id, not_kept)) = found else { return Ok(None) };
            let (evidence, unreadable) = rows::evidence(&self.db, id)?;
            Ok(Some((evidence, not_kept.cast_unsigned().saturating_add(unreadable))))
        };
        read().map_err(|error: rusqlite::Error| self.failed(&error))
    }

    /// Bans that have ended, of `subject` or of all, the last first, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn history(
        &self,
        subject: Option<&Prefix>,
        limit: usize,
    ) -> Result<Vec<PastBan>, StoreError> {
        let octets = subject.map(|subject| (Octets::of(subject.addr()), subject.len()));
        let (condition, values) = match &octets {
            None => ("?1 IS NULL AND ?2 IS NULL AND ended_at IS NOT NULL", (None, None)),
            Some((octets, length)) => (
                "subject = ?1 AND length = ?2 AND ended_at IS NOT NULL",
                (Some(octets.bytes()), Some(*length)),
            ),
        };
        let read = || {
            let sql = format!(
                "SELECT {} FROM ban WHERE {condition} ORDER BY ended_at DESC, id DESC LIMIT ?3",
                rows::BAN
            );
            let mut statement = self.db.prepare_cached(&sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = statement.query(params![values.0, values.1, limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let row = rows::ban(row);
                if let (Some(ban), State::Ended(ended_at, how)) = (row.ban, row.state) {
                    found.push(PastBan { ban, ended_at, how });
                }
            }
            Ok(found)
        };
        read().map_err(|error: rusqlite::Error| self.failed(&error))
    }

    /// How large it is.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn size(&self) -> Result<Size, StoreError> {
        let count = |sql| {
            let mut statement = self.db.prepare_cached(sql)?;
            statement.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
        };
        let read = || {
            Ok(Size {
                bytes: self.place.bytes(),
                in_force: count(IN_FORCE)?,
                ended: count("SELECT count(*) FROM ban WHERE ended_at IS NOT NULL")?,
            })
        };
        read().map_err(|error: rusqlite::Error| self.failed(&error))
    }

    /// Reads the whole file and looks whether it is sound (`PRAGMA quick_check`): for a moment when
    /// nobody waits, as it takes up to a second. On [`Trouble::Corrupt`], [`Store::set_aside`] it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn check(&self) -> Result<(), StoreError> {
        let answer: String = self
            .db
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|error| self.failed(&error))?;
        if answer == "ok" {
            return Ok(());
        }
        let path: PathBuf = self.place.path().into();
        Err(StoreError { path, trouble: Trouble::Corrupt, detail: one_line(&answer) })
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::new(self.place.path(), error)
    }
}

const IN_FORCE: &str = "SELECT count(*) FROM ban INDEXED BY ban_in_force WHERE ended_at IS NULL";

/// SQLite's own error for damage, with our words.
fn damaged(what: &str) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some(what.into()))
}

/// A text of SQLite's, fit for a line of the log.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
