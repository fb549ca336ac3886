//! What differs from one run to the next, replaced by its name: times, spans, sizes, process ids, the
//! version, and where the test keeps its files. Each pattern stands here, so that nothing else may
//! differ unseen.

use std::fmt::Write as _;

use serde_json::Value;

use crate::lab::Lab;

/// Numbers and texts of JSON that differ, by their keys.
const KEYS: [(&str, &str); 9] = [
    ("remaining", "<seconds>"),
    ("uptime", "<seconds>"),
    ("suspect_for", "<seconds>"),
    ("proof_suspended_for", "<seconds>"),
    ("user", "<user>"),
    ("sandbox", "<sandbox>"),
    ("version", "<version>"),
    ("vauban", "<version>"),
    ("rate", "<rate>"),
];

/// Words that differ, by what stands before and behind them.
const PLACES: [(&str, &str, &str); 9] = [
    (" for ", " more", "<span>"),
    ("(counts for ", ")", "<span>"),
    // Of CSV: behind the beginning and the end of a ban.
    ("<time>,<time>,", ",", "<seconds>"),
    (", up ", ",", "<span>"),
    ("  up ", ",", "<span>"),
    (", version ", " ", "<version>"),
    (".db: ", " KiB", "<size>"),
    ("as user ", ",", "<user>"),
    ("unprivileged user ", " ", "<user>"),
];

/// What the log says first where the package has not been installed.
pub const NO_USER: &str = "There is no user vauban here";

/// How wide a column of spans is made, whatever is in it.
const SPAN: usize = 8;

/// The words of a verb.
pub fn words(text: &str, lab: &Lab) -> String {
    let mut text = line_ends(&here(text, lab));
    for (before, behind, name) in PLACES {
        text = between(&text, before, behind, name);
    }
    narrow(&spans(&text))
}

/// A list of the past with two blanks between its columns: how wide they are depends on their spans.
fn narrow(text: &str) -> String {
    let (mut list, mut out) = (false, String::new());
    for line in text.lines() {
        list = (list || line.contains("  HOW  ")) && !line.is_empty();
        // The first line of `top` is as wide as the terminal, whatever is in it.
        let line = match line.strip_suffix("<time>") {
            Some(head) if head.contains(", version ") => format!("{}  <time>", head.trim_end()),
            _ => line.to_owned(),
        };
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|c| !c.is_empty()).collect();
        out += if list { cells.join("  ") } else { line.clone() }.as_str();
        out.push('\n');
    }
    out
}

/// The answer of a verb as JSON.
pub fn json(value: &Value, lab: &Lab) -> Value {
    match value {
        Value::String(text) => Value::String(between(&here(text, lab), " for ", " more", "<span>")),
        Value::Array(items) => items.iter().map(|item| json(item, lab)).collect(),
        Value::Object(fields) => {
            // What comes from the scanner's own TCP, or acknowledges a cookie, is not repeated.
            let proof = fields.get("meaning").and_then(Value::as_str) == Some("proven");
            // The store is measured now and then.
            let store = fields.contains_key("trouble");
            // Of `top`: how many a second.
            let rates = fields.contains_key("probes") && fields.values().any(Value::is_f64);
            let field = |(key, value): (&String, &Value)| {
                let known = KEYS.iter().find(|(name, _)| name == key && !value.is_null());
                let size = store && (key == "bytes" || key == "bans");
                let value = match known {
                    // Of an export, that of its shape.
                    Some(("version", _)) if value.is_u64() => value.clone(),
                    _ if rates => Value::from("<rate>"),
                    Some((_, name)) => Value::from(*name),
                    None if size => Value::from("<size>"),
                    None if proof && key == "bytes" => Value::from("<bytes>"),
                    None => json(value, lab),
                };
                (key.clone(), value)
            };
            Value::Object(fields.iter().map(field).collect())
        }
        other => other.clone(),
    }
}

/// Times, the version, the test's own folder and the number that its files have in it.
fn here(text: &str, lab: &Lab) -> String {
    let folder = lab.folder().display().to_string();
    let text = between(text, &format!("{folder}/"), "-", "<number>");
    let text = text.replace(&folder, "<folder>");
    // What is read of these files has its name from here on.
    let text = text.replace(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/"), "");
    let text = text.replace(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/"), "");
    let text = text.replace(&format!("vauban {}", env!("CARGO_PKG_VERSION")), "vauban <version>");
    times(&text)
}

/// Replaces `2026-11-21T15:00:20.952Z`, `15:00:20.952Z`, `15:00:20Z` and `15:00:20 `.
fn times(text: &str) -> String {
    const SHAPES: [&str; 4] =
        ["dddd-dd-ddTdd:dd:dd.dddZ", "dd:dd:dd.dddZ", "dd:dd:ddZ", "dd:dd:dd "];
    let fits = |text: &str, shape: &str| {
        text.len() >= shape.len()
            && text.bytes().zip(shape.bytes()).all(|(found, wanted)| match wanted {
                b'd' => found.is_ascii_digit(),
                other => found == other,
            })
    };
    let (mut out, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        if let Some(shape) = SHAPES.iter().find(|shape| fits(rest, shape)) {
            out.push_str(if shape.ends_with(' ') { "<time> " } else { "<time>" });
            rest = &rest[shape.len()..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Replaces the one word between two texts, wherever there is one.
fn between(text: &str, before: &str, behind: &str, name: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((head, tail)) = rest.split_once(before) {
        out.push_str(head);
        out.push_str(before);
        rest = match tail.split_once(behind) {
            Some((word, _)) if !word.is_empty() && !word.contains(char::is_whitespace) => {
                out.push_str(name);
                &tail[word.len()..]
            }
            _ => tail,
        };
    }
    out + rest
}

/// What runs to the end of its line: how the judging process is confined depends on the kernel, and
/// as whom on the host.
fn line_ends(text: &str) -> String {
    let line = |line: &str| match line.split_once("sandbox: ") {
        Some((head, _)) => format!("{head}sandbox: <sandbox>\n"),
        None if line.contains(NO_USER) => String::new(),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// Replaces the cells of a table's column of spans, and gives it the same width always.
fn spans(text: &str) -> String {
    let mut column = None;
    let mut out = String::new();
    for line in text.lines() {
        if let Some((head, tail)) = line.split_once("  FOR") {
            let blanks = tail.len() - tail.trim_start().len();
            column = Some((head.len() + 2, "FOR".len() + blanks));
        } else if line.is_empty() {
            column = None;
        }
        match column.filter(|(start, width)| line.is_char_boundary(start + width)) {
            Some((start, width)) => {
                let (cell, rest) = line[start..].split_at(width);
                let cell = if cell.trim() == "FOR" { "FOR" } else { "<span>" };
                out += &line[..start];
                // Writing to a String cannot fail.
                let _ = write!(out, "{cell:SPAN$}{rest}");
            }
            None => out += line,
        }
        out.push('\n');
    }
    out
}

#[test]
fn what_differs_is_named_and_nothing_else() {
    assert_eq!(times("at 2026-11-21T15:00:20.952Z, 15:00:20.952Z"), "at <time>, <time>");
    assert_eq!(times("15:00:20.95Z 5:00"), "15:00:20.95Z 5:00");
    assert_eq!(times("15:00:20 Ban 15:00:20Z 15:00:20."), "<time> Ban <time> 15:00:20.");
    let place = |text: &str| between(text, " for ", " more", "<span>");
    assert_eq!(place("x for 59s more, y for 1m more"), "x for <span> more, y for <span> more");
    assert_eq!(place("x for the third time, no more"), "x for the third time, no more");
    let table = "BANNED   FOR    TIMES\n1.2.3.4  2m59s  1\n\nfor 2m59s  1\n";
    let other = "BANNED   FOR  TIMES\n1.2.3.4  3m   1\n\nfor 2m59s  1\n";
    assert_eq!(spans(table), spans(other));
    assert_eq!(spans(other), "BANNED   FOR     TIMES\n1.2.3.4  <span>  1\n\nfor 2m59s  1\n");
}
