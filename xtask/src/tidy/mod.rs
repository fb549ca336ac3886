//! What the compiler and clippy can't see.
//!
//! | file | says |
//! |---|---|
//! | `rust` | each crate's attributes, where `unsafe` may stand, SAFETY comments, sizes, module docs |
//! | `names` | no drawers: `util` and its kin |
//! | `words` | legacy words stay in their dialects, build machines stay out |
//! | `docs` | every dependency is justified, every link leads somewhere |
//! | `properties` | every test that the page of security properties names exists |

mod docs;
mod names;
mod properties;
mod rust;
mod words;

use crate::report::Report;
use crate::tree::Tree;

/// Runs every check on `tree`.
pub fn check(tree: &Tree) -> Report {
    let mut report = Report::new("tidy");
    report.counted(tree.len(), "files");
    rust::check(tree, &mut report);
    names::check(tree, &mut report);
    words::check(tree, &mut report);
    docs::check(tree, &mut report);
    properties::check(tree, &mut report);
    report
}

/// Runs one check on a made-up tree.
#[cfg(test)]
fn report_of(check: fn(&Tree, &mut Report), files: &[(&str, &str)]) -> Report {
    let mut report = Report::new("test");
    check(&Tree::of(files), &mut report);
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of them is called: a check that nobody runs finds nothing.
    #[test]
    fn every_file_of_this_folder_has_its_say() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace.dependencies]\nlibc = \"0.2\"\n"),
            ("crates/a/src/util.rs", "unsafe fn f() {}\n// failregex\n"),
        ]);
        let found = check(&tree).lines().concat();
        for part in ["`unsafe` outside", "`util`", "`failregex`", "`libc`", "this page is gone"] {
            assert!(found.contains(part), "{part}: {found}");
        }
    }
}
