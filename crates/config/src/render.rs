//! The example file, the reference page and the manual page, from the table of keys.

use crate::Config;
use crate::keys::{self, Key, SENSITIVITY, TABLES, ZONE, ZONE_ABOUT, ZONE_KEYS, ZoneKey};
use crate::sensitivity::{self, Sensitivity};
use crate::write::{describe, value};

/// A key as the pages have it.
struct Entry {
    name: &'static str,
    path: String,
    value: String,
    unit: &'static str,
    default: String,
    why: &'static str,
    because: &'static str,
}

impl Entry {
    fn of(key: &Key) -> Self {
        Self {
            name: key.name,
            path: key.path(),
            value: describe(&key.kind),
            unit: key.unit,
            default: format!("`{}`", default(key)),
            why: key.why,
            because: key.because,
        }
    }

    fn of_zones(key: &ZoneKey) -> Self {
        Self {
            name: key.name,
            path: format!("{ZONE}.NAME.{}", key.name),
            value: key.value.to_owned(),
            unit: key.unit,
            default: key.default.to_owned(),
            why: key.why,
            because: key.because,
        }
    }

    /// What it takes, with what a number of it counts.
    fn value(&self) -> String {
        match self.unit {
            // The kind says it all.
            "–" => self.value.clone(),
            unit if unit.starts_with("time,") => self.value.clone(),
            unit => format!("{} ({unit})", self.value),
        }
    }
}

/// A table with its keys.
struct Section {
    /// As its header has it; empty for the keys above all tables.
    table: &'static str,
    about: &'static str,
    entries: Vec<Entry>,
}

/// All of them, in the order of the manual.
fn sections() -> Vec<Section> {
    let fixed = TABLES.iter().map(|(table, about)| Section {
        table,
        about,
        entries: keys::of(table).map(Entry::of).collect(),
    });
    let entries = ZONE_KEYS.iter().map(Entry::of_zones).collect();
    let zones = Section { table: "zone.NAME", about: ZONE_ABOUT, entries };
    fixed.chain([zones]).collect()
}

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
            let entry = Entry::of(key);
            parts.push(format!("\n{}", comment(&format!("{} {}", entry.why, why(&entry)))));
            parts.push(format!(
                "{}#{} = {}\n",
                comment(&format!("Value: {}.", entry.value())),
                key.name,
                default(key)
            ));
        }
    }
    // A zone has no default to show, so it takes more than a # to make one.
    parts.push(format!("\n{}# [zone.lan]\n", comment(ZONE_ABOUT)));
    for key in &ZONE_KEYS {
        let entry = Entry::of_zones(key);
        parts.push(format!("\n{}", comment(&format!("{} {}", entry.why, why(&entry)))));
        parts.push(comment(&format!("Value: {}.", entry.value())));
        parts.push(comment(&format!("Default: {}.", entry.default)));
        parts.push(format!("# {} = {}\n", key.name, key.example));
    }
    parts.concat()
}

/// Why the default is what it is.
fn why(entry: &Entry) -> String {
    format!("Why this default: {}", lower(entry.because))
}

/// As it stands behind a colon; names and numbers stay as they are.
fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), text.chars().nth(1)) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// `docs/reference/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let mut parts = vec![INTRODUCTION.to_owned(), VALUES.to_owned()];
    for section in sections() {
        let title = match section.table {
            "" => "Top of the file".to_owned(),
            table => format!("`[{table}]`"),
        };
        parts.push(format!("\n## {title}\n\n{}\n\n", section.about));
        parts.push(
            "| Key | Value | Unit | Default | Meaning | Why this default |\n|---|---|---|---|---|---|\n"
                .to_owned(),
        );
        for Entry { name, value, unit, default, why, because, .. } in section.entries {
            parts
                .push(format!("| `{name}` | {value} | {unit} | {default} | {why} | {because} |\n"));
        }
        if section.table.is_empty() {
            parts.push(format!("\n{PRESETS}\n\n| |"));
            parts.extend(presets().iter().map(|(word, _)| format!(" `\"{word}\"` |")));
            parts.push(format!("\n|---|{}\n", "---|".repeat(SENSITIVITY.len())));
            for (table, name) in sensitivity::KEYS {
                parts.push(format!("| `{table}.{name}` |"));
                for (_, config) in presets() {
                    parts.push(format!(" `{}` |", preset(&config, table, name)));
                }
                parts.push("\n".to_owned());
            }
            parts.push(format!("\n{}\n", sensitivity::WHY));
        }
    }
    parts.concat()
}

/// Each word of `sensitivity` with the configuration that it makes.
fn presets() -> Vec<(&'static str, Config)> {
    let of = |sensitivity: Sensitivity| {
        let mut config = Config { sensitivity, ..Config::default() };
        sensitivity.apply(&mut config, |_, _| false);
        config
    };
    SENSITIVITY.iter().map(|(word, sensitivity)| (*word, of(*sensitivity))).collect()
}

fn preset(config: &Config, table: &str, name: &str) -> String {
    let key = keys::of(table).find(|key| key.name == name);
    key.map_or_else(String::new, |key| value(&key.kind, config).to_string())
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
    for section in sections() {
        let title = if section.table.is_empty() { "Top of the file" } else { section.table };
        parts.push(format!(".SS {}\n{}\n", roff(title), roff(section.about)));
        for entry in section.entries {
            let name = roff(&format!("`{}`", entry.path));
            let unit = match entry.unit {
                "–" => String::new(),
                unit => format!(".br\nUnit: {}\n", roff(unit)),
            };
            parts.push(format!(
                ".TP\n{name}\nValue: {}.\n{unit}.br\nDefault: {}\n.br\n{}\n.br\n{}\n",
                roff(&entry.value),
                roff(&entry.default),
                roff(entry.why),
                roff(&why(&entry)),
            ));
        }
        if section.table.is_empty() {
            parts.push(format!(".PP\n{}\n", roff(PRESETS)));
            for (word, config) in presets() {
                let of = |(table, name): &(&str, &str)| {
                    format!("`{table}.{name} = {}`", preset(&config, table, name))
                };
                let all: Vec<String> = sensitivity::KEYS.iter().map(of).collect();
                parts.push(format!(
                    ".TP\n{}\n{}\n",
                    roff(&format!("`\"{word}\"`")),
                    roff(&all.join(", "))
                ));
            }
            parts.push(format!(".PP\n{}\n", roff(sensitivity::WHY)));
        }
    }
    parts.push(MANUAL_TAIL.to_owned());
    parts.concat()
}

/// What stands above the table of presets.
const PRESETS: &str = "What `sensitivity` sets where a key is not written:";

const EXAMPLE_HEAD: &str = "\
# Vauban's configuration: /etc/vauban/vauban.toml
#
# Vauban needs no configuration. This file lists every key with its default; to change one, remove
# the # before it. Times are written 500ms, 90s, 3m, 1h30m, 1d, 2w; ports tcp/22 and udp/161.
# The files /etc/vauban/vauban.d/*.toml are read after this one, and what they say replaces what
# stands here. Right or wrong: vauban check. What holds, and why: vauban config.
#
# Generated from the table of keys in crates/config/src/keys.rs.
";

const INTRODUCTION: &str = "\
<!-- Generated from crates/config/src/keys.rs. To change it: BLESS=1 cargo test -p vauban-config -->
# Configuration

Vauban reads `/etc/vauban/vauban.toml` if that exists, and after it the files
`/etc/vauban/vauban.d/*.toml` in the byte order of their names, hidden ones excepted; beside another
file, given with `--config`, those in the directory of its name with `.d` (`/x/foo.d` for
`/x/foo.toml`). Without any of them the defaults hold. All are [TOML](https://toml.io). Every key is
optional; a commented copy with all of them is
[`examples/vauban.toml`](../../examples/vauban.toml), which `vauban config --default` prints.

A key in a later file replaces that of an earlier one. The lists of what to leave alone, `allow` and
`decoy_exclude`, add up instead.

The files are used as a whole or not at all. When something is wrong with any of them, every error in
all of them is listed with its file, its line, its column and what to write instead, and nothing is
used. `vauban check` says so without a daemon and without root; `vauban config` prints what holds,
each key with where its value is from.
";

const VALUES: &str = "
How values are written:

- **Times** are texts of numbers with a unit each, the longest unit first: `\"500ms\"`, `\"90s\"`,
  `\"3m\"`, `\"1h30m\"`, `\"1d\"`, `\"2w\"`. A number without a unit is an error. Bans alone can be
  `\"forever\"`.
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
.br
.I /etc/vauban/vauban.d/*.toml
.SH DESCRIPTION
Vauban reads the first of these files if it exists, and after it the others in the byte order of their
names, hidden ones excepted; without any of them it runs on its defaults.
Beside another file, given with
.BR \\-\\-config ,
those in the directory of its name with
.I .d
are read.
They are written in TOML.
Every key is optional.
A key in a later file replaces that of an earlier one; the lists of what to leave alone,
.BR allow
and
.BR decoy_exclude ,
add up instead.
.PP
The files are used as a whole or not at all.
When something is wrong with any of them, every error is listed with its file, its line, its column
and what to write instead, and nothing is used.
.BR \"vauban check\"
says so without a daemon;
.BR \"vauban config\"
prints what holds, and where each value is from.
A running daemon reads them again at
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
.BR vauban\\-check (1),
.BR vauban\\-config (1),
.BR vauban\\-ruleset (1),
.BR vauban\\-run (1)
";

fn default(key: &Key) -> String {
    value(&key.kind, &Config::default()).to_string()
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
