//! Everything up to the loop: acquire, start the child, give up what is not needed any more.

use std::io::{self, IsTerminal as _, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use vauban_config::{Config, UseJournal};
use vauban_enforce::backends::nftables::Nftables;
use vauban_enforce::boundary::{Begin, wire};
use vauban_enforce::{Reply, Request, Service};
use vauban_engine::event::Facts;
use vauban_sys::network::NetworkSender;
use vauban_sys::nflog::NflogSocket;
use vauban_sys::nft::Nft;
use vauban_sys::nft::watch::Watch;
use vauban_sys::privileges::{self, Capability};
use vauban_sys::{descriptors, peer};

use super::manager::Watchdog;
use super::offspring::{ChildLog, Offspring, Whom};
use super::watch::Watching;
use super::{Parent, Signals, folder};
use crate::child::ANSWERING;
use crate::control::server::Address;
use crate::host;
use crate::journal::Journal;
use crate::lines::{Lines, Relay, To};
use crate::only::Only;
use crate::run::{Configured, Options, RunError, configure};

/// What is kept: changing the firewall and ending connections; ending a child of another user.
const KEPT: [Capability; 2] = [Capability::CAP_NET_ADMIN, Capability::CAP_KILL];

/// Runs in the foreground until SIGINT or SIGTERM.
///
/// # Errors
/// See [`RunError`]. What stood in the kernel before is as it was, unless the child was started
/// already: then bans stay until they run out.
pub fn run(options: &Options) -> Result<(), RunError> {
    // The child would have them too.
    descriptors::close_inherited()
        .map_err(|error| RunError::failed("cannot close inherited descriptors", &error))?;
    let configured = configure(options)?;
    if peer::effective_uid() != 0 {
        return Err(RunError::Privilege(
            "vauban run needs root: it loads a kernel program. Try sudo vauban run".into(),
        ));
    }
    start(options, configured)?.turn()
}

fn start(options: &Options, configured: Configured) -> Result<Parent, RunError> {
    let failed = RunError::failed;
    let config = &configured.config;
    // Before anything is changed in the kernel: signals must find us listening, or a ctrl-C in
    // the wrong moment would leave the program behind.
    let signals = Signals::listen().map_err(|error| failed("cannot listen for signals", &error))?;
    let only = when_free(|| {
        Only::take().map_err(|error| {
            if error.kind() == io::ErrorKind::AddrInUse {
                RunError::Taken("another vauban protects this host already; stop it first".into())
            } else {
                failed("cannot take the lock", &error)
            }
        })
    })?;
    let whom = Whom::find().map_err(|error| failed("cannot look users up", &error))?;
    let (listener, address) = when_free(|| bind(config))?;
    let nflog = when_free(|| open_nflog(config.policy.kernel.group))?;
    let sender =
        NetworkSender::open().map_err(|error| failed("cannot open a socket for decoys", &error))?;
    folder::prepare(&config.store.path, whom.uid, whom.gid).map_err(RunError::Failed)?;
    let facts = host::facts().map_err(|error| failed("cannot ask for addresses", &error))?;
    let commits = Watch::open().map_err(|error| failed("cannot watch nf_tables", &error))?;
    let counter = Nft::open().map_err(|error| failed("cannot ask nf_tables", &error))?;
    let mut backend = Nftables::open().map_err(|trouble| RunError::Failed(trouble.to_string()))?;
    let port = backend.port().map_err(|error| failed("cannot ask for a socket's port", &error))?;
    let had_table = backend.stands();
    let mut service = Service::new(Box::new(backend));
    let begin = Begin {
        uid: whom.uid,
        gid: whom.gid,
        configuration: configured.configuration.clone(),
        dry_run: options.dry_run,
        store: config.store.path.display().to_string(),
        facts: facts.clone(),
    };
    // It reads its ledger while the program is loaded. What it asks waits.
    let (to, log, entries) =
        log(options, config).map_err(|error| failed("cannot prepare the log", &error))?;
    let sockets = [nflog.as_fd(), sender.as_fd(), listener.as_fd()];
    let mut child = Offspring::start(begin, sockets, log)
        .map_err(|error| failed("cannot start the child process", &error))?;
    let loaded = load(&mut service, config, &facts)
        .and_then(|()| give_up().map_err(|error| failed("cannot give up rights", &error)));
    if let Err(error) = loaded {
        child.kill();
        if !had_table {
            service.handle(Request::Unload);
        }
        return Err(error);
    }
    // Not before: rights can be given up by a process of one thread only.
    let thread = |error| failed("cannot start a thread", &error);
    let relay = entries.map(|entries| Relay::start(entries, to.again()));
    let relay = relay.transpose().map_err(thread)?;
    let lines = Lines::start(to).map_err(thread)?;
    let mut parent = Parent {
        options: options.clone(),
        service,
        port,
        commits,
        counter,
        facts,
        child,
        signals,
        watching: Watching::new(Instant::now()),
        watchdog: Watchdog::new(),
        lines,
        _relay: relay,
        on_terminal: io::stdout().is_terminal(),
        had_table,
        ready: false,
        most_ops: wire::most_ops(configured.config.policy.kernel.bans),
        heard: Instant::now(),
        _only: only,
        _address: address,
        configured,
    };
    if let Some(text) = whom.remark() {
        parent.print(&text);
    }
    Ok(parent)
}

/// Where the log of both processes goes: the parent's, the child's, and where the child's entries come
/// out that are for the journal.
fn log(options: &Options, config: &Config) -> io::Result<(To, ChildLog, Option<UnixStream>)> {
    let journal = match (options.log, config.log.journal) {
        (None, UseJournal::Auto) => Journal::of_stdout(),
        _ => None,
    };
    let format = options.log.unwrap_or(config.log.format);
    let Some(journal) = journal else { return Ok((format.into(), ChildLog::Own(format), None)) };
    let (ours, childs) = UnixStream::pair()?;
    Ok((To::Journal(journal), ChildLog::Entries(childs), Some(ours)))
}

/// Loads the kernel program.
fn load(service: &mut Service, config: &Config, facts: &Facts) -> Result<(), RunError> {
    match service.handle(Request::Load(Box::new(config.policy.clone()), facts.clone())) {
        Reply::Done => {}
        Reply::Failed(text) => return Err(RunError::Failed(text)),
        other => return Err(RunError::Failed(format!("the enforcer answers {other:?}"))),
    }
    // Not a moment without: a listener that is silent for it would stand out for good. What is
    // copied from here on waits in the socket until the child reads it.
    service.handle(Request::Answering(ANSWERING));
    Ok(())
}

/// From here on, nothing of root's rights but these. The files of root are its own still, as its
/// user stays 0: the configuration is read again for a reload.
fn give_up() -> io::Result<()> {
    privileges::keep(&KEPT)?;
    privileges::no_new_privileges()
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let (stop, stop_end) = UnixStream::pair()?;
        let (hangup, hangup_end) = UnixStream::pair()?;
        for stream in [&stop, &hangup] {
            stream.set_nonblocking(true)?;
        }
        pipe::register(SIGINT, stop_end.try_clone()?)?;
        pipe::register(SIGTERM, stop_end)?;
        pipe::register(SIGHUP, hangup_end)?;
        Ok(Self { stop, hangup })
    }
}

/// Reads away what several signals left.
pub(super) fn drain(mut stream: &UnixStream) {
    let mut bytes = [0; 64];
    while matches!(stream.read(&mut bytes), Ok(count) if count > 0) {}
}

/// How long what a killed parent has started may take to end: a child notices at once, but has to
/// write what it knows to the disk; what was just forked has everything open that the parent had.
const ORPHAN_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// Takes something that an orphaned child may hold for a moment still.
fn when_free<T>(mut take: impl FnMut() -> Result<T, RunError>) -> Result<T, RunError> {
    let until = Instant::now() + ORPHAN_ENDS_WITHIN;
    loop {
        match take() {
            Err(RunError::Taken(_)) if Instant::now() < until => std::thread::sleep(LOOK),
            other => return other,
        }
    }
}

fn bind(config: &Config) -> Result<(std::os::unix::net::UnixListener, Address), RunError> {
    let path = &config.control.socket;
    Address::bind(path).map_err(|error| {
        let text = format!("control socket {}: {error}", path.display());
        if error.kind() == io::ErrorKind::AddrInUse {
            RunError::Taken(format!("{text}. Stop it first, or give this one another --socket"))
        } else {
            RunError::Failed(text)
        }
    })
}

fn open_nflog(group: u16) -> Result<NflogSocket, RunError> {
    NflogSocket::open(group).map_err(|error| {
        if error.kind() == io::ErrorKind::ResourceBusy {
            RunError::Taken(format!(
                "NFLOG group {group} is in use by another program. Set kernel.nflog_group in \
                 /etc/vauban/vauban.toml to a free number"
            ))
        } else {
            RunError::Failed(format!("cannot listen on NFLOG group {group}: {error}"))
        }
    })
}
