//! Values as a configuration file would have them.

use std::path::Path;

use toml::Value;
use vauban_engine::policy::{Allowed, Exclude};

use crate::diagnostic::series;
use crate::keys::{AFTERWARDS, AT_STOP, JOURNAL, KEYS, Key, Kind, LOG_FORMAT, UNPROVEN};
use crate::{Config, duration};

/// The whole configuration, defaults and all, as a file that [`crate::parse`] reads back: one line
/// per key, `trigger.window = "1m"`.
#[must_use]
pub fn show(config: &Config) -> String {
    let line = |key: &Key| format!("{} = {}\n", key.path(), value(&key.kind, config));
    KEYS.iter().map(line).collect::<Vec<_>>().concat()
}

/// What `config` holds for a key of this kind, in TOML.
pub(crate) fn value(kind: &Kind, config: &Config) -> String {
    match kind {
        Kind::Switch(field) => (field.get)(config).to_string(),
        Kind::Count(_, field) => (field.get)(config).to_string(),
        Kind::Time(_, field) => text(&duration::format((field.get)(config))),
        Kind::Allowed(field) => list((field.get)(config).iter().map(allowed)),
        Kind::Ports(field) => list((field.get)(config).iter().map(|port| text(&port.to_string()))),
        Kind::Exclude(field) => exclude(&(field.get)(config)),
        Kind::Unproven(field) => word(&UNPROVEN, &(field.get)(config)),
        Kind::Afterwards(field) => word(&AFTERWARDS, &(field.get)(config)),
        Kind::AtStop(field) => word(&AT_STOP, &(field.get)(config)),
        Kind::LogFormat(field) => word(&LOG_FORMAT, &(field.get)(config)),
        Kind::Journal(field) => word(&JOURNAL, &(field.get)(config)),
        Kind::PortRange(field) => {
            let range = (field.get)(config);
            text(&format!("{}-{}", range.start(), range.end()))
        }
        Kind::Socket(field) | Kind::File(field) => path(&(field.get)(config)),
    }
}

/// The kind in words, for the manual: `time, 1s to 1d`.
pub(crate) fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Switch(_) => "`true` or `false`".to_owned(),
        Kind::Count(range, _) => format!("whole number, {} to {}", range.start(), range.end()),
        Kind::Time(range, _) => format!(
            "time, {} to {}",
            duration::format(*range.start()),
            duration::format(*range.end())
        ),
        Kind::Allowed(_) => "list of addresses and networks".to_owned(),
        Kind::Ports(_) => "list of ports".to_owned(),
        Kind::Exclude(_) => "list of ports, addresses and networks".to_owned(),
        Kind::Unproven(_) => words(&UNPROVEN),
        Kind::Afterwards(_) => words(&AFTERWARDS),
        Kind::AtStop(_) => words(&AT_STOP),
        Kind::LogFormat(_) => words(&LOG_FORMAT),
        Kind::Journal(_) => words(&JOURNAL),
        Kind::PortRange(_) => "range of ports, `\"FIRST-LAST\"`".to_owned(),
        Kind::Socket(_) | Kind::File(_) => "absolute path".to_owned(),
    }
}

/// A text in TOML's quotes, with TOML's escapes.
pub(crate) fn text(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn allowed(entry: &Allowed) -> String {
    let address = text(&entry.prefix.to_string());
    match &entry.comment {
        None => address,
        Some(comment) => format!("{{ address = {address}, comment = {} }}", text(comment)),
    }
}

fn exclude(exclude: &Exclude) -> String {
    let ports = exclude.ports.iter().map(|port| text(&port.to_string()));
    list(ports.chain(exclude.sources.iter().map(|source| text(&source.to_string()))))
}

fn word<T: PartialEq>(words: &[(&str, T)], wanted: &T) -> String {
    words.iter().filter(|(_, meaning)| meaning == wanted).map(|(word, _)| text(word)).collect()
}

fn words<T>(words: &[(&str, T)]) -> String {
    let words: Vec<String> = words.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
    series(&words, "or")
}

fn path(path: &Path) -> String {
    // What a file said is UTF-8, and so is the default.
    text(&path.to_string_lossy())
}
