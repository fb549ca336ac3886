//! Long lines, broken between words for a terminal.
//!
//! What it does not do: hyphenate, or break a word that is longer than a line.

use std::io::IsTerminal as _;

/// The width of the terminal on standard output; `None` where there is none.
pub fn terminal() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let (width, _) = ratatui::crossterm::terminal::size().ok()?;
    Some(usize::from(width)).filter(|width| *width > 0)
}

/// The text with each line broken at `width`; what follows is indented by four more than the line.
pub fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| wrapped(line, width)).collect();
    lines.join("\n")
}

fn wrapped(line: &str, width: usize) -> String {
    let indent = line.len() - line.trim_start().len();
    if visible(line) <= width || width < indent + 12 {
        return line.to_owned();
    }
    let hanging = " ".repeat(indent + 4);
    let mut out = String::new();
    let mut column = 0;
    // Spaces within a line stay: they make columns.
    for word in line.split_inclusive(' ') {
        let length = visible(word.trim_end());
        if column > indent && column + length > width {
            out.truncate(out.trim_end().len());
            out.push('\n');
            out.push_str(&hanging);
            column = hanging.len();
        }
        out.push_str(word);
        column += visible(word);
    }
    out
}

/// Cells that a text takes: without the escape sequences of colours.
fn visible(text: &str) -> usize {
    let mut count = 0;
    let mut escaped = false;
    for c in text.chars() {
        match (escaped, c) {
            (false, '\u{1b}') => escaped = true,
            (true, 'm') => escaped = false,
            (true, _) => {}
            (false, _) => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_columns_stay() {
        let text = "  told    that two of its probes met open ports\nshort";
        assert_eq!(
            wrap(text, 24),
            "  told    that two of\n      its probes met\n      open ports\nshort"
        );
        assert_eq!(wrap(text, 200), text);
        assert_eq!(wrap("averyveryverylongword that", 12), "averyveryverylongword\n    that");
    }

    #[test]
    fn colours_take_no_room() {
        assert_eq!(visible("\u{1b}[1m\u{1b}[31mban\u{1b}[0m"), 3);
        let line = "is \u{1b}[31mbanned\u{1b}[0m now";
        assert_eq!(wrap(line, 13), line);
    }
}
