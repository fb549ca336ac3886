//! Decoys: what a closed port answers when it is to look like an open one.
//!
//! ```text
//! SYN ─► segment() ─► syn_ack() ─► a packet to send, its sequence number a cookie
//! ACK ─► segment() ─► Cookies::proves() ─► its sender has read the answer: no forged address
//!                └──► reset() ─► what a port without a connection answers
//! ```
//!
//! Nothing is remembered between the two: the cookie is a keyed hash of the connection and the
//! time ([`Cookies`]). The answers are those that a listening socket of Linux would have sent,
//! byte for byte but for the numbers that are random there; [`Look`] says what of them depends on
//! the host's settings. `tests/decoys` holds them against a recorded kernel.
//!
//! What it does not do: send, decide whom to answer, read settings or a clock. It completes no
//! connection and carries no data, so a client that goes on learns what a silent server tells.
//!
//! What a patient observer can tell from a real socket: the first sequence numbers of Linux grow
//! with time where cookies do not, the timestamps count from another zero, a SYN-ACK is not
//! repeated, and routes with a metric of their own (`advmss`, `window`, `hoplimit`) are not known
//! here.

mod answer;
mod cookie;
mod look;
mod options;

pub use answer::{NoAnswer, reset, syn_ack};
pub use cookie::{Cookies, SLOT};
pub use look::{FlowLabels, Look, Timestamps};
