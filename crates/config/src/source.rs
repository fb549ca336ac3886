//! A text with a name, and where in it a byte is.
//!
//! Columns count characters, not bytes and not cells of a terminal: what most editors show.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Problem};

const BYTE_ORDER_MARK: char = '\u{feff}';
/// The longest line that is shown whole. A list of a thousand addresses on one line is not.
const LONGEST: usize = 160;
/// How much of a longer line is shown before the place that is meant.
const BEFORE: usize = 60;

/// A place in one of several texts; those of later texts are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Which text.
    pub(crate) file: usize,
    /// The first byte that is meant.
    pub(crate) start: usize,
    /// The first one behind it.
    pub(crate) end: usize,
}

impl Place {
    /// These bytes of a text.
    pub(crate) fn new(file: usize, span: &Range<usize>) -> Self {
        Self { file, start: span.start, end: span.end }
    }

    /// The bytes.
    pub(crate) fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// A text that is being read.
pub(crate) struct Source<'a> {
    name: &'a str,
    /// The text itself.
    pub(crate) text: &'a str,
    /// Where each line begins, in bytes.
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// `text`, which diagnostics call `name`.
    pub(crate) fn new(name: &'a str, text: &'a str) -> Self {
        // Editors on other systems put a byte order mark there. It is no character of line 1.
        let first = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { name, text, starts: std::iter::once(first).chain(after_newlines).collect() }
    }

    /// What diagnostics call it.
    pub(crate) fn name(&self) -> &str {
        self.name
    }

    /// Which line, from 0, the byte is on. A newline belongs to the line that it ends.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// The bytes of the line that the byte is on, its newline included.
    pub(crate) fn line_span(&self, at: usize) -> Range<usize> {
        let line = self.line(at);
        let start = self.starts.get(line).copied().unwrap_or(0);
        start..self.starts.get(line + 1).copied().unwrap_or(self.text.len())
    }

    /// The problem, for people.
    pub(crate) fn diagnose(&self, problem: &Problem) -> Diagnostic {
        let bytes = self.line_span(problem.span.start);
        let raw = self.text.get(bytes.clone()).unwrap_or("").trim_end_matches(['\n', '\r']);
        let before =
            |at: usize| raw.char_indices().take_while(|(i, _)| bytes.start + i < at).count();
        let (from, to) = (before(problem.span.start), before(problem.span.end));
        let (source_line, marked) = excerpt(raw, from..to.max(from + 1));
        Diagnostic {
            file: self.name.to_owned(),
            line: self.line(problem.span.start) + 1,
            column: from + 1,
            message: problem.message.clone(),
            remedy: problem.remedy.clone(),
            source_line,
            marked,
        }
    }
}

/// The line as it can be shown, and where the marked characters are in that.
fn excerpt(line: &str, marked: Range<usize>) -> (String, Range<usize>) {
    let (skipped, kept) = if line.chars().nth(LONGEST).is_none() {
        (0, LONGEST)
    } else {
        (marked.start.saturating_sub(BEFORE), LONGEST)
    };
    let mut shown = String::new();
    let mut shift = skipped;
    if skipped > 0 {
        shown.push('…');
        shift -= 1;
    }
    let mut rest = line.chars().skip(skipped);
    shown.extend(rest.by_ref().take(kept).map(visible));
    if rest.next().is_some() {
        shown.push('…');
    }
    let start = marked.start - shift;
    // Marks end with what is shown, but never vanish: an error may lie just after the line.
    let end = (marked.end - shift).min(shown.chars().count()).max(start + 1);
    (shown, start..end)
}

/// Control characters could rewrite the terminal; a tab only moves, and keeps its caret right.
fn visible(c: char) -> char {
    if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnose(text: &str, span: Range<usize>) -> Diagnostic {
        let problem = Problem { span, message: "m".to_owned(), remedy: "r".to_owned() };
        Source::new("f", text).diagnose(&problem)
    }

    #[test]
    fn columns_are_characters() {
        let found = diagnose("# ä\r\nü = \"ö\" x\r\n", 16..17);
        assert_eq!((found.line, found.column), (2, 9));
        assert_eq!(found.to_string(), "f:2:9: m\n    ü = \"ö\" x\n            ^\nhelp: r");
    }

    #[test]
    fn the_end_of_a_text_is_a_place() {
        assert_eq!((diagnose("", 0..0).line, diagnose("", 0..0).column), (1, 1));
        let end = diagnose("a = [\n", 6..6);
        assert_eq!((end.line, end.column, end.to_string()), (2, 1, "f:2:1: m\nhelp: r".to_owned()));
        // No error of toml's lies there; if one did, it would be shown at the end.
        assert_eq!(diagnose("ab", 7..9).column, 3);
    }

    #[test]
    fn long_lines_are_shown_around_the_place() {
        let text = "x".repeat(1000);
        let found = diagnose(&text, 500..503);
        assert_eq!((found.column, found.marked.clone()), (501, 61..64));
        assert_eq!(found.source_line.chars().count(), LONGEST + 2);
        let start = diagnose(&text, 0..1000);
        assert_eq!(start.marked, 0..LONGEST + 1);
    }

    #[test]
    fn tabs_stay_and_controls_go() {
        let found = diagnose("\ta\u{1b} = 1\n", 6..7);
        assert_eq!(found.to_string(), "f:1:7: m\n    \ta\u{fffd} = 1\n    \t     ^\nhelp: r");
    }
}
