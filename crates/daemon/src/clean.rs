//! Text from elsewhere, made safe to show: nothing in it commands a terminal or turns the direction of a
//! line. What would is written out, as `\u{1b}`, so that it is seen who tried.
//!
//! What it does not do: shorten, or judge what the text says.

use std::borrow::Cow;

/// Whether a character changes the direction of text (Unicode's Bidi_Control): it could make a line
/// read as something else.
#[must_use]
pub fn turns_text(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character commands a terminal, turns the direction of text or ends a line (Unicode's line
/// and paragraph separators among them).
#[must_use]
pub fn is_unclean(c: char) -> bool {
    c.is_control() || turns_text(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The text on one line.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    without(text, is_unclean)
}

/// The same for a text that may have several lines: line feeds and tabs only move on, and stay.
#[must_use]
pub fn clean_lines(text: &str) -> Cow<'_, str> {
    without(text, |c| is_unclean(c) && !matches!(c, '\n' | '\t'))
}

fn without(text: &str, unclean: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&unclean) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if unclean(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_written_out() {
        let said = "größer, tcp/22, 3\u{b7}\u{2026} \"quoted\" C:\\users";
        assert!(matches!(clean(said), Cow::Borrowed(text) if text == said));
        assert_eq!(clean("a\x1b[2Jb\nc\u{9b}d"), "a\\u{1b}[2Jb\\u{a}c\\u{9b}d");
        assert_eq!(clean("x\u{202e}y\u{2066}z\u{2028}"), "x\\u{202e}y\\u{2066}z\\u{2028}");
        assert_eq!(clean_lines("a\x1b]0;x\u{7}\n\tb\r"), "a\\u{1b}]0;x\\u{7}\n\tb\\u{d}");
    }
}
