//! Text from elsewhere, made safe to show: nothing in it commands a terminal or turns the direction of a
//! line.
//!
//! What it does not do: shorten, or judge what the text says.

use std::borrow::Cow;

/// What stands in place of a character that is not shown.
const IN_PLACE: char = '\u{b7}';

/// Whether a character changes the direction of text (Unicode's Bidi_Control): it could make a line
/// read as something else.
#[must_use]
pub fn turns_text(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text on one line, without control characters and without what turns its direction.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    let unclean = |c: char| c.is_control() || turns_text(c) || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(unclean) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if unclean(c) { IN_PLACE } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_gone() {
        assert_eq!(clean("tcp/22, 3\u{b7}\u{2026}"), "tcp/22, 3\u{b7}\u{2026}");
        assert_eq!(clean("a\x1b[2Jb\nc\u{9b}d"), "a\u{b7}[2Jb\u{b7}c\u{b7}d");
        assert_eq!(clean("x\u{202e}y\u{2066}z\u{2028}"), "x\u{b7}y\u{b7}z\u{b7}");
    }
}
