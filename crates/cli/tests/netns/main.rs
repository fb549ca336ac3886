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
//! | `house` | a host whose files are its own as well, where lines of shell run as they stand |
//! | `normal` | what differs from one run to the next, by name |
//! | `schemas` | what JSON looks like |
//! | `services` | ports that somebody serves |
//! | `daemon` | a Vauban on the victim, and its verbs |
//! | `knocks` | a source that never stops sending |
//! | `wire` | what went over the link: the scanner's probes, and what was answered |
//! | `crafted` | packets that no program sends |
//! | `decoys` | reports of scanners, suspects, and whole TCP segments made by hand |

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "tests fail by panicking"
)]

mod crafted;
mod daemon;
mod decoys;
mod house;
mod knocks;
mod lab;
mod normal;
mod process;
mod schemas;
mod services;
mod wire;

mod allow;
mod bans;
mod command;
mod decoys_contacts;
mod decoys_cookies;
mod decoys_exclude;
mod decoys_forged;
mod decoys_hidden;
mod decoys_likeness;
mod decoys_load;
mod decoys_paths;
mod decoys_policy;
mod decoys_scans;
mod demonstration;
mod drop_ins;
mod dry_run;
mod export;
mod faults;
mod firewalls;
mod full_sets;
mod golden;
mod guide;
mod healing;
mod history;
mod import;
mod innocents;
mod ipv6;
mod never;
mod notify;
mod processes;
mod reload;
mod replay;
mod restarts;
mod running;
mod scans;
mod store_faults;
mod suspects;
mod torture;
mod watching;
mod zones;
