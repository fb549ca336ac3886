//! The log: entries as lines on standard output, as JSON there, or in the journal, written by a thread
//! of their own.
//!
//! A terminal that is stopped, or a pipe that nobody reads, must not stop what protects the host:
//! when too many entries wait, further ones are dropped and counted, and the count is said as soon
//! as there is room again.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vauban_config::LogFormat;

use crate::entry::Entry;
use crate::journal::{self, Journal, Sent};
use crate::{announce, clock};

/// Entries that may wait: a screen or two of a burst, some hundred kilobytes.
const WAITING: usize = 1_024;

/// How long the last ones may take to be written when the daemon ends.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Where entries go.
#[derive(Debug)]
pub enum To {
    /// Lines on standard output.
    Text,
    /// Objects of JSON, one a line, on standard output.
    Json,
    /// The journal, which standard output leads to.
    Journal(Journal),
}

impl From<LogFormat> for To {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

impl To {
    /// The same place, by a way of its own. A journal that is gone by now is replaced by lines.
    #[must_use]
    pub fn again(&self) -> Self {
        match self {
            Self::Text => Self::Text,
            Self::Json => Self::Json,
            Self::Journal(journal) => journal.again().map_or(Self::Text, Self::Journal),
        }
    }

    fn write(&mut self, entry: &Entry) {
        match self {
            Self::Text => print(&announce::painted(&entry.line())),
            Self::Json => print(&entry.json()),
            Self::Journal(journal) => {
                if journal.send(entry) == Sent::No {
                    print(&entry.line());
                }
            }
        }
    }
}

fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason to stop protecting.
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// The way to the log.
pub struct Lines {
    sender: Option<SyncSender<Entry>>,
    writer: Option<JoinHandle<()>>,
    dropped: u64,
}

impl Lines {
    /// Starts the thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(mut to: To) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::sync_channel::<Entry>(WAITING);
        let writer = std::thread::Builder::new().name("lines".into()).spawn(move || {
            for entry in receiver {
                to.write(&entry);
            }
        })?;
        Ok(Self { sender: Some(sender), writer: Some(writer), dropped: 0 })
    }

    /// Writes an entry, soon.
    pub fn print(&mut self, entry: Entry) {
        let Some(sender) = &self.sender else { return };
        if self.dropped > 0 {
            let text = format!("({} lines were dropped: nobody read them)", self.dropped);
            if sender.try_send(Entry::own(clock::wall(), &text)).is_ok() {
                self.dropped = 0;
            }
        }
        if sender.try_send(entry).is_err() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(writer) = self.writer.take() {
            wait(&writer);
        }
    }
}

/// What passes the other process's entries on to the journal. It ends with that process.
pub struct Relay(JoinHandle<()>);

impl Relay {
    /// Starts the thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(from: UnixStream, mut to: To) -> std::io::Result<Self> {
        let thread = std::thread::Builder::new().name("relay".into()).spawn(move || {
            if let Err(error) = journal::relay(&from, |entry| to.write(&entry)) {
                // The other process goes on; what it has to say is lost from here on.
                let text = format!("Trouble: decisions are not logged any more: {error}");
                to.write(&Entry::own(clock::wall(), &text));
            }
        })?;
        Ok(Self(thread))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        wait(&self.0);
    }
}

/// Waits a moment for what is left to be written. A writer that is stuck ends with the process.
fn wait(writer: &JoinHandle<()>) {
    let started = Instant::now();
    while !writer.is_finished() && started.elapsed() < LAST_WORDS {
        std::thread::sleep(Duration::from_millis(5));
    }
}
