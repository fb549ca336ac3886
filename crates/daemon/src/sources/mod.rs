//! Where events come from.
//!
//! To add one: a file here, a variant in [`SourceKind`]; the compiler then asks for the arm in
//! [`start`]. A source turns what it hears into an [`Event`] and nothing more: it never compares
//! with a threshold. When the queue is full it drops and counts; it never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use vauban_engine::Event;
use vauban_sys::nflog::NflogSocket;

use crate::child::Incoming;
use crate::clock::Clock;
use crate::decoys::Responder;
use crate::decoys::pulse::Pulse;

pub mod nflog;

/// Which sources there are, each with what it was opened with while there was privilege.
pub enum SourceKind {
    /// The kernel program's copies of packets, with what answers them.
    Nflog(NflogSocket, Box<Responder>, Arc<Pulse>),
}

/// Starts a source on a thread of its own. It ends when `stop` is set.
pub fn start(
    kind: SourceKind,
    clock: Clock,
    queue: Queue,
    stop: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<()>> {
    match kind {
        SourceKind::Nflog(socket, responder, pulse) => std::thread::Builder::new()
            .name("nflog".into())
            .spawn(move || nflog::run(socket, *responder, clock, &queue, &pulse, &stop)),
    }
}

/// The way into the engine's queue.
#[derive(Clone)]
pub struct Queue {
    sender: SyncSender<Incoming>,
    losses: Arc<Losses>,
}

/// What did not reach the engine.
#[derive(Debug, Default)]
pub struct Losses {
    /// Events dropped because the queue was full.
    pub queue_full: AtomicU64,
    /// Times the kernel had to drop copies because nobody read them fast enough.
    pub overruns: AtomicU64,
    /// Copies that were no readable probe.
    pub unreadable: AtomicU64,
}

impl Queue {
    /// Into this queue, counting losses there.
    #[must_use]
    pub fn new(sender: SyncSender<Incoming>, losses: Arc<Losses>) -> Self {
        Self { sender, losses }
    }

    /// Hands an event over, or counts that it could not.
    pub fn push(&self, event: Event) {
        if self.sender.try_send(Incoming::Event(event)).is_err() {
            self.losses.queue_full.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands something over that must not wait, if there is room; the engine's loop finds out by
    /// itself otherwise, later.
    pub fn hurry(&self, incoming: Incoming) {
        let _ = self.sender.try_send(incoming);
    }

    /// Where losses are counted.
    #[must_use]
    pub fn losses(&self) -> &Losses {
        &self.losses
    }
}
