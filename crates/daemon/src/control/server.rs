//! The socket's side of the daemon: who may call, and how long a call may take.

use std::fs;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::Duration;

use vauban_sys::{memory, peer};

use super::protocol::{BUSY, LONGEST_REQUEST, Reply, Request};
use super::view::View;
use crate::child::Incoming;

/// How long a caller may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of an answer per system call.
const AT_ONCE: usize = 128 * 1024;

/// Calls served at a time; more are turned away. Only root can call, so this bounds accidents.
const MOST_CALLS: usize = 64;

/// The control socket's place in the file system, which goes with this. It belongs to the parent;
/// the listener is the child's.
pub struct Address {
    path: PathBuf,
}

impl Address {
    /// Binds the socket at `path`, in a directory that is made if need be. A socket that a dead
    /// daemon left is replaced; one that answers means that a daemon runs already.
    pub fn bind(path: &Path) -> io::Result<(UnixListener, Self)> {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
        }
        match UnixStream::connect(path) {
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AddrInUse,
                    "another vauban answers there already",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                // A socket that nobody reads; connecting to an ordinary file says the same.
                if !fs::symlink_metadata(path)?.file_type().is_socket() {
                    let text = "there is a file of that name, and it is no socket";
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
                }
                fs::remove_file(path)?;
            }
            Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok((listener, Self { path: path.to_owned() }))
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Serves calls on threads, as long as the process lives.
pub fn serve(listener: &UnixListener, queue: &SyncSender<Incoming>) {
    let calls = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Out of descriptors, say: do not spin on it.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        if calls.fetch_add(1, Ordering::Relaxed) >= MOST_CALLS {
            calls.fetch_sub(1, Ordering::Relaxed);
            let _ = answer(&stream, &Reply::Failed(BUSY.into()));
            continue;
        }
        let (queue, calls) = (queue.clone(), Arc::clone(&calls));
        let spawned = std::thread::Builder::new().name("control".into()).spawn({
            let calls = Arc::clone(&calls);
            move || {
                // A caller that hangs up early has nobody to tell.
                let _ = serve_one(&stream, &queue);
                calls.fetch_sub(1, Ordering::Relaxed);
            }
        });
        if spawned.is_err() {
            calls.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn serve_one(stream: &UnixStream, queue: &SyncSender<Incoming>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // Read before anything is said: what is unread when we hang up would take our answer with it.
    let mut line = String::new();
    let read = BufReader::new(stream.take(LONGEST_REQUEST)).read_line(&mut line)?;
    if read == 0 {
        return Ok(());
    }
    let caller = peer::peer_credentials(stream)?;
    if caller.uid != 0 {
        let text = format!("user {} may not command vauban; use sudo", caller.uid);
        return answer(stream, &Reply::Denied(text));
    }
    let reply = match Request::read(&line) {
        Err(text) => Reply::Invalid(text),
        Ok(request) => ask(request, queue),
    };
    answer(stream, &reply)?;
    if matches!(reply, Reply::Ok(View::Bans(_) | View::History(_) | View::Dossiers(_))) {
        drop(reply);
        memory::give_back();
    }
    Ok(())
}

/// Puts the request into the engine's queue and waits for the answer.
fn ask(request: Request, queue: &SyncSender<Incoming>) -> Reply<View> {
    let (sender, receiver) = mpsc::sync_channel(1);
    if queue.send(Incoming::Request(request, sender)).is_err() {
        return Reply::Failed("vauban is stopping".into());
    }
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|error| {
        Reply::Failed(match error {
            RecvTimeoutError::Timeout => {
                "the engine did not answer in time; what was asked for may be done all the same"
                    .into()
            }
            RecvTimeoutError::Disconnected => "vauban is stopping".into(),
        })
    })
}

fn answer(stream: &UnixStream, reply: &Reply<View>) -> io::Result<()> {
    // Written while it is made: an answer may be large, and its reader need not wait for its end.
    let mut out = BufWriter::with_capacity(AT_ONCE, stream);
    serde_json::to_writer(&mut out, reply)?;
    out.write_all(b"\n")?;
    out.flush()
}
