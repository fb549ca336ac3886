//! What TOML itself refuses, and how much of the rest can be believed after that.
//!
//! The parser goes on after an error. One missing bracket makes it report every line that follows,
//! and makes keys turn up where nobody wrote them; neither helps anybody, so both are left out.
//!
//! It recognises toml's messages by their first words. Should toml phrase them differently one
//! day, more is reported than necessary and remedies get more general; nothing is accepted.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::diagnostic::Problem;
use crate::read::meant_switch;
use crate::source::Source;
use crate::write;

/// Errors that are looked at, in the parser's order; more do not change what must be done.
const MOST_ERRORS: usize = 1000;

/// What is wrong with the syntax.
#[derive(Default)]
pub(crate) struct Faults {
    /// One problem for each thing that somebody got wrong.
    pub(crate) problems: Vec<Problem>,
    /// Where the parser's guesses are not to be trusted.
    doubtful: Vec<Range<usize>>,
}

impl Faults {
    /// Whether something wrong at this byte is more than a consequence of an error in the syntax.
    pub(crate) fn trusts(&self, at: usize) -> bool {
        !self.doubtful.iter().any(|range| range.contains(&at))
    }
}

/// Sorts out the parser's errors.
pub(crate) fn faults(source: &Source<'_>, document: &DeTable<'_>, errors: &[Error]) -> Faults {
    let mut faults = Faults::default();
    if errors.is_empty() {
        return faults;
    }
    let values = values(document);
    let opening = errors.iter().filter_map(|error| opening(source, &values, error)).min();
    if let Some((start, message)) = opening {
        // The rest of the text is inside of that value.
        faults.doubtful.push(start..usize::MAX);
        faults.problems.push(problem(message, start..start + 1, remedy(message, None, "")));
    }
    let stop = opening.map_or(usize::MAX, |(start, _)| start);
    let mut seen: Vec<Range<usize>> = Vec::new();
    for error in errors.iter().take(MOST_ERRORS) {
        let span = error.span().unwrap_or_default();
        if span.start >= stop {
            continue;
        }
        let line = source.line_span(span.start);
        let around = values.iter().rev().find(|value| reaches_around(value, &span));
        let raw = around
            .filter(|value| !is_container(value))
            .and_then(|value| source.text.get(value.span()));

        faults.doubtful.push(line.start..line.end.max(span.start + 1));
        if error.message() != "duplicate key" {
            faults.doubtful.extend(around.map(|value| value.span()));
            let is_header = source
                .text
                .get(line.clone())
                .is_some_and(|text| text.trim_start().starts_with('['));
            // Below a broken header, keys are in no table or in the wrong one.
            if is_header && !error.message().starts_with("unexpected key or value") {
                faults.doubtful.push(line.start..usize::MAX);
            }
        }

        // A second error on a line is usually a second view of the first one; not so when it is
        // about another item of a list.
        let again = seen.iter().any(|other| {
            let own_item = raw.is_some_and(|raw| !raw.is_empty());
            touch(other, &span) || (!own_item && line.contains(&other.start))
        });
        if !again {
            let rest = source.text.get(span.start..).unwrap_or("");
            let remedy = remedy(error.message(), raw, rest);
            faults.problems.push(problem(error.message(), span.clone(), remedy));
        }
        seen.push(span);
    }
    faults
}

/// All values of the document, each before what it consists of.
fn values<'t, 'i>(document: &'t DeTable<'i>) -> Vec<&'t Spanned<DeValue<'i>>> {
    let mut found = Vec::new();
    document.iter().for_each(|(_, value)| enter(value, &mut found));
    found
}

/// The parser bounds the depth, at 80.
fn enter<'t, 'i>(value: &'t Spanned<DeValue<'i>>, found: &mut Vec<&'t Spanned<DeValue<'i>>>) {
    found.push(value);
    match value.get_ref() {
        DeValue::Array(items) => items.iter().for_each(|item| enter(item, found)),
        DeValue::Table(entries) => entries.iter().for_each(|(_, item)| enter(item, found)),
        _ => {}
    }
}

/// Whether the span lies within the value. A table under a header is no more than its header here.
fn reaches_around(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    value.span().start <= span.start && span.end <= value.span().end
}

fn is_container(value: &Spanned<DeValue<'_>>) -> bool {
    value.get_ref().is_array() || value.get_ref().is_table()
}

fn touch(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start <= b.end && b.start <= a.end
}

/// Where the value begins that goes on to the end of the text for want of its closing sign. The
/// error itself only says where the parser would have liked to see that.
fn opening<'e>(
    source: &Source<'_>,
    values: &[&Spanned<DeValue<'_>>],
    error: &'e Error,
) -> Option<(usize, &'e str)> {
    let (span, message) = (error.span()?, error.message());
    let start = if message.starts_with("unclosed inline table") {
        // The parser gives up within it, so it does not reach as far as the error.
        let starts = values.iter().map(|value| value.span().start);
        starts
            .filter(|start| *start < span.start)
            .filter(|start| source.text.get(*start..).is_some_and(|text| text.starts_with('{')))
            .max()
    } else if message.starts_with("unclosed array,") || is_unclosed_text(message) {
        values.iter().find(|value| reaches_around(value, &span)).map(|value| value.span().start)
    } else {
        None
    };
    Some((start?, message))
}

/// Other errors in such a text have the same message but for what was expected.
fn is_unclosed_text(message: &str) -> bool {
    let closing = message.ends_with("expected `\"`") || message.ends_with("expected `'`");
    message.starts_with("invalid multi-line") && closing
}

fn problem(message: &str, span: Range<usize>, remedy: String) -> Problem {
    Problem { span, message: message.to_owned(), remedy }
}

/// Remedies by how toml's message begins; the first that fits.
const REMEDIES: [(&str, &str); 20] = [
    ("duplicate key", "keep one of the two: a key and a `[table]` stand only once"),
    ("unclosed array,", "close this list with `]`"),
    ("unclosed array table", "write the header with single brackets, such as `[ban]`"),
    ("unclosed table", "close the header with `]`"),
    ("unclosed inline table", "close it with `}`"),
    ("missing comma", "put a comma before it"),
    ("extra comma", "remove one comma"),
    ("extra `=`", "remove one `=`"),
    ("key with no value", "write `key = value`"),
    ("missing value", "write a value after the `=`"),
    ("unexpected key or value", "begin a new line, or put `#` before a comment"),
    ("invalid basic string, expected non-", "remove this control character"),
    ("invalid literal string, expected non-", "remove this control character"),
    ("invalid multi-line", "remove this control character"),
    ("missing escaped value", "write `\\\\` for a backslash"),
    ("too few unicode value digits", "write `\\\\` for a backslash"),
    ("carriage return", "end lines with LF or CR LF"),
    ("invalid unquoted key", "write keys with letters a to z and `_`"),
    ("unquoted keys cannot be empty", "write a key before the `=`, or a name in the brackets"),
    ("unexpected leading zero", "write the number without leading zeros, or a text in quotes"),
];

/// What to do about it. `raw` is the single value that it is in, if it is in one; `rest` is the
/// text from it on.
fn remedy(message: &str, raw: Option<&str>, rest: &str) -> String {
    if is_unclosed_text(message) {
        return "close this text with the three quotes that it begins with".to_owned();
    }
    let stray = rest.chars().next().filter(|c| matches!(c, ']' | '}' | ',' | ';'));
    if let Some(sign) = stray.filter(|_| message.starts_with("unexpected key or value")) {
        return format!("remove the `{sign}`");
    }
    if let Some((_, remedy)) = REMEDIES.iter().find(|(start, _)| message.starts_with(start)) {
        return (*remedy).to_owned();
    }
    match raw {
        Some("") => "write a value after the `=`".to_owned(),
        Some(raw) if raw.starts_with(['"', '\'']) => {
            "end the text with the quote that it begins with, on the same line".to_owned()
        }
        Some(raw) if raw.ends_with([',', ';']) => "remove the sign at its end".to_owned(),
        Some(raw) if !raw.contains(|c: char| c.is_control() || matches!(c, '"' | '\'')) => {
            meant_switch(raw).map_or_else(
                || format!("put it in quotes, if it is a text: {}", write::text(raw)),
                |on| format!("write `{on}`"),
            )
        }
        _ => "the file consists of lines `key = value` below headers `[table]`, in TOML (toml.io)"
            .to_owned(),
    }
}
