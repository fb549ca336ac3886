//! tcpdump on the scanner's end of the link.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{ChildStderr, Command, Stdio};
use std::time::Duration;

use crate::lab::{INTERFACE, Lab, VICTIM};
use crate::process::Running;
use crate::trouble::{Outcome, Trouble, pause};

/// Packets at most: a measurement needs some ten thousand.
const MOST: &str = "400000";

/// Bytes of each: the headers.
const BYTES: &str = "96";

/// KiB of buffer: all that is sent between two looks at it.
const BUFFER: &str = "16384";

/// How long the kernel may keep packets before it hands them over: tcpdump asks for a second. It
/// stamps them as they come, and is not woken up for each.
const HELD_BACK: Duration = Duration::from_millis(1_500);

/// A capture that is being made.
pub struct Capture {
    running: Running,
    errors: BufReader<ChildStderr>,
    file: PathBuf,
}

impl Capture {
    /// Starts it, and waits until it sees everything.
    pub fn start(lab: &Lab) -> Outcome<Self> {
        let file = lab.folder().join("scan.pcap");
        let mut running = lab.on_scanner(|| {
            let mut command = Command::new("tcpdump");
            command
                .args(["-n", "-p", "-i", INTERFACE, "--time-stamp-precision=nano", "-Z", "root"])
                .args(["-B", BUFFER, "-s", BYTES, "-c", MOST, "-w"])
                .arg(&file)
                .arg(format!("tcp and host {VICTIM}"));
            Running::start(command.stdout(Stdio::null()).stderr(Stdio::piped()))
        })?;
        let errors = running.child().stderr.take().ok_or(Trouble::new("tcpdump has no stderr"))?;
        let mut errors = BufReader::new(errors);
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if errors.read_line(&mut line)? == 0 {
                return Err(Trouble::new(format!("tcpdump: {}", said.trim())));
            }
            if line.contains("listening on") {
                return Ok(Self { running, errors, file });
            }
            said.push_str(&line);
        }
    }

    /// Ends it. The capture, with stamps in nanoseconds, unless packets are missing in it.
    pub fn finish(mut self) -> Outcome<Vec<u8>> {
        pause(HELD_BACK)?;
        self.running.end("INT");
        let mut said = String::new();
        self.errors.read_to_string(&mut said)?;
        let lost = said
            .lines()
            .find(|line| line.contains("dropped by kernel"))
            .and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
            .ok_or(Trouble::new(format!("tcpdump does not say what it lost: {}", said.trim())))?;
        if lost > 0 {
            return Err(Trouble::new(format!("tcpdump lost {lost} packets: try again")));
        }
        Ok(std::fs::read(&self.file)?)
    }
}
