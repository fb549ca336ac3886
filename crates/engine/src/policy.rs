//! What the operator wants: the one native model that every dialect is translated to.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::net::{Port, Prefix};
use crate::time::Timestamp;
use crate::zone::Zones;

/// Everything that can be decided before the first packet. [`Policy::default`] is what protects a
/// host without a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// When a source becomes a suspect, and for how long.
    pub trigger: Trigger,
    /// What a suspect that has not proven its address meets.
    pub unproven: Unproven,
    /// How decoys play, and what a proven contact with them is worth.
    pub decoy: Decoy,
    /// How long bans are.
    pub ban: BanTimes,
    /// Whether the kernel program drops packets, or only counts what it would drop.
    pub enforcement: Enforcement,
    /// Addresses that are never blocked, in the operator's words.
    pub allow: Vec<Allowed>,
    /// Ports that only bots try: one hit is the trigger, when nobody serves them.
    pub traps: Vec<Port>,
    /// Ports that are served without a socket of this host.
    pub served: Vec<Port>,
    /// How the kernel program and this process talk.
    pub kernel: Kernel,
    /// Which interfaces are protected, and which are not. Without any zone all are.
    pub zones: Zones,
}

/// The trigger: the `ports`-th distinct closed port of one source within `window`.
///
/// A port is live for `window` after its last try. A source has `ports - 1` slots for live ports; a
/// port that is in none of them and finds no free one is the trigger. So any `ports` distinct
/// ports tried within `window` trigger, whatever their spacing and order, and `ports - 1` ports
/// retried for ever never do. The kernel program and [`crate::trigger`] both keep it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// How many distinct ports. 2 to [`Trigger::MOST_PORTS`].
    pub ports: u32,
    /// Within what time.
    pub window: Duration,
    /// How long a source stays a suspect after its last probe.
    pub suspect: Duration,
}

impl Trigger {
    /// Each port below the trigger has two sets of its own in the kernel, for each kind of key: a
    /// host that wants to wait for more than this many wants no trigger.
    pub const MOST_PORTS: u32 = 16;

    /// How many ports a source may try without consequences.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.ports.saturating_sub(1).clamp(1, Self::MOST_PORTS - 1)
    }
}

/// What a suspect meets that has not proven that its address is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// Decoys: every port that nobody serves looks open. Ports with a listener stay as they are.
    /// A ban needs proof.
    Decoy,
    /// Its new connections are dropped, to ports with a listener too: silence. No ban, as nobody
    /// can prove anything.
    Drop,
    /// A ban at the trigger, as if every address were the sender's own.
    Ban,
}

/// Decoys: stateless SYN-ACKs from closed ports, for suspects. Whoever answers one with the right
/// acknowledgement has received it, so his address is his own: that is the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoy {
    /// How many distinct proven ports make a ban. A proven contact with a trap port makes one by
    /// itself.
    pub ports: u32,
    /// Within what time.
    pub window: Duration,
    /// What a contact gets once it has spoken.
    pub afterwards: Afterwards,
    /// Ports and sources that no decoy is played for; packets to or from them are no probes.
    pub exclude: Exclude,
    /// Decoys per second at most: for all together, for the neighbours of one source (an IPv4 /24,
    /// an IPv6 /48), and for one source. Beyond that the source's new connections are dropped, to
    /// ports with a listener too, or those would stand out.
    pub per_second: u32,
    /// The same for the neighbours of one source.
    pub per_network: u32,
    /// The same for one source.
    pub per_source: u32,
}

impl Decoy {
    /// No more proven ports than this are remembered of one source, nor asked for: whoever has
    /// called this many has been understood.
    pub const MOST_PORTS: u32 = 16;

    /// How many distinct proven ports make a ban, within what is remembered.
    #[must_use]
    pub fn needed(&self) -> u32 {
        self.ports.clamp(1, Self::MOST_PORTS)
    }
}

/// What a contact gets after its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// Nothing: it waits for an answer until it gives up.
    Silence,
    /// A RST.
    Reset,
}

/// What no decoy is played for: health checkers, load balancers, knock ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclude {
    /// Ports of this host.
    pub ports: Vec<Port>,
    /// Sources.
    pub sources: Vec<Prefix>,
}

/// Whether anything is really dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// Yes.
    Enforce,
    /// No: watch, judge, count, and say what would have been done.
    DryRun,
}

/// How long bans are: `first`, then `factor` times the last one, up to `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanTimes {
    /// The first ban of a source.
    pub first: Length,
    /// How many times longer each further one is.
    pub factor: u32,
    /// The longest one.
    pub limit: Length,
    /// How long after the end of a ban its source counts as a repeat offender.
    pub memory: Duration,
}

impl BanTimes {
    /// The length of a source's ban number `level` (the first is 1).
    #[must_use]
    pub fn length(&self, level: u32) -> Length {
        let Length::Span(first) = self.first else { return Length::Forever };
        let factor = self.factor.saturating_pow(level.saturating_sub(1));
        let grown = Length::from(first.saturating_mul(factor)).min(self.limit);
        match grown {
            Length::Span(span) if span > Self::MOST => Length::Forever,
            length => length,
        }
    }

    /// What grows beyond this lasts for ever. Nobody will see the difference; the enforcer takes
    /// seventy years and more for no end at all.
    pub const MOST: Duration = Duration::from_secs(50 * 365 * 24 * 60 * 60);
}

/// How long a ban is. Any span is shorter than for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Length {
    /// So long.
    Span(Duration),
    /// It does not end by itself.
    Forever,
}

impl Length {
    /// When a ban of this length ends that begins at `start`; `None` for never.
    #[must_use]
    pub fn end(self, start: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Span(span) => Some(start.plus(span)),
            Self::Forever => None,
        }
    }
}

impl From<Duration> for Length {
    fn from(span: Duration) -> Self {
        Self::Span(span)
    }
}

/// An address or prefix the operator never wants blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Whom.
    pub prefix: Prefix,
    /// Why, in the operator's words.
    pub comment: Option<String>,
}

/// The kernel program's bounds. Attackers decide how full these sets get, so each has a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The NFLOG group that carries the copies of probes.
    pub group: u16,
    /// Copies per second at most; more are counted and not copied.
    pub copies_per_second: u32,
    /// Sources that can be watched or suspect at a time, per kind of key.
    pub sources: u32,
    /// Bans that can be held at a time, per kind of key.
    pub bans: u32,
    /// UDP ports that traceroute probes for an ICMP answer; packets to them never feed the
    /// trigger.
    pub traceroute: RangeInclusive<u16>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            trigger: Trigger {
                ports: 3,
                window: Duration::from_secs(60),
                suspect: Duration::from_secs(60),
            },
            unproven: Unproven::Decoy,
            decoy: Decoy::default(),
            ban: BanTimes {
                // The tutorials' three minutes: long enough to lose a scanner, short enough to
                // forgive a mistake.
                first: Duration::from_secs(3 * 60).into(),
                factor: 2,
                limit: Duration::from_secs(24 * 60 * 60).into(),
                memory: Duration::from_secs(24 * 60 * 60),
            },
            enforcement: Enforcement::Enforce,
            allow: Vec::new(),
            traps: default_traps(),
            // DHCP clients read from packet sockets (RFC 2131, RFC 8415).
            served: [68, 546].map(Port::udp).to_vec(),
            kernel: Kernel::default(),
            zones: Zones::default(),
        }
    }
}

impl Default for Decoy {
    fn default() -> Self {
        Self {
            // As many as the trigger asks for, counted on their own.
            ports: 3,
            // Long enough for a bot that comes back for what its scan found; short enough that an
            // innocent's single wrong connections do not add up over a day.
            window: Duration::from_secs(10 * 60),
            // Silence costs whoever waits for an answer more than it costs us.
            afterwards: Afterwards::Silence,
            exclude: Exclude::default(),
            // A host answers every SYN to a closed port, so decoys must too, or ports with a
            // listener stand out. One core makes a multiple of this (docs/development/benchmarks.md).
            per_second: 150_000,
            per_network: 125_000,
            // What masscan sends at --rate 100000, with a margin for its bursts.
            per_source: 120_000,
        }
    }
}

impl Default for Kernel {
    fn default() -> Self {
        Self {
            // Any number that no other tool is known to use; 0 to 15 are what tutorials pick.
            group: 8642,
            // A hundred times what nmap -T5 sends; at some 5 µs each, a twentieth of a core.
            copies_per_second: 10_000,
            // With the default trigger, five sets of each kind of key: at some 120 bytes an
            // element and 16 of table, 9 MiB when attackers have filled those of one family.
            sources: 16_384,
            // At some 800 bytes of memory and evidence each, 12 MiB in the worst flood.
            bans: 16_384,
            // traceroute(8): from 33434, one port per probe; 33534 is the highest that firewalls
            // commonly leave to it.
            traceroute: 33434..=33534,
        }
    }
}

/// The trap ports: those that botnets try first and that people and their programs do not.
///
/// Telnet and its alternative (Mirai's first two), Android's debug bridge (ADB.Miner),
/// TR-069 (Mirai's router variant), the Huawei HG532 and Realtek SDK services (CVE-2017-17215,
/// CVE-2014-8361).
fn default_traps() -> Vec<Port> {
    [23, 2323, 5555, 7547, 37215, 52869].map(Port::tcp).to_vec()
}
