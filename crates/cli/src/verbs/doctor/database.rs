//! The store: its directory, its room, and whether it is sound. Nothing of it is changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use vauban_daemon::store::{self, VERSION};

use super::Patient;
use super::finding::Finding;
use super::host::free_mebibytes;
use crate::ask::text;

/// The log of the database may have this many MiB before somebody keeps it from being written back: the
/// daemon cuts it at 4.
const LONG_LOG: u64 = 64;

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    // What a daemon that runs was told on its command line is not in the configuration.
    let running = patient.status.as_ref().map_or("", |status| text(status, "/store/path"));
    let path = match running {
        "" => patient.config.store.path.as_path(),
        path => Path::new(path),
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut findings = vec![directory(folder)];
    let limit = u64::from(patient.config.store.megabytes);
    if let Some(free) = free_mebibytes(patient.host, existing(folder)) {
        findings.push(room(free, limit, path));
    }
    findings.extend(file(patient, path, limit));
    findings
}

/// The nearest folder above that is there.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"))
}

fn directory(folder: &Path) -> Finding {
    const WHAT: &str = "directory";
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Ok(found) if !found.is_dir() => Finding::trouble(WHAT, format!("{shown} is no directory"))
            .remedy("store.path in the configuration: a path in a directory of its own"),
        Ok(found) if found.mode() & 0o022 != 0 => Finding::warning(
            WHAT,
            format!("{shown} may be written by others (mode {:o})", found.mode() & 0o7777),
        )
        .remedy(format!("chmod 700 {shown}")),
        Ok(found) => Finding::ok(
            WHAT,
            format!("{shown}, of user {}, mode {:o}", found.uid(), found.mode() & 0o7777),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::ok(WHAT, format!("{shown} is not there yet: the daemon makes it"))
        }
        Err(error) => Finding::note(WHAT, format!("{shown}: {error}")),
    }
}

fn room(free: u64, limit: u64, path: &Path) -> Finding {
    const WHAT: &str = "room";
    let text = format!("{free} MiB free; store.megabytes lets it take {limit}");
    if free < 16 {
        Finding::trouble(WHAT, format!("{text}: bans can't be stored"))
            .remedy(format!("make room beside {}", path.display()))
    } else if free < limit {
        Finding::warning(WHAT, text).remedy("make room, or lower store.megabytes")
    } else {
        Finding::ok(WHAT, text)
    }
}

fn file(patient: &Patient<'_>, path: &Path, limit: u64) -> Vec<Finding> {
    const WHAT: &str = "database";
    let shown = path.display();
    let size = match std::fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => {
            return vec![
                Finding::trouble(WHAT, format!("{shown} is no plain file"))
                    .remedy("move it away, or set store.path to another path"),
            ];
        }
        Ok(found) => found.len() >> 20,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return vec![Finding::ok(
                WHAT,
                format!("{shown} is not there yet: the daemon makes it"),
            )];
        }
        Err(_) if !patient.root => return vec![Finding::needs_root(WHAT)],
        Err(error) => return vec![Finding::trouble(WHAT, format!("{shown}: {error}"))],
    };
    let mut findings = vec![match store::inspect(path) {
        Err(_) if !patient.root => Finding::needs_root(WHAT),
        Err(text) => Finding::trouble(WHAT, format!("{shown} cannot be read: {text}"))
            .remedy("restart the daemon: it sets a damaged one aside and saves what it can"),
        Ok(found) => match (found.version, found.damage) {
            (_, Some(damage)) => Finding::trouble(WHAT, format!("{shown} is damaged: {damage}"))
                .remedy("restart the daemon: it sets a damaged one aside and saves what it can"),
            (None, _) => Finding::trouble(WHAT, format!("{shown} is another program's database"))
                .remedy("set store.path to another path"),
            (Some(version), _) if version > VERSION => Finding::trouble(
                WHAT,
                format!("{shown} is of version {version}; this program knows up to {VERSION}"),
            )
            .remedy("install the newer vauban again, or set store.path to another path"),
            (Some(version), _) => {
                let checked =
                    if found.complete { "sound" } else { "sound as far as there was time" };
                Finding::ok(WHAT, format!("{checked}, version {version}, {size} of {limit} MiB"))
            }
        },
    }];
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = std::fs::metadata(&log).map_or(0, |found| found.len() >> 20);
    if log > LONG_LOG {
        findings.push(
            Finding::warning("log", format!("{log} MiB wait to be written back"))
                .remedy("end what reads the database for long (sqlite3), then restart the daemon"),
        );
    }
    findings
}
