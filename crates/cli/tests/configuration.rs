//! `vauban check` and `vauban config` on files: what they print, and how they end. Needs no root.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// A directory of one test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("configuration-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the program: its status, what it printed, and what it complained about.
fn vauban(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vauban"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn each_file_is_said_to_be_right() {
    let folder = Folder::new("right");
    let main = folder.file("foo.toml", "[trigger]\nports = 4\n");
    let more = folder.file("foo.d/10.toml", "dry_run = true\n");
    folder.file("foo.d/.hidden.toml", "!");
    let (code, out, err) = vauban(&["check", &main], "");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, format!("{main}: right\n{more}: right\n"));
    let (code, out, _) = vauban(&["check", "--json", &main], "");
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    let expected = json!({ "ok": true, "files": [main, more], "errors": [], "warnings": [] });
    assert_eq!(value, expected);
}

#[test]
fn all_errors_of_all_files_are_said() {
    let folder = Folder::new("wrong");
    let main = folder.file("foo.toml", "dry = true\n[trigger]\nports = 1\n");
    let more = folder.file("foo.d/10.toml", "\n[ban]\nfirst = 60\n");
    for verb in ["check", "config"] {
        let mut arguments = vec![verb, &main];
        if verb == "config" {
            arguments.insert(1, "--config");
        }
        let (code, out, err) = vauban(&arguments, "");
        assert_eq!((code, out.as_str()), (Some(78), ""), "{verb}");
        for part in [
            format!("{main}:1:1: there is no key `dry`"),
            format!("{main}:3:9: `trigger.ports` must be 2 to 16, not `1`"),
            format!("{more}:3:9: `ban.first`"),
            "help: write `first = \"60s\"`".to_owned(),
            "3 errors; nothing of these files is used".to_owned(),
        ] {
            assert!(err.contains(&part), "{verb}: {part}: {err}");
        }
        arguments.push("--json");
        let (code, out, err) = vauban(&arguments, "");
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, err.as_str(), &value["ok"]), (Some(78), "", &json!(false)));
        assert_eq!(value["errors"].as_array().unwrap().len(), 3, "{value:#}");
        assert_eq!(value["errors"][2]["file"], json!(more));
        assert_eq!(
            (&value["errors"][2]["line"], &value["errors"][2]["column"]),
            (&json!(3), &json!(9))
        );
    }
}

#[test]
fn a_missing_file_and_one_of_no_text_are_errors() {
    let folder = Folder::new("missing");
    let main = folder.0.join("none.toml").display().to_string();
    let (code, _, err) = vauban(&["check", &main], "");
    assert_eq!(code, Some(78));
    assert!(err.starts_with(&format!("{main}: cannot be read: ")), "{err}");
    let (code, out, _) = vauban(&["check", &main, "--json"], "");
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &value["errors"][0]["line"]), (Some(78), &Value::Null), "{value:#}");
    let directory = folder.0.display().to_string();
    assert_eq!(vauban(&["check", &directory], "").0, Some(78));
}

#[test]
fn standard_input_is_read() {
    assert_eq!(vauban(&["check", "-"], "dry_run = true\n").1, "-: right\n");
    let (code, _, err) = vauban(&["check", "-"], "dry_run = 3\n");
    assert_eq!(code, Some(78));
    assert!(err.starts_with("-:1:11: "), "{err}");
    let (_, out, _) = vauban(&["check", "-"], "unproven = \"ban\"\n");
    assert!(out.contains("warning: -:1: `unproven`: whoever forges"), "{out}");
    assert!(out.contains("\nhelp: "), "{out}");
    let (code, out, _) =
        vauban(&["check", "-", "--json"], "[zone.lan]\ninterfaces = [\"nosuch0\", \"nosuch*\"]\n");
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, value["warnings"].as_array().unwrap().len()), (Some(0), 1), "{value:#}");
    assert_eq!(value["warnings"][0]["key"], "zone.lan.interfaces");
}

#[test]
fn what_holds_is_printed_and_is_right() {
    let folder = Folder::new("effective");
    let main = folder.file("foo.toml", "sensitivity = \"high\"\nallow = [\"192.0.2.1\"]\n");
    let more = folder.file(
        "foo.d/10.toml",
        "allow = [{ address = \"192.0.2.2\", comment = \"a \\\"b\\\"\" }]\n[ban]\nlimit = \"forever\"\n\
         [zone.lan]\ninterfaces = [\"eth1\"]\n",
    );
    let (code, plain, _) = vauban(&["config", "--config", &main], "");
    assert_eq!(code, Some(0));
    let (_, effective, _) = vauban(&["config", "--effective", "--config", &main], "");
    assert_eq!(plain, effective);
    for line in [
        format!("limit = \"forever\" # {more}:3\n"),
        "ports = 2 # sensitivity = \"high\"\n".to_owned(),
        "first = \"3m\" # default\n".to_owned(),
        format!("# {main}:2, {more}:1\n"),
    ] {
        assert!(effective.contains(&line), "{line}: {effective}");
    }
    assert_eq!(vauban(&["check", "-", "--json"], &effective).0, Some(0));
    // The same text once more: what is read back is what was printed.
    let again = folder.file("again.toml", &effective);
    let without = |text: &str| {
        let values = text.lines().map(|line| line.rsplit_once(" # ").map_or(line, |(key, _)| key));
        values.map(str::to_owned).collect::<Vec<_>>()
    };
    let (_, printed, _) = vauban(&["config", "--config", &again], "");
    assert_eq!(without(&printed), without(&effective));
    let (_, out, _) = vauban(&["config", "--json", "--config", &main], "");
    let value: Value = serde_json::from_str(&out).unwrap();
    let key = |name: &str| {
        let keys = value["keys"].as_array().unwrap();
        keys.iter().find(|key| key["key"] == name).unwrap_or_else(|| panic!("{name}")).clone()
    };
    assert_eq!(key("trigger.ports")["value"], 2);
    assert_eq!(key("trigger.ports")["origin"], "sensitivity = \"high\"");
    assert_eq!((&key("ban.limit")["file"], &key("ban.limit")["line"]), (&json!(more), &json!(3)));
    assert_eq!(key("zone.lan.interfaces")["value"], json!(["eth1"]));
    assert_eq!(key("allow")["value"][1]["comment"], "a \"b\"");
    assert_eq!(value["files"], json!([main, more]));
}

#[test]
fn the_defaults_are_printed_with_what_they_mean() {
    let (code, out, _) = vauban(&["config", "--default"], "");
    assert_eq!(code, Some(0));
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/vauban.toml");
    assert_eq!(out, fs::read_to_string(example).unwrap());
    assert_eq!(vauban(&["check", "-"], &out).0, Some(0));
    assert_eq!(vauban(&["config", "--default", "--effective"], "").0, Some(2));
}
