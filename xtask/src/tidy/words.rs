//! Words that belong somewhere else.
//!
//! PortSentry and Fail2ban are dialects: translated at the edge, unknown inside. And nothing in
//! the tree depends on the machine that somebody wrote it on.

use crate::report::Report;
use crate::source::{line_at, word_offsets};
use crate::tree::Tree;

/// Keys that only the legacy programs have. Names that any program might give a constant
/// (`HISTORY_FILE`, `maxretry`, `bantime`) are left out.
const LEGACY: &[&str] = &[
    // PortSentry
    "ADVANCED_EXCLUDE_TCP",
    "ADVANCED_EXCLUDE_UDP",
    "ADVANCED_PORTS_TCP",
    "ADVANCED_PORTS_UDP",
    "BLOCK_TCP",
    "BLOCK_UDP",
    "KILL_HOSTS_DENY",
    "KILL_ROUTE",
    "KILL_RUN_CMD",
    "KILL_RUN_CMD_FIRST",
    "PORT_BANNER",
    "RESOLVE_HOST",
    "SCAN_TRIGGER",
    // Fail2ban
    "actionban",
    "actioncheck",
    "actionflush",
    "actionstart",
    "actionstop",
    "actionunban",
    "datepattern",
    "failregex",
    "ignorecommand",
    "ignoreregex",
    "prefregex",
    "usedns",
];

/// Where they are at home.
const LEGACY_HOMES: &[&str] = &[
    "crates/config/src/portsentry", // the folder, or the file before it grows to one
    "crates/config/src/fail2ban",
    "crates/config/tests/", // what the dialects are tested with,
    "crates/cli/tests/",    // here through the program
    "tests/",
    "examples/",
    "docs/",
    "bench/",          // it configures the original programs
    "xtask/src/tidy/", // this list, and what it is tested with
];

/// Roots of somebody's own folders.
const MACHINE_ROOTS: &[&str] = &["/work/", "/root/", "/home/"];

const THIS_FILE: &str = "xtask/src/tidy/words.rs";

pub fn check(tree: &Tree, report: &mut Report) {
    for (path, text) in tree.files() {
        legacy(path, text, report);
        machine_paths(path, text, report);
    }
}

fn legacy(path: &str, text: &str, report: &mut Report) {
    let is_document = path.rsplit('.').next() == Some("md");
    if is_document || LEGACY_HOMES.iter().any(|home| path.starts_with(home)) {
        return;
    }
    for word in LEGACY {
        for at in word_offsets(text, word) {
            report.finding(
                path,
                line_at(text, at),
                format!("`{word}` outside its dialect"),
                "use Vauban's own word, or move this to crates/config/src/{portsentry,fail2ban}",
            );
        }
    }
}

fn machine_paths(path: &str, text: &str, report: &mut Report) {
    if path == THIS_FILE {
        return;
    }
    for root in MACHINE_ROOTS {
        for (at, _) in text.match_indices(root) {
            if begins_path(text.get(..at).unwrap_or_default()) {
                report.finding(
                    path,
                    line_at(text, at),
                    format!("a path of somebody's machine, under {root}"),
                    "name it from the root of the repository, or take it from the environment",
                );
            }
        }
    }
}

/// Whether an absolute path can begin after `head`: not in the middle of a longer one, and not
/// after a host's name.
fn begins_path(head: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-/~*})".contains(c);
    head.ends_with("://") || !head.chars().next_back().is_some_and(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::report_of;

    fn findings(path: &str, text: &str) -> Vec<String> {
        report_of(check, &[(path, text)]).lines()
    }

    #[test]
    fn legacy_words_outside_their_dialect_fail() {
        for path in ["crates/engine/src/gate.rs", "crates/config/src/native/raw.rs", "Makefile"] {
            let found = findings(path, "a\n// as KILL_ROUTE does\nfailregex = x\n");
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(
                found.concat().contains(&format!("{path}:2: `KILL_ROUTE` outside its dialect"))
            );
            assert!(found.concat().contains(&format!("{path}:3: `failregex` outside its dialect")));
        }
    }

    #[test]
    fn legacy_words_at_home_or_inside_other_words_pass() {
        for path in
            ["crates/config/src/portsentry/parse.rs", "docs/guide/a.md", "README.md", "examples/x"]
        {
            assert_eq!(findings(path, "KILL_ROUTE failregex"), [""; 0], "{path}");
        }
        assert_eq!(findings("crates/engine/src/a.rs", "BLOCK_TCP_SYN nofailregex"), [""; 0]);
    }

    #[test]
    fn paths_of_a_machine_fail() {
        for text in [
            "see /work/main/x",
            "\"/root/.cargo\"",
            "dir=/home/me/src",
            "file:///home/me",
            "/home/me",
        ] {
            let found = findings("docs/a.md", &format!("\n{text}\n"));
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found.concat().starts_with("docs/a.md:2: "), "{found:?}");
        }
    }

    #[test]
    fn paths_that_only_look_alike_pass() {
        for text in
            ["https://example.org/home/", "docs/work/a.md", "$HOME/work/", "~/work/", "/workshop/"]
        {
            assert_eq!(findings("docs/a.md", text), [""; 0], "{text}");
        }
    }
}
