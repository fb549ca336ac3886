//! The command, run.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// How it went.
pub struct Outcome {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `vauban replay` with these arguments, with the default policy.
pub fn replay(arguments: &[&str]) -> Outcome {
    replay_from(arguments, &[])
}

/// The same with something on standard input.
pub fn replay_from(arguments: &[&str], input: &[u8]) -> Outcome {
    let mut child = begin(arguments);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        // Whoever has seen enough closes the pipe.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Outcome {
        code: output.status.code().expect("ended by a signal"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Starts it, with pipes for everything.
pub fn begin(arguments: &[&str]) -> Child {
    let configured =
        ["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay/default.toml")];
    Command::new(env!("CARGO_BIN_EXE_vauban"))
        .arg("replay")
        .args(configured.iter().filter(|_| !arguments.contains(&"--config")))
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The objects of `--json`.
pub fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
