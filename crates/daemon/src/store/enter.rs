//! The way into a database that is there: is it ours, is it sound, is it of this version?
//!
//! Nothing is changed before all of that is known.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::errors::{OpenError, StoreError, Trouble};
use super::load::{Loaded, load};
use super::place::Place;
use super::remaining::Now;
use super::schema::{self, VERSION, Whose};
use super::{What, one_line};

/// How long a statement waits for another process (somebody's `sqlite3`). The daemon's loop stands
/// still meanwhile, so: barely noticed.
const BUSY: Duration = Duration::from_millis(250);

/// Page cache: 2 MiB. Loading goes through the file once, and writing touches a few pages.
const CACHE_KIB: i64 = 2_048;

/// The log is cut back to this when it has been written back. SQLite does that every 1,000 pages
/// (4 MiB), so this is what it needs anyway.
const LOG_BYTES: i64 = 4 << 20;

/// Up to this many pages the whole file is checked when it is opened: 8 MiB, which take some 25 ms
/// (docs/development/store.md). Of a larger one only what is loaded, until [`Store::check`].
const CHECKED_PAGES: i64 = 2_048;

/// Why a database can't be used as it is.
pub(super) enum Unfit {
    Damaged(String),
    Open(OpenError),
}

/// Opens the database that is at `place`, checks it, brings it up to date, and loads it.
pub(super) fn enter(place: &Place, now: &Now) -> Result<(Connection, What, Loaded), Unfit> {
    let unfit = |error: rusqlite::Error| {
        let error = StoreError::new(place.path(), &error);
        match error.trouble {
            // Other: tables or columns that its version has are missing.
            Trouble::Corrupt | Trouble::Other => Unfit::Damaged(one_line(&error.detail)),
            _ => Unfit::Open(OpenError::Database(error)),
        }
    };
    if let Some(why) = place.head_damage().map_err(Unfit::Open)? {
        return Err(Unfit::Damaged(why.into()));
    }
    let look = |alone| {
        let db = connect(place.path(), alone)?;
        let whose = schema::whose(&db)?;
        Ok((db, whose))
    };
    let found = look(false).or_else(|error| match Trouble::of(&error) {
        // On a full disk there may be no room for the index of the log (`-shm`). Held by this
        // process alone, it is kept in memory: so bans can be read even now.
        Trouble::DiskFull | Trouble::Io | Trouble::ReadOnly => look(true),
        _ => Err(error),
    });
    let (mut db, whose) = found.map_err(unfit)?;
    let path = || place.path().into();
    let version = match whose {
        Whose::Nobody => 0,
        Whose::Ours(found) if found > VERSION => {
            let error = OpenError::Newer { path: path(), found, known: VERSION };
            return Err(Unfit::Open(error));
        }
        Whose::Ours(found) if found < 1 => {
            return Err(Unfit::Damaged(format!("its version is {found}")));
        }
        Whose::Ours(found) => found,
        Whose::Other(application) => {
            return Err(Unfit::Open(OpenError::Foreign { path: path(), application }));
        }
    };
    let loaded = prepare(&mut db, version, now).map_err(unfit)?.map_err(Unfit::Damaged)?;
    let what = match version {
        0 => What::New,
        VERSION => What::Found,
        from => What::Migrated { from },
    };
    Ok((db, what, loaded))
}

/// A connection that has changed nothing, and leaves nothing changed if it is closed now.
fn connect(path: &Path, alone: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    if alone {
        // Before anything that reads the file.
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // The file may have been made by somebody else, or by chance.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "mmap_size", 0)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(db)
}

/// Makes a database of ours, of an older version or of none, one of this version, and loads it; the
/// inner error says what is damaged.
fn prepare(
    db: &mut Connection,
    version: i64,
    now: &Now,
) -> rusqlite::Result<Result<Loaded, String>> {
    if version == 0 {
        // Before there is a table, or it does nothing.
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    if version > 0
        && let Some(why) = damage(db)?
    {
        return Ok(Err(why));
    }
    db.pragma_update(None, "journal_mode", "WAL")?;
    // What is said to be banned is on the disk: each transaction waits for it.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    schema::migrate(db, version)?;
    if !schema::is_whole(db)? {
        return Ok(Err("its tables are not those of its version".into()));
    }
    let loaded = load(db, now)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(Ok(loaded))
}

/// What is wrong with the file, as far as there is time to look.
fn damage(db: &Connection) -> rusqlite::Result<Option<String>> {
    if schema::number(db, "page_count")? > CHECKED_PAGES {
        return Ok(None);
    }
    let answer: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((answer != "ok").then(|| one_line(&answer)))
}
