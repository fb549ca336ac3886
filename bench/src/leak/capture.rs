//! tcpdump on the scanner's end of the link.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{ChildStderr, Command, Stdio};

use crate::lab::{INTERFACE, Lab, VICTIM};
use crate::process::Running;
use crate::trouble::{Outcome, Trouble};

/// Packets at most: a masscan of all ports is twice 65,535, and some.
const MOST: &str = "400000";

/// Bytes of each: the headers.
const BYTES: &str = "96";

/// KiB of buffer: all of a scan at its fastest.
const BUFFER: &str = "131072";

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
                .args(["-n", "-p", "-i", INTERFACE, "--immediate-mode", "-Z", "root"])
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

    /// Ends it. The capture, unless packets are missing in it.
    pub fn finish(mut self) -> Outcome<Option<Vec<u8>>> {
        self.running.end("INT");
        let mut said = String::new();
        self.errors.read_to_string(&mut said)?;
        let lost = said
            .lines()
            .find(|line| line.contains("dropped by kernel"))
            .and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
            .ok_or(Trouble::new(format!("tcpdump does not say what it lost: {}", said.trim())))?;
        Ok(if lost == 0 { Some(std::fs::read(&self.file)?) } else { None })
    }
}
