//! `vauban ruleset`.

use std::path::PathBuf;

use vauban_daemon::{Options, host};
use vauban_enforce::program;

use crate::ask::print;
use crate::exit::Trouble;

/// Prints the kernel program for this host.
pub fn run(config: Option<PathBuf>, dry_run: bool) -> Result<(), Trouble> {
    let options = Options { config, dry_run, socket: None };
    let (config, _) = vauban_daemon::run::configure(&options)?;
    print(&program::render(&config.policy, &host::facts()?))
}
