//! A TOML document to a configuration: which keys there are.
//!
//! What each value means is [`crate::read`]'s business, how they fit together
//! [`crate::relations`]'s; what TOML itself refuses is [`crate::syntax`]'s.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use vauban_engine::policy::Length;

use crate::diagnostic::{Problem, quoted, series};
use crate::keys::{self, Key, ZONE};
use crate::nearest::nearest;
use crate::relations::{self, Seen};
use crate::source::Place;
use crate::zones::{self, Zones};
use crate::{Config, read};

/// Documents on their way to a configuration, one after the other.
#[derive(Default)]
pub(crate) struct Lowering {
    config: Config,
    /// Which document is being read.
    file: usize,
    problems: Vec<(usize, Problem)>,
    seen: Vec<Seen>,
    zones: Zones,
}

/// What has become of all documents.
pub(crate) struct Lowered {
    pub(crate) config: Config,
    /// What is wrong, each with the number of its document.
    pub(crate) problems: Vec<(usize, Problem)>,
    /// The keys that were given, in their order.
    pub(crate) seen: Vec<Seen>,
    /// The keys of zones that were given, by their paths.
    pub(crate) in_zones: Vec<(String, Place)>,
}

impl Lowering {
    /// Reads one more document, whose number is `file`; later ones prevail.
    pub(crate) fn document(&mut self, file: usize, document: &DeTable<'_>) {
        self.file = file;
        for (name, value) in document {
            let word: &str = name.get_ref();
            if word == ZONE {
                self.zones(value);
            } else if let Some(table) = keys::tables().find(|table| *table == word) {
                match value.get_ref() {
                    DeValue::Table(inner) => self.table(table, inner),
                    other => self.problem(not_a_table(table, other, value.span())),
                }
            } else {
                self.entry("", word, name.span(), value);
            }
        }
    }

    fn zones(&mut self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(zones) => {
                for problem in self.zones.read(self.file, zones) {
                    self.problem(problem);
                }
            }
            other => self.problem(not_a_table("zone.lan", other, value.span())),
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push((self.file, problem));
    }

    /// The configuration that all documents make. `sound` says that TOML found nothing wrong with any
    /// of them; otherwise values may be missing that only seem not to be given.
    pub(crate) fn finish(mut self, sound: bool) -> Lowered {
        let given = |table: &str, name: &str| {
            self.seen.iter().any(|seen| (seen.key.table, seen.key.name) == (table, name))
        };
        self.config.sensitivity.apply(&mut self.config, given);
        let ban = &mut self.config.policy.ban;
        if ban.first == Length::Forever && !given("ban", "limit") {
            // Nobody asks for bans without end and for bans of a day at most.
            ban.limit = Length::Forever;
        }
        let (zones, problems) = self.zones.finish();
        self.config.policy.zones = zones;
        if sound {
            self.problems.extend(problems);
            self.problems.append(&mut relations::problems(&self.config, &self.seen));
        }
        Lowered {
            config: self.config,
            problems: self.problems,
            seen: self.seen,
            in_zones: self.zones.given(),
        }
    }

    fn table(&mut self, table: &'static str, entries: &DeTable<'_>) {
        for (name, value) in entries {
            self.entry(table, name.get_ref(), name.span(), value);
        }
    }

    fn entry(&mut self, table: &str, word: &str, span: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let Some(key) = keys::of(table).find(|key| key.name == word) else {
            self.problem(unknown(table, word, span, value.get_ref().is_table()));
            return;
        };
        let found = read::value(key, value, &mut self.config);
        let place = Place::new(self.file, &value.span());
        self.seen.push(Seen { key, place, readable: found.is_empty() });
        for problem in found {
            self.problem(problem);
        }
    }
}

/// Where a key above all tables stands.
fn top(name: &str) -> String {
    format!("`{name}` belongs at the top of the file, above the first `[table]`")
}

fn not_a_table(table: &str, value: &DeValue<'_>, span: Range<usize>) -> Problem {
    let is_list_of_tables = value.as_array().is_some_and(|items| {
        !items.is_empty() && items.iter().all(|item| item.get_ref().is_table())
    });
    let remedy = if is_list_of_tables {
        format!("write `[{table}]`, once, with single brackets")
    } else {
        format!("write `[{table}]` on a line of its own, and its keys below that")
    };
    Problem {
        span,
        message: format!("`{table}` must be a table, not {}", read::found(value)),
        remedy,
    }
}

fn unknown(table: &str, word: &str, span: Range<usize>, is_table: bool) -> Problem {
    let path = if table.is_empty() { word.to_owned() } else { format!("{table}.{word}") };
    let what = if is_table { "table" } else { "key" };
    Problem {
        span,
        message: format!("there is no {what} {}", quoted(&path)),
        remedy: instead(table, word, is_table),
    }
}

/// What somebody who wrote `word` into `table` probably wanted.
fn instead(table: &str, word: &str, is_table: bool) -> String {
    let tables = || keys::tables().filter(|_| table.is_empty());
    if table.is_empty()
        && is_table
        && let Some(zone) = zones::meant(word)
    {
        return zone;
    }
    if table.is_empty() && keys::ZONE_KEYS.iter().any(|key| key.name == word) {
        return format!("`{word}` belongs below a zone's header, such as `[zone.lan]`");
    }
    // `[bans]` is a slip for `[ban]`, although some table has a key `bans`.
    if let Some(near) = nearest(word, tables().filter(|_| is_table)) {
        return format!("did you mean `[{near}]`?");
    }
    let homes: Vec<&Key> = keys::KEYS.iter().filter(|key| key.name == word).collect();
    if let [key, ..] = homes.as_slice() {
        if key.table.is_empty() {
            return top(word);
        }
        let homes: Vec<String> = homes.iter().map(|key| format!("`[{}]`", key.table)).collect();
        return format!("`{word}` belongs below {}", series(&homes, "or"));
    }
    // `exclude` in `[decoy]`.
    let joined = format!("{table}_{word}");
    if keys::of("").any(|key| key.name == joined) {
        return top(&joined);
    }
    if !table.is_empty() && keys::tables().any(|name| name == word) {
        return format!("write `[{word}]`; tables do not nest");
    }
    let names = || keys::of(table).map(|key| key.name);
    if let Some(near) = nearest(word, names()) {
        return format!("did you mean `{near}`?");
    }
    if let Some(near) = nearest(word, tables()) {
        return format!("did you mean `[{near}]`?");
    }
    let names: Vec<String> = names().map(|name| format!("`{name}`")).collect();
    if table.is_empty() {
        let zone = std::iter::once("`[zone.NAME]`".to_owned());
        let tables: Vec<String> = tables().map(|name| format!("`[{name}]`")).chain(zone).collect();
        format!("the keys are {}; the tables are {}", series(&names, "and"), series(&tables, "and"))
    } else {
        format!("the keys of `[{table}]` are {}", series(&names, "and"))
    }
}
