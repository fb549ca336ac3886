//! `vauban replay` over real captures, as a user runs it.
//!
//! Each directory in `cases/` has `input.pcap`, a `README.md` that says where it comes from and begins
//! with `# scan:` or `# benign:`, `options` for the command line, and what is expected: `expected.jsonl`
//! with `--json`, `expected.txt` in words. To accept a change, run with `BLESS=1` and review the diff;
//! the table in `docs/development/replay.md` is rewritten with it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod command;
mod damage;
mod decoys;
mod exports;
mod home;
mod input;
mod kernel;
mod live;
mod zones;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use command::{objects, replay};

/// Benign captures in which the default policy sees a suspect, as it does live, and why. A suspect
/// is no ban, and on a live host it meets decoys for a minute.
const SUSPECTED: [(&str, &str); 3] = [
    ("b08_actftp", "calls to 30 ports that nobody serves any more"),
    ("b10_mon", "asks four closed ports within a minute; for `decoy_exclude`"),
    ("b13_knock", "knocks on three closed ports; for `decoy_exclude`"),
];

/// Scans that are not seen, and why.
const UNSEEN: [(&str, &str); 9] = [
    ("a06_sM", "FIN with ACK looks like a connection's end, and feeds no trigger"),
    ("a07_sA", "an ACK looks like a connection's, and feeds no trigger"),
    ("a08_sW", "an ACK looks like a connection's, and feeds no trigger"),
    ("a10_sO", "neither TCP nor UDP, but for two probes"),
    ("a11_sY", "SCTP is not looked at"),
    ("a14_badsum", "the host throws such packets away: anyone can send them in anyone's name"),
    ("a40_icmp", "ICMP is not looked at"),
    ("a41_sV", "asks three open ports only: nothing that a client would not do"),
    ("a42_openonly", "asks three open ports only: nothing that a client would not do"),
];

/// The capture in which neighbours speak to all and hardly to each other: the user is asked whose it is.
const ASKED: &str = "b06_lan";

struct Case {
    name: String,
    directory: PathBuf,
    is_scan: bool,
    what: String,
    options: Vec<String>,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay/cases");
    let mut cases: Vec<Case> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|directory| {
            let name = directory.file_name().unwrap().to_str().unwrap().to_owned();
            let readme = fs::read_to_string(directory.join("README.md")).unwrap();
            let title = readme.lines().next().unwrap();
            let (kind, what) = title.strip_prefix("# ").unwrap().split_once(": ").unwrap();
            assert!(matches!(kind, "scan" | "benign"), "{name}: {title}");
            let options = fs::read_to_string(directory.join("options")).unwrap();
            Case {
                is_scan: kind == "scan",
                what: what.to_owned(),
                options: options.split_whitespace().map(str::to_owned).collect(),
                name,
                directory,
            }
        })
        .collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}

#[test]
fn captures_give_what_is_expected() {
    let bless = std::env::var_os("BLESS").is_some();
    let cases = cases();
    assert!(cases.len() >= 52, "only {} cases", cases.len());
    let mut table = String::from("| capture | what | seen as |\n|---|---|---|\n");
    let (mut seen, mut scans, mut suspected, mut benign) = (0, 0, 0, 0);
    for Case { name, directory, is_scan, what, options } in &cases {
        let input = directory.join("input.pcap");
        let input = input.to_str().unwrap();
        let run = |more: &[&str]| {
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let outcome = replay(&[&options, more, &[input]].concat());
            assert_eq!(outcome.code, 0, "{name}: {}", outcome.err);
            outcome
        };
        let json = run(&["--json"]);
        assert_eq!(run(&["--json"]).out, json.out, "{name}: not the same twice");
        let learned = replay(&["--json", input]);
        let asks = learned.code == 2;
        assert_eq!(asks, name == ASKED, "{name}: {}", learned.err);
        let is_same = learned.out == json.out;
        assert!(asks || is_same, "{name}: another home was learned\n{}", learned.err);
        let words = run(&[]);
        let words = format!("{}{}", words.out, words.err);
        for (file, text) in [("expected.jsonl", &json.out), ("expected.txt", &words)] {
            let path = directory.join(file);
            if bless {
                fs::write(&path, text).unwrap();
            }
            assert_eq!(&fs::read_to_string(&path).unwrap(), text, "{name}/{file}");
        }

        // What no blessing may change.
        let decisions = objects(&json.out);
        assert!(decisions.iter().all(|object| object["kind"] == "suspect"), "{name}: {}", json.out);
        assert!(decisions.iter().all(|object| object["proven"] == false), "{name}");
        let list: &[(&str, &str)] = if *is_scan { &UNSEEN } else { &SUSPECTED };
        let listed = list.iter().find(|(listed, _)| listed == name);
        assert_eq!(listed.is_some(), decisions.is_empty() == *is_scan, "{name}: {}", json.out);
        scans += usize::from(*is_scan);
        seen += usize::from(*is_scan && !decisions.is_empty());
        benign += usize::from(!is_scan);
        suspected += usize::from(!is_scan && !decisions.is_empty());
        let classes: Vec<&str> =
            decisions.iter().filter_map(|object| object["class"].as_str()).collect();
        let mut kinds = classes.clone();
        kinds.dedup();
        let result = match (decisions.len(), listed) {
            (0, Some((_, why))) => format!("no: {why}"),
            (0, None) => "nothing".to_owned(),
            (count, why) => {
                let why = why.map(|(_, why)| format!(": {why}")).unwrap_or_default();
                let s = if count == 1 { "" } else { "s" };
                format!("{count} suspect{s}, `{}`{why}", kinds.join("`, `"))
            }
        };
        let what = what.replace('|', "\\|");
        writeln!(table, "| `{name}` | {what} | {result} |").unwrap();
    }
    writeln!(
        table,
        "\nSeen: {seen} of {scans} scans. Suspected: {suspected} of {benign} benign captures; banned: none."
    )
    .unwrap();
    coverage(&table, bless);
}

/// The table in the documentation.
fn coverage(table: &str, bless: bool) {
    const BEGIN: &str = "<!-- coverage: rewritten by crates/cli/tests/replay -->\n";
    const END: &str = "<!-- end of coverage -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/development/replay.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("no place for the table");
    let (_, after) = rest.split_once(END).expect("no end of the table");
    let wanted = format!("{before}{BEGIN}{table}{END}{after}");
    if bless {
        fs::write(&path, &wanted).unwrap();
    } else {
        assert_eq!(text, wanted, "run with BLESS=1");
    }
}
