//! Documents that must keep up with the tree: the reasons for the dependencies, and the links.

use std::collections::BTreeMap;

use crate::report::Report;
use crate::tree::Tree;

const MANIFEST: &str = "Cargo.toml";
/// The fuzz targets are a workspace of their own, with a dependency of their own.
const FUZZ_MANIFEST: &str = "fuzz/Cargo.toml";
const REASONS: &str = "docs/development/dependencies.md";

/// The cells of a row: the crate, what for, why this one, the runner-up.
const CELLS: usize = 4;

pub fn check(tree: &Tree, report: &mut Report) {
    dependencies(tree, report);
    links(tree, report);
}

/// Every external dependency of the workspaces has a row that gives its reasons, and no other has.
fn dependencies(tree: &Tree, report: &mut Report) {
    let mut declared = BTreeMap::new();
    for (manifest, table) in [(FUZZ_MANIFEST, "dependencies"), (MANIFEST, "workspace.dependencies")]
    {
        let found = external_dependencies(tree.text(manifest).unwrap_or_default(), table);
        declared.extend(found.into_iter().map(|(name, line)| (name, (manifest, line))));
    }
    let rows = rows(tree.text(REASONS).unwrap_or_default());
    for (name, (manifest, line)) in &declared {
        if !rows.contains_key(name) {
            report.finding(
                manifest,
                *line,
                format!("dependency `{name}` is not explained"),
                format!("add its row to {REASONS}: what for, why this one, the runner-up"),
            );
        }
    }
    for (name, (line, cells)) in &rows {
        if !declared.contains_key(name) {
            report.finding(
                REASONS,
                *line,
                format!("`{name}` is no dependency of the workspace"),
                "drop its row",
            );
        } else if *cells < CELLS {
            report.finding(
                REASONS,
                *line,
                format!("the row of `{name}` has an empty cell"),
                "say what it is for, why this one, and what was the runner-up",
            );
        }
    }
    report.counted(declared.len(), "external dependencies");
}

/// Name and line of every entry of a table of dependencies that is not a crate of ours.
fn external_dependencies<'a>(manifest: &'a str, table: &str) -> BTreeMap<&'a str, usize> {
    let mut found = BTreeMap::new();
    let mut inside = false;
    for (number, line) in (1..).zip(manifest.lines().map(str::trim)) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or(header);
            inside = header == table;
            let name = header.strip_prefix(table).and_then(|rest| rest.strip_prefix('.'));
            if let Some(name) = name {
                found.insert(name, number);
            }
        } else if let Some((name, value)) = line.split_once('=').filter(|_| inside) {
            let name = name.trim().split('.').next().unwrap_or(name).trim_matches('"');
            if !name.starts_with('#') && !value.contains("path =") {
                found.insert(name, number);
            }
        }
    }
    found
}

/// The table rows that begin with a name in backticks: line and number of cells that say something.
fn rows(document: &str) -> BTreeMap<&str, (usize, usize)> {
    (1..)
        .zip(document.lines())
        .filter_map(|(number, line)| {
            let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
            let name = cells.first()?.strip_prefix('`')?.split('`').next()?;
            Some((name, (number, cells.iter().filter(|cell| !cell.is_empty()).count())))
        })
        .collect()
}

/// Every relative link of a Markdown file leads to a file or folder of the tree.
fn links(tree: &Tree, report: &mut Report) {
    let mut checked = 0;
    for (path, text) in tree.with_extension("md") {
        for (line, target) in link_targets(text) {
            if is_elsewhere(&target) {
                continue;
            }
            checked += 1;
            let leads = resolve(path, &target).is_some_and(|found| tree.exists(&found));
            if !leads {
                report.finding(
                    path,
                    line,
                    format!("the link to `{target}` leads nowhere"),
                    "link to a file of the repository, relative to this one",
                );
            }
        }
    }
    report.counted(checked, "links");
}

/// Another host, or this very page.
fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:") || target.starts_with('#')
}

/// The path from the root that `target` means in the document `from`.
fn resolve(from: &str, target: &str) -> Option<String> {
    let target = target.split(['#', '?']).next().unwrap_or(target);
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Line and target of the links of a document: inline, by reference, and in HTML attributes. Code
/// has none.
fn link_targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fence: Option<&str> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim_start();
        let marker = ["```", "~~~"].into_iter().find(|marker| trimmed.starts_with(marker));
        match (fence, marker) {
            (None, Some(_)) => fence = marker,
            (Some(open), Some(close)) if open == close => fence = None,
            (Some(_), _) => {}
            (None, None) => {
                let prose = without_code_spans(line);
                let targets = ["](", "src=\"", "href=\""]
                    .into_iter()
                    .flat_map(|opening| targets_after(&prose, opening))
                    .chain(reference_target(&prose));
                found.extend(targets.map(|target| (number, target.to_owned())));
            }
        }
    }
    found
}

/// The line without what stands between backticks.
fn without_code_spans(line: &str) -> String {
    let mut prose = String::new();
    let mut rest = line;
    while let Some((before, code)) = rest.split_once('`') {
        prose.push_str(before);
        match code.split_once('`') {
            Some((_, after)) => rest = after,
            None => rest = code,
        }
    }
    prose.push_str(rest);
    prose
}

fn targets_after<'a>(prose: &'a str, opening: &'a str) -> impl Iterator<Item = &'a str> {
    prose.split(opening).skip(1).filter_map(move |rest| {
        let inside = if opening.ends_with('"') {
            rest.split('"').next()?
        } else if let Some(bracketed) = rest.strip_prefix('<') {
            bracketed.split('>').next()?
        } else {
            rest.split(')').next()?.split_whitespace().next()?
        };
        Some(inside).filter(|target| !target.is_empty())
    })
}

/// `[name]: target`, but not the footnote `[^name]: text`.
fn reference_target(prose: &str) -> Option<&str> {
    let rest = prose.trim_start().strip_prefix('[')?;
    let (name, target) = rest.split_once("]:")?;
    if name.starts_with('^') { None } else { target.split_whitespace().next() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::report_of;

    const ROW: &str = "| `libc` | the kernel | thin | rustix |\n";

    fn findings(manifest: &str, reasons: &str) -> Vec<String> {
        report_of(check, &[(MANIFEST, manifest), (REASONS, reasons)]).lines()
    }

    #[test]
    fn a_dependency_without_reason_fails_at_its_line() {
        let manifest = "[workspace.dependencies]\n# why = \"x\"\nours = { path = \"a\" }\nlibc = \"0.2\"\n\
                        tokio.version = \"1\"\n\n[workspace.dependencies.serde]\nversion = \"1\"\n\
                        [workspace.lints]\nx = \"y\"\n";
        let found = findings(manifest, ROW);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.concat().contains("Cargo.toml:7: dependency `serde` is not explained"));
        assert!(found.concat().contains("Cargo.toml:5: dependency `tokio` is not explained"));
    }

    #[test]
    fn a_stale_row_and_an_empty_cell_fail() {
        let manifest = "[workspace.dependencies]\nlibc = \"0.2\"\n";
        assert_eq!(findings(manifest, &format!("|crate|a|b|c|\n|---|\n{ROW}")), [""; 0]);
        let stale = findings(manifest, &format!("{ROW}| `nix` | a | b | c |\n"));
        assert!(
            stale.concat().contains(&format!("{REASONS}:2: `nix` is no dependency")),
            "{stale:?}"
        );
        let empty = findings(manifest, "| `libc` | the kernel | | rustix |\n");
        assert!(empty.concat().contains(&format!("{REASONS}:1: the row of `libc`")), "{empty:?}");
    }

    #[test]
    fn the_fuzz_targets_dependency_needs_a_reason_too() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nours = { path = \"a\" }\n\
                        libfuzzer-sys = \"0.4\"\n[[bin]]\nname = \"y\"\n";
        let found = report_of(check, &[(FUZZ_MANIFEST, manifest), (REASONS, "")]).lines();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found.concat().starts_with("fuzz/Cargo.toml:5: dependency `libfuzzer-sys`"));
        let row = "| `libfuzzer-sys` | fuzzing | guided | afl |\n";
        assert_eq!(report_of(check, &[(FUZZ_MANIFEST, manifest), (REASONS, row)]).lines(), [""; 0]);
    }

    fn link_findings(text: &str) -> Vec<String> {
        let files = [("docs/a.md", text), ("docs/b/c.md", ""), ("README.md", "")];
        report_of(check, &files).lines()
    }

    #[test]
    fn links_that_lead_nowhere_fail() {
        for text in [
            "[x](c.md)",
            "[x](b/c.txt#part)",
            "[x](../../README.md)",
            "[x](/README.md)",
            "![x](<no file.png>)",
            "[x]: gone.md \"title\"",
            "<img src=\"gone.png\">",
            "[x](b/c.md) and [y](gone.md)",
        ] {
            let found = link_findings(&format!("\n{text}\n"));
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found.concat().starts_with("docs/a.md:2: the link to "), "{found:?}");
        }
    }

    #[test]
    fn links_that_lead_somewhere_or_elsewhere_pass() {
        for text in [
            "[x](b/c.md#part)",
            "[x](b/) [y](../README.md \"title\") [z](./b/c.md)",
            "[x](https://example.org/gone) [y](#part) [z](mailto:a@example.org)",
            "[x]: b/c.md",
            "[^1]: a footnote",
            "`[x](gone.md)` is how",
            "```\n[x](gone.md)\n~~~\n```\n[x](b/c.md)",
        ] {
            assert_eq!(link_findings(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_fence_that_is_closed_hides_no_later_link() {
        assert_eq!(link_findings("```sh\nx\n```\n[x](gone.md)\n").len(), 1);
    }
}
