//! Bytes that strangers sent, read without trust, and the answers of decoys.
//!
//! A few doors, all total functions (no input makes them panic):
//!
//! ```text
//! NFLOG copy ───────────────────────────────────► probe() ─► engine's Probe
//! frame of a capture ─► network_layer() ────────────┘
//!                    ├► headers()
//!                    └► is_taken_in()
//! copy of a segment ─► segment() ─► TcpSegment ─► decoy: SYN-ACK, proof, RST
//! ```
//!
//! Inside, one file per layer: `ip` (with `ipv4`, `ipv6` and its extension headers), `transport`
//! (TCP, UDP), `tcp` (all of its header), `checksum`. Each reads only as far as it must, by the
//! lengths that the layer above it gave, and says [`Unreadable`] instead of guessing.
//!
//! What it does not do: put fragments together (at the hook where packets come from, the kernel
//! has done so for IPv4), follow connections, look inside payloads, open files, or read a clock.
//! Nor do the other doors ask for the IPv4 header's own checksum: the kernel did, long before that
//! hook. Whoever reads a capture asks [`is_taken_in`].

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod checksum;
pub mod decoy;
mod field;
mod headers;
mod intake;
mod ip;
mod ipv4;
mod ipv6;
pub mod link;
mod probe;
mod tcp;
mod transport;
mod unreadable;

pub use headers::{Carries, Headers, Refused, headers};
pub use intake::is_taken_in;
pub use link::{LinkType, Sides, network_layer, sides};
pub use probe::probe;
pub use tcp::{TcpSegment, segment};
pub use unreadable::Unreadable;
