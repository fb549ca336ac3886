//! Other programs: run to their end, or started and stopped by their id.

use std::io::Write as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::trouble::{Outcome, Trouble, go_on};

/// How long a program may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a program to its end; a status other than success is an error.
pub fn run(program: &str, arguments: &[&str]) -> Outcome<String> {
    feed(program, arguments, "")
}

/// The same, with a text on its standard input.
pub fn feed(program: &str, arguments: &[&str], input: &str) -> Outcome<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Trouble::new(format!("cannot run {program}: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Whoever does not read it says why on its standard error.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Trouble::new(format!("{program} {}: {}", arguments.join(" "), text.trim())))
}

/// A program that runs beside us; it is ended when this goes.
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts it, without standard input. In the network namespace of the calling thread.
    pub fn start(command: &mut Command) -> Outcome<Self> {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| Trouble::new(format!("cannot run {command:?}: {error}")))?;
        Ok(Self { child })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process itself.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for its end, and ends it when that takes too long. Whether it ended by itself.
    pub fn wait_at_most(&mut self, patience: Duration) -> Outcome<Option<ExitStatus>> {
        let started = Instant::now();
        while started.elapsed() < patience {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            go_on()?;
            std::thread::sleep(Duration::from_millis(5));
        }
        self.end("INT");
        Ok(None)
    }

    /// Asks it to end by a signal, and insists when it does not.
    pub fn end(&mut self, signal: &str) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = run("kill", &[&format!("-{signal}"), &self.child.id().to_string()]);
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends it without asking.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end("TERM");
    }
}
