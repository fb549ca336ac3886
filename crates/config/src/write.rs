//! Values as a configuration file would have them.

use std::path::Path;

use toml::Value;
use vauban_engine::policy::Allowed;

use crate::Config;
use crate::duration;
use crate::keys::{KEYS, Key, Kind, UNPROVEN};

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
        Kind::Unproven(field) => {
            let wanted = (field.get)(config);
            UNPROVEN.iter().filter(|(_, u)| *u == wanted).map(|(word, _)| text(word)).collect()
        }
        Kind::PortRange(field) => {
            let range = (field.get)(config);
            text(&format!("{}-{}", range.start(), range.end()))
        }
        Kind::Socket(field) => path(&(field.get)(config)),
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
        Kind::Unproven(_) => UNPROVEN.map(|(word, _)| format!("`\"{word}\"`")).join(" or "),
        Kind::PortRange(_) => "range of ports, `\"FIRST-LAST\"`".to_owned(),
        Kind::Socket(_) => "absolute path".to_owned(),
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

fn path(path: &Path) -> String {
    // What a file said is UTF-8, and so is the default.
    text(&path.to_string_lossy())
}
