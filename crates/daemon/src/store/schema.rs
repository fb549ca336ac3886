//! The tables, and how older ones become them.
//!
//! A new file goes through the same steps as an old one, so there is one way to each version. The
//! version is `PRAGMA user_version`; whose file it is says `PRAGMA application_id`. Both are part
//! of a step's transaction.
//!
//! All of this fits on the first page of the file. That is why there are no views in it: with them
//! it takes more pages, and each is one without which no table can be found.

use std::collections::BTreeSet;

use rusqlite::{Connection, Result, Transaction, TransactionBehavior};

use super::rows;

/// "Vaub" in ASCII: file(1) and everyone else can tell whose database it is.
pub(crate) const APPLICATION: i64 = 0x5661_7562;

/// The version that this program writes.
pub const VERSION: i64 = 3;

/// Every step, from an empty file on: the n-th makes version n out of n - 1.
const STEPS: [fn(&Transaction<'_>) -> Result<()>; 3] = [version_1, version_2, version_3];

/// Bans with their evidence.
const VERSION_1: &str = "
CREATE TABLE ban (
    id        INTEGER PRIMARY KEY,
    subject   BLOB NOT NULL,     -- first address: 4 or 16 bytes
    length    INTEGER NOT NULL,  -- of the prefix, in bits
    source    BLOB NOT NULL,     -- the address that was seen
    level     INTEGER NOT NULL,  -- the how-manieth ban of this subject
    origin    TEXT NOT NULL,     -- scan, operator
    why       TEXT NOT NULL,     -- the cause, or the operator's words
    proven    INTEGER NOT NULL,  -- 1: the source had proven its address
    starts    INTEGER NOT NULL,  -- all times: milliseconds since 1970
    ends      INTEGER,           -- NULL: never
    not_kept  INTEGER NOT NULL,  -- packets that counted and have no row in evidence
    ended_at  INTEGER,           -- NULL: in force
    ended_how TEXT
) STRICT;
CREATE TABLE evidence (
    ban         INTEGER NOT NULL REFERENCES ban ON DELETE CASCADE,
    n           INTEGER NOT NULL,  -- oldest first
    at          INTEGER NOT NULL,
    source      BLOB NOT NULL,
    source_port INTEGER NOT NULL,
    destination BLOB NOT NULL,
    port        TEXT NOT NULL,     -- tcp/22
    flags       TEXT NOT NULL,     -- SYN+ACK, none
    meaning     TEXT NOT NULL,
    decoy       INTEGER NOT NULL,
    said        BLOB NOT NULL,
    bytes       BLOB NOT NULL,
    PRIMARY KEY (ban, n)
) STRICT, WITHOUT ROWID;
-- One subject, one ban in force.
CREATE UNIQUE INDEX ban_of_subject ON ban (subject, length) WHERE ended_at IS NULL;
CREATE INDEX ban_ended ON ban (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX ban_ended_of_subject ON ban (subject, length, ended_at) WHERE ended_at IS NOT NULL;
";

/// The time of a boot; a seal on what acts; and what is in force in the order of the file, so that
/// loading it reads each page once.
const VERSION_2: &str = "
ALTER TABLE ban ADD COLUMN boot TEXT;           -- /proc/sys/kernel/random/boot_id
ALTER TABLE ban ADD COLUMN mono_start INTEGER;  -- milliseconds of that boot's monotonic clock
ALTER TABLE ban ADD COLUMN mono_end INTEGER;
ALTER TABLE ban ADD COLUMN seal INTEGER;        -- over the columns that make the ban
CREATE INDEX ban_in_force ON ban (id) WHERE ended_at IS NULL;
";

/// Whom operators have allowed, and the order of the history.
const VERSION_3: &str = "
CREATE TABLE allowed (
    prefix     BLOB NOT NULL,     -- first address: 4 or 16 bytes
    length     INTEGER NOT NULL,
    comment    TEXT NOT NULL,     -- the operator's words
    starts     INTEGER NOT NULL,
    ends       INTEGER,           -- NULL: never
    boot       TEXT,
    mono_start INTEGER,
    mono_end   INTEGER,
    seal       INTEGER,
    PRIMARY KEY (prefix, length)
) STRICT, WITHOUT ROWID;
CREATE INDEX ban_started ON ban (starts);
";

fn version_1(change: &Transaction<'_>) -> Result<()> {
    change.execute_batch(VERSION_1)
}

fn version_2(change: &Transaction<'_>) -> Result<()> {
    change.execute_batch(VERSION_2)?;
    rows::seal_all(change)
}

fn version_3(change: &Transaction<'_>) -> Result<()> {
    change.execute_batch(VERSION_3)
}

/// Whose database it is, and of which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Nobody's yet: no tables.
    Nobody,
    /// Ours, of this version.
    Ours(i64),
    /// That of the program with this application id.
    Other(i64),
}

/// Looks, without changing anything.
pub(crate) fn whose(db: &Connection) -> Result<Whose> {
    let application = number(db, "application_id")?;
    if application == APPLICATION {
        return Ok(Whose::Ours(number(db, "user_version")?));
    }
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(if application == 0 && tables == 0 { Whose::Nobody } else { Whose::Other(application) })
}

/// Takes the steps from version `from` on.
pub(crate) fn migrate(db: &mut Connection, from: i64) -> Result<()> {
    for (version, step) in (1_i64..).zip(STEPS) {
        if version > from {
            let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            step(&change)?;
            change.pragma_update(None, "application_id", APPLICATION)?;
            change.pragma_update(None, "user_version", version)?;
            change.commit()?;
        }
    }
    Ok(())
}

/// Whether the tables and indexes of this version are there, to the letter: one letter that changed
/// is a column of another name. What somebody has added does not matter.
pub(crate) fn is_whole(db: &Connection) -> Result<bool> {
    let mut model = Connection::open_in_memory()?;
    migrate(&mut model, 0)?;
    let expected = objects(&model)?;
    let found = objects(db)?;
    Ok(expected.is_subset(&found))
}

fn objects(db: &Connection) -> Result<BTreeSet<(String, Option<String>)>> {
    let mut statement = db.prepare("SELECT type || ' ' || name, sql FROM sqlite_schema")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// The number that a pragma gives.
pub(crate) fn number(db: &Connection, pragma: &str) -> Result<i64> {
    db.pragma_query_value(None, pragma, |row| row.get(0))
}
