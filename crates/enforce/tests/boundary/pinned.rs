//! The bytes of one message of each kind, in `*.hex` beside this file. `BLESS=1` writes those that
//! are missing or of another version; it never writes over bytes of this version.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use vauban_enforce::boundary::wire::read_frame;
use vauban_enforce::boundary::{Ask, Said, VERSION};

use super::values::{asks, frames, saids};

/// Where the version stands in a frame, behind its length.
const VERSION_AT: usize = 4;

/// Bytes per line of a file.
const WIDTH: usize = 16;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boundary")
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(WIDTH) {
        let line: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "{}", line.join(" ")).unwrap();
    }
    text
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

#[test]
fn the_bytes_are_those_of_this_version() {
    let bless = std::env::var_os("BLESS").is_some();
    for (name, frame) in frames() {
        let path = folder().join(format!("{name}.hex"));
        let pinned = fs::read_to_string(&path).map(|text| bytes(&text)).unwrap_or_default();
        if pinned == frame {
            continue;
        }
        let of_this_version = pinned.get(VERSION_AT) == Some(&VERSION);
        assert!(
            !of_this_version,
            "the bytes of {name} have changed, and VERSION has not: two processes of different \
             builds would take each other's words for something else. Raise VERSION in \
             crates/enforce/src/boundary/mod.rs, then run with BLESS=1. (If only the sample in \
             values.rs has changed, remove {} first.)\nnow:\n{}",
            path.display(),
            hex(&frame),
        );
        assert!(bless, "{} is missing or of another version; BLESS=1 writes it", path.display());
        fs::write(&path, hex(&frame)).unwrap();
    }
}

#[test]
fn pinned_bytes_are_read_as_what_they_were() {
    let pinned = |name: &str| bytes(&fs::read_to_string(folder().join(name)).unwrap());
    let frame = |name: &str| read_frame(&mut pinned(name).as_slice()).unwrap().unwrap();
    for ask in asks() {
        let name = format!("{}.hex", super::values::ask_name(&ask));
        assert_eq!(Ask::read(&frame(&name)), Ok(ask), "{name}");
    }
    for said in saids() {
        let name = format!("{}.hex", super::values::said_name(&said));
        assert_eq!(Said::read(&frame(&name)), Ok(said), "{name}");
    }
}

/// The samples are of different kinds, as many as there are, and no file is left of one that is gone.
#[test]
fn each_kind_is_pinned_once() {
    let names: Vec<&str> = frames().into_iter().map(|(name, _)| name).collect();
    let once: BTreeSet<String> = names.iter().map(|name| format!("{name}.hex")).collect();
    assert_eq!(once.len(), names.len());
    let found: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|found| found == "hex"))
        .collect();
    assert_eq!(found, once);
    // Every kind that can be read has its sample: the rest of the kinds are unknown.
    let kinds: BTreeSet<u8> = asks().iter().map(|ask| ask.write()[VERSION_AT + 1]).collect();
    let known = |kind: u8| {
        let error = Ask::read(&[VERSION, kind]).err().map(|error| error.to_string());
        !error.is_some_and(|text| text.contains("no kind"))
    };
    assert_eq!((0..=u8::MAX).filter(|kind| known(*kind)).collect::<BTreeSet<u8>>(), kinds);
    let kinds: BTreeSet<u8> = saids().iter().map(|said| said.write()[VERSION_AT + 1]).collect();
    let known = |kind: u8| {
        let error = Said::read(&[VERSION, kind]).err().map(|error| error.to_string());
        !error.is_some_and(|text| text.contains("no kind"))
    };
    assert_eq!((0..=u8::MAX).filter(|kind| known(*kind)).collect::<BTreeSet<u8>>(), kinds);
}
