//! What both processes of a running daemon have in common: what the command line says, what the
//! configuration says, and how it can fail.
//!
//! `vauban run` is the parent ([`crate::parent`]), which keeps the privileges; it starts this same
//! program once more as the child ([`crate::child`]), which gives them up.

use std::fmt;
use std::path::PathBuf;

use vauban_config::{Config, Disk, LogFormat, show};
use vauban_enforce::boundary::Configuration;
use vauban_engine::policy::Enforcement;

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The configuration file; the default one, if it exists, when left out.
    pub config: Option<PathBuf>,
    /// Watch and judge, but drop nothing, whatever the configuration says.
    pub dry_run: bool,
    /// The control socket, in place of the configured one.
    pub socket: Option<PathBuf>,
    /// The database, in place of the configured one.
    pub store: Option<PathBuf>,
    /// How the log is written, in place of what is configured, and never into the journal.
    pub log: Option<LogFormat>,
}

/// Why the daemon could not start, or ended early. The text says what helps.
#[derive(Debug)]
pub enum RunError {
    /// The configuration has errors.
    Config(String),
    /// Privilege is missing.
    Privilege(String),
    /// Something that only one can have is taken.
    Taken(String),
    /// Anything else.
    Failed(String),
}

impl RunError {
    /// A failure with what was being done.
    pub(crate) fn failed(what: &str, error: &dyn fmt::Display) -> Self {
        Self::Failed(format!("{what}: {error}"))
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(text) | Self::Privilege(text) | Self::Taken(text) | Self::Failed(text) => {
                f.write_str(text)
            }
        }
    }
}

impl std::error::Error for RunError {}

/// A configuration as `run` uses it.
#[derive(Clone, Debug)]
pub struct Configured {
    /// What it says, with what the command line says in its place.
    pub config: Config,
    /// What the files say alone, for the other process.
    pub configuration: Configuration,
}

/// Reads the configuration as `run` would.
pub fn configure(options: &Options) -> Result<Configured, RunError> {
    let loaded = vauban_config::load(&Disk, options.config.as_deref())
        .map_err(|failure| RunError::Config(failure.to_string()))?;
    let configuration = Configuration {
        text: show(&loaded.config),
        file: loaded.file.map_or_else(String::new, |file| file.display().to_string()),
        drop_ins: u32::try_from(loaded.drop_ins.len()).unwrap_or(u32::MAX),
    };
    let mut config = loaded.config;
    if options.dry_run {
        config.policy.enforcement = Enforcement::DryRun;
    }
    if let Some(socket) = &options.socket {
        config.control.socket.clone_from(socket);
    }
    if let Some(store) = &options.store {
        // As everywhere on a command line, from where it is typed.
        config.store.path = std::path::absolute(store)
            .map_err(|error| RunError::failed(&store.display().to_string(), &error))?;
    }
    Ok(Configured { config, configuration })
}
