//! Configuration files to a policy, with every diagnostic.
//!
//! ```text
//! file ─► load ─► toml ─► syntax (its errors)  ─┐
//!                   └───► document ─► read ─────┴─► Config, or all diagnostics
//!                            keys ──┴─► write, render (example file, reference, man page)
//! ```
//!
//! [`parse`] takes a text and gives a whole [`Config`] or everything that is wrong with the text;
//! there is no half of a configuration. A text that says nothing is [`Config::default`].
//! One table, `keys`, feeds the reader, the example file, the reference and the man page.
//!
//! What it does not do: look at the host, ask a clock, resolve names, or read files other than
//! through [`Files`].

#![forbid(unsafe_code)]

mod address;
mod diagnostic;
mod document;
pub mod duration;
mod exclude;
mod keys;
mod load;
mod nearest;
mod port;
mod read;
mod relations;
mod render;
mod source;
mod syntax;
mod write;

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeTable;
use vauban_engine::Policy;

pub use diagnostic::Diagnostic;
pub use load::{DEFAULT_PATH, Disk, Failure, Files, Loaded, load};
pub use render::{example, manual, reference};
pub use write::show;

use diagnostic::Problem;
use source::Source;

/// Everything that a configuration file can say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// What is judged, and how.
    pub policy: Policy,
    /// Where the daemon takes commands.
    pub control: Control,
    /// Where bans outlive the daemon.
    pub store: Store,
    /// What becomes of bans in the kernel when the daemon is told to stop.
    pub at_stop: AtStop,
    /// How what happens is logged.
    pub log: Log,
}

/// Where bans outlive the daemon, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The database: an absolute path. Its directory is the daemon's own.
    pub path: PathBuf,
    /// How long a ban that is over is remembered.
    pub history: Duration,
    /// How large the database may become, in MiB.
    pub megabytes: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/lib/vauban/vauban.db"),
            // A quarter of a year: who asks why somebody was banned asks by then.
            history: Duration::from_secs(90 * 24 * 60 * 60),
            megabytes: 256,
        }
    }
}

/// What becomes of bans in the kernel when the daemon is told to stop. They are in the store either
/// way, and the next start restores what is left of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtStop {
    /// They go, with everything of ours in the kernel: whoever stops a daemon to find out whether
    /// it is to blame must be able to.
    #[default]
    Remove,
    /// They stay until they run out.
    Leave,
}

/// How what happens is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// How entries are written to standard output.
    pub format: LogFormat,
    /// Whether they go to the journal instead where standard output leads there.
    pub journal: UseJournal,
}

/// How entries are written to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people, and for grep.
    #[default]
    Text,
    /// One object of JSON per line.
    Json,
}

impl LogFormat {
    /// Its word, in the configuration and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        keys::LOG_FORMAT.iter().find(|(_, format)| *format == self).map_or("", |(word, _)| word)
    }
}

impl std::str::FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = keys::LOG_FORMAT.iter().find(|(word, _)| *word == text);
        known.map(|(_, format)| *format).ok_or_else(|| "text or json".to_owned())
    }
}

/// Whether entries go to the journal, with their fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UseJournal {
    /// Where standard output is connected to it.
    #[default]
    Auto,
    /// Never: lines on standard output, wherever that leads.
    Off,
}

/// Where the daemon takes commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The unix socket's path: absolute, at most 107 bytes.
    pub socket: PathBuf,
}

impl Default for Control {
    fn default() -> Self {
        Self { socket: PathBuf::from("/run/vauban/control.sock") }
    }
}

/// How many diagnostics one text gets. Somebody who named a log file by mistake needs the first
/// few of its ten thousand errors, and so does the journal.
const MOST_DIAGNOSTICS: usize = 100;

/// Reads `text`; `name` is what diagnostics call it.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text. What follows from a syntax error
/// alone (a key that only seems misplaced because a header is broken) is left out.
pub fn parse(text: &str, name: &str) -> Result<Config, Vec<Diagnostic>> {
    let source = Source::new(name, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut faults = syntax::faults(&source, document.get_ref(), &errors);
    let (config, mut problems) = document::lower(document.get_ref(), errors.is_empty());
    problems.retain(|problem| faults.trusts(problem.span.start));
    problems.append(&mut faults.problems);
    if problems.is_empty() {
        return Ok(config);
    }
    problems.sort_by_key(|problem| problem.span.start);
    if let Some(first_left_out) = problems.get(MOST_DIAGNOSTICS) {
        let span = first_left_out.span.clone();
        problems.truncate(MOST_DIAGNOSTICS);
        problems.push(Problem {
            span,
            message: "the problems from here on are not listed".to_owned(),
            remedy: "correct the others first, if this is Vauban's configuration at all".to_owned(),
        });
    }
    Err(problems.iter().map(|problem| source.diagnose(problem)).collect())
}
