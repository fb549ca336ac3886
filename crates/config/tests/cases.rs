//! Every directory in `tests/cases` is one test: `input.toml`, and in `expected.txt` either the
//! settings that it changes or what is wrong with it. `BLESS=1 cargo test -p vauban-config`
//! rewrites the latter.

#![forbid(unsafe_code)]

use std::path::Path;

use vauban_config::{Config, Failure, parse, show};

mod golden;

/// What `expected.txt` should hold.
fn outcome(text: &str) -> String {
    let config = match parse(text, "input.toml") {
        Ok(config) => config,
        Err(diagnostics) => return format!("{}\n", Failure::of(diagnostics, "input.toml")),
    };
    let defaults = show(&Config::default());
    let changed: String = show(&config)
        .split_inclusive('\n')
        .filter(|line| !defaults.split_inclusive('\n').any(|default| default == *line))
        .collect();
    if changed.is_empty() { "the defaults\n".to_owned() } else { changed }
}

#[test]
fn every_case_has_its_expected_outcome() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<_> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let text = std::fs::read_to_string(case.join("input.toml")).unwrap();
            golden::check(&case.join("expected.txt"), &outcome(&text)).err()
        })
        .collect();
    assert!(cases.len() >= 25, "only {} cases found", cases.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
