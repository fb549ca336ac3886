//! The project's own checks, run as `cargo xtask <verb>`.
//!
//! | verb | says |
//! |---|---|
//! | `layers` | which crate may import which, and which external crates each may use |
//! | `tidy` | what the compiler and clippy can't see: where words, files, comments and links belong |
//! | `check` | both |
//! | `picture IN.ansi OUT.svg` | nothing: it makes a screen of a terminal a picture |
//!
//! A finding is one line, `file:line: what: remedy`. The exit code is 0 without findings, 1 with
//! some, 2 when the check could not be made.
//!
//! What it does not do: format, lint or test. Those are cargo's; `tests/run.sh` runs them all.
#![forbid(unsafe_code)]

mod layers;
mod picture;
mod report;
mod source;
mod tidy;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use report::Report;
use tree::Tree;

const USAGE: &str = "usage: cargo xtask layers | tidy | check | picture IN.ansi OUT.svg";

fn main() -> ExitCode {
    let verbs: Vec<String> = std::env::args().skip(1).collect();
    let reports = match verbs.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["layers"] => layers().map(|layers| vec![layers]),
        ["tidy"] => tidy().map(|tidy| vec![tidy]),
        ["check"] => layers().and_then(|layers| Ok(vec![layers, tidy()?])),
        ["picture", from, to] => {
            return match picture(from, to) {
                Ok(()) => ExitCode::SUCCESS,
                Err(message) => {
                    eprintln!("xtask: {message}");
                    ExitCode::from(2)
                }
            };
        }
        ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => Err(USAGE.to_owned()),
    };
    match reports {
        Ok(reports) => {
            for report in &reports {
                print!("{report}");
            }
            if reports.iter().all(Report::passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::from(2)
        }
    }
}

/// The screen in the file `from` as a picture in `to`; its title is the file's name as a command.
fn picture(from: &str, to: &str) -> Result<(), String> {
    let screen = std::fs::read_to_string(from).map_err(|error| format!("{from}: {error}"))?;
    let name = Path::new(from).file_stem().unwrap_or_default().to_string_lossy();
    let picture = picture::svg(&screen, &format!("vauban {name}"));
    std::fs::write(to, picture).map_err(|error| format!("{to}: {error}"))
}

fn layers() -> Result<Report, String> {
    let root = workspace_root()?;
    let metadata = layers::metadata(&root)?;
    layers::check(&metadata, |manifest| {
        std::fs::read_to_string(root.join(manifest)).unwrap_or_default()
    })
}

fn tidy() -> Result<Report, String> {
    Ok(tidy::check(&Tree::of_git(&workspace_root()?)?))
}

/// The nearest folder above the current one whose manifest is a workspace's.
fn workspace_root() -> Result<PathBuf, String> {
    let here = std::env::current_dir().map_err(|error| format!("current folder: {error}"))?;
    here.ancestors()
        .find(|folder| {
            std::fs::read_to_string(folder.join("Cargo.toml"))
                .is_ok_and(|manifest| manifest.lines().any(|line| line == "[workspace]"))
        })
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("no workspace at or above {}", here.display()))
}
