//! Where an export goes: standard output, or a file that is there when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::exit::Trouble;

/// Bytes per system call.
const AT_ONCE: usize = 128 * 1024;

/// What is being written.
pub enum Out {
    /// Standard output, whose reader may go away.
    Terminal(BufWriter<io::Stdout>),
    /// A file beside the one that it becomes.
    File { writer: BufWriter<File>, part: Part, path: PathBuf },
}

/// A file that is not whole yet. It goes with this, unless it is renamed.
pub struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Out {
    /// Standard output, or a file that replaces the one at `path` in the end.
    pub fn open(path: Option<&Path>) -> Result<Self, Trouble> {
        let Some(path) = path else {
            return Ok(Self::Terminal(BufWriter::with_capacity(AT_ONCE, io::stdout())));
        };
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => {
                let text = format!("{}: a directory; name a file in it", path.display());
                return Err(Trouble::Usage(text));
            }
            Ok(found) if !found.is_file() => {
                return Err(Trouble::Usage(format!(
                    "{}: no ordinary file, so it cannot be replaced; without --output, it goes to \
                     standard output",
                    path.display()
                )));
            }
            _ => {}
        }
        let name = path
            .file_name()
            .ok_or_else(|| Trouble::Usage(format!("{}: not the name of a file", path.display())))?;
        let mut part = std::ffi::OsString::from(".");
        part.push(name);
        part.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(part);
        // Who came from where is nobody else's to read.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let file = file.map_err(|error| Trouble::Failed(format!("{}: {error}", part.display())))?;
        let writer = BufWriter::with_capacity(AT_ONCE, file);
        Ok(Self::File { writer, part: Part(part), path: path.to_owned() })
    }

    /// Writes a text. That a reader has gone away (`| head`) is no error.
    pub fn write(&mut self, text: &str) -> Result<(), Trouble> {
        gone(self.write_all(text.as_bytes()))
    }

    /// Says that all of it is written.
    pub fn finish(mut self) -> Result<(), Trouble> {
        gone(self.flush())?;
        if let Self::File { writer, part, path } = self {
            let failed = |error: io::Error| Trouble::Failed(format!("{}: {error}", path.display()));
            writer.get_ref().sync_all().map_err(failed)?;
            fs::rename(&part.0, &path).map_err(failed)?;
            std::mem::forget(part);
        }
        Ok(())
    }
}

fn gone(outcome: io::Result<()>) -> Result<(), Trouble> {
    match outcome {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Terminal(writer) => writer.write(bytes),
            Self::File { writer, .. } => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Terminal(writer) => writer.flush(),
            Self::File { writer, .. } => writer.flush(),
        }
    }
}
