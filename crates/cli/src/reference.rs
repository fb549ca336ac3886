//! The reference page of the commands, `docs/reference/commands.md`, from the same definition as the
//! help: every verb that is listed, its arguments, options and defaults, and the exit statuses.
//!
//! It is committed, so it is made by a test: one that fails when the page is stale, and that writes it
//! with `BLESS=1`.

use std::path::Path;

use clap::{Arg, Command, CommandFactory as _};

use crate::Cli;
use crate::exit::STATUSES;

const HEAD: &str = "\
<!-- Generated from crates/cli/src/main.rs. To change it: BLESS=1 cargo test -p vauban-cli reference -->
# Commands

`vauban --help` and `vauban VERB --help` say the same; so do the manual pages (`man vauban`,
`man vauban-ban`). Verbs that ask the daemon need root. What `--json` prints is described, field by
field, by a JSON Schema for each verb in [schemas](schemas).
";

/// What clap adds to every verb.
const OF_ALL: [&str; 2] = ["help", "version"];

/// The page.
fn page(mut command: Command) -> String {
    // Makes the usage of each verb begin with the whole command's name.
    command.build();
    let mut parts = vec![HEAD.to_owned()];
    verbs(&command, &mut parts);
    parts.push("\n## Exit statuses\n\n| status | means | when |\n|---|---|---|\n".to_owned());
    for status in STATUSES {
        parts.push(format!("| {} | {} | {} |\n", status.number, status.meaning, status.when));
    }
    parts.concat()
}

/// The verbs of a command, and theirs.
fn verbs(command: &Command, parts: &mut Vec<String>) {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let usage = verb.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        let name = verb.get_bin_name().unwrap_or(verb.get_name());
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        // The long one begins with the short one, and ends its sentences.
        let about = verb.get_long_about().map_or(format!("{about}."), ToString::to_string);
        parts.push(format!("\n## `{name}`\n\n{about}\n\n```text\n{usage}\n```\n"));
        // What stands below the options in its help, like examples.
        if let Some(more) = verb.get_after_help() {
            parts.push(format!("\n{more}\n"));
        }
        let arguments: Vec<&Arg> = verb
            .get_arguments()
            .filter(|argument| !argument.is_hide_set())
            .filter(|argument| !OF_ALL.contains(&argument.get_id().as_str()))
            .collect();
        if !arguments.is_empty() {
            parts.push("\n| | | default |\n|---|---|---|\n".to_owned());
            parts.extend(arguments.into_iter().map(row));
        }
        verbs(verb, parts);
    }
}

/// An argument's row: how it is written, what it is for, what holds without it.
fn row(argument: &Arg) -> String {
    let written = argument.to_string();
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    // Defaults that clap does not know are said at the end of the help.
    let (mut help, said) = match help.split_once(" [default: ") {
        Some((help, said)) => (help.to_owned(), said.trim_end_matches(']').to_owned()),
        None => (help, String::new()),
    };
    let known: Vec<String> = argument
        .get_default_values()
        .iter()
        .filter(|_| argument.get_action().takes_values() && !argument.is_hide_default_value_set())
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    let default = if known.is_empty() { said } else { known.join(" ") };
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| argument.get_action().takes_values() && !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !values.is_empty() {
        help = format!("{help}: {}", values.join(", "));
    }
    format!("| `{written}` | {} | {} |\n", cell(&help), cell(&default))
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[test]
fn the_committed_page_is_what_the_command_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/commands.md");
    let now = page(Cli::command());
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(&path, now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == now,
        "{} is stale; BLESS=1 cargo test -p vauban-cli reference\n--- now\n{now}",
        path.display()
    );
}

#[test]
fn every_listed_verb_and_option_stands_on_the_page() {
    let page = page(Cli::command());
    for verb in Cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let title = format!("\n## `vauban {}`\n", verb.get_name());
        let section = page.split(&title).nth(1).unwrap_or_else(|| panic!("{title}"));
        let section = section.split("\n## ").next().unwrap();
        for long in verb.get_arguments().filter_map(Arg::get_long) {
            assert!(section.contains(&format!("--{long}")), "{title}: {long}");
        }
    }
    for hidden in Cli::command().get_subcommands().filter(|verb| verb.is_hide_set()) {
        assert!(!page.contains(&format!("## `vauban {}`", hidden.get_name())));
    }
}
