//! Values as a configuration file would have them.

use std::fmt;
use std::time::Duration;

use vauban_engine::policy::{Allowed, Exclude, Length};
use vauban_engine::zone::Zone;

use crate::diagnostic::series;
use crate::keys::{
    AFTERWARDS, AT_STOP, FOREVER, JOURNAL, KEYS, Key, Kind, LOG_FORMAT, MODES, SENSITIVITY,
    UNPROVEN, ZONE,
};
use crate::{Config, duration};

/// The value of a key. Its text is TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Switch(bool),
    /// A whole number.
    Number(u32),
    /// A text.
    Text(String),
    /// Several values.
    List(Vec<Value>),
    /// Values with names.
    Table(Vec<(&'static str, Value)>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(on) => on.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(words) => f.write_str(&text(words)),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Table(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                write!(f, "{{ {} }}", entries.join(", "))
            }
        }
    }
}

/// The whole configuration, defaults and all, as a file that [`crate::parse`] reads back: one line
/// per key, `trigger.window = "1m"`.
#[must_use]
pub fn show(config: &Config) -> String {
    let line = |key: &Key| format!("{} = {}\n", key.path(), value(&key.kind, config));
    let zones = config.policy.zones.0.iter().flat_map(|zone| {
        zone_values(zone)
            .into_iter()
            .map(move |(name, value)| format!("{ZONE}.{}.{name} = {value}\n", zone.name))
    });
    KEYS.iter().map(line).chain(zones).collect::<Vec<_>>().concat()
}

/// What a zone says, by its keys' names.
pub(crate) fn zone_values(zone: &Zone) -> Vec<(&'static str, Value)> {
    let mut values = Vec::new();
    if !zone.interfaces.is_empty() {
        let names = zone.interfaces.iter().map(|pattern| Value::Text(pattern.to_string()));
        values.push(("interfaces", Value::List(names.collect())));
    }
    values.push(("mode", word(&MODES, &zone.mode)));
    if let Some(comment) = &zone.comment {
        values.push(("comment", Value::Text(comment.clone())));
    }
    values
}

/// What `config` holds for a key of this kind.
pub(crate) fn value(kind: &Kind, config: &Config) -> Value {
    match kind {
        Kind::Switch(field) => Value::Switch((field.get)(config)),
        Kind::Count(_, field) => Value::Number((field.get)(config)),
        Kind::Time(_, field) => span((field.get)(config)),
        Kind::Length(_, field) => length((field.get)(config)),
        Kind::Sensitivity(field) => word(&SENSITIVITY, &(field.get)(config)),
        Kind::Allowed(field) => Value::List((field.get)(config).iter().map(allowed).collect()),
        Kind::Ports(field) => {
            let ports = (field.get)(config);
            Value::List(ports.iter().map(|port| Value::Text(port.to_string())).collect())
        }
        Kind::Exclude(field) => exclude(&(field.get)(config)),
        Kind::Unproven(field) => word(&UNPROVEN, &(field.get)(config)),
        Kind::Afterwards(field) => word(&AFTERWARDS, &(field.get)(config)),
        Kind::AtStop(field) => word(&AT_STOP, &(field.get)(config)),
        Kind::LogFormat(field) => word(&LOG_FORMAT, &(field.get)(config)),
        Kind::Journal(field) => word(&JOURNAL, &(field.get)(config)),
        Kind::PortRange(field) => {
            let range = (field.get)(config);
            Value::Text(format!("{}-{}", range.start(), range.end()))
        }
        // What a file said is UTF-8, and so is the default.
        Kind::Socket(field) | Kind::File(field) => {
            Value::Text((field.get)(config).to_string_lossy().into_owned())
        }
    }
}

/// The kind in words, for the manual: `time, 1s to 1d`.
pub(crate) fn describe(kind: &Kind) -> String {
    let times = |from: Duration, to: Duration| {
        format!("time, {} to {}", duration::format(from), duration::format(to))
    };
    match kind {
        Kind::Switch(_) => "`true` or `false`".to_owned(),
        Kind::Count(range, _) => format!("whole number, {} to {}", range.start(), range.end()),
        Kind::Time(range, _) => times(*range.start(), *range.end()),
        Kind::Length(range, _) => {
            format!("{}, or `\"{FOREVER}\"`", times(*range.start(), *range.end()))
        }
        Kind::Sensitivity(_) => words(&SENSITIVITY),
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
    toml::Value::String(text.to_owned()).to_string()
}

fn span(span: Duration) -> Value {
    Value::Text(duration::format(span))
}

/// A ban's length.
pub(crate) fn length(length: Length) -> Value {
    match length {
        Length::Span(time) => span(time),
        Length::Forever => Value::Text(FOREVER.to_owned()),
    }
}

fn allowed(entry: &Allowed) -> Value {
    let address = Value::Text(entry.prefix.to_string());
    match &entry.comment {
        None => address,
        Some(comment) => {
            Value::Table(vec![("address", address), ("comment", Value::Text(comment.clone()))])
        }
    }
}

fn exclude(exclude: &Exclude) -> Value {
    let ports = exclude.ports.iter().map(|port| Value::Text(port.to_string()));
    let sources = exclude.sources.iter().map(|source| Value::Text(source.to_string()));
    Value::List(ports.chain(sources).collect())
}

fn word<T: PartialEq>(words: &[(&str, T)], wanted: &T) -> Value {
    let found = words.iter().filter(|(_, meaning)| meaning == wanted);
    Value::Text(found.map(|(word, _)| *word).collect())
}

fn words<T>(words: &[(&str, T)]) -> String {
    let words: Vec<String> = words.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
    series(&words, "or")
}
