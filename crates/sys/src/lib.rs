//! Safe doors to the Linux kernel.
//!
//! This is the only crate of the workspace that may say `unsafe`. Each module is one door:
//!
//! | door | what goes through it |
//! |---|---|
//! | [`netlink`] | sockets of `AF_NETLINK`; writing and reading the messages on them |
//! | [`nft`] | elements of `nf_tables` sets, put and taken in atomic batches; lists; counters; notices of commits |
//! | [`nflog`] | copies of packets that a rule with `log group N` hands out |
//! | [`route`] | the addresses, gateways and on-link prefixes of this host |
//! | [`diag`] | which ports are served, which connections exist; ending connections |
//! | [`interface`] | what is to be known of one network interface |
//! | [`network`] | IP packets, sent in bulk out of any interface |
//! | [`mod@file`] | how files are opened that somebody else may have put there |
//! | [`frame`] | whole link-layer frames, sent in bulk |
//! | [`peer`] | who is at the other end of a local socket |
//! | [`poll`] | waiting for several descriptors |
//! | [`descriptors`] | open files, handed to another process |
//! | [`netns`] | network namespaces |
//! | [`user`] | users of this host; becoming one |
//! | [`privileges`] | giving up capabilities |
//! | [`sandbox`] | which files may be opened and which calls made |
//! | [`cpu`] | which processor a thread runs on |
//! | [`memory`] | memory that is free, given back |
//! | [`random`] | keys that nobody can guess |
//! | [`tcp`] | what the kernel's TCP was built with |
//! | [`timer`] | how exactly a thread sleeps |
//!
//! What it does not do: decide anything, keep state between calls beyond an open socket, log, or
//! know what its caller is about. Addresses and keys are bytes here; errors are [`std::io::Error`]
//! with the kernel's own number in [`raw_os_error`](std::io::Error::raw_os_error) where the kernel
//! gave one. A function that the kernel could keep waiting says for how long at most.

#![allow(unsafe_code, reason = "system calls; every block says why it is sound")]
#![deny(unsafe_op_in_unsafe_fn)]

pub mod cpu;
pub mod descriptors;
pub mod diag;
pub mod file;
pub mod frame;
pub mod interface;
pub mod memory;
pub mod netlink;
pub mod netns;
pub mod network;
pub mod nflog;
pub mod nft;
pub mod peer;
pub mod poll;
pub mod privileges;
pub mod random;
pub mod route;
pub mod sandbox;
pub mod tcp;
pub mod timer;
pub mod user;

mod socket;
