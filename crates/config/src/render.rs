//! The example file, the reference page and the manual page, from the table of keys.

use crate::Config;
use crate::keys::{self, Key, TABLES};
use crate::write::{describe, value};

/// `examples/vauban.toml`: every key, commented out, at its default.
#[must_use]
pub fn example() -> String {
    let mut parts = vec![EXAMPLE_HEAD.to_owned()];
    for (table, about) in TABLES {
        parts.push(format!("\n{}", comment(about)));
        if !table.is_empty() {
            parts.push(format!("[{table}]\n"));
        }
        for key in keys::of(table) {
            let kind = describe(&key.kind);
            parts.push(format!("\n{}", comment(key.why)));
            parts.push(format!(
                "{}#{} = {}\n",
                comment(&format!("Value: {kind}.")),
                key.name,
                default(key)
            ));
        }
    }
    parts.concat()
}

/// `docs/reference/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let mut parts = vec![INTRODUCTION.to_owned(), VALUES.to_owned()];
    for (table, about) in TABLES {
        let title =
            if table.is_empty() { "Top of the file".to_owned() } else { format!("`[{table}]`") };
        parts.push(format!("\n## {title}\n\n{about}\n\n"));
        parts.push("| Key | Value | Default | Meaning |\n|---|---|---|---|\n".to_owned());
        for key in keys::of(table) {
            let (name, kind, default) = (key.name, describe(&key.kind), default(key));
            parts.push(format!("| `{name}` | {kind} | `{default}` | {} |\n", key.why));
        }
    }
    parts.concat()
}

/// `vauban.toml.5`, the same for man(1), in the language of man(7).
#[must_use]
pub fn manual() -> String {
    let mut parts = vec![format!(
        ".TH vauban.toml 5 \"\" \"vauban {}\" Vauban\n{MANUAL_HEAD}",
        env!("CARGO_PKG_VERSION")
    )];
    for line in VALUES.lines() {
        parts.push(match line.strip_prefix("- ") {
            Some(item) => format!(".IP \\(bu 2\n{}\n", roff(item)),
            None if line.is_empty() => ".PP\n".to_owned(),
            None => format!("{}\n", roff(line.trim_start())),
        });
    }
    parts.push(".SH KEYS\n".to_owned());
    for (table, about) in TABLES {
        let title = if table.is_empty() { "Top of the file" } else { table };
        parts.push(format!(".SS {}\n{}\n", roff(title), roff(about)));
        for key in keys::of(table) {
            let (name, kind) = (roff(&format!("`{}`", key.path())), roff(&describe(&key.kind)));
            let default = roff(&format!("`{}`", default(key)));
            parts.push(format!(
                ".TP\n{name}\nValue: {kind}.\n.br\nDefault: {default}\n.br\n{}\n",
                roff(key.why)
            ));
        }
    }
    parts.push(MANUAL_TAIL.to_owned());
    parts.concat()
}

const EXAMPLE_HEAD: &str = "\
# Vauban's configuration: /etc/vauban/vauban.toml
#
# Vauban needs no configuration. This file lists every key with its default; to change one, remove
# the # before it. Times are written 500ms, 90s, 3m, 1h30m, 1d, 2w; ports tcp/22 and udp/161.
#
# Generated from the table of keys in crates/config/src/keys.rs.
";

const INTRODUCTION: &str = "\
<!-- Generated from crates/config/src/keys.rs. To change it: BLESS=1 cargo test -p vauban-config -->
# Configuration

Vauban reads `/etc/vauban/vauban.toml` if that exists, and otherwise runs on its defaults. The file
is [TOML](https://toml.io). Every key is optional; a commented copy with all of them is
[`examples/vauban.toml`](../../examples/vauban.toml).

A file is used whole or not at all. When something is wrong with it, every error is listed with its
line, its column and what to write instead, and nothing of the file is used.
";

const VALUES: &str = "
How values are written:

- **Times** are texts of numbers with a unit each, the longest unit first: `\"500ms\"`, `\"90s\"`,
  `\"3m\"`, `\"1h30m\"`, `\"1d\"`, `\"2w\"`. A number without a unit is an error.
- **Ports** are `\"tcp/22\"` or `\"udp/161\"`. Names of services are not looked up.
- **Addresses and networks** are `\"192.0.2.10\"`, `\"198.51.100.0/24\"` or `\"2001:db8::/32\"`. Names of
  hosts are not looked up, bits after a network's length must be zero, and `0.0.0.0/0` and `::/0`
  are errors: to watch without blocking, there is `dry_run`.
- Keys above the first `[table]` belong to the whole file, so they must stand there.
";

const MANUAL_HEAD: &str = "\
.ad l
.nh
.SH NAME
vauban.toml \\- what Vauban protects, and how
.SH SYNOPSIS
.I /etc/vauban/vauban.toml
.SH DESCRIPTION
Vauban reads this file if it exists, and otherwise runs on its defaults.
It is written in TOML.
Every key is optional.
.PP
The file is used whole or not at all.
When something is wrong with it, every error is listed with its line, its column and what to write
instead, and nothing of the file is used.
A running daemon reads it again at
.BR \"vauban reload\" ;
if that finds an error, the daemon keeps what it has.
";

const MANUAL_TAIL: &str = "\
.SH EXAMPLES
Watch for a day before blocking anybody, and never block the office:
.PP
.in +4n
.EX
dry_run = true
allow = [{ address = \"198.51.100.0/24\", comment = \"office\" }]

[ban]
first = \"10m\"
.EE
.in
.SH SEE ALSO
.BR vauban (1),
.BR vauban\\-run (1),
.BR vauban\\-ruleset (1)
";

fn default(key: &Key) -> String {
    value(&key.kind, &Config::default())
}

/// The text as comment lines of at most 100 columns, like the rest of this project's files.
/// Markdown's quotes around code are left out, as noise in a file of code; code is not broken.
fn comment(markdown: &str) -> String {
    const UNBROKEN: &str = "\u{a0}";
    let parts = markdown.split('`').enumerate();
    let text: String = parts
        .map(|(i, part)| if i % 2 == 1 { part.replace(' ', UNBROKEN) } else { part.to_owned() })
        .collect();
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > 100 {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    (lines + &line + "\n").replace(UNBROKEN, " ")
}

/// Markdown's code and bold in the language of man(7), as one line: code is bold.
fn roff(markdown: &str) -> String {
    let parts = markdown.split('`').enumerate();
    let text: String = parts
        .map(|(i, part)| {
            let part = part.replace('\\', "\\e");
            if i % 2 == 1 {
                // Hyphens that can be searched for and copied.
                format!("\\fB{}\\fR", part.replace('-', "\\-"))
            } else {
                let plain = part.split("**").enumerate();
                plain
                    .map(|(i, text)| match i % 2 {
                        1 => format!("\\fB{text}\\fR"),
                        _ => text.to_owned(),
                    })
                    .collect()
            }
        })
        .collect();
    // A line must not begin with what would make it a request.
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
