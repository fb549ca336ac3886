//! A network namespace for one test: made with `ip`, entered by the test's thread, removed at the
//! end. A machine where that cannot be done fails the test: it must not look like a success.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio, id};
use std::sync::atomic::{AtomicUsize, Ordering};

use vauban_sys::netns;

/// A namespace that is removed when this goes out of scope.
pub struct Namespace {
    pub name: String,
}

impl Namespace {
    /// Makes a namespace with its loopback interface up and moves the calling thread into it.
    pub fn enter() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("vsys-{}-{}", id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run("ip", &["netns", "add", &name]);
        let namespace = Self { name };
        netns::enter(&namespace.path()).unwrap();
        run("ip", &["link", "set", "lo", "up"]);
        namespace
    }

    /// The same with this nft text loaded.
    pub fn with_ruleset(text: &str) -> Self {
        let namespace = Self::enter();
        nft(text);
        namespace
    }

    pub fn path(&self) -> std::path::PathBuf {
        Path::new("/run/netns").join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Not `run`: a panic while panicking would hide the test's own failure.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// Runs a program in the calling thread's namespace; anything but success fails the test.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("these tests need root and `{program}`: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {errors}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// Loads nft text.
pub fn nft(text: &str) {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("these tests need `nft`: {error}"));
    child.stdin.take().unwrap().write_all(format!("{text}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "nft refused:\n{text}");
}
