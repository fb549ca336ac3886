//! What can go wrong with the database, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

/// What kind of trouble it is, as far as somebody can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No room on the disk, or a quota is used up.
    DiskFull,
    /// The file, its folder or its file system can't be written.
    ReadOnly,
    /// The disk does not do as it is told.
    Io,
    /// The file is damaged.
    Corrupt,
    /// Somebody else keeps it locked: a `sqlite3` in a transaction, say.
    Busy,
    /// Anything else.
    Other,
}

impl Trouble {
    /// The kind that SQLite's error is of.
    pub(crate) fn of(error: &rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, _) = error else {
            return match error {
                // A column that holds what the schema does not let in.
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..) => Self::Corrupt,
                _ => Self::Other,
            };
        };
        if failure.extended_code == SQLITE_IOERR_SHMSIZE {
            // The index of the log could not grow.
            return Self::DiskFull;
        }
        match failure.code {
            ErrorCode::DiskFull => Self::DiskFull,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
                Self::ReadOnly
            }
            ErrorCode::SystemIoFailure => Self::Io,
            // Nothing that is written violates a constraint, unless table and index disagree.
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::ConstraintViolation => Self::Corrupt,
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed => Self::Busy,
            _ => Self::Other,
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::DiskFull => "make room on its disk; bans stay in memory until then",
            Self::ReadOnly => "make the file and its folder writable for vauban",
            Self::Io => "look for errors of the disk in the kernel's log (journalctl -k)",
            Self::Corrupt => "restart vauban: it sets the file aside and saves what can be read",
            Self::Busy => "end the program that holds it (fuser FILE says which)",
            Self::Other => "look whether the file and its folder are as vauban made them",
        }
    }
}

/// A database that is open could not be read or written. Nothing of the change was made.
#[derive(Debug)]
pub struct StoreError {
    /// The database.
    pub path: PathBuf,
    /// Which kind of trouble it is.
    pub trouble: Trouble,
    /// SQLite's own words.
    pub detail: String,
}

/// The error of [`write`](super::Store::write) and its kin.
pub type WriteError = StoreError;

impl StoreError {
    pub(crate) fn new(path: &Path, error: &rusqlite::Error) -> Self {
        Self { path: path.into(), trouble: Trouble::of(error), detail: error.to_string() }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.trouble {
            Trouble::DiskFull => "the disk is full",
            Trouble::ReadOnly => "it can't be written",
            Trouble::Io => "the disk fails",
            Trouble::Corrupt => "it is damaged",
            Trouble::Busy => "another program has locked it",
            Trouble::Other => "the database refuses",
        };
        let remedy = self.trouble.remedy();
        write!(f, "{}: {what} ({}); {remedy}", self.path.display(), self.detail)
    }
}

impl std::error::Error for StoreError {}

/// A database could not be opened. The file is as it was.
#[derive(Debug)]
pub enum OpenError {
    /// It is not a plain file: a symbolic link, a folder, a device.
    NotAFile {
        /// The path that was given.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// Another process has it open.
    Held {
        /// The database.
        path: PathBuf,
    },
    /// A newer vauban wrote it.
    Newer {
        /// The database.
        path: PathBuf,
        /// The version of its schema.
        found: i64,
        /// The newest version that this vauban knows.
        known: i64,
    },
    /// It is some other program's database.
    Foreign {
        /// The database.
        path: PathBuf,
        /// Whose it says to be (`PRAGMA application_id`).
        application: i64,
    },
    /// The file or its folder can't be used.
    File {
        /// The path that it is about.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
    /// The database can't be used, though it is ours.
    Database(StoreError),
}

impl OpenError {
    /// Whether it may pass by itself or by what somebody does to the disk, so that it is worth
    /// working without a store until then. The others need somebody to decide something.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Database(_))
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFile { path, what } => write!(
                f,
                "{}: it is {what}, not a plain file; move it away, or give another path",
                path.display()
            ),
            Self::Held { path } => write!(
                f,
                "{}: another vauban has it open; stop that one, or give another path",
                path.display()
            ),
            Self::Newer { path, found, known } => write!(
                f,
                "{}: a newer vauban wrote it (version {found}, this one knows {known}); install a \
                 newer vauban, or move the file away to begin without bans",
                path.display()
            ),
            Self::Foreign { path, application } => write!(
                f,
                "{}: it is the database of another program (application id {application:#x}); \
                 give another path",
                path.display()
            ),
            Self::File { path, error } => {
                let remedy = match error.kind() {
                    io::ErrorKind::NotFound => "make its folder",
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        Trouble::DiskFull.remedy()
                    }
                    _ => Trouble::ReadOnly.remedy(),
                };
                write!(f, "{}: {error}; {remedy}", path.display())
            }
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}
