//! What only several keys together can get wrong: one that is above its bound, which is another.
//!
//! Whether each of them can be read at all is [`crate::read`]'s business.

use std::fmt;

use vauban_engine::policy::Length;

use crate::diagnostic::Problem;
use crate::keys::{self, Key, Kind};
use crate::source::Place;
use crate::{Config, write};

/// A key that was given.
pub(crate) struct Seen {
    /// Which one.
    pub(crate) key: &'static Key,
    /// Where its value stands.
    pub(crate) place: Place,
    /// Whether that could be read.
    pub(crate) readable: bool,
}

/// Every relation that the configuration breaks, as far as its keys could be read.
pub(crate) fn problems(config: &Config, seen: &[Seen]) -> Vec<(usize, Problem)> {
    let check = |table, below, above| {
        let below = Side::of(table, below, config, seen)?;
        let above = Side::of(table, above, config, seen)?;
        broken(&below, &above, config)
    };
    // Of two limits the narrower one holds, so one that is given alone contradicts no default. Nor
    // does it when that is written out, as in what is shown of such a configuration.
    let defaults = Config::default();
    let given = |name| {
        let of = |config| Size::of(&keys::of("decoy").find(|key| key.name == name)?.kind, config);
        let seen = seen.iter().any(|seen| (seen.key.table, seen.key.name) == ("decoy", name));
        seen && of(config) != of(&defaults)
    };
    let both = |below, above| {
        if given(below) && given(above) { check("decoy", below, above) } else { None }
    };
    [
        check("ban", "first", "limit"),
        both("per_source", "per_network"),
        both("per_network", "per_second"),
        both("per_source", "per_second"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// One of the two keys of a relation.
struct Side<'a> {
    key: &'static Key,
    size: Size,
    /// `None` when its default holds.
    place: Option<&'a Place>,
}

impl<'a> Side<'a> {
    /// `None` when its value could not be read.
    fn of(table: &str, name: &str, config: &Config, seen: &'a [Seen]) -> Option<Self> {
        let key = keys::of(table).find(|key| key.name == name)?;
        // What a later file says holds.
        let seen = seen.iter().rfind(|seen| (seen.key.table, seen.key.name) == (table, name));
        if seen.is_some_and(|seen| !seen.readable) {
            return None;
        }
        Some(Self { key, size: Size::of(&key.kind, config)?, place: seen.map(|seen| &seen.place) })
    }
}

impl fmt::Display for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = if self.place.is_none() { " (its default)" } else { "" };
        write!(f, "`{}`, {}{default}", self.key.path(), self.size)
    }
}

/// A value that can be above another of its kind.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Size {
    Count(u32),
    Time(Length),
}

impl Size {
    fn of(kind: &Kind, config: &Config) -> Option<Self> {
        match kind {
            Kind::Count(_, field) => Some(Self::Count((field.get)(config))),
            Kind::Time(_, field) => Some(Self::Time((field.get)(config).into())),
            Kind::Length(_, field) => Some(Self::Time((field.get)(config))),
            _ => None,
        }
    }

    /// The words for less and more of it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Count(_) => ("less", "more"),
            Self::Time(_) => ("shorter", "longer"),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(number) => number.fmt(f),
            Self::Time(length) => match write::length(*length) {
                write::Value::Text(text) => f.write_str(&text),
                other => other.fmt(f),
            },
        }
    }
}

/// What is wrong when `below` is above `above`. When both are at their defaults, nothing is.
fn broken(below: &Side<'_>, above: &Side<'_>, config: &Config) -> Option<(usize, Problem)> {
    // Where the last word was said.
    let place = above.place.max(below.place).filter(|_| above.size < below.size)?;
    let (less, more) = above.size.words();
    let value = |side: &Side<'_>| write::value(&side.key.kind, config);
    let forever = matches!(below.size, Size::Time(Length::Forever));
    // Who gave only one of the two means that one; of two, the last one is to be corrected.
    let lower = above.place.is_some() && above.place < below.place;
    let remedy = if below.place.is_none() || lower {
        format!("write `{} = {}` or {less}", below.key.name, value(above))
    } else if forever {
        format!("write `{} = {}`, or leave it out", above.key.name, value(below))
    } else {
        format!("write `{} = {}` or {more}", above.key.name, value(below))
    };
    let message = format!("{above}, is {less} than {below}");
    Some((place.file, Problem { span: place.span(), message, remedy }))
}
