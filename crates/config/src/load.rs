//! Which files are read, and what it means when there is none.
//!
//! It does not watch files, and a file cannot name others.

use std::ffi::OsString;
use std::fmt;
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::source::Source;
use crate::{Config, Diagnostic, Setting, parse_all};

/// Where the configuration is when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/vauban/vauban.toml";

/// The largest file that is read. A thousand times what anybody writes; more is a log or a disk
/// that was named by mistake.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The number of `/dev/null`: major 1, minor 3 (null(4)).
const NULL_DEVICE: u64 = 0x103;

/// This crate's only door to the world.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::NotFound`] only if there is nothing by that name.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// The names in a directory, in any order.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::NotFound`] only if there is nothing by that name.
    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>>;
}

/// The files of this host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        // Looked at before it is opened: that of a pipe waits for somebody to write.
        let opened = std::fs::metadata(path).and_then(|metadata| {
            what_else(&metadata).map_or_else(
                || std::fs::File::open(path),
                |what| Err(io::Error::other(format!("it is {what}, not a file"))),
            )
        });
        let file = match opened {
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

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        match std::fs::read_dir(directory) {
            Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_symlink() => {
                Err(io::Error::other("it is a symbolic link to nothing"))
            }
            Err(error) => Err(error),
        }
    }
}

/// What a path leads to in place of a file; `None` for a file, and for what opening it says the same of.
/// The null device is an empty file.
fn what_else(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else if kind.is_block_device() || (kind.is_char_device() && metadata.rdev() != NULL_DEVICE) {
        Some("a device")
    } else {
        None
    }
}

/// A configuration, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// The file; `None` when there is none.
    pub file: Option<PathBuf>,
    /// The files beside it that were read after it, in this order.
    pub drop_ins: Vec<PathBuf>,
    /// Each key with its value and where that is from, in the order of the manual.
    pub settings: Vec<Setting>,
}

impl Loaded {
    /// All files that were read, in their order.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.file.iter().chain(&self.drop_ins).map(PathBuf::as_path)
    }
}

/// Why there is no configuration: everything that is wrong with any of its files.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong, in the order of the files; at least one thing.
    pub faults: Vec<Fault>,
    /// The files that there are, readable or not.
    pub files: Vec<PathBuf>,
}

/// One thing that is wrong.
#[derive(Debug)]
pub enum Fault {
    /// A file or a directory could not be read.
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The file was read and is wrong.
    Wrong(Diagnostic),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error, remedy } => {
                writeln!(f, "{}: cannot be read: {error}", shown(path))?;
                write!(f, "help: {remedy}")
            }
            Self::Wrong(diagnostic) => diagnostic.fmt(f),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only @ Fault::Unreadable { .. }] = self.faults.as_slice() {
            return only.fmt(f);
        }
        for fault in &self.faults {
            writeln!(f, "{fault}\n")?;
        }
        let errors = if self.faults.len() == 1 { "error" } else { "errors" };
        let files = if self.files.len() > 1 { "these files" } else { "this file" };
        write!(f, "{} {errors}; nothing of {files} is used", self.faults.len())
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

/// A path as it can be shown on a terminal and in a comment of a file.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The directory beside a file whose files are read after it: `vauban.d` for `vauban.toml`. `None`
/// for a file that is called so itself.
fn beside(file: &Path) -> Option<PathBuf> {
    Some(file.with_extension("d")).filter(|directory| directory != file)
}

/// Reads the file at `path`, or without one the file at [`DEFAULT_PATH`] if it exists; and after it
/// the files `*.toml` in the directory beside it that has the same name with `.d`, in the byte order
/// of their names. Hidden ones are left out. What a later file says replaces what an earlier one says.
///
/// # Errors
/// Files that cannot be read or are wrong. Only the default file may be missing: who names a file
/// wants what it says.
pub fn load(files: &dyn Files, path: Option<&Path>) -> Result<Loaded, Failure> {
    let main = path.unwrap_or(Path::new(DEFAULT_PATH));
    let mut faults = Vec::new();
    let mut texts: Vec<(PathBuf, Option<String>)> = Vec::new();
    let mut unreadable = |path: &Path, error: io::Error, remedy: &'static str| {
        faults.push(Fault::Unreadable { path: path.to_owned(), error, remedy });
    };
    let file = match files.read(main) {
        Ok(text) => {
            texts.push((main.to_owned(), Some(text)));
            Some(main.to_owned())
        }
        Err(error) if path.is_none() && error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let remedy = remedy(error.kind());
            unreadable(main, error, remedy);
            texts.push((main.to_owned(), None));
            None
        }
    };
    let mut drop_ins = Vec::new();
    if let Some(directory) = beside(main) {
        match names(files, &directory) {
            Ok(names) => drop_ins.extend(names.into_iter().map(|name| directory.join(name))),
            Err(error) => {
                let remedy = match error.kind() {
                    io::ErrorKind::PermissionDenied => "let the user who runs Vauban list it",
                    io::ErrorKind::NotADirectory => {
                        "make it a directory, for files that are read after the main one, or rename it"
                    }
                    _ => "make it a readable directory, or remove it",
                };
                unreadable(&directory, error, remedy);
                texts.push((directory, None));
            }
        }
    }
    for path in &drop_ins {
        match files.read(path) {
            Ok(text) => texts.push((path.clone(), Some(text))),
            Err(error) => {
                let remedy = match error.kind() {
                    io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData => {
                        remedy(error.kind())
                    }
                    _ => "make it a readable text file, or give it a name without .toml",
                };
                unreadable(path, error, remedy);
                texts.push((path.clone(), None));
            }
        }
    }
    let readable: Vec<(String, &str)> =
        texts.iter().filter_map(|(path, text)| Some((shown(path), text.as_deref()?))).collect();
    let sources: Vec<Source<'_>> =
        readable.iter().map(|(name, text)| Source::new(name, text)).collect();
    let outcome = parse_all(&sources, faults.is_empty());
    match outcome {
        Ok((config, settings)) if faults.is_empty() => {
            Ok(Loaded { config, file, drop_ins, settings })
        }
        outcome => {
            faults.extend(outcome.err().into_iter().flatten().map(Fault::Wrong));
            let files: Vec<PathBuf> = texts.into_iter().map(|(path, _)| path).collect();
            let place = |fault: &Fault| {
                files.iter().position(|path| match fault {
                    Fault::Unreadable { path: of, .. } => path == of,
                    Fault::Wrong(diagnostic) => shown(path) == diagnostic.file,
                })
            };
            faults.sort_by_key(place);
            Err(Failure { faults, files })
        }
    }
}

/// The names of the files in a directory beside the main file that are read; none if there is no
/// such directory.
fn names(files: &dyn Files, directory: &Path) -> io::Result<Vec<OsString>> {
    let mut names = match files.names(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    names.retain(|name| {
        let bytes = name.as_encoded_bytes();
        bytes.ends_with(b".toml") && !bytes.starts_with(b".")
    });
    // By their bytes, whatever the language: the same on every host.
    names.sort_unstable_by(|a, b| a.as_encoded_bytes().cmp(b.as_encoded_bytes()));
    Ok(names)
}

/// The same for a text that comes from no file, which diagnostics call `name`.
///
/// # Errors
/// What is wrong with it.
pub fn load_text(text: &str, name: &str) -> Result<Loaded, Failure> {
    match parse_all(&[Source::new(name, text)], true) {
        Ok((config, settings)) => {
            Ok(Loaded { config, file: Some(name.into()), drop_ins: Vec::new(), settings })
        }
        Err(diagnostics) => Err(Failure::of(diagnostics, name)),
    }
}

impl Failure {
    /// For one text of this name.
    #[must_use]
    pub fn of(diagnostics: Vec<Diagnostic>, name: &str) -> Self {
        let faults = diagnostics.into_iter().map(Fault::Wrong).collect();
        Self { faults, files: vec![name.into()] }
    }
}
