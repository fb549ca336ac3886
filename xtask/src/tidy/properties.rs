//! The page of security properties names its tests, and each of them exists.
//!
//! It does not run them, nor see whether they show what the page says.

use crate::report::Report;
use crate::source::code_only;
use crate::tree::Tree;

const PAGE: &str = "docs/development/security-properties.md";

/// What a test begins with on the page: what follows `cargo test`.
const PACKAGE: &str = "-p vauban-";

pub fn check(tree: &Tree, report: &mut Report) {
    let Some(page) = tree.text(PAGE) else {
        report.finding(
            PAGE,
            1,
            "this page is gone",
            "name its new place in xtask/src/tidy/properties.rs: it says what holds and what shows it",
        );
        return;
    };
    let mut named = 0;
    for (line, span) in (1..).zip(page.lines()).flat_map(|(line, text)| spans(line, text)) {
        let Some(rest) = span.strip_prefix(PACKAGE) else { continue };
        named += 1;
        match Named::read(rest) {
            None => report.finding(
                PAGE,
                line,
                format!("`{span}` names no test"),
                format!(
                    "write `{PACKAGE}CRATE --test FILE NAME`, or `--lib` in place of `--test FILE`"
                ),
            ),
            Some(test) if !test.exists(tree) => report.finding(
                PAGE,
                line,
                format!("there is no test `{}` in {}", test.name, test.places.join(" or ")),
                "name the test that shows this property now, or write one",
            ),
            Some(_) => {}
        }
    }
    if named == 0 {
        report.finding(PAGE, 1, "it names no test", format!("write tests as `{PACKAGE}CRATE …`"));
    }
    report.counted(named, "tests of properties");
}

/// What stands between backticks in a line, with the line's number.
fn spans(line: usize, text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('`').skip(1).step_by(2).map(move |span| (line, span))
}

/// A test as the page names it.
struct Named<'a> {
    name: &'a str,
    /// Beginnings of the paths of the files that may hold it.
    places: Vec<String>,
}

impl<'a> Named<'a> {
    /// From what follows [`PACKAGE`].
    fn read(rest: &'a str) -> Option<Self> {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let (krate, words) = words.split_first()?;
        let (places, words) = match words {
            ["--test", file, words @ ..] => {
                let place = format!("crates/{krate}/tests/{file}");
                (vec![format!("{place}.rs"), format!("{place}/")], words)
            }
            ["--lib", words @ ..] => (vec![format!("crates/{krate}/src/")], words),
            _ => return None,
        };
        let ([name] | [name, "--", "--ignored"]) = words else { return None };
        Some(Self { name: name.rsplit("::").next().unwrap_or(name), places })
    }

    fn exists(&self, tree: &Tree) -> bool {
        let declared = format!("fn {}(", self.name);
        tree.with_extension("rs")
            .filter(|(path, _)| self.places.iter().any(|place| path.starts_with(place)))
            .any(|(_, text)| code_only(text).contains(&declared))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::report_of;

    const TESTS: &str = "//! Doc.\n#[test]\nfn it_holds() {}\n// fn it_did() {}\n";

    fn findings(page: &str) -> Vec<String> {
        let files = [
            (PAGE, page),
            ("crates/a/tests/one.rs", TESTS),
            ("crates/a/tests/many/main.rs", TESTS),
            ("crates/a/src/lib.rs", TESTS),
        ];
        report_of(check, &files).lines()
    }

    #[test]
    fn tests_that_exist_pass() {
        for test in [
            "-p vauban-a --test one it_holds",
            "-p vauban-a --test many part::it_holds",
            "-p vauban-a --lib it_holds -- --ignored",
        ] {
            assert_eq!(findings(&format!("| x | `{test}` and `more` |\n")), [""; 0], "{test}");
        }
    }

    #[test]
    fn tests_that_do_not_exist_fail_at_their_line() {
        for test in [
            "-p vauban-a --test one it_did",
            "-p vauban-a --test one it_hold",
            "-p vauban-a --test other it_holds",
            "-p vauban-b --lib it_holds",
        ] {
            let found = findings(&format!("\n| x | `{test}` |\n"));
            assert_eq!(found.len(), 1, "{test}: {found:?}");
            assert!(
                found.concat().starts_with(&format!("{PAGE}:2: there is no test ")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn what_names_no_test_fails() {
        for test in [
            "-p vauban-a",
            "-p vauban-a it_holds",
            "-p vauban-a --test one",
            "-p vauban-a --lib a b",
        ] {
            let found = findings(&format!("`{test}`\n"));
            assert!(found.concat().contains("names no test"), "{test}: {found:?}");
        }
    }

    #[test]
    fn a_page_without_tests_or_none_at_all_fails() {
        assert!(findings("# Nothing\n").concat().contains("it names no test"));
        assert!(report_of(check, &[]).lines().concat().contains("this page is gone"));
    }
}
