//! The kernel program: the policy as readable nftables text. Pure; nothing here talks to a kernel.
//!
//! The same text is shown by `vauban ruleset` and loaded by [`crate::backends::nftables`]. What it
//! does to a probe is defined by [`vauban_engine::trigger`]; how it does it, and why in this order,
//! is told by the comments that it renders and by `docs/development/kernel-program.md`.

mod lane;
mod ranges;
mod sets;
mod span;
mod text;

pub use lane::Lane;
pub use ranges::{Range, merged};
pub use sets::{SetContents, contents};

use vauban_engine::event::Facts;
use vauban_engine::key::Keying;
use vauban_engine::never::NeverSet;
use vauban_engine::policy::Policy;

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
    /// Probes dropped because a set was full.
    pub const FULL: &str = "set_full";
    /// IPv6 first fragments that hide what they carry, dropped.
    pub const HIDDEN: &str = "hidden_headers";
    /// Packets of banned sources, dropped.
    pub const BANNED: &str = "banned";
    /// Probes whose copy was sent to user space.
    pub const COPIES: &str = "copies";

    /// All of them.
    pub const ALL: [&str; 8] = [PROBES, TRIGGERS, SUSPECT, REFUSED, FULL, HIDDEN, BANNED, COPIES];
}

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

/// The program for this policy on a host like this, as `nft -f` reads it: it replaces whatever
/// stood in our table, in one transaction.
#[must_use]
pub fn render(policy: &Policy, facts: &Facts) -> String {
    let never = NeverSet::new(&policy.allow, facts);
    let keying = Keying::new(facts, &never);
    text::program(policy, &contents(policy, facts, &never, &keying))
}
