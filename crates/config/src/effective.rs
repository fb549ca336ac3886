//! The whole configuration as it holds, each key with where its value is from.

use std::fmt::{self, Write as _};

use vauban_engine::policy::Length;

use crate::Config;
use crate::keys::{KEYS, TABLES, ZONE};
use crate::relations::Seen;
use crate::sensitivity::{self, Sensitivity};
use crate::source::{Place, Source};
use crate::write::{self, Value};

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The table that it stands in: `trigger`, `zone.lan`; empty for those above all tables.
    pub table: String,
    /// Its name there.
    pub name: &'static str,
    /// What holds.
    pub value: Value,
    /// Where that is from.
    pub origin: Origin,
}

impl Setting {
    /// Its name with its table's: `trigger.window`.
    #[must_use]
    pub fn path(&self) -> String {
        if self.table.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}.{}", self.table, self.name)
        }
    }
}

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has written anything.
    Default,
    /// It follows from another key, which is written: `sensitivity = "high"`.
    Other(String),
    /// It is written here: a file's name and a line, from 1. Several for a list that adds up.
    Files(Vec<(String, usize)>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Other(text) => f.write_str(text),
            Self::Files(places) => {
                let places: Vec<String> =
                    places.iter().map(|(file, line)| format!("{file}:{line}")).collect();
                f.write_str(&places.join(", "))
            }
        }
    }
}

/// Every key of `config`, in the order of the manual; zones last, those keys of them that have a
/// value.
pub(crate) fn settings(
    config: &Config,
    seen: &[Seen],
    in_zones: &[(String, Place)],
    sources: &[Source<'_>],
) -> Vec<Setting> {
    let file = |place: &Place| {
        let source = sources.get(place.file)?;
        Some((source.name().to_owned(), source.line(place.start) + 1))
    };
    let mut settings = Vec::new();
    for (table, _) in TABLES {
        for key in KEYS.iter().filter(|key| key.table == table) {
            let places: Vec<Place> = seen
                .iter()
                .filter(|seen| (seen.key.table, seen.key.name) == (key.table, key.name))
                .map(|seen| seen.place)
                .collect();
            let holding = if key.adds_up() { 0 } else { places.len().saturating_sub(1) };
            let written: Vec<_> =
                places.get(holding..).unwrap_or_default().iter().filter_map(file).collect();
            let origin = if !written.is_empty() {
                Origin::Files(written)
            } else if let Some(other) = follows(config, table, key.name) {
                Origin::Other(other)
            } else {
                Origin::Default
            };
            let value = write::value(&key.kind, config);
            settings.push(Setting { table: table.to_owned(), name: key.name, value, origin });
        }
    }
    for zone in &config.policy.zones.0 {
        let table = format!("{ZONE}.{}", zone.name);
        for (name, value) in write::zone_values(zone) {
            let path = format!("{table}.{name}");
            let place = in_zones.iter().find(|(given, _)| *given == path);
            let written = place.and_then(|(_, place)| file(place));
            let origin = written.map_or(Origin::Default, |place| Origin::Files(vec![place]));
            settings.push(Setting { table: table.clone(), name, value, origin });
        }
    }
    settings
}

/// What a key that nobody has written follows from, if not from its own default.
fn follows(config: &Config, table: &str, name: &str) -> Option<String> {
    if config.sensitivity != Sensitivity::Normal && sensitivity::KEYS.contains(&(table, name)) {
        let key = KEYS.iter().find(|key| key.name == "sensitivity")?;
        return Some(format!("sensitivity = {}", write::value(&key.kind, config)));
    }
    let ban = &config.policy.ban;
    ((table, name) == ("ban", "limit") && ban.first == Length::Forever)
        .then(|| format!("ban.first = {}", write::length(ban.first)))
}

/// The settings as a file that says the same: each key with its value, and behind that, as a comment,
/// where it is from.
#[must_use]
pub fn effective(settings: &[Setting]) -> String {
    let mut text = String::new();
    let mut table = "";
    for setting in settings {
        if setting.table != table {
            table = &setting.table;
            // Writing to a String cannot fail.
            let _ = write!(text, "\n[{table}]\n");
        }
        let _ = writeln!(text, "{} = {} # {}", setting.name, setting.value, setting.origin);
    }
    text
}
