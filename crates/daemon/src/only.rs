//! One daemon per network namespace: two would take each other's table for a broken one.
//!
//! The lock is a file that only root can make, named after the namespace; the kernel lets it go
//! with the process that holds it, however that ends (flock(2)).

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::PathBuf;

/// Where the files are; the same for all daemons of this host, whatever their sockets.
const FOLDER: &str = "/run/vauban";

/// The network namespace of this thread.
const NAMESPACE: &str = "/proc/thread-self/ns/net";

/// While this lives, nobody else in this network namespace gets one.
pub struct Only {
    _held: File,
}

impl Only {
    /// Takes the lock.
    ///
    /// # Errors
    /// `AddrInUse`: another daemon has it.
    pub fn take() -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o755).create(FOLDER)?;
        let namespace = fs::metadata(NAMESPACE)?.ino();
        let path = PathBuf::from(FOLDER).join(format!("netns-{namespace}.lock"));
        // For root alone: whoever could open it could hold the lock, and keep us from starting.
        let file =
            File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                // One that an earlier version made may be open to others.
                file.set_permissions(fs::Permissions::from_mode(0o600))?;
                Ok(Self { _held: file })
            }
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::AddrInUse.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
