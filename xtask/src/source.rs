//! Rust text without its comments and literals, so that a word in prose is not taken for code.
//!
//! This is a scanner for four lexical rules (comments, strings, raw strings, characters), not a
//! parser.

/// `text` with every comment and literal replaced by blanks: same lines, same columns counted in
/// characters.
pub fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(next) = rest.chars().next() {
        let opaque = opaque_length(rest, previous);
        let step = if opaque == 0 { next.len_utf8() } else { opaque };
        let Some((taken, left)) = rest.split_at_checked(step) else { break };
        if opaque == 0 {
            code.push(next);
        } else {
            code.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        previous = next;
        rest = left;
    }
    code
}

/// Where `word` stands in `code` as a whole identifier, in bytes.
pub fn word_offsets<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = code.get(..at).and_then(|head| head.chars().next_back());
        let after = code.get(at + word.len()..).and_then(|tail| tail.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// The line of a byte offset, counted from 1.
pub fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length in bytes of the comment or literal that `rest` begins with, 0 if it begins with none.
fn opaque_length(rest: &str, previous: char) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_length(rest);
    }
    if rest.starts_with('"') {
        return quoted_length(rest, '"');
    }
    if rest.starts_with('\'') {
        return character_length(rest);
    }
    // A raw string's `r` would otherwise end an identifier: `bar"` is none.
    if is_word(previous) { 0 } else { raw_string_length(rest) }
}

/// Block comments nest.
fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            let Some(c) = tail.chars().next() else { break };
            at += c.len_utf8();
        }
    }
    rest.len()
}

/// A literal that ends at the first `quote` without a backslash before it.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + c.len_utf8();
        }
    }
    rest.len()
}

/// `'x'` and `'\n'` are characters, `'a` is a lifetime.
fn character_length(rest: &str) -> usize {
    let mut chars = rest.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted_length(rest, '\''),
        _ => 0,
    }
}

fn raw_string_length(rest: &str) -> usize {
    let Some(body) = ["r", "br", "cr"].iter().find_map(|prefix| rest.strip_prefix(prefix)) else {
        return 0;
    };
    let inner = body.trim_start_matches('#');
    let hashes = body.len() - inner.len();
    let Some(inner) = inner.strip_prefix('"') else { return 0 };
    let end = format!("\"{}", "#".repeat(hashes));
    inner.find(&end).map_or(rest.len(), |at| rest.len() - inner.len() + at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_the_rest_is_not() {
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("un\"safe") g"#, "f(          ) g"),
            (r##"f(r#"x"y"#) g"##, "f(        ) g"),
            ("f(br\"x\") r#type", "f(     ) r#type"),
            ("x('\"', 'a: &'a str)", "x(   , 'a: &'a str)"),
            ("x('\\'') y", "x(    ) y"),
            ("bar\"s\"", "bar   "),
            ("é /*é\n*/ z", "é    \n   z"),
        ] {
            assert_eq!(code_only(text), code, "{text}");
        }
    }

    #[test]
    fn what_never_ends_is_blank_to_the_end() {
        for text in ["\"abc", "/* abc", "r#\"abc\"", "'\\", "\"abc\\"] {
            assert_eq!(code_only(text).trim(), "", "{text}");
        }
    }

    #[test]
    fn words_are_whole() {
        let found: Vec<usize> =
            word_offsets("unsafe unsafe_code xunsafe (unsafe)", "unsafe").collect();
        assert_eq!(found, [0, 28]);
    }

    #[test]
    fn lines_count_from_one() {
        assert_eq!(line_at("a\nb\nc", 0), 1);
        assert_eq!(line_at("a\nb\nc", 4), 3);
    }
}
