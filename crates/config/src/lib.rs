//! Configuration files to a policy, with every diagnostic.
//!
//! ```text
//! file ─► load ─► toml ─► syntax (its errors)  ─┐
//!                   └───► document ─► read ─────┴─► Config, or all diagnostics
//!                            keys ──┴─► write, render (example file, reference)
//! ```
//!
//! [`parse`] takes a text and gives a whole [`Config`] or everything that is wrong with the text;
//! there is no half of a configuration. A text that says nothing is [`Config::default`].
//! One table, `keys`, feeds the reader, the example file and the reference manual.
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

use toml::de::DeTable;
use vauban_engine::Policy;

pub use diagnostic::Diagnostic;
pub use load::{DEFAULT_PATH, Disk, Failure, Files, Loaded, load};
pub use render::{example, reference};
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
