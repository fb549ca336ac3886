//! What the child is handed, and what it gives up: in this order, and before anything of a
//! stranger's is read.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Sender};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use vauban_config::Config;
use vauban_enforce::boundary::{Begin, Said, Tell, wire};
use vauban_engine::policy::{Enforcement, Policy};
use vauban_sys::network::NetworkSender;
use vauban_sys::nflog::NflogSocket;
use vauban_sys::sandbox::{self, Sandbox};
use vauban_sys::{descriptors, peer, privileges, user};

use super::ledger;
use crate::clock::Clock;
use crate::decoys::{Counts, Responder};
use crate::run::RunError;
use crate::store::BootId;
use crate::words;

/// What the responder reads of the kernel while it runs: the host's own look, and the counters of
/// its listeners. `/proc/self` is this process alone. And what SQLite takes chance from.
const READABLE: [&str; 3] = ["/proc/sys/net", "/proc/self", "/dev/urandom"];

/// Everything the child works with.
pub(super) struct Begun {
    pub(super) begin: Begin,
    pub(super) config: Config,
    pub(super) stream: UnixStream,
    pub(super) nflog: NflogSocket,
    pub(super) listener: UnixListener,
    pub(super) responder: Responder,
    pub(super) policies: Sender<Policy>,
    pub(super) counts: Arc<Counts>,
    pub(super) boot: BootId,
    /// The sandbox, in words.
    pub(super) sandbox: String,
}

/// Takes over, and gives up.
pub(super) fn begin(clock: Clock) -> Result<Begun, RunError> {
    let failed = RunError::failed;
    descriptors::close_inherited()
        .map_err(|error| failed("cannot close inherited descriptors", &error))?;
    let (stream, begin, [nflog, network, control]) = receive().map_err(|error| {
        failed("the child process is started by vauban run, and by nobody else", &error)
    })?;
    // Who signals the whole group means the parent, which tells us.
    let ignored = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&ignored))
            .map_err(|error| failed("cannot ignore signals", &error))?;
    }
    // Otherwise it is called "exe", after the link that it was started by. A name is not worth
    // failing for.
    let _ = std::fs::write("/proc/self/comm", "vauban");
    become_nobody(&begin).map_err(|error| failed("cannot give up privileges", &error))?;

    let config = read_configuration(&begin)?;
    let counts = Arc::new(Counts::default());
    let (policies, changes) = mpsc::channel();
    // It asks the kernel things that the sandbox does not let through.
    let sender = NetworkSender::inherited(network);
    let responder = Responder::new(sender, &config.policy, changes, clock, Arc::clone(&counts))
        .map_err(|error| failed("cannot prepare decoys", &error))?;
    let boot = ledger::boot();
    let folder = config.store.path.parent().unwrap_or(Path::new("/")).to_owned();
    let entered = sandbox::enter(&Sandbox {
        writable: vec![folder],
        readable: READABLE.iter().map(PathBuf::from).collect(),
    })
    .map_err(|error| failed("cannot enter the sandbox", &error))?;
    Ok(Begun {
        sandbox: words::sandbox(&entered),
        begin,
        config,
        stream,
        nflog: NflogSocket::inherited(nflog),
        listener: UnixListener::from(control),
        responder,
        policies,
        counts,
        boot,
    })
}

/// The first message, from a parent on standard input.
fn receive() -> io::Result<(UnixStream, Begin, [OwnedFd; 3])> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Anybody may type the verb; only what is at the other end makes it a child.
    let parent = peer::peer_credentials(&stream)?;
    if parent.uid != 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut first = [0];
    let received = descriptors::receive(&stream, &mut first, Begin::SOCKETS.len())?;
    let frame = wire::read_frame(&mut first.as_slice().chain(&stream))?;
    let begin = match Said::read(&frame.ok_or(io::ErrorKind::UnexpectedEof)?)? {
        Said::Tell(Tell::Begin(begin)) => *begin,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "not the first message")),
    };
    let sockets = <[OwnedFd; 3]>::try_from(received.descriptors)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not the sockets expected"))?;
    Ok((stream, begin, sockets))
}

/// Another user without any right of root's, for good.
fn become_nobody(begin: &Begin) -> io::Result<()> {
    privileges::bound(&[])?;
    user::become_user(begin.uid, begin.gid)?;
    privileges::drop_all()
}

/// The configuration, as the parent has read it.
pub(super) fn read_configuration(begin: &Begin) -> Result<Config, RunError> {
    let mut config = vauban_config::parse(&begin.configuration.text, &begin.configuration.file)
        .map_err(|all| {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            RunError::Config(all.join("\n"))
        })?;
    config.store.path = PathBuf::from(&begin.store);
    if begin.dry_run {
        config.policy.enforcement = Enforcement::DryRun;
    }
    Ok(config)
}
