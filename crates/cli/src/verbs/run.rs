//! `vauban run`.

use std::path::PathBuf;

use vauban_daemon::Options;

use crate::exit::Trouble;

/// Protects this host until interrupted.
pub fn run(config: Option<PathBuf>, dry_run: bool, socket: Option<PathBuf>) -> Result<(), Trouble> {
    Ok(vauban_daemon::run(&Options { config, dry_run, socket })?)
}
