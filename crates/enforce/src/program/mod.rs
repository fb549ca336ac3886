//! The kernel program: the policy as readable nftables text. Pure; nothing here talks to a kernel.
//!
//! The same text is shown by `vauban ruleset` and loaded by [`crate::backends::nftables`]. What it
//! does to a probe is defined by [`vauban_engine::trigger`]; how it does it, and why in this order,
//! is told by the comments that it renders and by `docs/development/kernel-program.md`.

mod declarations;
mod decoys;
mod hooks;
mod lane;
mod probes;
mod ranges;
mod sets;
mod span;
pub mod succession;
mod text;
mod writer;
mod zones;

pub use lane::Lane;
pub use ranges::{Range, merged};
pub use sets::{SetContents, contents};
pub use text::Part;

use vauban_engine::event::Facts;
use vauban_engine::key::Keying;
use vauban_engine::never::NeverSet;
use vauban_engine::policy::{Enforcement, Policy, Unproven};

/// The table, in family `inet`, that is ours and that nothing of ours ever leaves.
pub const TABLE: &str = "vauban";

/// What a copy's NFLOG prefix says about the probe, see [`vauban_engine::event::Stage`].
pub mod prefix {
    /// The host answered as always.
    pub const BELOW: &str = "vauban below";
    /// It was the trigger.
    pub const TRIGGER: &str = "vauban trigger";
    /// It came from a suspect.
    pub const SUSPECT: &str = "vauban suspect";
    /// It was dropped because a set was full; nothing was counted in the kernel.
    pub const FULL: &str = "vauban full";
    /// It was the trigger, and a decoy is to answer it.
    pub const TRIGGER_DECOY: &str = "vauban trigger decoy";
    /// It came from a suspect, and a decoy is to answer it.
    pub const SUSPECT_DECOY: &str = "vauban suspect decoy";
    /// A set was full, and a decoy is to answer it.
    pub const FULL_DECOY: &str = "vauban full decoy";
    /// A suspect's SYN to a port with a listener, on its way to the host's own filter.
    pub const VISIT: &str = "vauban visit";
    /// A listener's answer to a suspect, on its way out.
    pub const PASSED: &str = "vauban passed";
    /// A suspect's acknowledgement to a port with a listener that belongs to no connection.
    pub const STRAY: &str = "vauban stray";
    /// It came in by a zone that is only watched; the zone's name stands behind this.
    pub const WATCH: &str = "vauban watch ";
    /// A suspect's acknowledgement that no socket owns.
    pub const CONTACT: &str = "vauban contact";
}

/// Names of the program's counters.
pub mod counter {
    /// Packets to ports nobody serves, and such as no stack sends.
    pub const PROBES: &str = "probes";
    /// Of them, those that made their source a suspect.
    pub const TRIGGERS: &str = "triggers";
    /// Of them, those of suspects, dropped.
    pub const SUSPECT: &str = "suspect_probes";
    /// Suspects' new connections to ports with a listener, dropped.
    pub const REFUSED: &str = "suspect_connections";
    /// Suspects' probes that a decoy was to answer.
    pub const DECOYS: &str = "decoys";
    /// Suspects' SYNs that were dropped because their source was too fast, or nobody answered.
    pub const STRAINED: &str = "suspect_too_fast";
    /// Suspects' new connections to ports with a listener, let through.
    pub const VISITS: &str = "suspect_visits";
    /// Suspects' acknowledgements that no socket owns.
    pub const CONTACTS: &str = "contacts";
    /// Refusals of the host's own filter that suspects were not told.
    pub const WITHHELD: &str = "refusals_withheld";
    /// Probes dropped because a set was full.
    pub const FULL: &str = "set_full";
    /// IPv6 first fragments that hide what they carry, dropped.
    pub const HIDDEN: &str = "hidden_headers";
    /// Packets of banned sources, dropped.
    pub const BANNED: &str = "banned";
    /// Probes whose copy was sent to user space.
    pub const COPIES: &str = "copies";

    /// All of them.
    pub const ALL: [&str; 13] = [
        PROBES, TRIGGERS, SUSPECT, DECOYS, STRAINED, VISITS, CONTACTS, WITHHELD, REFUSED, FULL,
        HIDDEN, BANNED, COPIES,
    ];
}

/// The sets that hold the protocols for which user space answers.
pub const ANSWERING_SETS: [&str; 2] = ["answering1", "answering2"];

/// The set of sources that hold slot number `slot` (from 1 on).
#[must_use]
pub fn slot_set(slot: u32, lane: Lane) -> String {
    format!("slot{slot}_{}", lane.suffix())
}

/// The set of sources that have taken slot number `slot` a moment ago.
#[must_use]
pub fn claim_set(slot: u32, lane: Lane) -> String {
    format!("claim{slot}_{}", lane.suffix())
}

/// The set of ports, each behind its source, in slot number `slot`.
#[must_use]
pub fn port_set(slot: u32, lane: Lane) -> String {
    format!("port{slot}_{}", lane.suffix())
}

/// Bytes of a packet that a copy carries: a whole one on any common link, so that its checksum can
/// be verified. Longer ones (reassembled fragments) are cut and count for nothing.
const COPIED_BYTES: u32 = 2048;

/// The same of a copy that is answered: all of it, as a listener answers long SYNs too.
const ANSWERED_BYTES: u32 = 65_535;

/// Whether suspects meet decoys.
fn plays_decoys(policy: &Policy) -> bool {
    policy.unproven == Unproven::Decoy
}

/// What a rule that drops ends in: nothing is dropped in a dry run.
fn verdict(policy: &Policy) -> &'static str {
    match policy.enforcement {
        Enforcement::Enforce => "drop",
        Enforcement::DryRun => "accept",
    }
}

/// The statement that makes a copy.
fn log(policy: &Policy, prefix: &str) -> String {
    log_bytes(policy, prefix, COPIED_BYTES)
}

/// The statement that makes a copy which user space answers.
fn log_whole(policy: &Policy, prefix: &str) -> String {
    log_bytes(policy, prefix, ANSWERED_BYTES)
}

fn log_bytes(policy: &Policy, prefix: &str, bytes: u32) -> String {
    let group = policy.kernel.group;
    format!("log prefix \"{prefix}\" group {group} snaplen {bytes} queue-threshold 1")
}

/// The program for this policy on a host like this, as `nft -f` reads it: it replaces whatever
/// stood in our table, in one transaction.
#[must_use]
pub fn render(policy: &Policy, facts: &Facts) -> String {
    text::program(policy, &of_host(policy, facts))
}

/// The contents for this policy on a host like this.
fn of_host(policy: &Policy, facts: &Facts) -> SetContents {
    let never = NeverSet::new(&policy.allow, facts);
    let keying = Keying::new(facts, &never);
    contents(policy, facts, &never, &keying)
}
