//! How a verb ends: what is said, and the exit status (BSD's sysexits(3) where it has one).
//!
//! [`STATUSES`] is the only list of them: the help, the manual page and
//! `docs/reference/commands.md` are made of it.

use std::fmt;
use std::process::ExitCode;

use vauban_daemon::RunError;
use vauban_daemon::clean::clean_lines;

/// An exit status, as the help, the manual page and the reference page give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// What the shell sees in `$?`.
    pub number: u8,
    /// What it means, in a few words for the end of the help.
    pub meaning: &'static str,
    /// When that is, for the pages.
    pub when: &'static str,
}

/// Every status that this program ends with, in the order of the numbers. Those from 64 on are
/// sysexits(3)'s, so that they do not mean something else to a shell.
pub const STATUSES: [Status; 9] = [
    Status { number: 0, meaning: "done", when: "What was asked is done." },
    Status {
        number: 1,
        meaning: "the answer is no",
        when: "What that is depends on the verb. `explain` knows nothing of the address; `unban` finds \
               nobody to let go; `ban` was refused, because its subject is never banned; `why-not` \
               finds that the address is banned; `disallow` finds nothing to take back; of a list, \
               `import` was refused some; `doctor` found trouble. With `--json`, an answer that there \
               is stands on standard output all the same.",
    },
    Status {
        number: 2,
        meaning: "wrong usage",
        when: "A verb, an option or a value that there is not, or that makes no sense.",
    },
    Status {
        number: 65,
        meaning: "some of the input is wrong",
        when: "A file that was named is damaged, or of another kind, in part or as a whole; what is \
               right in it was used (`EX_DATAERR`).",
    },
    Status {
        number: 66,
        meaning: "the input cannot be read",
        when: "A file that was named is not there, or may not be read (`EX_NOINPUT`). Of a \
               configuration that is 78.",
    },
    Status {
        number: 69,
        meaning: "no daemon answers",
        when: "Nobody listens at the control socket, or takes too long (`EX_UNAVAILABLE`).",
    },
    Status {
        number: 70,
        meaning: "something failed",
        when: "It should have worked and did not; standard error says what (`EX_SOFTWARE`).",
    },
    Status { number: 77, meaning: "not permitted", when: "It needs root (`EX_NOPERM`)." },
    Status {
        number: 78,
        meaning: "the configuration has errors",
        when: "All of them are on standard error, and nothing has changed (`EX_CONFIG`).",
    },
];

/// All of them in one sentence, for the end of the help.
pub fn statuses() -> String {
    let each: Vec<String> =
        STATUSES.iter().map(|status| format!("{} {}", status.number, status.meaning)).collect();
    format!("Exit status: {}.", each.join("; "))
}

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub enum Trouble {
    /// The answer is no: not banned, never to be banned, not known.
    No(String),
    /// What was asked makes no sense.
    Usage(String),
    /// Some of the input is wrong; what is right was done.
    Data(String),
    /// The input cannot be read.
    NoInput(String),
    /// No daemon answers.
    Unavailable(String),
    /// Something failed.
    Failed(String),
    /// Not permitted.
    Denied(String),
    /// The configuration has errors.
    Config(String),
    /// The same, and it is said already.
    ConfigSaid,
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
            Self::Config(_) | Self::ConfigSaid => 78,
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
            Self::ConfigSaid => f.write_str("the configuration has errors"),
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
            if !matches!(trouble, Trouble::ConfigSaid) {
                eprintln!("vauban: {}", clean_lines(&trouble.to_string()));
            }
            ExitCode::from(trouble.status())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_is_in_the_table() {
        let text = String::new;
        for trouble in [
            Trouble::No(text()),
            Trouble::Usage(text()),
            Trouble::Data(text()),
            Trouble::NoInput(text()),
            Trouble::Unavailable(text()),
            Trouble::Failed(text()),
            Trouble::Denied(text()),
            Trouble::Config(text()),
        ] {
            let number = trouble.status();
            assert!(STATUSES.iter().any(|status| status.number == number), "{trouble:?}: {number}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_names_each_once() {
        assert!(STATUSES.is_sorted_by(|a, b| a.number < b.number));
    }
}
