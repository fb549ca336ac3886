//! The store's directory and files, made for the child: it may not make them itself.
//!
//! The child owns what is in there, and may be in a stranger's hands. So nothing is followed: what
//! is no plain directory or file of one name is an error, and owners are changed through
//! descriptors, not through names.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::Path;

use vauban_sys::file::PLAIN;

/// What a database's own files are called, behind its name: SQLite's, and the store's lock.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", ".lock"];

/// Makes the directory if need be, and the directory and an existing database the child's.
///
/// # Errors
/// A text for people: what is wrong with which path, and what to do.
pub(super) fn prepare(database: &Path, uid: u32, gid: u32) -> Result<(), String> {
    let folder = database.parent().unwrap_or(Path::new("/"));
    let wrong = |path: &Path, error: &io::Error| {
        format!("the store, {}: {error}; set store.path to another place", path.display())
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| wrong(folder, &e))?;
    own_folder(folder, uid, gid).map_err(|error| wrong(folder, &error))?;
    for suffix in SUFFIXES {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        let path = Path::new(&name);
        own_file(path, uid, gid).map_err(|error| wrong(path, &error))?;
    }
    if !can_reach(folder, uid, gid).map_err(|error| wrong(folder, &error))? {
        return Err(format!(
            "the store: user {uid}, who is to write it, cannot reach {}; set store.path (or \
             --store) to a place whose parent directories everybody may enter",
            folder.display()
        ));
    }
    Ok(())
}

/// Group and others may write.
const OTHERS_WRITE: u32 = 0o022;

/// A directory that others share is left to its owner: a database in /tmp takes nobody else's /tmp
/// away. It must be the child's to write, then, which is found out when the child opens it.
fn own_folder(folder: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let is_well = |found: &fs::Metadata| found.uid() == uid || found.mode() & OTHERS_WRITE != 0;
    // Looked at before it is opened: a root without the right to override modes, as the unit for
    // systemd makes it, may not open what is the child's.
    if is_well(&fs::metadata(folder)?) {
        return Ok(());
    }
    let open = File::open(folder)?;
    if is_well(&open.metadata()?) {
        return Ok(());
    }
    if !is_ours(folder)? {
        return Err(io::Error::other(
            "it holds other files than a store; name a directory of its own",
        ));
    }
    fchown(&open, Some(uid), Some(gid))
}

/// Whether there is nothing in a directory but what a store leaves there.
fn is_ours(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !name.to_string_lossy().contains(".db") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn own_file(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).custom_flags(PLAIN).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // The child's own directory, which a root without that right may not enter: what is in
        // there is for the child to find out.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() != 1 {
        return Err(io::Error::other("it is no plain file, or has other names elsewhere"));
    }
    if (found.uid(), found.gid()) == (uid, gid) {
        Ok(())
    } else {
        fchown(&file, Some(uid), Some(gid))
    }
}

/// Whether a user may enter every directory on the way to this one, by their modes alone.
fn can_reach(folder: &Path, uid: u32, gid: u32) -> io::Result<bool> {
    for directory in folder.ancestors() {
        let found = fs::metadata(directory)?;
        let enter = if found.uid() == uid {
            0o100
        } else if found.gid() == gid {
            0o010
        } else {
            0o001
        };
        if found.mode() & enter == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
