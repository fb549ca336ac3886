//! A capture that is still being made.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use crate::command::begin;
use crate::decoys::Capture;

#[test]
fn a_decision_is_said_at_once_and_an_interrupt_ends_in_a_summary() {
    let mut capture = Capture::new();
    for port in [81, 82, 83, 84] {
        capture.call(4_000, port);
        capture.refuse(4_000, port);
    }
    let mut child = begin(&["--home", "192.0.2.1", "-"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&capture.bytes).unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let _ = sender.send(line);
    });
    let line = receiver.recv_timeout(Duration::from_secs(20));
    // Ctrl-C reaches us and who feeds us; the latter ends, and so does the pipe.
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    drop(stdin);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    let status = child.wait().unwrap();
    reader.join().unwrap();
    assert!(line.is_ok_and(|line| line.contains("Suspect 203.0.113.9")), "{err}");
    assert_eq!(status.code(), Some(0), "{err}");
    assert!(err.contains("1 suspect, 0 bans"), "{err}");
}
