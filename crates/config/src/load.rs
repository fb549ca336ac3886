//! Which file is read, and what it means when there is none.
//!
//! It neither watches files nor includes others.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::{Config, Diagnostic, parse};

/// Where the configuration is when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/vauban/vauban.toml";

/// The largest file that is read. A thousand times what anybody writes; more is a log or a disk
/// that was named by mistake.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// This crate's only door to the world.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::NotFound`] only if there is nothing by that name.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The files of this host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            // A link whose target is gone (an unmounted disk) is no wish for the defaults.
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => {
                return Err(io::Error::other("it is a symbolic link to nothing"));
            }
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > MOST_BYTES) {
            return Err(io::Error::other("it has more than 4 MiB"));
        }
        String::from_utf8(bytes).map_err(|error| {
            let valid = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
            let line = valid.filter(|byte| **byte == b'\n').count() + 1;
            let message = format!("it is no UTF-8 text, from line {line} on");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    }
}

/// A configuration, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// The file; `None` when these are the defaults, because there is none.
    pub file: Option<PathBuf>,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum Failure {
    /// The file could not be read.
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file was read and is wrong; at least one diagnostic.
    Invalid(Vec<Diagnostic>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => {
                writeln!(f, "{}: cannot be read: {error}", path.display())?;
                write!(f, "help: {}", remedy(error.kind()))
            }
            Self::Invalid(diagnostics) => {
                for diagnostic in diagnostics {
                    writeln!(f, "{diagnostic}\n")?;
                }
                let errors = if diagnostics.len() == 1 { "error" } else { "errors" };
                write!(f, "{} {errors}; nothing of this file is used", diagnostics.len())
            }
        }
    }
}

impl std::error::Error for Failure {}

fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "create it, or name no file to run on the defaults",
        io::ErrorKind::PermissionDenied => "let the user who runs Vauban read it",
        io::ErrorKind::InvalidData => "save it as UTF-8",
        io::ErrorKind::IsADirectory => "name the file in it",
        _ => "name a readable text file",
    }
}

/// Reads the file at `path`, or without one the file at [`DEFAULT_PATH`] if it exists.
///
/// # Errors
/// A file that cannot be read or is wrong. Only the default file may be missing: who names a file
/// wants what it says.
pub fn load(files: &dyn Files, path: Option<&Path>) -> Result<Loaded, Failure> {
    let file = path.unwrap_or(Path::new(DEFAULT_PATH));
    match files.read(file) {
        Ok(text) => {
            let config = parse(&text, &file.to_string_lossy()).map_err(Failure::Invalid)?;
            Ok(Loaded { config, file: Some(file.to_owned()) })
        }
        Err(error) if path.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Ok(Loaded { config: Config::default(), file: None })
        }
        Err(error) => Err(Failure::Unreadable { path: file.to_owned(), error }),
    }
}
