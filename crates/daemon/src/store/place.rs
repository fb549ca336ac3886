//! Where the database lies: its path, its lock, the files beside it, and moving it out of the way.
//!
//! What it does not do: look into the database.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::errors::OpenError;
use super::remaining::Wall;

/// What SQLite keeps beside a database, by the ends of their names: log, index of the log, and the
/// journal of the moment before the log was there.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The smallest page that a database can have; its header is the beginning of the first one
/// (<https://sqlite.org/fileformat2.html>).
const SMALLEST_PAGE: u64 = 512;

/// Databases set aside within one second that get names of their own. More is somebody's loop.
const MOST_SAME_NAMES: u32 = 100;

/// The place of a database, held for this process.
pub(crate) struct Place {
    path: PathBuf,
    /// Its one byte says whether the database lacks bans that are in force: a byte that is there
    /// already can be changed on a full disk.
    lock: File,
    was_behind: bool,
}

/// What the lock's byte says: the database holds every ban, or it lacks some.
const WHOLE: u8 = b'0';
const BEHIND: u8 = b'1';

/// What is found at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A file with something in it.
    File,
    /// A file without content.
    Empty,
    /// Only what SQLite keeps beside a database.
    Leftovers,
}

impl Place {
    /// Takes the place of the database `path`; its folder must be there.
    ///
    /// The lock is on a file of its own: closing any descriptor of the database itself would drop
    /// the locks that SQLite has on it (fcntl(2), "the process's locks are released").
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::File { path: path.into(), error };
        let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // The folders above may be links (/var/run is one); the file itself may not.
        let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        let path = folder.join(name);
        for end in BESIDE.into_iter().chain(["", ".lock"]) {
            plain(&with_end(&path, end))?;
        }
        let lock = with_end(&path, ".lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&lock)
            .map_err(|error| OpenError::File { path: lock.clone(), error })?;
        match file.try_lock() {
            Ok(()) => {
                let mut said = [WHOLE];
                if !matches!(file.read_at(&mut said, 0), Ok(1)) {
                    // Without room for a byte, nothing is lost but this.
                    let _ = file.write_at(&said, 0);
                }
                Ok(Self { path, lock: file, was_behind: said == [BEHIND] })
            }
            Err(TryLockError::WouldBlock) => Err(OpenError::Held { path }),
            Err(TryLockError::Error(error)) => Err(OpenError::File { path: lock, error }),
        }
    }

    /// The database's path, its folders without symbolic links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the database lacked bans when whoever had it before ended.
    pub(crate) fn was_behind(&self) -> bool {
        self.was_behind
    }

    /// Notes whether the database lacks bans, for the next start. Where that cannot be noted, the disk
    /// is such that the next start finds no store that it could believe.
    pub(crate) fn mark(&self, behind: bool) {
        let byte = if behind { BEHIND } else { WHOLE };
        let _ = self.lock.write_at(&[byte], 0).and_then(|_| self.lock.sync_data());
    }

    /// What is there.
    pub(crate) fn look(&self) -> Result<Found, OpenError> {
        match fs::symlink_metadata(&self.path) {
            Ok(found) if found.len() > 0 => Ok(Found::File),
            Ok(_) => Ok(Found::Empty),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let left = ["-wal", "-journal"].iter().any(|end| exists(&self.beside(end)));
                Ok(if left { Found::Leftovers } else { Found::Nothing })
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// What is wrong with the first bytes, where SQLite would not say so: it takes a file that is
    /// shorter than a page for a new one, and one that says to be of a later format for one that
    /// only others may write. No connection may be open.
    pub(crate) fn head_damage(&self) -> Result<Option<&'static str>, OpenError> {
        let mut head = Vec::new();
        File::open(&self.path)
            .and_then(|file| file.take(SMALLEST_PAGE).read_to_end(&mut head))
            .map_err(|error| self.failed(error))?;
        // Bytes 18 and 19: who may write and who may read it; 2 is a database with a log.
        Ok(match head.get(18..20) {
            None if head.is_empty() => None,
            Some([1 | 2, 1 | 2]) if head.len() as u64 == SMALLEST_PAGE => None,
            Some(_) if head.len() as u64 == SMALLEST_PAGE => Some("its header makes no sense"),
            _ => Some("it is cut off"),
        })
    }

    /// Makes the empty file, for its owner only; never through a link (open(2), `O_EXCL`). SQLite
    /// gives the files beside it the same mode.
    pub(crate) fn create(&self) -> Result<(), OpenError> {
        let made = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&self.path);
        made.map(drop).map_err(|error| self.failed(error))
    }

    /// How many bytes the database and the files beside it have.
    pub(crate) fn bytes(&self) -> u64 {
        let ends = BESIDE.into_iter().chain([""]);
        ends.filter_map(|end| fs::metadata(self.beside(end)).ok()).map(|found| found.len()).sum()
    }

    /// Renames the database and the files beside it, so that they still belong together, and says
    /// to what. Nothing is overwritten. No connection may be open.
    pub(crate) fn set_aside(&self, now: Wall) -> Result<PathBuf, OpenError> {
        let aside = self.free_name(now)?;
        // The database first: a log that is left alone is found and moved by the next start, while
        // a database without its log would look whole and lack the newest bans.
        for end in ["", "-wal", "-journal", "-shm"] {
            match fs::rename(self.beside(end), with_end(&aside, end)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| self.failed(e))?;
        Ok(aside)
    }

    fn free_name(&self, now: Wall) -> Result<PathBuf, OpenError> {
        let stamp = Timestamp::from_millisecond(now.0)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .strftime("%Y%m%dT%H%M%SZ");
        let first = with_end(&self.path, &format!(".corrupt-{stamp}"));
        let others = (2..=MOST_SAME_NAMES).map(|number| with_end(&first, &format!(".{number}")));
        std::iter::once(first.clone())
            .chain(others)
            .find(|name| !BESIDE.iter().chain([&""]).any(|end| exists(&with_end(name, end))))
            .ok_or(OpenError::File { path: first, error: io::ErrorKind::AlreadyExists.into() })
    }

    fn beside(&self, end: &str) -> PathBuf {
        with_end(&self.path, end)
    }

    fn failed(&self, error: io::Error) -> OpenError {
        OpenError::File { path: self.path.clone(), error }
    }
}

/// Refuses what is there and not a plain file.
fn plain(path: &Path) -> Result<(), OpenError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::File { path: path.into(), error }),
    };
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(OpenError::NotAFile { path: path.into(), what })
}

fn exists(path: &Path) -> bool {
    // A link that leads nowhere is something, too.
    fs::symlink_metadata(path).is_ok()
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}
