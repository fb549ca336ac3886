//! How a verb ends: what is said, and the exit status (BSD's sysexits(3) where it has one).

use std::fmt;
use std::process::ExitCode;

use vauban_daemon::RunError;

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub enum Trouble {
    /// The answer is no: not banned, never to be banned, not known.
    No(String),
    /// What was asked makes no sense.
    Usage(String),
    /// The input is not what it should be.
    Data(String),
    /// The input cannot be opened.
    NoInput(String),
    /// No daemon answers.
    Unavailable(String),
    /// Something failed.
    Failed(String),
    /// Not permitted.
    Denied(String),
    /// The configuration has errors.
    Config(String),
}

impl Trouble {
    fn status(&self) -> u8 {
        match self {
            Self::No(_) => 1,
            Self::Usage(_) => 2,
            Self::Data(_) => 65,
            Self::NoInput(_) => 66,
            Self::Unavailable(_) => 69,
            Self::Failed(_) => 70,
            Self::Denied(_) => 77,
            Self::Config(_) => 78,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No(text)
            | Self::Usage(text)
            | Self::Data(text)
            | Self::NoInput(text)
            | Self::Unavailable(text)
            | Self::Failed(text)
            | Self::Denied(text)
            | Self::Config(text) => f.write_str(text),
        }
    }
}

impl From<RunError> for Trouble {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Config(text) => Self::Config(text),
            RunError::Privilege(text) => Self::Denied(text),
            RunError::Taken(text) | RunError::Failed(text) => Self::Failed(text),
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Says what went wrong, if anything did, and turns it into an exit status.
pub fn code(outcome: Result<(), Trouble>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("vauban: {trouble}");
            ExitCode::from(trouble.status())
        }
    }
}
