//! Configuration files to a policy, with every diagnostic.
//!
//! ```text
//! files ─► load ─► toml ─► syntax (its errors)  ─┐
//!                    └───► document ─► read ─────┴─► Config and Settings, or all diagnostics
//!                             keys ──┴─► write, effective, render (example, reference, man page)
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
mod doubts;
pub mod duration;
mod effective;
mod exclude;
mod interface;
mod keys;
mod load;
mod nearest;
mod port;
mod read;
mod relations;
mod render;
mod sensitivity;
mod source;
mod syntax;
mod write;
mod zones;

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeTable;
use vauban_engine::Policy;

pub use diagnostic::Diagnostic;
pub use doubts::{Doubt, doubts};
pub use effective::{Origin, Setting, effective};
pub use load::{DEFAULT_PATH, Disk, Failure, Fault, Files, Loaded, load, load_text};
pub use render::{example, manual, reference};
pub use sensitivity::Sensitivity;
pub use write::{Value, show};

use diagnostic::Problem;
use document::{Lowered, Lowering};
use source::Source;

/// Everything that a configuration file can say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The preset that was chosen; what it sets is in the policy.
    pub sensitivity: Sensitivity,
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
    parse_all(&[Source::new(name, text)], true).map(|(config, _)| config)
}

/// Reads several texts as one configuration: what a later one says replaces what an earlier one
/// says, and lists of what is to be left alone add up. `complete` says that these are all; if not,
/// there is no telling what goes together.
///
/// # Errors
/// Everything that is wrong with any of them, in their order.
fn parse_all(
    sources: &[Source<'_>],
    complete: bool,
) -> Result<(Config, Vec<Setting>), Vec<Diagnostic>> {
    let mut lowering = Lowering::default();
    let mut all_faults = Vec::new();
    let mut sound = complete;
    for (file, source) in sources.iter().enumerate() {
        let (document, errors) = DeTable::parse_recoverable(source.text);
        all_faults.push(syntax::faults(source, document.get_ref(), &errors));
        lowering.document(file, document.get_ref());
        sound &= errors.is_empty();
    }
    let Lowered { config, problems, seen, in_zones } = lowering.finish(sound);
    let mut diagnostics = Vec::new();
    for (file, (source, faults)) in sources.iter().zip(all_faults).enumerate() {
        let own = problems
            .iter()
            .filter(|(of, problem)| *of == file && faults.trusts(problem.span.start));
        let mut own: Vec<Problem> = own.map(|(_, problem)| problem.clone()).collect();
        own.extend(faults.problems);
        diagnostics.extend(diagnose(source, own));
    }
    if diagnostics.is_empty() {
        let settings = effective::settings(&config, &seen, &in_zones, sources);
        Ok((config, settings))
    } else {
        Err(diagnostics)
    }
}

/// The problems of one text, for people.
fn diagnose(source: &Source<'_>, mut problems: Vec<Problem>) -> Vec<Diagnostic> {
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
    problems.iter().map(|problem| source.diagnose(problem)).collect()
}
