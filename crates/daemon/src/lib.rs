//! The shell around the engine: it reads clocks and sockets, and moves data.
//!
//! ```text
//! sources/nflog ─┐
//!   │ decoys/    │
//! host (facts)  ─┼─► bounded queue ─► run: engine ─► enforcer
//! control/      ─┘                          └──────► announce
//! ```
//!
//! Only `decoys` answers packets: at once, on the thread that reads them.
//!
//! What it does not do: compare anything with a threshold, or know firewall syntax.

#![forbid(unsafe_code)]

pub mod announce;
pub mod child;
pub mod clean;
pub mod clock;
pub mod control;
pub mod decision;
pub mod decoys;
pub mod entry;
pub mod host;
pub mod journal;
pub mod lines;
pub mod only;
pub mod paint;
pub mod parent;
pub mod run;
pub mod sources;
pub mod store;
pub mod words;

pub use run::{Options, RunError};
