//! `vauban check`.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};
use vauban_config::{Disk, Doubt, Failure, Fault, Loaded, doubts};
use vauban_daemon::clean::clean;

use crate::ask::{print, print_json};
use crate::exit::Trouble;

/// Standard input, as it is named on the command line and in what is said about it.
const STDIN: &str = "-";

/// The longest text that is read from standard input, in bytes; the same as of a file.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The interfaces of this network namespace (proc(5)): two lines of head, then one each.
const INTERFACES: &str = "/proc/self/net/dev";

/// Says whether the configuration is right.
pub fn run(json: bool, file: Option<&Path>) -> Result<(), Trouble> {
    let outcome = match file {
        Some(path) if path == Path::new(STDIN) => {
            vauban_config::load_text(&standard_input()?, STDIN)
        }
        file => vauban_config::load(&Disk, file),
    };
    match outcome {
        Ok(loaded) => {
            let found = doubts(&loaded.config, &loaded.settings, interfaces().as_deref());
            if json { print_json(&right(&loaded, &found)) } else { print(&words(&loaded, &found)) }
        }
        Err(failure) if json => {
            print_json(&wrong(&failure))?;
            Err(Trouble::ConfigSaid)
        }
        Err(failure) => {
            eprintln!("{failure}");
            Err(Trouble::ConfigSaid)
        }
    }
}

fn standard_input() -> Result<String, Trouble> {
    let mut text = String::new();
    std::io::stdin()
        .take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| Trouble::Config(format!("standard input: cannot be read: {error}")))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > MOST_BYTES) {
        return Err(Trouble::Config("standard input: it has more than 4 MiB".into()));
    }
    Ok(text)
}

/// The names of this host's interfaces; `None` if the kernel does not tell.
fn interfaces() -> Option<Vec<String>> {
    let text = fs::read_to_string(INTERFACES).ok()?;
    let name =
        |line: &str| Some(line.rsplit_once(": ").or(line.rsplit_once(':'))?.0.trim().to_owned());
    Some(text.lines().skip(2).filter_map(name).collect())
}

fn words(loaded: &Loaded, found: &[Doubt]) -> String {
    let mut lines: Vec<String> = loaded
        .files()
        .map(|file| format!("{}: right", clean(&file.display().to_string())))
        .collect();
    if lines.is_empty() {
        lines.push("no configuration file: the defaults hold, and they are right".into());
    }
    for doubt in found {
        let place = match doubt.origin.as_str() {
            "" => String::new(),
            origin => format!("{origin}: "),
        };
        lines.push(format!(
            "warning: {place}`{}`: {}\nhelp: {}",
            doubt.key, doubt.message, doubt.remedy
        ));
    }
    lines.join("\n")
}

fn right(loaded: &Loaded, found: &[Doubt]) -> Value {
    let warning = |doubt: &Doubt| {
        json!({
            "key": doubt.key,
            "origin": doubt.origin,
            "message": doubt.message,
            "help": doubt.remedy,
        })
    };
    json!({
        "ok": true,
        "files": loaded.files().map(|file| file.display().to_string()).collect::<Vec<_>>(),
        "errors": [],
        "warnings": found.iter().map(warning).collect::<Vec<_>>(),
    })
}

/// What is wrong, as `check` and `config` say it to programs.
pub(super) fn wrong(failure: &Failure) -> Value {
    let error = |fault: &Fault| match fault {
        Fault::Wrong(diagnostic) => json!({
            "file": diagnostic.file,
            "line": diagnostic.line,
            "column": diagnostic.column,
            "message": diagnostic.message,
            "help": diagnostic.remedy,
            "source": diagnostic.source_line,
        }),
        Fault::Unreadable { path, error, remedy } => json!({
            "file": path.display().to_string(),
            "line": null,
            "column": null,
            "message": format!("cannot be read: {error}"),
            "help": remedy,
            "source": null,
        }),
    };
    json!({
        "ok": false,
        "files": failure.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
        "errors": failure.faults.iter().map(error).collect::<Vec<_>>(),
        "warnings": [],
    })
}
