//! Rules for Rust files, judged by their text.

use crate::report::Report;
use crate::source::{code_only, line_at, word_offsets};
use crate::tree::Tree;

/// Crates without `std`: the compiler then refuses clocks, files, sockets and threads in them.
const NO_STD: &[&str] = &["crates/engine/src/lib.rs", "crates/packet/src/lib.rs"];

/// The one place for `unsafe`.
const UNSAFE_HOME: &str = "crates/sys/";

/// Past this many lines of production code a file should be thought about, …
const LONG: usize = 400;
/// … past this many it must be split: nobody reads it as a whole any more.
const TOO_LONG: usize = 800;

/// How far above an `unsafe` its SAFETY comment may begin.
const SAFETY_REACH: usize = 20;

pub fn check(tree: &Tree, report: &mut Report) {
    let mut files = 0;
    for (path, text) in tree.with_extension("rs") {
        files += 1;
        let code = code_only(text);
        module_doc(path, text, report);
        size(path, &code, report);
        if path.starts_with(UNSAFE_HOME) {
            safety_comments(path, text, &code, report);
        } else {
            no_unsafe(path, &code, report);
        }
        if is_crate_root(path) && !path.starts_with(UNSAFE_HOME) {
            attribute(path, &code, "#![forbid(unsafe_code)]", report);
        }
    }
    for &path in NO_STD {
        match tree.text(path) {
            Some(text) => attribute(path, &code_only(text), "#![no_std]", report),
            None => report.finding(
                path,
                1,
                "this crate root is gone",
                "name its new place in xtask/src/tidy/rust.rs: its `#![no_std]` is a wall",
            ),
        }
    }
    report.counted(files, "Rust files");
}

fn is_crate_root(path: &str) -> bool {
    path.ends_with("src/lib.rs") || path.ends_with("src/main.rs") || path.contains("/src/bin/")
}

fn attribute(path: &str, code: &str, wanted: &str, report: &mut Report) {
    if !code.lines().any(|line| line.trim() == wanted) {
        report.finding(
            path,
            1,
            format!("`{wanted}` is missing"),
            "add it below the module doc, on a line of its own",
        );
    }
}

fn module_doc(path: &str, text: &str, report: &mut Report) {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if !first.starts_with("//!") {
        report.finding(
            path,
            1,
            "no module doc",
            "begin the file with `//!`: what it does and what it does not",
        );
    }
}

fn no_unsafe(path: &str, code: &str, report: &mut Report) {
    for at in word_offsets(code, "unsafe") {
        report.finding(
            path,
            line_at(code, at),
            format!("`unsafe` outside {UNSAFE_HOME}"),
            "give `sys` a safe function for it",
        );
    }
}

/// Blocks, impls and functions that are unsafe say why they are sound.
fn safety_comments(path: &str, text: &str, code: &str, report: &mut Report) {
    let text_lines: Vec<&str> = text.lines().collect();
    let code_lines: Vec<&str> = code.lines().collect();
    for at in word_offsets(code, "unsafe") {
        let after = code.get(at + "unsafe".len()..).unwrap_or_default().trim_start();
        let line = line_at(code, at);
        if wants_reason(after) && !has_reason(&text_lines, &code_lines, line) {
            report.finding(
                path,
                line,
                "`unsafe` without a SAFETY comment",
                "say above it why it is sound, `// SAFETY: …` (or `# Safety` in a function's doc)",
            );
        }
    }
}

/// Told by what follows the word. A function pointer's type (`unsafe fn(…)`) does nothing.
fn wants_reason(after: &str) -> bool {
    let function =
        after.strip_prefix("fn").is_some_and(|rest| rest.starts_with(char::is_whitespace));
    after.starts_with('{') || after.starts_with("impl") || function
}

/// Looks for a reason on the line itself and upwards, as far as the statement's first line and the
/// comments and attributes above it.
fn has_reason(text_lines: &[&str], code_lines: &[&str], line: usize) -> bool {
    let states = |index: usize| {
        let text = text_lines.get(index).copied().unwrap_or_default();
        let is_comment = text.contains("//");
        is_comment && (text.contains("SAFETY:") || text.contains("# Safety"))
    };
    let this = line.saturating_sub(1);
    if states(this) {
        return true;
    }
    for above in (this.saturating_sub(SAFETY_REACH)..this).rev() {
        let code = code_lines.get(above).copied().unwrap_or_default().trim_end();
        if code.ends_with([';', '{', '}']) {
            return false;
        }
        if states(above) {
            return true;
        }
    }
    false
}

fn size(path: &str, code: &str, report: &mut Report) {
    if is_test_file(path) {
        return;
    }
    let lines = production_lines(code);
    let what = format!("{lines} lines of production code");
    if lines > TOO_LONG {
        report.finding(path, 1, what, format!("split it: the limit is {TOO_LONG}"));
    } else if lines > LONG {
        report.warning(
            path,
            1,
            what,
            format!("think of splitting it: from {LONG} on it reads badly"),
        );
    }
}

/// A crate's `tests/` folder, or a module of tests in a file of its own.
fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

/// The lines before the module of tests. `#[cfg(test)]` on anything else, or a module of tests
/// that stands in another file, ends nothing.
fn production_lines(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let is_test_module = |after: usize| {
        let item = lines
            .iter()
            .skip(after + 1)
            .find(|line| !line.is_empty() && !line.starts_with("#["))
            .copied()
            .unwrap_or_default();
        item.starts_with("mod ") && !item.ends_with(';')
    };
    lines
        .iter()
        .enumerate()
        .position(|(index, line)| *line == "#[cfg(test)]" && is_test_module(index))
        .unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::report_of;

    const NO_STD_ROOT: &str = "//! Doc.\n#![no_std]\n#![forbid(unsafe_code)]\n";

    /// The findings of a tree that holds one file beside two good crate roots.
    fn findings(path: &str, text: &str) -> Vec<String> {
        let mut files = vec![];
        files.extend(NO_STD.iter().filter(|root| **root != path).map(|root| (*root, NO_STD_ROOT)));
        files.push((path, text));
        report_of(check, &files).lines()
    }

    fn assert_finds(path: &str, text: &str, line: usize, what: &str) {
        let found = findings(path, text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found.concat().starts_with(&format!("{path}:{line}: {what}")), "{found:?}");
    }

    #[test]
    fn good_files_pass() {
        let good = "//! Doc.\n#![forbid(unsafe_code)]\n// unsafe\nconst A: &str = \"unsafe\";\n";
        assert_eq!(findings("crates/cli/src/main.rs", good), [""; 0]);
    }

    #[test]
    fn a_pure_crate_with_std_fails() {
        let with_std = "//! Doc. #![no_std]\n// #![no_std]\n#![forbid(unsafe_code)]\n";
        assert_finds("crates/engine/src/lib.rs", with_std, 1, "`#![no_std]` is missing");
        let only_sometimes = "//! Doc.\n#![cfg_attr(not(test), no_std)]\n#![forbid(unsafe_code)]\n";
        assert_finds("crates/packet/src/lib.rs", only_sometimes, 1, "`#![no_std]` is missing");
        let gone = report_of(check, &[(NO_STD[0], NO_STD_ROOT)]).lines();
        assert!(gone.concat().contains("crates/packet/src/lib.rs:1: this crate root is gone"));
    }

    #[test]
    fn a_crate_root_that_does_not_forbid_unsafe_fails() {
        for path in ["crates/cli/src/main.rs", "bench/src/main.rs", "xtask/src/bin/x.rs"] {
            assert_finds(path, "//! Doc.\n", 1, "`#![forbid(unsafe_code)]` is missing");
        }
        assert_eq!(findings("crates/sys/src/lib.rs", "//! Doc.\n"), [""; 0]);
        assert_eq!(findings("crates/cli/src/verb.rs", "//! Doc.\n"), [""; 0]);
    }

    #[test]
    fn unsafe_outside_sys_fails() {
        let text = "//! Doc.\nfn f() {\n    unsafe { g() }\n}\n";
        assert_finds("crates/cli/src/verb.rs", text, 3, "`unsafe` outside crates/sys/");
        let crate_named_alike = "//! Doc.\n// SAFETY: no\nunsafe fn f() {}\n";
        assert_finds("crates/sysx/src/a.rs", crate_named_alike, 3, "`unsafe` outside crates/sys/");
    }

    #[test]
    fn unsafe_in_sys_without_a_reason_fails() {
        for (text, line) in [
            ("//! Doc.\nfn f() {\n    unsafe { g() }\n}\n", 3),
            ("//! Doc.\nunsafe impl Send for A {}\n", 2),
            ("//! Doc.\n/// Does.\nunsafe fn f() {}\n", 3),
            (
                "//! Doc.\n// SAFETY: of another\nlet a = unsafe { f() };\nlet b =\n    unsafe { g() };\n",
                5,
            ),
            ("//! Doc.\nlet a = \"SAFETY: no comment\"\n    + unsafe\n    { f() };\n", 3),
        ] {
            assert_finds("crates/sys/src/a.rs", text, line, "`unsafe` without a SAFETY comment");
        }
    }

    #[test]
    fn unsafe_in_sys_with_a_reason_passes() {
        for text in [
            "//! Doc.\n// SAFETY: fits\nlet a = unsafe { f() };\n",
            "//! Doc.\n// SAFETY: fits\n// in two lines\nlet a =\n    unsafe { f() };\n",
            "//! Doc.\nlet a = g(1,\n    // SAFETY: fits\n    unsafe { f() });\n",
            "//! Doc.\nlet a = unsafe { f() }; // SAFETY: fits\n",
            "//! Doc.\n/// # Safety\n///\n/// Be careful.\n#[inline]\npub unsafe fn f() {}\n",
            "//! Doc.\ntype F = unsafe fn(i32);\n",
        ] {
            assert_eq!(findings("crates/sys/src/a.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_file_without_module_doc_fails() {
        for text in ["", "use a;\n//! Late.\n", "// Doc.\n", "/// Doc.\n"] {
            assert_finds("crates/cli/src/verb.rs", text, 1, "no module doc");
        }
        assert_eq!(findings("crates/cli/src/verb.rs", "\n//! Doc.\n"), [""; 0]);
    }

    fn long(lines: usize) -> String {
        format!("//! Doc.\n{}", "fn f() {}\n".repeat(lines - 1))
    }

    #[test]
    fn long_files_warn_and_longer_ones_fail() {
        let path = "crates/cli/src/verb.rs";
        assert_finds(path, &long(801), 1, "801 lines of production code");
        for (lines, warnings) in [(800, 1), (401, 1), (400, 0)] {
            let report = report_of(check, &[(path, &long(lines))]);
            assert_eq!(report.warning_lines().len(), warnings, "{lines}");
        }
        assert_eq!(findings("crates/cli/tests/verb.rs", &long(900)), [""; 0]);
    }

    #[test]
    fn only_a_module_of_tests_ends_the_production_code() {
        let tests = "#[cfg(test)]\n#[expect(x)]\nmod tests {\n}\n";
        assert_eq!(production_lines(&format!("{}{tests}", long(10))), 10);
        for not_the_end in ["#[cfg(test)]\nextern crate std;\n", "#[cfg(test)]\nmod tests;\n"] {
            assert_eq!(production_lines(&format!("{not_the_end}{}", long(10))), 12);
        }
    }
}
