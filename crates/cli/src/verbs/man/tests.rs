//! The pages say what the command says.

use std::collections::BTreeMap;

use clap::CommandFactory as _;

use super::pages;
use crate::Cli;
use crate::exit::STATUSES;

fn written() -> BTreeMap<String, String> {
    pages(Cli::command()).unwrap().into_iter().collect()
}

#[test]
fn every_verb_that_is_listed_has_a_page_and_a_line_in_the_first() {
    let pages = written();
    let command = Cli::command();
    let (hidden, listed): (Vec<_>, Vec<_>) =
        command.get_subcommands().partition(|verb| verb.is_hide_set());
    for verb in &listed {
        let page = &pages[&format!("vauban-{}.1", verb.get_name())];
        let name = verb.get_name().replace('-', "\\-");
        let usage = format!(".SH SYNOPSIS\nvauban {name}");
        assert!(page.contains(&usage), "{page}");
        let line = format!("\n.BR vauban\\-{name} (1)\n");
        assert!(pages["vauban.1"].contains(&line), "{}", verb.get_name());
    }
    assert_eq!(pages.len(), listed.len() + 2);
    assert_eq!(hidden.len(), 2, "the one that writes the pages, and the one that `run` starts");
}

#[test]
fn each_option_stands_on_its_verbs_page() {
    let pages = written();
    for verb in Cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let page = pages[&format!("vauban-{}.1", verb.get_name())].replace("\\-", "-");
        for long in verb.get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(page.contains(&format!("--{long}")), "{}: {long}", verb.get_name());
        }
    }
}

#[test]
fn exit_statuses_are_those_of_the_table() {
    let page = written().remove("vauban.1").unwrap();
    let section = page.split(".SH EXIT STATUS\n").nth(1).unwrap().split(".SH").next().unwrap();
    let numbers: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix(".B ")).collect();
    let listed = STATUSES.map(|status| status.number.to_string());
    assert_eq!(numbers, listed.each_ref());
    let help = Cli::command().render_help().to_string();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for status in STATUSES {
        assert!(help.contains(&format!("{} {}", status.number, status.meaning)), "{help}");
    }
}

#[test]
fn no_backquote_is_left() {
    for (name, page) in written() {
        assert!(!page.contains('`'), "{name}: {page}");
    }
}
