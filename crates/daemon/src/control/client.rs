//! The caller's side of the socket.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::protocol::{BUSY, Reply, Request};

/// How long to wait for the daemon: longer than it gives itself, so that its word comes first.
const PATIENCE: Duration = Duration::from_secs(10);

/// The room that an answer gets at first.
const AT_ONCE: usize = 128 * 1024;

/// Asks the daemon whose socket is at `path`.
pub fn call(path: &Path, request: &Request) -> io::Result<Reply> {
    Ok(serde_json::from_str(&call_for_text(path, request)?)?)
}

/// The same for an answer that may be long: a reply as JSON, not read yet.
pub fn call_for_text(path: &Path, request: &Request) -> io::Result<String> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match call_once(path, request) {
            // Hung up before it read anything: more callers than it serves at a time.
            Err(error) if tries > 0 && is_busy(&error) => std::thread::sleep(BETWEEN_TRIES),
            Ok(text) if tries > 0 && text.contains(BUSY) => std::thread::sleep(BETWEEN_TRIES),
            outcome => return outcome,
        }
    }
}

/// How often a daemon is asked that has too many callers, and how long is waited in between: a call
/// takes some milliseconds.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

fn is_busy(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

fn call_once(path: &Path, request: &Request) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    // The daemon hangs up behind its line.
    let mut reply = String::with_capacity(AT_ONCE);
    stream.read_to_string(&mut reply)?;
    if reply.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the daemon hung up"));
    }
    Ok(reply)
}
