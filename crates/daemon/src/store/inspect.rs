//! A look at a database that changes nothing: for whoever asks whether it is sound, while a daemon
//! writes it or while none does.
//!
//! What it does not do: take the lock, make a file, migrate, or write back a log.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::one_line;
use super::schema::{self, Whose};

/// How long the whole file may be checked. A quarter of a gigabyte takes a second or two; of a larger
/// one the beginning has been read then.
const WITHIN: Duration = Duration::from_millis(1_500);

/// How long a statement waits for the daemon's.
const BUSY: Duration = Duration::from_millis(250);

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Its version; `None` if it is not ours.
    pub version: Option<i64>,
    /// What is damaged, if anything was found to be.
    pub damage: Option<String>,
    /// Whether there was time to check all of it.
    pub complete: bool,
}

/// Looks at the database at `path`.
///
/// # Errors
/// A text for people: it cannot be read, or is no database.
pub fn inspect(path: &Path) -> Result<Inspection, String> {
    let failed = |error: rusqlite::Error| one_line(&error.to_string());
    let db = open(path).map_err(failed)?;
    db.busy_timeout(BUSY).map_err(failed)?;
    let version = match schema::whose(&db).map_err(failed)? {
        Whose::Ours(version) => Some(version),
        Whose::Nobody | Whose::Other(_) => None,
    };
    let handle = db.get_interrupt_handle();
    let (done, wait) = mpsc::channel::<()>();
    let timer = std::thread::Builder::new().name("timer".into()).spawn(move || {
        if wait.recv_timeout(WITHIN) == Err(mpsc::RecvTimeoutError::Timeout) {
            handle.interrupt();
        }
    });
    // Without a timer it takes as long as it takes.
    let checked: Result<String, _> = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    drop(done);
    if let Ok(timer) = timer {
        let _ = timer.join();
    }
    let (damage, complete) = match checked {
        Ok(text) if text == "ok" => (None, true),
        Ok(text) => (Some(one_line(&text)), true),
        Err(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
        {
            (None, false)
        }
        Err(error) => (Some(failed(error)), true),
    };
    Ok(Inspection { version, damage, complete })
}

/// Opens it for reading. Where nobody has it open there is no index of its log (`-shm`), and SQLite
/// would make one; so it is told that the file does not change, which is true then.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let mut index = path.as_os_str().to_owned();
    index.push("-shm");
    let immutable = if Path::new(&index).exists() { "" } else { "&immutable=1" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(format!("file:{}?mode=ro{immutable}", escaped(path)), flags)
}

/// A path in a URI (<https://sqlite.org/uri.html>): what would end it is written in hexadecimal.
fn escaped(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut text, byte| {
        if plain(*byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = std::fmt::Write::write_fmt(&mut text, format_args!("%{byte:02X}"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test's own.
    fn folder(name: &str) -> std::path::PathBuf {
        let path =
            std::env::temp_dir().join(format!("vauban inspect? {name} {}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        path
    }

    #[test]
    fn a_sound_one_a_damaged_one_and_none_and_nothing_is_left_behind() {
        let folder = folder("all");
        let path = folder.join("x.db");
        let mut db = Connection::open(&path).unwrap();
        schema::migrate(&mut db, 0).unwrap();
        db.execute_batch("PRAGMA journal_mode=WAL").unwrap();
        drop(db);
        let sound = Inspection { version: Some(schema::VERSION), damage: None, complete: true };
        assert_eq!(inspect(&path), Ok(sound));
        let names = || std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(names(), 1, "a file was made");

        let mut bytes = std::fs::read(&path).unwrap();
        for byte in bytes.iter_mut().skip(4_096).take(4_096) {
            *byte = 0xa5;
        }
        std::fs::write(&path, &bytes).unwrap();
        assert!(inspect(&path).is_ok_and(|found| found.damage.is_some()));
        std::fs::write(&path, "no database at all, but a text that is long enough").unwrap();
        assert!(inspect(&path).is_err());
        assert!(inspect(&folder.join("none.db")).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
