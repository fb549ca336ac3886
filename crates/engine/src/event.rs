//! What comes in. Nothing else changes the engine's state.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::flags::{Shape, TcpFlags};
use crate::grants::Grant;
use crate::ledger::{Ban, Past};
use crate::net::{Port, Prefix, Protocol};
use crate::output::Block;
use crate::policy::{Length, Policy};
use crate::time::Timestamp;
use crate::zone::ZoneName;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of event, one per thing that a source can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A packet to a port nobody serves, or one no stack would send.
    Probe(Probe),
    /// Somebody completed a decoy's handshake, or spoke after it.
    Contact(Contact),
    /// Somebody acknowledged what no decoy has said.
    Guess(Guess),
    /// The operator's word.
    Command(Command),
    /// What this host is: replaces everything known before.
    Facts(Facts),
    /// Every block that the kernel holds right now.
    Held(Vec<Block>),
    /// What the store has kept from an earlier run: the first thing a ledger learns, if anything.
    /// Blocks follow from it with the next [`EventKind::Held`].
    Restored(Restored),
    /// The policy to judge by from here on. Bans, suspicions and evidence stay as they are.
    Policy(Box<Policy>),
}

/// A ledger of before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The bans in force, with ends that say what is left of them.
    pub bans: Vec<Ban>,
    /// The bans that are over and still count towards the length of the next one.
    pub past: Vec<(Prefix, Past)>,
    /// Whom operators had allowed, with ends that say what is left of that.
    pub grants: Vec<Grant>,
}

/// One packet that the kernel program took for a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Who says to have sent it.
    pub source: IpAddr,
    /// Which of our addresses it was for.
    pub destination: IpAddr,
    /// The sender's port.
    pub source_port: u16,
    /// The port it was for.
    pub port: Port,
    /// TCP control bits; zero for UDP.
    pub flags: TcpFlags,
    /// Whether the transport checksum is right.
    pub checksum: Checksum,
    /// What the kernel program did with it, when it was the kernel that told us.
    pub stage: Option<Stage>,
    /// Whether a decoy answered it; in a dry run, whether one would have.
    pub decoy: bool,
    /// The zone that it came in by, if that is only watched; `None` where this host is protected.
    pub zone: Option<ZoneName>,
    /// The packet's first bytes from the IP header on, at most [`Probe::KEPT`].
    pub bytes: Vec<u8>,
}

impl Probe {
    /// How many bytes of a packet are kept as evidence: the longest IPv4 header with the longest
    /// TCP header is 120, and a UDP probe shows its first words.
    pub const KEPT: usize = 128;

    /// Whether no stack would send it.
    #[must_use]
    pub fn is_impossible(&self) -> bool {
        self.port.protocol == Protocol::Tcp && self.flags.shape() == Shape::Impossible
    }
}

/// A segment that acknowledges a decoy rightly: its sender has received what was sent to his
/// address, and opened that connection himself (a stranger's stack would have answered RST).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Whose address is proven.
    pub source: IpAddr,
    /// Which of our addresses it was for.
    pub destination: IpAddr,
    /// The sender's port.
    pub source_port: u16,
    /// The port that plays the decoy.
    pub port: Port,
    /// TCP control bits.
    pub flags: TcpFlags,
    /// What it said first, at most [`Contact::JUDGED`] bytes; empty in the segment that only
    /// completes the handshake.
    pub said: Vec<u8>,
    /// The packet's headers from the IP header on, at most [`Probe::KEPT`] bytes.
    pub bytes: Vec<u8>,
}

impl Contact {
    /// How many of the first bytes are kept: a request line with its headers, or a TLS greeting
    /// with the name that was asked for.
    pub const KEPT: usize = 512;

    /// How many of them are judged: a whole segment on any common link. Whoever makes a page chooses
    /// its links, and could push the headers that tell on him out of a shorter view.
    pub const JUDGED: usize = 2_048;
}

/// A segment of a suspect that acknowledges wrongly: a connection of before, or a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// Who says to have sent it.
    pub source: IpAddr,
    /// The port it was for.
    pub port: Port,
}

/// What is known of a packet's transport checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Right, or rightly left out (UDP over IPv4), or unfinished as virtual links leave it.
    Good,
    /// Wrong: the host throws such a packet away, so it says nothing about its sender.
    Bad,
    /// The packet was cut off before its end, so nobody can tell.
    Unknown,
}

/// What the kernel program did with a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Below the trigger: the host answered as always.
    Below,
    /// This packet was the trigger: its source is a suspect from here on.
    Trigger,
    /// Its source was a suspect already.
    Suspect,
}

/// What an operator may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ban an address.
    Ban {
        /// Whom; an IPv6 address means the /64 (or /128) that bans are kept by.
        subject: Prefix,
        /// How long; `None` for the length the policy gives.
        length: Option<Length>,
        /// The operator's words, for `explain`.
        reason: String,
    },
    /// End the ban and the suspicion of an address, and forget what it did.
    Unban(IpAddr),
    /// The same for everybody.
    UnbanAll,
    /// Never ban these addresses from here on, and let go whoever of them is banned or a suspect.
    Allow {
        /// Whom; an IPv6 address is itself, not its /64.
        prefix: Prefix,
        /// How long; `None` for ever.
        length: Option<Duration>,
        /// The operator's words.
        comment: String,
    },
    /// Take back what was allowed for exactly this prefix.
    Disallow(Prefix),
}

/// What this host is, as its kernel tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its own addresses, on all interfaces.
    pub own: Vec<IpAddr>,
    /// The gateways of its default routes.
    pub gateways: Vec<IpAddr>,
    /// IPv6 prefixes that are on a link of its own.
    pub on_link: Vec<Prefix>,
    /// The ports its own outgoing connections come from.
    pub ephemeral: RangeInclusive<u16>,
}

impl Default for Facts {
    /// A host of which nothing is known; the port range is Linux's default
    /// (`net.ipv4.ip_local_port_range`, ip(7)).
    fn default() -> Self {
        Self {
            own: Vec::new(),
            gateways: Vec::new(),
            on_link: Vec::new(),
            ephemeral: 32768..=60999,
        }
    }
}
