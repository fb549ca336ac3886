//! Files that are compared with what the code makes of them; `BLESS=1` rewrites them.

use std::io;
use std::path::Path;

/// Compares `text` with the file at `path`, or writes it there. Says what differs.
pub fn check(path: &Path, text: &str) -> Result<(), String> {
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()));
    }
    let committed = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        other => other.map_err(|error| format!("{}: {error}", path.display()))?,
    };
    if committed == text {
        return Ok(());
    }
    Err(format!(
        "{} differs; review it after BLESS=1\n--- committed\n{committed}\n--- now\n{text}",
        path.display()
    ))
}
