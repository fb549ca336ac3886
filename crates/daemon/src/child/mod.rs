//! The process that has no privileges: it reads everything that strangers can influence, judges,
//! keeps the ledger and its store, and takes the operator's commands.
//!
//! It is started by [`crate::parent`], with a socket to it as standard input, and becomes another
//! user, in a sandbox, before it reads a byte of a stranger's. What it wants of the kernel it asks
//! the parent for.
//!
//! | file | what |
//! |---|---|
//! | `begin` | what it is handed, and what it gives up |
//! | `link` | the way to the parent |
//! | `core` | the loop: one owner of engine and ledger, one queue in |
//! | `answer` | answers to operators |
//! | `explain` | what is known of an address, and what is missing to its ban |
//! | `grants` | whom operators allow |
//! | `import` | lists to be banned |
//! | `history` | bans of the past, and what is held against suspects |
//! | `ledger` | bans as the store keeps them, and back |
//! | `restore` | what was before this run |
//! | `recent` | what was decided last |
//! | `top` | what is shown to whoever watches |
//! | `records` | the store, on a thread of its own |

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

use vauban_config::LogFormat;
use vauban_engine::Event;

use crate::clock::Clock;
use crate::control::view::View;
use crate::control::{protocol, server};
use crate::decoys::Counts;
use crate::decoys::pulse::Pulse;
use crate::lines::Lines;
use crate::run::RunError;
use crate::sources::{self, Losses, Queue, SourceKind};

mod answer;
mod begin;
mod core;
mod explain;
mod grants;
mod history;
mod import;
mod ledger;
mod link;
mod recent;
mod records;
mod restore;
mod top;

/// Events that may wait for the engine. At some 250 bytes each, 2 MiB; at the copies per second
/// that the program lets through by default, most of a second.
const QUEUE: usize = 8_192;

/// For how long user space's word holds that it answers for decoys: a daemon that dies leaves nobody
/// a chance to tell listeners from what it answered for. Said twice in that time, which is one small
/// commit in two seconds.
pub const ANSWERING: Duration = Duration::from_secs(4);

/// Where an answer goes.
pub type Caller = SyncSender<protocol::Reply<View>>;

/// What can arrive at the engine's loop.
pub enum Incoming {
    /// Something happened.
    Event(Event),
    /// Somebody asks; the answer goes there.
    Request(protocol::Request, Caller),
    /// Copies were lost: suspects' SYNs stay without an answer.
    Strained,
    /// The parent has told something, or is gone.
    Told,
}

/// Runs until the parent says to stop, or is gone; what there is to log goes to standard output in this
/// format.
///
/// # Errors
/// See [`RunError`]; a parent that is gone is one.
pub fn run(log: LogFormat) -> Result<(), RunError> {
    let failed = RunError::failed;
    let clock = Clock::start();
    let begun = begin::begin(clock)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel(QUEUE);
    let link = link::Link::start(begun.stream, sender.clone())
        .map_err(|error| failed("cannot start a thread", &error))?;
    let losses = Arc::new(Losses::default());
    let counts: Arc<Counts> = begun.counts;
    let pulse = Arc::new(Pulse::default());
    pulse.beat(clock.now());
    // First of all: what the kernel copies waits to be answered.
    let queue = Queue::new(sender.clone(), Arc::clone(&losses));
    let kind = SourceKind::Nflog(begun.nflog, Box::new(begun.responder), Arc::clone(&pulse));
    sources::start(kind, clock, queue, Arc::clone(&stop))
        .map_err(|error| failed("cannot start a thread", &error))?;
    let lines =
        Lines::start(log.into()).map_err(|error| failed("cannot start a thread", &error))?;
    let watched = core::Watched { losses, counts, pulse, policies: begun.policies };
    let handed = core::Handed { begin: begun.begin, boot: begun.boot, sandbox: begun.sandbox };
    let mut core = core::Core::new(handed, &begun.config, link, clock, watched, lines)?;
    core.restore()?;
    let listener = begun.listener;
    std::thread::Builder::new()
        .name("control".into())
        .spawn(move || server::serve(&listener, &sender))
        .map_err(|error| failed("cannot start a thread", &error))?;
    // The other threads end with the process: what they wait for does not come any more.
    core.turn(&receiver)
}
