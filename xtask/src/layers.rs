//! Which crate may import which.
//!
//! The walls of the project are Cargo edges: a crate that may not import the clock, the kernel or
//! an async runtime can't. This table is where they are written down; `cargo metadata` says what
//! is true.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::report::Report;

/// One crate of the workspace and everything it may name in `[dependencies]`.
struct Layer {
    name: &'static str,
    /// Crates of the workspace.
    workspace: &'static [&'static str],
    /// Crates of the registry.
    external: &'static [&'static str],
    /// Why so much and no more.
    reason: &'static str,
}

const LAYERS: &[Layer] = &[
    Layer {
        name: "vauban-engine",
        workspace: &[],
        external: &[],
        reason: "the judgement is a function of its events: whatever it imported could bring a \
                 clock, I/O or a thread along",
    },
    Layer {
        name: "vauban-packet",
        workspace: &["vauban-engine"],
        external: &["siphasher"],
        reason: "it reads the most hostile input, so all code that reads is ours to fuzz; the \
                 engine has the types it returns; the decoys' cookies need a keyed hash, which \
                 nobody should write himself",
    },
    Layer {
        name: "vauban-config",
        workspace: &["vauban-engine"],
        // The parser family of `toml`, should spans be wanted without values.
        external: &["toml", "toml_parser", "toml_datetime", "serde", "serde_core", "serde_spanned"],
        reason: "text in, policy and diagnostics out: files come through a trait, so nothing of \
                 the kernel or the daemon is needed",
    },
    Layer {
        name: "vauban-sys",
        workspace: &[],
        external: &["caps", "landlock", "libc", "seccompiler"],
        reason: "the only unsafe code knows no word of the domain, so that it can be reviewed alone",
    },
    Layer {
        name: "vauban-enforce",
        workspace: &["vauban-engine", "vauban-sys"],
        external: &[],
        reason: "it runs in the process that keeps its privileges: no parser, no network, nothing \
                 that is not ours",
    },
    Layer {
        name: "vauban-daemon",
        workspace: &[
            "vauban-engine",
            "vauban-packet",
            "vauban-config",
            "vauban-sys",
            "vauban-enforce",
        ],
        external: &[
            "anstyle",
            "jiff",
            "rusqlite",
            "sd-notify",
            "serde",
            "serde_json",
            "signal-hook",
        ],
        reason: "the shell that moves data between the others: dates for people, JSON for \
                 programs, signals, a database for what outlives it; no async runtime, its sources are \
                 few and live long",
    },
    Layer {
        name: "vauban-replay",
        workspace: &["vauban-engine", "vauban-packet"],
        external: &["serde", "serde_json"],
        reason: "captures to events under their own clock: no clock of ours, no kernel, no daemon; our \
                 exports are JSON",
    },
    Layer {
        name: "vauban-cli",
        workspace: PRODUCT,
        external: &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "ratatui",
            "serde",
            "serde_json",
            "signal-hook",
        ],
        reason: "the outermost shell: it may see everything and nobody imports it",
    },
    Layer {
        name: "vauban-bench",
        workspace: PRODUCT,
        external: &["signal-hook"],
        reason: "it measures the product from outside and from inside, with nothing of its own; \
                 interrupted, it still takes its namespaces away",
    },
    Layer {
        name: "xtask",
        workspace: &[],
        external: &["serde_json"],
        reason: "the checks must build when the product does not; cargo metadata speaks JSON",
    },
];

/// The crates that the product is built of, seen from outside.
const PRODUCT: &[&str] = &[
    "vauban-engine",
    "vauban-packet",
    "vauban-config",
    "vauban-sys",
    "vauban-enforce",
    "vauban-daemon",
    "vauban-replay",
];

/// What tests may use beside crates of the workspace: one property tester, for the invariants, and one
/// judge of JSON, for what scripts rely on.
const DEV_EXTERNAL: &[&str] = &["jsonschema", "proptest"];

const TABLE: &str = "xtask/src/layers.rs";

/// What `cargo metadata` says of the workspace at `root`, without resolving (so without network).
pub fn metadata(root: &Path) -> Result<Value, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

/// Compares `metadata` with the table. `manifest_text` reads a manifest by its path from the root,
/// to name the line.
pub fn check(metadata: &Value, manifest_text: impl Fn(&str) -> String) -> Result<Report, String> {
    check_against(LAYERS, metadata, manifest_text)
}

fn check_against(
    layers: &[Layer],
    metadata: &Value,
    manifest_text: impl Fn(&str) -> String,
) -> Result<Report, String> {
    let mut report = Report::new("layers");
    let root = text(metadata, "workspace_root")?;
    let packages = list(metadata, "packages")?;
    let members: BTreeSet<&str> =
        packages.iter().map(|package| text(package, "name")).collect::<Result<_, _>>()?;
    let mut edges = 0;

    for package in packages {
        let name = text(package, "name")?;
        let path = text(package, "manifest_path")?;
        let path = path.strip_prefix(root).unwrap_or(path).trim_start_matches('/');
        let manifest = manifest_text(path);
        let Some(layer) = layers.iter().find(|layer| layer.name == name) else {
            report.finding(
                path,
                line_of(&manifest, "name"),
                format!("crate `{name}` is not in the table of layers"),
                format!("add it to {TABLE} with what it may import and why"),
            );
            continue;
        };
        for dependency in list(package, "dependencies")? {
            edges += 1;
            let target = text(dependency, "name")?;
            let is_member = members.contains(target);
            let (allowed, remedy) = if dependency.get("kind").and_then(Value::as_str) == Some("dev")
            {
                let remedy =
                    format!("tests use crates of the workspace and {}", join(DEV_EXTERNAL));
                (is_member || DEV_EXTERNAL.contains(&target), remedy)
            } else {
                let allowed = if is_member { layer.workspace } else { layer.external };
                let remedy = format!("drop it, or change {TABLE} first ({})", layer.reason);
                (allowed.contains(&target), remedy)
            };
            if !allowed {
                report.finding(
                    path,
                    line_of(&manifest, text(dependency, "rename").unwrap_or(target)),
                    format!("`{name}` may not depend on `{target}`"),
                    remedy,
                );
            }
        }
    }

    for layer in layers.iter().filter(|layer| !members.contains(layer.name)) {
        report.finding(
            TABLE,
            1,
            format!("crate `{}` of the table is not in the workspace", layer.name),
            "drop its row",
        );
    }
    report.counted(members.len(), "crates");
    report.counted(edges, "dependencies");
    Ok(report)
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value.get(key).and_then(Value::as_str).ok_or_else(|| format!("cargo metadata: no `{key}`"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    value.get(key).and_then(Value::as_array).ok_or_else(|| format!("cargo metadata: no `{key}`"))
}

fn join(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The line of a manifest that begins with `key`, or that opens a table named after it.
fn line_of(manifest: &str, key: &str) -> usize {
    let found = manifest.lines().position(|line| {
        let own_table = line.trim_end_matches(']').rsplit('.').next() == Some(key);
        let rest = line.strip_prefix(key);
        (line.starts_with('[') && own_table)
            || rest.is_some_and(|rest| rest.starts_with([' ', '=', '.']))
    });
    found.map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TWO: &[Layer] = &[
        Layer { name: "core", workspace: &[], external: &[], reason: "pure" },
        Layer { name: "shell", workspace: &["core"], external: &["libc"], reason: "outer" },
    ];

    const MANIFEST: &str = "[package]\nname = \"x\"\n\n[dependencies]\ncore.workspace = true\n\n[dependencies.tokio]\nversion = \"1\"\n";

    fn dependency(name: &str, kind: Option<&str>) -> Value {
        json!({ "name": name, "kind": kind, "rename": null })
    }

    fn package(name: &str, dependencies: &[Value]) -> Value {
        json!({
            "name": name,
            "manifest_path": format!("/src/crates/{name}/Cargo.toml"),
            "dependencies": dependencies,
        })
    }

    fn findings(packages: &[Value]) -> Vec<String> {
        let metadata = json!({ "workspace_root": "/src", "packages": packages });
        check_against(TWO, &metadata, |_| MANIFEST.to_owned()).unwrap().lines()
    }

    #[test]
    fn what_the_table_allows_passes() {
        let shell = [
            dependency("core", None),
            dependency("libc", None),
            dependency("proptest", Some("dev")),
        ];
        let core = [dependency("shell", Some("dev"))];
        assert_eq!(findings(&[package("core", &core), package("shell", &shell)]), [""; 0]);
    }

    #[test]
    fn an_edge_against_the_grain_fails_at_its_line() {
        let packages = [
            package("core", &[dependency("tokio", None)]),
            package("shell", &[dependency("core", None)]),
        ];
        assert_eq!(
            findings(&packages),
            ["crates/core/Cargo.toml:7: `core` may not depend on `tokio`: drop it, or change \
              xtask/src/layers.rs first (pure)"]
        );
    }

    #[test]
    fn a_workspace_edge_against_the_grain_fails() {
        let packages = [package("core", &[dependency("shell", None)]), package("shell", &[])];
        assert!(findings(&packages).concat().contains("`core` may not depend on `shell`"));
    }

    #[test]
    fn a_build_dependency_is_judged_like_any_other() {
        let packages =
            [package("core", &[dependency("libc", Some("build"))]), package("shell", &[])];
        assert!(findings(&packages).concat().contains("`core` may not depend on `libc`"));
    }

    #[test]
    fn tests_may_not_bring_strangers() {
        let packages = [package("core", &[dependency("rand", Some("dev"))]), package("shell", &[])];
        let found = findings(&packages).concat();
        assert!(found.contains("`core` may not depend on `rand`"), "{found}");
        assert!(found.contains("`proptest`"), "{found}");
    }

    #[test]
    fn an_unknown_crate_and_a_stale_row_fail() {
        let found = findings(&[package("core", &[]), package("extra", &[])]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found.concat().contains("crates/extra/Cargo.toml:2: crate `extra` is not in the table")
        );
        assert!(found.concat().contains("crate `shell` of the table is not in the workspace"));
    }

    #[test]
    fn metadata_of_another_shape_is_an_error_not_a_pass() {
        assert!(check(&json!({}), |_| String::new()).is_err());
        assert!(
            check(&json!({ "workspace_root": "/", "packages": [{}] }), |_| String::new()).is_err()
        );
    }

    #[test]
    fn the_table_names_each_crate_once_and_gives_reasons() {
        let names: BTreeSet<&str> = LAYERS.iter().map(|layer| layer.name).collect();
        assert_eq!(names.len(), LAYERS.len());
        assert!(LAYERS.iter().all(|layer| !layer.reason.is_empty()));
        for layer in LAYERS {
            assert!(layer.workspace.iter().all(|name| names.contains(name)), "{}", layer.name);
        }
    }
}
