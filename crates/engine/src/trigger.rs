//! The kernel program's trigger, as a pure model.
//!
//! This is the one definition of what the nftables program in `enforce` does to a probe. The
//! engine runs it on every probe it is told of; a replay, which has no kernel, runs nothing else.
//! A test sends the same packets through both and compares.
//!
//! What it does not model: full kernel sets (they fail closed, see the program), and the limit on
//! copies.

use crate::event::{Probe, Stage};
use crate::flags::{Shape, TcpFlags};
use crate::net::{Port, Protocol};
use crate::policy::{Exclude, Policy, Trigger};
use crate::time::Timestamp;
use alloc::vec::Vec;
use core::net::IpAddr;

/// Which probes feed the trigger, and how much.
#[derive(Clone, Debug)]
pub struct Rules {
    trigger: Trigger,
    traps: Vec<Port>,
    traceroute: core::ops::RangeInclusive<u16>,
    ephemeral: core::ops::RangeInclusive<u16>,
    exclude: Exclude,
}

/// What a probe is to the trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// No probe at all: no decoy is played for its port or its source.
    Excluded,
    /// Never feeds it.
    None,
    /// Feeds it by one, if the port is new.
    One,
    /// Is the trigger: a segment no stack sends.
    Impossible,
    /// Is the trigger: a trap port.
    Trap,
}

impl Rules {
    /// As `policy` and this host's `ephemeral` port range have it.
    #[must_use]
    pub fn new(policy: &Policy, ephemeral: core::ops::RangeInclusive<u16>) -> Self {
        Self {
            trigger: policy.trigger,
            traps: policy.traps.clone(),
            traceroute: policy.kernel.traceroute.clone(),
            ephemeral,
            exclude: policy.decoy.exclude.clone(),
        }
    }

    /// Whether packets from this source to this port are no probes, as the operator has it.
    #[must_use]
    pub fn excludes(&self, source: IpAddr, port: Port) -> bool {
        self.exclude.ports.contains(&port)
            || self.exclude.sources.iter().any(|prefix| prefix.contains(source))
    }

    /// What this probe is to the trigger, whoever sent it.
    #[must_use]
    pub fn weigh(&self, probe: &Probe) -> Weight {
        self.weigh_headers(probe.source, probe.port, probe.flags)
    }

    /// The same, by what the kernel program knows of a packet.
    #[must_use]
    pub fn weigh_headers(&self, source: IpAddr, port: Port, flags: TcpFlags) -> Weight {
        if self.excludes(source, port) {
            Weight::Excluded
        } else if port.protocol == Protocol::Tcp && flags.shape() == Shape::Impossible {
            Weight::Impossible
        } else if self.traps.contains(&port) {
            Weight::Trap
        } else if port.protocol == Protocol::Udp && self.may_be_answer(port.number) {
            Weight::None
        } else {
            Weight::One
        }
    }

    /// Whether a UDP packet may be traceroute's, or a late answer to something this host asked from
    /// a port of its ephemeral range. Answers to what was asked from other ports are known to the
    /// kernel program, which saw the question leave; it makes no copy of them.
    fn may_be_answer(&self, port: u16) -> bool {
        self.traceroute.contains(&port) || self.ephemeral.contains(&port)
    }
}

/// Ports below are well-known services' (RFC 6335 section 6).
pub const FIRST_USER_PORT: u16 = 1024;

/// What the trigger knows of one source.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The ports in its slots, with their last try; never more than [`Trigger::slots`].
    slots: Vec<(Port, Timestamp)>,
    suspect_until: Option<Timestamp>,
    since: Timestamp,
}

/// What a probe did to its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where the source stands now.
    pub stage: Stage,
    /// Whether the probe counted: a new port, a trap, impossible flags.
    pub counted: bool,
}

impl Watched {
    /// A source never seen before.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { slots: Vec::new(), suspect_until: None, since: now }
    }

    /// Until when it is a suspect, if it is one at `now`.
    #[must_use]
    pub fn suspect_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.suspect_until.filter(|until| *until > now)
    }

    /// How many distinct ports are live at `now`.
    #[must_use]
    pub fn live(&self, rules: &Rules, now: Timestamp) -> u32 {
        let count = self.slots.iter().filter(|(_, last)| rules.is_live(*last, now)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The ports that are live at `now`, each with the time until which it is that.
    #[must_use]
    pub fn live_ports(&self, rules: &Rules, now: Timestamp) -> Vec<(Port, Timestamp)> {
        let live = self.slots.iter().filter(|(_, last)| rules.is_live(*last, now));
        live.map(|(port, last)| (*port, last.plus(rules.trigger.window))).collect()
    }

    /// Whether `port` is live at `now`.
    #[must_use]
    pub fn holds(&self, rules: &Rules, now: Timestamp, port: Port) -> bool {
        self.slots.iter().any(|(held, last)| *held == port && rules.is_live(*last, now))
    }

    /// When everything known of it has become worthless.
    #[must_use]
    pub fn forgotten_at(&self, rules: &Rules) -> Timestamp {
        let last = self.slots.iter().map(|(_, last)| *last).max().unwrap_or(self.since);
        last.plus(rules.trigger.window).max(self.suspect_until.unwrap_or_default())
    }

    /// Makes it a suspect from `now` on, because the kernel says that it is one.
    pub fn suspect(&mut self, rules: &Rules, now: Timestamp) {
        self.suspect_until = Some(now.plus(rules.trigger.suspect));
    }

    /// Takes note of a probe.
    pub fn step(&mut self, rules: &Rules, now: Timestamp, probe: &Probe) -> Step {
        self.take(rules, now, probe.port, rules.weigh(probe))
    }

    /// Takes note of a probe to `port` that weighs so much.
    pub fn take(&mut self, rules: &Rules, now: Timestamp, port: Port, weight: Weight) -> Step {
        if weight == Weight::Excluded {
            return Step { stage: Stage::Below, counted: false };
        }
        if self.suspect_until(now).is_some() {
            self.suspect(rules, now);
            let strong = matches!(weight, Weight::Impossible | Weight::Trap);
            return Step { stage: Stage::Suspect, counted: strong };
        }
        let tried = match weight {
            Weight::Excluded | Weight::None => Tried::Before,
            Weight::One => self.tries(rules, now, port),
            Weight::Impossible | Weight::Trap => Tried::TooMany,
        };
        if tried == Tried::TooMany {
            self.suspect(rules, now);
            return Step { stage: Stage::Trigger, counted: true };
        }
        Step { stage: Stage::Below, counted: tried == Tried::New }
    }

    /// Puts the port into a slot, its own or a free one.
    fn tries(&mut self, rules: &Rules, now: Timestamp, port: Port) -> Tried {
        self.slots.retain(|(_, last)| rules.is_live(*last, now));
        if let Some(known) = self.slots.iter_mut().find(|(known, _)| *known == port) {
            known.1 = now;
            return Tried::Before;
        }
        if self.slots.len() >= usize::try_from(rules.trigger.slots()).unwrap_or(usize::MAX) {
            return Tried::TooMany;
        }
        self.slots.push((port, now));
        Tried::New
    }
}

/// Whether a source tried a port before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tried {
    Before,
    New,
    TooMany,
}

impl Rules {
    fn is_live(&self, last: Timestamp, now: Timestamp) -> bool {
        now.since(last) < self.trigger.window
    }
}
