//! No drawers. A file called `util` says nothing about what is in it, so everything lands there.

use crate::report::Report;
use crate::tree::Tree;

const DRAWERS: &[&str] = &["util", "utils", "common", "helpers", "misc"];

pub fn check(tree: &Tree, report: &mut Report) {
    for (path, _) in tree.files() {
        for part in path.split('/') {
            let stem = part.split('.').next().unwrap_or(part);
            if DRAWERS.contains(&stem) {
                report.finding(
                    path,
                    1,
                    format!("`{stem}` is a drawer, not a name"),
                    "call it after what it holds",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::report_of;

    #[test]
    fn drawers_fail_as_file_and_as_folder() {
        for path in ["crates/a/src/util.rs", "crates/a/tests/common/mod.rs", "misc/x", "helpers"] {
            let found = report_of(check, &[(path, "")]).lines();
            assert_eq!(found.len(), 1, "{path}");
            assert!(found.concat().starts_with(&format!("{path}:1: ")), "{found:?}");
        }
    }

    #[test]
    fn names_that_only_contain_one_pass() {
        let files = [("docs/utility.md", ""), ("crates/uncommon/src/helper.rs", "")];
        assert_eq!(report_of(check, &files).lines(), [""; 0]);
    }
}
