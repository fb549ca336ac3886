//! Comma-separated values (RFC 4180), safe to be opened in a spreadsheet.

use serde_json::Value;

/// Columns of bans in force: fields of the JSON.
pub const BANS: &[&str] = &[
    "subject",
    "source",
    "start",
    "end",
    "remaining",
    "level",
    "origin",
    "proven",
    "reason",
    "ports",
    "packets",
];

/// Columns of bans, over and in force.
pub const HISTORY: &[&str] = &[
    "subject",
    "source",
    "start",
    "end",
    "remaining",
    "level",
    "origin",
    "proven",
    "reason",
    "ports",
    "packets",
    "in_force",
    "ended",
    "how",
];

/// Columns of evidence: fields of the packet, and the subject that it is held against.
pub const EVIDENCE: &[&str] = &[
    "subject",
    "at",
    "source",
    "source_port",
    "destination",
    "port",
    "flags",
    "meaning",
    "text",
    "said",
    "bytes",
];

/// The first row.
pub fn head(columns: &[&str]) -> String {
    format!("{}\r\n", columns.join(","))
}

/// A row: each field of the first object that has it.
pub fn row(columns: &[&str], objects: &[&Value]) -> String {
    let cells: Vec<String> = columns
        .iter()
        .map(|column| {
            let found = objects.iter().find_map(|object| object.get(*column));
            cell(&plain(found.unwrap_or(&Value::Null)))
        })
        .collect();
    format!("{}\r\n", cells.join(","))
}

/// A value as the text of a cell; the items of a list with spaces between them.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// A cell. One that a spreadsheet would take for a formula gets a quote before it
/// (<https://owasp.org/www-community/attacks/CSV_Injection>): what strangers say is in some.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells() {
        for (text, expected) in [
            ("plain", "plain"),
            ("two, three", "\"two, three\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1,A2)", "\"'@SUM(A1,A2)\""),
            ("-1", "'-1"),
            ("two\nlines", "\"two\nlines\""),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        let packet = json!({ "at": "t", "port": "tcp/22", "said": "", "source_port": 7 });
        let of = json!({ "subject": "192.0.2.9", "port": "not this one" });
        let columns = ["subject", "port", "source_port", "said", "gone"];
        assert_eq!(row(&columns, &[&packet, &of]), "192.0.2.9,tcp/22,7,,\r\n");
        assert_eq!(head(&columns).matches(',').count(), 4);
    }
}
