//! How a verb ends: what is said, and the exit status (BSD's sysexits(3) where it has one).
//!
//! [`STATUSES`] is the only list of them: the help, the manual page and
//! `docs/reference/exit-status.md` are made of it.

use std::fmt;
use std::process::ExitCode;

use vauban_daemon::RunError;

use crate::ask::clean;

/// Every exit status, and what it means.
pub const STATUSES: [(u8, &str); 9] = [
    (0, "done"),
    (1, "the answer is no"),
    (2, "wrong usage"),
    (65, "some of the input is wrong"),
    (66, "the input cannot be read"),
    (69, "no daemon answers"),
    (70, "something failed"),
    (77, "not permitted"),
    (78, "the configuration has errors"),
];

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

/// The last lines of the help.
pub fn help() -> String {
    let list = STATUSES.map(|(number, meaning)| format!("{number} {meaning}"));
    format!("Exit status: {}.", list.join("; "))
}

/// Says what went wrong, if anything did, and turns it into an exit status.
pub fn code(outcome: Result<(), Trouble>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("vauban: {}", clean(&trouble.to_string()));
            ExitCode::from(trouble.status())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;

    use super::*;

    #[test]
    fn each_trouble_has_a_status_of_the_list() {
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
            let status = trouble.status();
            assert!(STATUSES.iter().any(|(number, _)| *number == status), "{trouble:?}");
        }
        assert!(STATUSES.is_sorted());
    }

    /// `BLESS=1` writes the page.
    #[test]
    fn the_reference_page_says_the_same() {
        let mut page =
            "# Exit statuses\nThe numbers that `vauban VERB` ends with, for scripts. Above 2 \
                        they are those of sysexits(3).\n\n| status | means |\n|---|---|\n"
                .to_owned();
        for (number, meaning) in STATUSES {
            writeln!(page, "| {number} | {meaning} |").unwrap();
        }
        page.push_str(
            "\nWhat \"no\" is depends on the verb: `explain` knows nothing of the address; `unban` finds \
             nobody to let go; `ban` was refused, because its subject is never banned; `why-not` finds \
             that the address is banned; `disallow` finds nothing to take back; of a list, `import` was \
             refused some.\n",
        );
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/exit-status.md");
        if std::env::var_os("BLESS").is_some() {
            fs::write(path, &page).unwrap();
        }
        assert_eq!(fs::read_to_string(path).unwrap_or_default(), page, "BLESS=1 writes it");
    }
}
