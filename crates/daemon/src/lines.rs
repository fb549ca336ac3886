//! Lines on standard output, written by a thread of their own.
//!
//! A terminal that is stopped, or a pipe that nobody reads, must not stop what protects the host:
//! when too many lines wait, further ones are dropped and counted, and the count is said as soon
//! as there is room again.

use std::io::Write as _;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::announce;

/// Lines that may wait: a screen or two of a burst, some hundred kilobytes.
const WAITING: usize = 1_024;

/// How long the last lines may take to be written when the daemon ends.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The way to standard output.
pub struct Lines {
    sender: Option<SyncSender<String>>,
    writer: Option<JoinHandle<()>>,
    dropped: u64,
}

impl Lines {
    /// Starts the thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start() -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::sync_channel::<String>(WAITING);
        let writer = std::thread::Builder::new().name("lines".into()).spawn(move || {
            for line in receiver {
                let mut out = std::io::stdout().lock();
                // A closed standard output is no reason to stop protecting.
                let _ = writeln!(out, "{}", announce::painted(&line));
                let _ = out.flush();
            }
        })?;
        Ok(Self { sender: Some(sender), writer: Some(writer), dropped: 0 })
    }

    /// Writes a line, soon.
    pub fn print(&mut self, line: String) {
        let Some(sender) = &self.sender else { return };
        if self.dropped > 0 {
            let text = format!("({} lines were dropped: nobody read them)", self.dropped);
            if sender.try_send(text).is_ok() {
                self.dropped = 0;
            }
        }
        if sender.try_send(line).is_err() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.sender = None;
        let Some(writer) = self.writer.take() else { return };
        let started = Instant::now();
        while !writer.is_finished() && started.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(5));
        }
        // A writer that is stuck ends with the process.
    }
}
