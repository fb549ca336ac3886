//! The files of the project: what git tracks and what it would offer to add, nothing ignored.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Every file by its path from the root, `/`-separated. Text that is not UTF-8 is kept lossily:
/// a capture still must not name a build machine.
pub struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the work tree at `root`. A file that git lists and that is gone is no file.
    pub fn of_git(root: &Path) -> Result<Self, String> {
        let listing = Command::new("git")
            .args(["ls-files", "-co", "--exclude-standard", "-z"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("git: {error}"))?;
        if !listing.status.success() {
            return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listing.stderr)));
        }
        let files = String::from_utf8_lossy(&listing.stdout)
            .split_terminator('\0')
            .filter_map(|path| {
                let bytes = std::fs::read(root.join(path)).ok()?;
                Some((path.to_owned(), String::from_utf8_lossy(&bytes).into_owned()))
            })
            .collect();
        Ok(Self { files })
    }

    /// A made-up tree.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect() }
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// All files, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files with this extension.
    pub fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| {
            Path::new(path).extension().is_some_and(|found| found == extension)
        })
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether `path` is a file of the tree, or a folder that holds one.
    pub fn exists(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_exist_through_their_files() {
        let tree = Tree::of(&[("docs/guide/start.md", "")]);
        assert!(tree.exists("docs/guide/start.md"));
        assert!(tree.exists("docs/guide"));
        assert!(tree.exists(""));
        assert!(!tree.exists("docs/gui"));
    }

    #[test]
    fn extensions_are_whole() {
        let tree = Tree::of(&[("a.rs", ""), ("b.rs.bak", ""), ("rs", "")]);
        let found: Vec<&str> = tree.with_extension("rs").map(|(path, _)| path).collect();
        assert_eq!(found, ["a.rs"]);
    }
}
