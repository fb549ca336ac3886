//! Vauban against real tools, in network namespaces: nothing here touches the network of the
//! machine that runs it. Needs root and what `make test-deps` installs.
//!
//! Each test makes its own namespaces and takes them away again, also when it fails, so the tests
//! may run beside each other. One module per subject; the others are the laboratory:
//!
//! | module | holds |
//! |---|---|
//! | `process` | programs that are ended by their id and never waited for without a limit |
//! | `lab` | the namespaces, the links between them, and what is asked of the kernel in them |
//! | `services` | ports that somebody serves |
//! | `daemon` | a Vauban on the victim, and its verbs |
//! | `wire` | what went over the link: the scanner's probes, and what was answered |
//! | `crafted` | packets that no program sends |

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "tests fail by panicking"
)]

mod crafted;
mod daemon;
mod lab;
mod process;
mod services;
mod wire;

mod bans;
mod command;
mod demonstration;
mod dry_run;
mod firewalls;
mod full_sets;
mod innocents;
mod ipv6;
mod never;
mod running;
mod scans;
mod suspects;
