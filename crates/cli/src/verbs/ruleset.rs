//! `vauban ruleset`.

use std::path::PathBuf;

use serde_json::json;
use vauban_daemon::{Options, host};
use vauban_enforce::program;

use crate::ask::{print, print_json};
use crate::exit::Trouble;

/// Prints the kernel program for this host.
pub fn run(json: bool, config: Option<PathBuf>, dry_run: bool) -> Result<(), Trouble> {
    let options = Options { config, dry_run, ..Options::default() };
    let config = vauban_daemon::run::configure(&options)?.config;
    let program = program::render(&config.policy, &host::facts()?);
    if json {
        print_json(&json!({ "family": "inet", "table": program::TABLE, "program": program }))
    } else {
        print(&program)
    }
}
