//! The journal, by its native protocol: entries keep their fields there
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL>).
//!
//! Only where standard output is the journal already, as systemd says by `JOURNAL_STREAM`
//! (systemd.exec(5)). Nothing waits for it: an entry that it does not take is counted, or becomes a
//! plain line. The unprivileged process has no socket to it, because a datagram socket could send to any
//! other path as well; its entries come as JSON over a socket of their own ([`relay`]), and only what
//! is an entry is passed on.
//!
//! What it does not do: read the journal.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};

use crate::entry::{Entry, Kind};

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// What entries are found by: `journalctl -t vauban`, whoever started the daemon.
const IDENTIFIER: &str = "vauban";

/// The longest entry of the other process: sixteen ports, and a reason of the operator's, each byte
/// of which JSON may write as six.
const LONGEST: u64 = 32 * 1024;

impl Kind {
    /// The journal's name for this kind (`MESSAGE_ID`): drawn at random, once and for ever.
    #[must_use]
    pub const fn message_id(self) -> &'static str {
        match self {
            Self::Suspect => "03f0da2f17894005898cdf5251118f0d",
            Self::Ban => "ead2790653d5407b98d9676fde068dcf",
            Self::Unban => "87c77f9505114b0da64c19da5f62c662",
            Self::Allow => "92536b3206944c9196050dba5febd632",
            Self::Disallow => "531460d79ee14fbba717f191b994146e",
            Self::Refused => "4390f8ee66fe49b685cdff1a7e52d85e",
            Self::Healed => "4b3aaa6768354b45b67f7881589c6cf1",
            Self::Guard => "1e6f1f2107a04262bcdcb5a3c8f179d7",
            Self::Trouble => "82815d950744438c9787f72283f7c250",
            Self::Notice => "134d3170733f4d568a37ea3f21571b69",
        }
    }

    /// How grave it is, as in syslog(3).
    #[must_use]
    pub const fn priority(self) -> u8 {
        match self {
            Self::Trouble => 3,
            Self::Healed | Self::Guard => 4,
            Self::Ban | Self::Refused | Self::Allow | Self::Disallow => 5,
            Self::Suspect | Self::Unban | Self::Notice => 6,
        }
    }
}

/// The way to the journal.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
    lost: u64,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The journal has it.
    Yes,
    /// The journal has no room at the moment; the entry is counted as lost.
    Lost,
    /// The journal does not take it: it is to be written elsewhere.
    No,
}

impl Journal {
    /// The journal, where standard output leads there. `None` where it does not, or where nobody
    /// listens.
    #[must_use]
    pub fn of_stdout() -> Option<Self> {
        let told = std::env::var("JOURNAL_STREAM").ok()?;
        let out = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned().ok()?);
        let found = out.metadata().ok()?;
        if !is_stream(&told, found.dev(), found.ino()) {
            return None;
        }
        Self::open(Path::new(SOCKET)).ok()
    }

    /// A journal that listens at `path`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { socket: connect(path)?, path: path.to_owned(), lost: 0 })
    }

    /// A further way to the same.
    ///
    /// # Errors
    /// Nobody listens there any more.
    pub fn again(&self) -> io::Result<Self> {
        Self::open(&self.path)
    }

    /// Gives it an entry. Does not wait.
    pub fn send(&mut self, entry: &Entry) -> Sent {
        if self.lost > 0 {
            let text = format!("Trouble: {} entries were lost: the journal was full", self.lost);
            let lost =
                Entry { at: entry.at.clone(), kind: Kind::Trouble, about: None, message: text };
            if self.send_now(&lost) == Sent::Yes {
                self.lost = 0;
            }
        }
        let sent = self.send_now(entry);
        self.lost = self.lost.saturating_add(u64::from(sent == Sent::Lost));
        sent
    }

    fn send_now(&mut self, entry: &Entry) -> Sent {
        let datagram = fields(entry);
        for _ in 0..2 {
            match self.socket.send(&datagram) {
                Ok(_) => return Sent::Yes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Sent::Lost,
                // It listens on another socket since it was started again.
                Err(_) => match connect(&self.path) {
                    Ok(socket) => self.socket = socket,
                    Err(_) => return Sent::No,
                },
            }
        }
        Sent::No
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Whether `JOURNAL_STREAM` names this file: its device and its number, in decimal.
fn is_stream(told: &str, device: u64, number: u64) -> bool {
    told == format!("{device}:{number}")
}

/// An entry as the journal reads it.
fn fields(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut field = |name: &str, value: &str| {
        out.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            // Length and bytes; an entry has no such text, but nothing here depends on that.
            out.push(b'\n');
            out.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            out.push(b'=');
        }
        out.extend_from_slice(value.as_bytes());
        out.push(b'\n');
    };
    field("MESSAGE", &entry.message);
    field("PRIORITY", &entry.kind.priority().to_string());
    field("SYSLOG_IDENTIFIER", IDENTIFIER);
    field("MESSAGE_ID", entry.kind.message_id());
    field("VAUBAN_KIND", entry.kind.as_str());
    field("VAUBAN_AT", &entry.at);
    if let Some(about) = &entry.about {
        field("VAUBAN_SUBJECT", &about.subject);
        if let Some(zone) = &about.zone {
            field("VAUBAN_ZONE", zone);
        }
        if let Some(class) = &about.class {
            field("VAUBAN_CLASS", class);
        }
        field("VAUBAN_PORTS", &about.ports.join(" "));
        field("VAUBAN_PORT_COUNT", &about.port_count.to_string());
        field("VAUBAN_PROVEN", if about.proven { "true" } else { "false" });
        field("VAUBAN_REASON", &about.reason);
        field("VAUBAN_DRY_RUN", if about.dry_run { "true" } else { "false" });
        if let Some(level) = about.level {
            field("VAUBAN_LEVEL", &level.to_string());
        }
        if let Some(until) = &about.until {
            field("VAUBAN_UNTIL", until);
        }
    }
    out
}

/// Passes the other process's entries on, until it ends or says something else; then says why.
pub fn relay(from: &UnixStream, mut pass: impl FnMut(Entry)) -> io::Result<()> {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = from.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let entry: Entry = serde_json::from_slice(&line)?;
        pass(entry.cleaned());
    }
}

#[cfg(test)]
mod tests;
