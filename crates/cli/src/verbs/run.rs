//! `vauban run`, and the process without privileges that it starts.

use vauban_config::LogFormat;
use vauban_daemon::{Options, child, parent};

use crate::exit::Trouble;

/// Protects this host until interrupted.
pub fn run(options: &Options) -> Result<(), Trouble> {
    Ok(parent::run(options)?)
}

/// Judges for the parent that has started it.
pub fn child(log: LogFormat) -> Result<(), Trouble> {
    Ok(child::run(log)?)
}
