//! The caller's side of the socket.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::protocol::{Reply, Request};

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
