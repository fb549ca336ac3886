//! A TOML document to a configuration: which keys there are.
//!
//! What each value means is [`crate::read`]'s business, how they fit together
//! [`crate::relations`]'s; what TOML itself refuses is [`crate::syntax`]'s.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Problem, quoted, series};
use crate::keys::{self, Key};
use crate::nearest::nearest;
use crate::relations::{self, Seen};
use crate::{Config, read};

/// Reads the whole document. `sound` says that TOML found nothing wrong with it; otherwise values
/// may be missing that only seem not to be given.
pub(crate) fn lower(document: &DeTable<'_>, sound: bool) -> (Config, Vec<Problem>) {
    let mut lowering =
        Lowering { config: Config::default(), problems: Vec::new(), seen: Vec::new() };
    lowering.document(document);
    if sound {
        lowering.problems.append(&mut relations::problems(&lowering.config, &lowering.seen));
    }
    (lowering.config, lowering.problems)
}

struct Lowering {
    config: Config,
    problems: Vec<Problem>,
    seen: Vec<Seen>,
}

impl Lowering {
    fn document(&mut self, document: &DeTable<'_>) {
        for (name, value) in document {
            let word: &str = name.get_ref();
            if let Some(table) = keys::tables().find(|table| *table == word) {
                match value.get_ref() {
                    DeValue::Table(inner) => self.table(table, inner),
                    other => self.problems.push(not_a_table(table, other, value.span())),
                }
            } else {
                self.entry("", word, name.span(), value);
            }
        }
    }

    fn table(&mut self, table: &'static str, entries: &DeTable<'_>) {
        for (name, value) in entries {
            self.entry(table, name.get_ref(), name.span(), value);
        }
    }

    fn entry(&mut self, table: &str, word: &str, span: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let Some(key) = keys::of(table).find(|key| key.name == word) else {
            self.problems.push(unknown(table, word, span, value.get_ref().is_table()));
            return;
        };
        let mut found = read::value(key, value, &mut self.config);
        self.seen.push(Seen { key, span: value.span(), readable: found.is_empty() });
        self.problems.append(&mut found);
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
        let tables: Vec<String> = tables().map(|name| format!("`[{name}]`")).collect();
        format!("the keys are {}; the tables are {}", series(&names, "and"), series(&tables, "and"))
    } else {
        format!("the keys of `[{table}]` are {}", series(&names, "and"))
    }
}
