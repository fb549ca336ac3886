//! One value to one field of the configuration, or to what is wrong with it.

use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeArray, DeValue};
use vauban_engine::policy::{Exclude, Length};

use crate::diagnostic::{Problem, quoted, series};
use crate::keys::{
    AFTERWARDS, AT_STOP, FOREVER, Field, JOURNAL, Key, Kind, LOG_FORMAT, LONGEST_PATH,
    LONGEST_SOCKET, SENSITIVITY, UNPROVEN,
};
use crate::nearest::nearest;
use crate::{Config, address, duration, exclude, port, write};

/// Reads the value of `key` into `config`, which stays as it is when something is wrong. Lists of
/// what is to be left alone are added to what is there, from an earlier file: nobody who adds an
/// address in a file of his own wants those of another file banned.
pub(crate) fn value(key: &Key, value: &Spanned<DeValue<'_>>, config: &mut Config) -> Vec<Problem> {
    let given = Given { key, value: value.get_ref(), span: value.span() };
    match &key.kind {
        Kind::Switch(field) => store(field, config, one(given.switch())),
        Kind::Count(range, field) => store(field, config, one(given.count(range))),
        Kind::Time(range, field) => store(field, config, one(given.time(range))),
        Kind::Length(range, field) => store(field, config, one(given.length(range))),
        Kind::Sensitivity(field) => store(field, config, one(given.word(&SENSITIVITY))),
        Kind::Allowed(field) => {
            let before = (field.get)(config);
            store(field, config, given.list(address::read).map(|more| joined(before, more)))
        }
        Kind::Ports(field) => store(field, config, given.list(port::read)),
        Kind::Exclude(field) => {
            let mut all = (field.get)(config);
            let read = given.exclude().map(|more| {
                all.ports = joined(all.ports, more.ports);
                all.sources = joined(all.sources, more.sources);
                all
            });
            store(field, config, read)
        }
        Kind::Unproven(field) => store(field, config, one(given.word(&UNPROVEN))),
        Kind::Afterwards(field) => store(field, config, one(given.word(&AFTERWARDS))),
        Kind::AtStop(field) => store(field, config, one(given.word(&AT_STOP))),
        Kind::LogFormat(field) => store(field, config, one(given.word(&LOG_FORMAT))),
        Kind::Journal(field) => store(field, config, one(given.word(&JOURNAL))),
        Kind::PortRange(field) => store(field, config, one(given.port_range())),
        Kind::Socket(field) => store(field, config, one(given.path(LONGEST_SOCKET))),
        Kind::File(field) => store(field, config, one(given.path(LONGEST_PATH))),
    }
}

fn store<T>(field: &Field<T>, config: &mut Config, read: Result<T, Vec<Problem>>) -> Vec<Problem> {
    match read {
        Ok(value) => {
            (field.set)(config, value);
            Vec::new()
        }
        Err(problems) => problems,
    }
}

/// What two files say.
fn joined<T>(mut before: Vec<T>, more: Vec<T>) -> Vec<T> {
    before.extend(more);
    before
}

fn one<T>(read: Result<T, Problem>) -> Result<T, Vec<Problem>> {
    read.map_err(|problem| vec![problem])
}

/// What stands there, for people: `the number 60`.
pub(crate) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {}", quoted(text)),
        DeValue::Integer(_) | DeValue::Float(_) => format!("the number {}", number(value)),
        DeValue::Boolean(value) => format!("`{value}`"),
        DeValue::Datetime(_) => "a date or time of day".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn number(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(number) => quoted(&number.to_string()),
        DeValue::Float(number) => quoted(&number.to_string()),
        other => found(other),
    }
}

/// The whole number that stands there; `None` for other things and for numbers beyond all ranges.
pub(crate) fn whole(value: &DeValue<'_>) -> Option<i128> {
    let number = value.as_integer()?;
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A value that was given for a key.
struct Given<'a> {
    key: &'a Key,
    value: &'a DeValue<'a>,
    span: Range<usize>,
}

impl Given<'_> {
    fn problem(&self, message: String, remedy: String) -> Problem {
        Problem { span: self.span.clone(), message, remedy }
    }

    /// The value is of a wrong type; `instead` is what it was probably meant to be, in TOML.
    fn mistyped(&self, wanted: &str, instead: Option<String>) -> Problem {
        let shown = instead.unwrap_or_else(|| match self.key.kind {
            // Their defaults are empty lists, which show nothing.
            Kind::Allowed(_) => r#"["192.0.2.10", "2001:db8::/32"]"#.to_owned(),
            Kind::Exclude(_) => r#"["tcp/8080", "192.0.2.10"]"#.to_owned(),
            ref kind => write::value(kind, &Config::default()).to_string(),
        });
        self.problem(
            format!("`{}` must be {wanted}, not {}", self.key.path(), found(self.value)),
            format!("write `{} = {shown}`", self.key.name),
        )
    }

    fn switch(&self) -> Result<bool, Problem> {
        self.value.as_bool().ok_or_else(|| {
            let meant = match self.value {
                DeValue::String(text) => meant_switch(text),
                _ => whole(self.value).filter(|n| (0..=1).contains(n)).map(|n| n == 1),
            };
            let other = || "`true` or `false`".to_owned();
            let written = meant.map_or_else(other, |on| format!("`{} = {on}`", self.key.name));
            self.problem(
                format!(
                    "`{}` must be `true` or `false`, not {}",
                    self.key.path(),
                    found(self.value)
                ),
                format!("write {written}, without quotes"),
            )
        })
    }

    fn count(&self, range: &RangeInclusive<u32>) -> Result<u32, Problem> {
        let fits = |number: i128| u32::try_from(number).ok().filter(|n| range.contains(n));
        if !self.value.is_integer() {
            let text = self.value.as_str().and_then(|text| text.trim().parse().ok());
            let instead = text.and_then(fits).map(|number| number.to_string());
            return Err(self.mistyped("a whole number", instead));
        }
        whole(self.value).and_then(fits).ok_or_else(|| {
            let default = write::value(&self.key.kind, &Config::default());
            self.problem(
                format!(
                    "`{}` must be {} to {}, not {}",
                    self.key.path(),
                    range.start(),
                    range.end(),
                    number(self.value)
                ),
                format!("write a number in that range; the default is {default}"),
            )
        })
    }

    fn time(&self, range: &RangeInclusive<Duration>) -> Result<Duration, Problem> {
        let Some(text) = self.value.as_str() else {
            let seconds = whole(self.value).and_then(|n| u64::try_from(n).ok());
            let instead = seconds
                .filter(|n| range.contains(&Duration::from_secs(*n)))
                .map(|n| format!("\"{n}s\""));
            return Err(self.mistyped("a text such as \"90s\" or \"1h30m\"", instead));
        };
        if means_forever(text) {
            return Err(self.problem(
                format!("`{}` must end some time, so it cannot be {}", self.key.path(), quoted(text)),
                format!(
                    "write a time, {} at most; only `ban.first` and `ban.limit` can be \"{FOREVER}\"",
                    duration::format(*range.end())
                ),
            ));
        }
        self.span(text, range, "")
    }

    /// A ban's length.
    fn length(&self, range: &RangeInclusive<Duration>) -> Result<Length, Problem> {
        match self.value.as_str() {
            Some(FOREVER) => Ok(Length::Forever),
            Some(text) if means_forever(text) => Err(self.problem(
                format!("{} is no span of time", quoted(text)),
                format!("write `{} = \"{FOREVER}\"`", self.key.name),
            )),
            Some(text) => self.span(text, range, ", or \"forever\"").map(Length::Span),
            None => self.time(range).map(Length::Span),
        }
    }

    /// A span of time in this range; `or` says what else there may be.
    fn span(
        &self,
        text: &str,
        range: &RangeInclusive<Duration>,
        or: &str,
    ) -> Result<Duration, Problem> {
        let span = duration::parse(text).map_err(|error| {
            let remedy = match error.instead {
                Some(instead) => format!("write `{} = \"{instead}\"`", self.key.name),
                None => "write a time such as \"90s\", \"3m\" or \"1h30m\"".to_owned(),
            };
            self.problem(error.message, remedy)
        })?;
        if range.contains(&span) {
            return Ok(span);
        }
        let default = write::value(&self.key.kind, &Config::default());
        Err(self.problem(
            format!(
                "`{}` must be {} to {}{or}, not {}",
                self.key.path(),
                duration::format(*range.start()),
                duration::format(*range.end()),
                quoted(text)
            ),
            format!("write a time in that range; the default is {default}"),
        ))
    }

    fn list<T>(
        &self,
        read: fn(&Spanned<DeValue<'_>>) -> Result<T, Vec<Problem>>,
    ) -> Result<Vec<T>, Vec<Problem>> {
        let Some(items) = self.value.as_array() else {
            // One item without its brackets, if that is what it is.
            let text = self.value.as_str().map(|text| format!("[{}]", write::text(text)));
            return Err(vec![self.mistyped("a list", text)]);
        };
        all(items, read)
    }

    fn exclude(&self) -> Result<Exclude, Vec<Problem>> {
        self.list(exclude::read).map(exclude::sort)
    }

    /// The meaning of one of `words`.
    fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Problem> {
        let text = self.value.as_str();
        let known = text.and_then(|text| words.iter().find(|(word, _)| *word == text));
        known.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let all: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let meant = text.map(|text| text.trim().to_lowercase());
            let near = meant.and_then(|meant| nearest(&meant, words.iter().map(|(word, _)| *word)));
            let instead = near.map_or_else(
                || {
                    let default = write::value(&self.key.kind, &Config::default());
                    format!("`{} = {default}`, which is the default", self.key.name)
                },
                |near| format!("`{} = \"{near}\"`", self.key.name),
            );
            self.problem(
                format!(
                    "`{}` must be {}, not {}",
                    self.key.path(),
                    series(&all, "or"),
                    found(self.value)
                ),
                format!("write {instead}"),
            )
        })
    }

    fn port_range(&self) -> Result<RangeInclusive<u16>, Problem> {
        let Some(text) = self.value.as_str() else {
            return Err(self.mistyped("a range of ports", None));
        };
        port::range(text).ok_or_else(|| {
            self.problem(
                format!("{} is no range of ports", quoted(text)),
                "write the first and the last port, such as \"33434-33534\"".to_owned(),
            )
        })
    }

    /// An absolute path of `most` bytes at most.
    fn path(&self, most: usize) -> Result<PathBuf, Problem> {
        let Some(text) = self.value.as_str() else {
            return Err(self.mistyped("a path", None));
        };
        let wrong = if !text.starts_with('/') {
            "is no absolute path".to_owned()
        } else if text.ends_with('/') {
            "is a directory's path".to_owned()
        } else if text.contains(char::is_control) {
            "has control characters in it".to_owned()
        } else if text.len() > most {
            let length = text.len();
            let what = if most == LONGEST_SOCKET { "a socket's path" } else { "a path" };
            format!("has {length} bytes; {what} has {most} at most")
        } else {
            return Ok(PathBuf::from(text));
        };
        let default = write::value(&self.key.kind, &Config::default());
        Err(self.problem(
            format!("{} {wrong}", quoted(text)),
            format!("write a path such as {default}, which is the default"),
        ))
    }
}

/// Every item, or every problem with any of them.
fn all<T>(
    items: &DeArray<'_>,
    read: fn(&Spanned<DeValue<'_>>) -> Result<T, Vec<Problem>>,
) -> Result<Vec<T>, Vec<Problem>> {
    let mut values = Vec::new();
    let mut problems = Vec::new();
    for item in items {
        match read(item) {
            Ok(value) => values.push(value),
            Err(mut found) => problems.append(&mut found),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

/// Whether a text is meant to be a time without end, whoever may say that.
fn means_forever(text: &str) -> bool {
    const WORDS: [&str; 8] =
        [FOREVER, "ever", "for ever", "infinite", "infinity", "inf", "permanent", "always"];
    let text = text.trim().to_lowercase();
    WORDS.contains(&text.as_str()) || nearest(&text, [FOREVER].into_iter()).is_some()
}

/// On or off: as other programs' configurations call them, or mistyped.
pub(crate) fn meant_switch(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "on" | "1" | "enabled" => Some(true),
        "no" | "off" | "0" | "disabled" => Some(false),
        word => nearest(word, ["true", "false"].into_iter()).map(|word| word == "true"),
    }
}
