//! The kernel program's copies of packets, from an NFLOG group.
//!
//! What is to be answered is answered first and told to the engine afterwards: a scanner measures
//! how long an answer takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vauban_engine::event::Event;
use vauban_sys::nflog::{NflogSocket, Received};
use vauban_sys::timer;

use super::Queue;
use crate::child::Incoming;
use crate::clock::Clock;
use crate::decoys::Responder;
use crate::decoys::pulse::Pulse;

/// Reads until `stop` is set.
pub fn run(
    mut socket: NflogSocket,
    mut responder: Responder,
    clock: Clock,
    queue: &Queue,
    pulse: &Pulse,
    stop: &AtomicBool,
) {
    // Decoys are kept some microseconds apart; without this, no sleep is that short.
    if let Err(error) = timer::exact_sleeps() {
        eprintln!("vauban: decoys go in bursts: {error}");
    }
    let mut events: Vec<Event> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        pulse.beat(clock.now());
        responder.backlog(socket.backlog());
        let received = socket.recv_within(responder.patience(clock.now()), &mut |copy| {
            let now = clock.now();
            match responder.take(now, &copy) {
                Ok(Some(kind)) => events.push(Event { at: now, kind }),
                Ok(None) => {}
                Err(_) => {
                    queue.losses().unreadable.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let drained = matches!(received, Ok(Received::Idle));
        responder.settle(clock.now(), drained);
        for event in events.drain(..) {
            queue.push(event);
        }
        match received {
            Ok(Received::Copies(_) | Received::Idle) => {}
            Ok(Received::Overrun) => {
                lost(queue, pulse, clock);
            }
            Err(_) => {
                // The socket itself is broken; count it, and do not spin on it.
                lost(queue, pulse, clock);
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// Copies were lost, so SYNs stay without an answer: suspects must not find out to which ports.
fn lost(queue: &Queue, pulse: &Pulse, clock: Clock) {
    queue.losses().overruns.fetch_add(1, Ordering::Relaxed);
    pulse.lose(clock.now());
    queue.hurry(Incoming::Strained);
}
