//! The kernel program's copies of probes, from an NFLOG group.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vauban_enforce::program::prefix;
use vauban_engine::event::{Event, EventKind, Stage};
use vauban_packet::probe;
use vauban_sys::nflog::{NflogSocket, Received};

use super::Queue;
use crate::clock::Clock;

/// Reads until `stop` is set.
pub fn run(mut socket: NflogSocket, clock: Clock, queue: &Queue, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let received = socket.recv(&mut |copy| {
            let stage = stage(copy.prefix);
            match probe(copy.payload, stage) {
                Ok(probe) => {
                    queue.push(Event { at: clock.now(), kind: EventKind::Probe(probe) });
                }
                Err(_) => {
                    queue.losses().unreadable.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        match received {
            Ok(Received::Copies(_) | Received::Idle) => {}
            Ok(Received::Overrun) => {
                queue.losses().overruns.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                // The socket itself is broken; count it, and do not spin on it.
                queue.losses().overruns.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn stage(text: &str) -> Option<Stage> {
    match text {
        prefix::BELOW => Some(Stage::Below),
        prefix::TRIGGER => Some(Stage::Trigger),
        prefix::SUSPECT => Some(Stage::Suspect),
        // Full: the kernel could not count it, so the engine's own count decides.
        _ => None,
    }
}
