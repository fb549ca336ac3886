//! Going inside the sandbox, for the tests of it, and directories for them.
//!
//! Nothing is skipped where the kernel lacks a mechanism: the sandbox goes without, which is for
//! its caller to say, but a test would then prove nothing and fails.

use std::fs;
use std::path::{Path, PathBuf};

use vauban_sys::sandbox::{self, Entered, Sandbox};

/// A directory that is removed when this goes out of scope.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vsys-box-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Goes inside, with these directories, and makes sure that both walls stand.
pub fn enter(writable: &[&Path], readable: &[&Path]) {
    let own = |paths: &[&Path]| paths.iter().map(PathBuf::from).collect();
    let sandbox = Sandbox { writable: own(writable), readable: own(readable) };
    let Entered { landlock, seccomp } = sandbox::enter(&sandbox).unwrap();
    assert!(landlock.is_some(), "this kernel has no Landlock: nothing was proved");
    assert!(seccomp, "this kernel has no seccomp: nothing was proved");
}
