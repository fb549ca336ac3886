//! Every block of configuration in README.md and in the guide is one that Vauban takes.

#![forbid(unsafe_code)]

use vauban_config::{Failure, parse};

mod page;

#[test]
fn every_configuration_in_the_guide_is_valid() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for page in page::pages().unwrap() {
        for block in page::blocks(&page).unwrap_or_else(|error| panic!("{error}")) {
            if block.language != "toml" {
                continue;
            }
            seen += 1;
            let marks: Vec<&str> = block.marks.iter().map(String::as_str).collect();
            let ["try:", "file", name] = marks.as_slice() else {
                let line = block.line;
                wrong.push(format!("{page}:{line}: put <!-- try: file NAME --> before it"));
                continue;
            };
            if let Err(diagnostics) = parse(&block.text, name) {
                let failure = Failure::of(diagnostics, name);
                wrong.push(format!("{page}:{}: {failure}", block.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 0, "no block of configuration was found");
}
