//! Blocks, held by the kernel.
//!
//! Typed requests come in ([`message::Request`]), replies go out; nothing else crosses this
//! boundary, so that it can become the boundary of a process. Behind it stands one of the
//! [`backends`], and in front of every backend the [`guard`], which checks the never-ban set once
//! more, whatever the engine said. [`program`] renders the policy as a readable nftables program;
//! that is a pure function, tested without a kernel.
//!
//! What it does not do: judge, parse packets, or read configuration.

#![forbid(unsafe_code)]

pub mod backends;
pub mod boundary;
pub mod guard;
pub mod message;
pub mod program;
pub mod service;

pub use message::{Counter, Listener, Reply, Request};
pub use service::Service;
