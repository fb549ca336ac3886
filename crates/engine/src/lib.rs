//! Vauban's judgement.
//!
//! Everything that changes state comes in as an [`Event`]: a probe, a contact with a decoy, an
//! operator's command, a fact about this host, what the kernel holds. Everything that must happen
//! in the world goes out as an [`Output`]. In between, one direction only:
//!
//! ```text
//! Event ─► detect (scan, proof) ─► Decision ─► gate ─► ledger ─► plan ─► Output
//! ```
//!
//! This crate is `no_std`: the compiler refuses clocks, files, sockets, processes and threads in
//! it. Time is an argument. The same events under the same [`Policy`] give the same outputs, byte
//! for byte, live and in a replay.
//!
//! What it does not do: parse packets or configuration, talk to the kernel, or phrase sentences
//! for people.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod class;
pub mod detect;
pub mod engine;
pub mod event;
pub mod evidence;
pub mod flags;
pub mod gate;
pub mod grants;
pub mod key;
pub mod ledger;
pub mod net;
pub mod never;
pub mod output;
pub mod plan;
pub mod policy;
pub mod program;
pub mod time;
pub mod trigger;
pub mod zone;

pub use class::Class;
pub use engine::Engine;
pub use event::{Command, Contact, Event, EventKind, Facts, Guess, Probe};
pub use net::{Port, Prefix, Protocol};
pub use output::{Batch, Block, BlockOp, Notice, Output};
pub use policy::Policy;
pub use time::Timestamp;
