//! `vauban run`: acquires what needs privilege, wires source, engine and enforcer together, and
//! moves events until it is told to stop.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use vauban_config::{Config, Disk};
use vauban_enforce::backends::{self, EnforcerKind};
use vauban_enforce::{Reply, Request, Service};
use vauban_engine::Event;
use vauban_engine::policy::Enforcement;
use vauban_sys::nflog::NflogSocket;
use vauban_sys::peer;

use crate::clock::Clock;
use crate::control::protocol;
use crate::control::server::Server;
use crate::decoys::pulse::Pulse;
use crate::decoys::{Counts, Responder};
use crate::host;
use crate::lines::Lines;
use crate::only::Only;
use crate::sources::{self, Losses, Queue, SourceKind};

mod answer;
mod core;

/// Events that may wait for the engine. At some 250 bytes each, 2 MiB; at the copies per second
/// that the program lets through by default, most of a second.
const QUEUE: usize = 8_192;

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The configuration file; the default one, if it exists, when left out.
    pub config: Option<PathBuf>,
    /// Watch and judge, but drop nothing, whatever the configuration says.
    pub dry_run: bool,
    /// The control socket, in place of the configured one.
    pub socket: Option<PathBuf>,
}

/// What can arrive at the engine's loop.
pub enum Incoming {
    /// Something happened.
    Event(Event),
    /// Somebody asks; the answer goes there.
    Request(protocol::Request, SyncSender<protocol::Reply>),
    /// Copies were lost: suspects' SYNs stay without an answer.
    Strained,
    /// SIGHUP came.
    Hangup,
    /// SIGINT or SIGTERM came.
    Stop,
}

/// Why the daemon could not start, or ended early. The text says what helps.
#[derive(Debug)]
pub enum RunError {
    /// The configuration has errors.
    Config(String),
    /// Privilege is missing.
    Privilege(String),
    /// Something that only one can have is taken.
    Taken(String),
    /// Anything else.
    Failed(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(text) | Self::Privilege(text) | Self::Taken(text) | Self::Failed(text) => {
                f.write_str(text)
            }
        }
    }
}

impl std::error::Error for RunError {}

/// Reads the configuration as `run` would.
pub fn configure(options: &Options) -> Result<(Config, Option<PathBuf>), RunError> {
    let loaded = vauban_config::load(&Disk, options.config.as_deref())
        .map_err(|failure| RunError::Config(failure.to_string()))?;
    let mut config = loaded.config;
    if options.dry_run {
        config.policy.enforcement = Enforcement::DryRun;
    }
    if let Some(socket) = &options.socket {
        config.control.socket.clone_from(socket);
    }
    Ok((config, loaded.file))
}

/// Runs in the foreground until SIGINT or SIGTERM.
pub fn run(options: &Options) -> Result<(), RunError> {
    let (config, file) = configure(options)?;
    if peer::effective_uid() != 0 {
        return Err(RunError::Privilege(
            "vauban run needs root: it loads a kernel program. Try sudo vauban run".into(),
        ));
    }
    let failed =
        |what: &str, error: &dyn fmt::Display| RunError::Failed(format!("{what}: {error}"));
    let clock = Clock::start();
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel(QUEUE);

    // Before anything is changed in the kernel: signals must find us listening, or a ctrl-C in
    // the wrong moment would leave the program behind.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| failed("cannot listen for signals", &error))?;
    let _only = Only::take().map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            RunError::Taken("another vauban protects this host already; stop it first".into())
        } else {
            failed("cannot take the lock", &error)
        }
    })?;
    let server = bind(&config)?;
    let socket = open_nflog(config.policy.kernel.group)?;
    let counts = Arc::new(Counts::default());
    let responder = Responder::open(&config.policy, clock, Arc::clone(&counts))
        .map_err(|error| failed("cannot open a socket for decoys", &error))?;
    let facts = host::facts().map_err(|error| failed("cannot ask for addresses", &error))?;
    let backend = backends::build(EnforcerKind::Nftables)
        .map_err(|trouble| RunError::Failed(trouble.to_string()))?;
    let mut service = Service::new(backend);
    match service.handle(Request::Load(Box::new(config.policy.clone()), facts.clone())) {
        Reply::Done => {}
        Reply::Failed(text) => return Err(RunError::Failed(text)),
        other => return Err(RunError::Failed(format!("the enforcer answers {other:?}"))),
    }
    // Not a moment without: a listener that is silent for it would stand out for good.
    service.handle(Request::Answering(core::ANSWERING));

    let losses = Arc::new(Losses::default());
    let queue = Queue::new(sender.clone(), Arc::clone(&losses));
    // The socket is open: what is copied from here on is answered, if some moments later.
    let pulse = Arc::new(Pulse::default());
    pulse.beat(clock.now());
    let kind = SourceKind::Nflog(socket, Box::new(responder), Arc::clone(&pulse));
    let source = sources::start(kind, clock, queue, Arc::clone(&stop))
        .map_err(|error| failed("cannot start a thread", &error))?;
    let control = std::thread::Builder::new()
        .name("control".into())
        .spawn({
            let (sender, stop) = (sender.clone(), Arc::clone(&stop));
            move || server.serve(&sender, &stop)
        })
        .map_err(|error| failed("cannot start a thread", &error))?;
    let signal_handle = signals.handle();
    let listener = std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in &mut signals {
                let incoming = if signal == SIGHUP { Incoming::Hangup } else { Incoming::Stop };
                if sender.send(incoming).is_err() {
                    return;
                }
            }
        })
        .map_err(|error| failed("cannot start a thread", &error))?;

    let lines = Lines::start().map_err(|error| failed("cannot start a thread", &error))?;
    let watched = core::Watched { losses, counts, pulse };
    let mut core = core::Core::new(&config, file, facts, service, clock, watched, lines);
    let outcome = core.turn(&receiver);

    stop.store(true, Ordering::Relaxed);
    Server::wake(&config.control.socket);
    signal_handle.close();
    // From here on nobody reads the queue: whoever waits to put something into it must not.
    drop(receiver);
    for thread in [source, control, listener] {
        // A thread that panicked has said so on standard error.
        let _ = thread.join();
    }
    outcome
}

fn bind(config: &Config) -> Result<Server, RunError> {
    let path = &config.control.socket;
    Server::bind(path).map_err(|error| {
        let text = format!("control socket {}: {error}", path.display());
        if error.kind() == std::io::ErrorKind::AddrInUse {
            RunError::Taken(format!("{text}. Stop it first, or give this one another --socket"))
        } else {
            RunError::Failed(text)
        }
    })
}

fn open_nflog(group: u16) -> Result<NflogSocket, RunError> {
    NflogSocket::open(group).map_err(|error| {
        if error.kind() == std::io::ErrorKind::ResourceBusy {
            RunError::Taken(format!(
                "NFLOG group {group} is in use by another program. Set kernel.nflog_group in \
                 /etc/vauban/vauban.toml to a free number"
            ))
        } else {
            RunError::Failed(format!("cannot listen on NFLOG group {group}: {error}"))
        }
    })
}
