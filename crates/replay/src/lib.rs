//! What Vauban would have decided: captures and exports of evidence, replayed.
//!
//! ```text
//! capture::Reader ─► Replay: fragments ─► (home) ─► line ─► engine's model of the kernel program
//!                                                             └► Event ─► ENGINE ─► Notice
//! export ────────────────────────────────────────────────────────┘
//! ```
//!
//! The capture's clock is the only one. Memory is bounded whatever is read, each bound by a constant
//! beside its table.
//!
//! What it does not do: open files, read configuration, or phrase sentences for people.

#![forbid(unsafe_code)]

pub mod capture;
pub mod export;
mod fragments;
mod handshakes;
mod held;
mod home;
mod line;
mod listeners;
pub mod open;
mod replay;
pub mod source;
mod summary;
mod zones;

pub use open::Open;
pub use replay::{Replay, Settings, Whose};
pub use summary::Summary;
