//! What is wrong, where, and what to write instead.
//!
//! It only phrases: where a byte lies in a text is [`crate::source`]'s business.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong with a configuration, for people.
///
/// ```text
/// vauban.toml:2:10: `trigger.window` must be a time, not the number 60
///     window = 60
///              ^^
/// help: write `window = "60s"`
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file's name, as the caller gave it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, counted in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// The line itself; of a very long one, the part around the column. Fit for a terminal.
    pub source_line: String,
    /// Which characters of `source_line` are meant, from 0; at least one, which may be just after
    /// its end.
    pub marked: Range<usize>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        if !self.source_line.is_empty() {
            // A tab stays a tab, so that the caret stands right whatever its width is.
            let indent: String = self
                .source_line
                .chars()
                .take(self.marked.start)
                .map(|c| if c == '\t' { c } else { ' ' })
                .collect();
            writeln!(f, "    {}", self.source_line)?;
            writeln!(f, "    {indent}{}", "^".repeat(self.marked.len()))?;
        }
        write!(f, "help: {}", self.remedy)
    }
}

/// One thing that is wrong, as the readers of values say it: with a place in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// The bytes that are meant.
    pub(crate) span: Range<usize>,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

/// A text of the operator's in back quotes, fit for a terminal and not too long.
pub(crate) fn quoted(text: &str) -> String {
    // Long enough for an IPv6 prefix with a scope; a whole paragraph helps nobody.
    const MOST: usize = 60;
    let shown: String = text.chars().take(MOST).flat_map(escaped).collect();
    let rest = if text.chars().nth(MOST).is_some() { "…" } else { "" };
    format!("`{shown}{rest}`")
}

/// `a, b and c`, or with another word before the last one.
pub(crate) fn series(items: &[String], word: &str) -> String {
    match items {
        [head @ .., last] if !head.is_empty() => format!("{} {word} {last}", head.join(", ")),
        _ => items.concat(),
    }
}

/// A character as it can be shown; quotes stay as they are, unlike in `escape_debug`.
fn escaped(c: char) -> Vec<char> {
    if matches!(c, '"' | '\'' | '\\') { vec![c] } else { c.escape_debug().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_texts_cannot_reach_the_terminal() {
        assert_eq!(quoted("a\u{1b}[2J\"ü\""), r#"`a\u{1b}[2J"ü"`"#);
        assert_eq!(quoted(&"x".repeat(61)), format!("`{}…`", "x".repeat(60)));
        assert_eq!(quoted(&"x".repeat(60)), format!("`{}`", "x".repeat(60)));
    }
}
