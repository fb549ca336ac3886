//! The kernel program's way with a packet, as a pure model.
//!
//! `enforce` renders the nftables program; this is what it means: given a packet's headers and what
//! this host is, does the packet pass, is it a probe, is it what may prove a suspect's address? What
//! a probe does to its source is [`crate::trigger`]'s, which is asked here. A replay, which has no kernel, asks
//! nobody else, and a test sends the same packets through both and compares.
//!
//! What it does not model: limits on copies and decoys, that a full set makes a suspect of whoever
//! probes, IPsec, packets that are forwarded, and what the host's own filter does behind the
//! program. Who has a socket, and who is banned, is told by the caller.

use core::net::IpAddr;
use core::time::Duration;

use alloc::vec::Vec;

use crate::event::{Facts, Stage};
use crate::flags::{Shape, TcpFlags};
use crate::net::{Port, Prefix, Protocol};
use crate::never::NeverSet;
use crate::policy::{Enforcement, Policy, Unproven};
use crate::time::Timestamp;
use crate::trigger::{FIRST_USER_PORT, Rules, Weight};

mod expiring;
mod sources;

pub use self::expiring::Expiring;
use self::sources::Sources;

/// Questions remembered at a time. When more are asked, late answers to further ones count as
/// probes; only servers that answer from a port above 1023 can be made to fill it.
pub const MOST_ASKED: u32 = 65_536;

/// How late an answer may be: resolvers give up after some ten seconds, and conntrack forgets an
/// unanswered question after thirty.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// How long a port is remembered that had a listener: longer than a service takes to restart, be
/// it with an upgrade in between.
pub const RECENT: Duration = Duration::from_secs(10 * 60);

/// Every TCP and UDP port there is.
pub const ALL_PORTS: u32 = 2 * 65_536;

/// What of a packet's headers the program goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Who says to have sent it; canonical.
    pub source: IpAddr,
    /// Whom it is for; canonical.
    pub destination: IpAddr,
    /// What it carries.
    pub what: What,
    /// Whether the link delivered it to this host alone: neither broadcast, nor multicast, nor
    /// overheard.
    pub unicast: bool,
}

/// What a packet carries, as the input hook sees it: IPv4 fragments have been put together by
/// then, IPv6 fragments have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A TCP segment.
    Tcp {
        /// The sender's port.
        source_port: u16,
        /// The port it is for.
        port: u16,
        /// Its control bits.
        flags: TcpFlags,
    },
    /// A UDP datagram.
    Udp {
        /// The sender's port.
        source_port: u16,
        /// The port it is for.
        port: u16,
    },
    /// A first IPv6 fragment whose ports stand in a later one: against RFC 7112.
    HiddenHeaders,
    /// A later IPv6 fragment, another protocol.
    Other,
}

/// What the program makes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on, and nobody is told.
    Passes,
    /// It goes on to a listener, which is remembered.
    Served,
    /// A suspect's new connection to a port that is served: dropped, as `unproven` says.
    Refused,
    /// Dropped, since its source is banned.
    Banned,
    /// Dropped, since it hides what it is.
    Hidden,
    /// A probe, and what the trigger made of it; `None` where there was no room to count.
    Probe(Option<Stage>),
    /// A suspect's acknowledgement that no socket owns: it may answer a decoy.
    Contact,
}

/// The program with the sets that it fills itself.
#[derive(Clone, Debug)]
pub struct Program {
    rules: Rules,
    never: NeverSet,
    home: Vec<Prefix>,
    served: Vec<Port>,
    unproven: Unproven,
    enforcement: Enforcement,
    recent: Expiring<(IpAddr, Port)>,
    /// To whom, to which port, from which port.
    asked: Expiring<(IpAddr, u16, u16)>,
    sources: Sources,
}

impl Program {
    /// As `policy` has it on a host with these facts.
    #[must_use]
    pub fn new(policy: &Policy, facts: &Facts) -> Self {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            rules: Rules::new(policy, facts.ephemeral.clone()),
            never: NeverSet::new(&policy.allow, facts),
            home: facts.own.iter().copied().map(Prefix::host).collect(),
            served: policy.served.clone(),
            unproven: policy.unproven,
            enforcement: policy.enforcement,
            recent: Expiring::new(RECENT, size(ALL_PORTS)),
            asked: Expiring::new(ANSWERED_WITHIN, size(MOST_ASKED)),
            sources: Sources::new(&policy.trigger, size(policy.kernel.sources)),
        }
    }

    /// Takes these addresses for the host's own, too: a capture may be of many hosts, or of one
    /// whose addresses nobody has listed. They are not in the never-ban set by this.
    pub fn add_home(&mut self, home: &[Prefix]) {
        self.home.extend_from_slice(home);
    }

    /// Whether `subject` is in the set of suspects.
    #[must_use]
    pub fn is_suspect(&self, now: Timestamp, subject: &Prefix) -> bool {
        self.sources.is_suspect(now, subject)
    }

    /// Whether a probe of `subject` to `port` would be the trigger.
    #[must_use]
    pub fn is_trigger(&self, now: Timestamp, subject: &Prefix, source: IpAddr, port: Port) -> bool {
        let weight = self.rules.weigh_headers(source, port, TcpFlags::SYN);
        self.sources.clone_of(now, subject).take(&self.rules, now, port, weight).stage
            == Stage::Trigger
    }

    /// Forgets the suspicion of this subject and what led to it; of everybody, if there is none.
    pub fn pardon(&mut self, subject: Option<&Prefix>) {
        self.sources.forget(subject);
    }

    /// Which probes feed the trigger.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether this is one of the host's own addresses (`fib daddr type local`).
    #[must_use]
    pub fn is_home(&self, addr: IpAddr) -> bool {
        self.home.iter().any(|prefix| prefix.contains(addr))
    }

    /// The hook for input: what becomes of a packet to this host. `subject` is the key of its
    /// source; `banned` says whether that is banned, `owned` whether there is a socket for it.
    pub fn incoming(
        &mut self,
        now: Timestamp,
        packet: &Packet,
        subject: Prefix,
        banned: bool,
        owned: bool,
    ) -> Fate {
        let looped = packet.source.is_loopback() || self.is_home(packet.source);
        let never = self.never.contains(packet.source);
        if banned {
            let passes = looped || never || self.enforcement == Enforcement::DryRun;
            return if passes { Fate::Passes } else { Fate::Banned };
        }
        if let What::Tcp { port, flags, .. } = packet.what
            && self.sends_decoys()
            && flags.has(TcpFlags::ACK)
            && !flags.has(TcpFlags::RST)
            && self.sources.is_known(now, &subject)
        {
            return self.acknowledged(now, packet, Port::tcp(port), owned);
        }
        let established = |flags: TcpFlags| flags.has(TcpFlags::ACK) && !flags.has(TcpFlags::SYN);
        if matches!(packet.what, What::Tcp { flags, .. } if established(flags)) || looped || never {
            return Fate::Passes;
        }
        match packet.what {
            What::HiddenHeaders => Fate::Hidden,
            What::Other => Fate::Passes,
            What::Udp { source_port, port } => {
                if self.asked.contains(now, &(packet.source, source_port, port)) {
                    return Fate::Passes;
                }
                self.opening(now, packet, subject, Port::udp(port), owned)
            }
            What::Tcp { port, flags, .. } => match flags.shape() {
                Shape::Open => self.opening(now, packet, subject, Port::tcp(port), owned),
                Shape::Impossible => self.probe(now, packet, subject, Port::tcp(port), flags),
                Shape::Other => Fate::Passes,
            },
        }
    }

    /// The hook for input where a packet comes in by a zone that is only watched: whether it is a
    /// probe there. Nothing is taken note of, and neither bans nor suspicions matter.
    #[must_use]
    pub fn watched(&self, now: Timestamp, packet: &Packet, owned: bool) -> bool {
        let (port, flags) = match packet.what {
            What::HiddenHeaders | What::Other => return false,
            What::Udp { source_port, port } => {
                if self.asked.contains(now, &(packet.source, source_port, port)) {
                    return false;
                }
                (Port::udp(port), TcpFlags::SYN)
            }
            What::Tcp { port, flags, .. } => (Port::tcp(port), flags),
        };
        let served = owned
            || self.served.contains(&port)
            || self.recent.contains(now, &(packet.destination, port));
        let probe = match flags.shape() {
            Shape::Open => !served,
            Shape::Impossible => true,
            Shape::Other => false,
        };
        let looped = packet.source.is_loopback() || self.is_home(packet.source);
        probe
            && !looped
            && !self.never.contains(packet.source)
            && self.is_home(packet.destination)
            && packet.unicast
            && !self.rules.excludes(packet.source, port)
    }

    /// The hook for output: takes note of what this host, or one behind it, asks by UDP.
    pub fn leaving(&mut self, now: Timestamp, packet: &Packet) {
        if let What::Udp { source_port, port } = packet.what
            // From well-known ports servers answer.
            && source_port >= FIRST_USER_PORT
        {
            self.asked.update(now, (packet.destination, port, source_port));
        }
    }

    /// What the daemon says of a port that has a listener, each time it looks.
    pub fn listens(&mut self, now: Timestamp, address: IpAddr, port: Port) {
        self.recent.update(now, (address, port));
    }

    fn opening(
        &mut self,
        now: Timestamp,
        packet: &Packet,
        subject: Prefix,
        port: Port,
        owned: bool,
    ) -> Fate {
        let place = (packet.destination, port);
        if owned && port.protocol == Protocol::Tcp {
            self.recent.update(now, place);
        }
        if owned || self.served.contains(&port) {
            let refused = self.is_suspect(now, &subject)
                && self.unproven != Unproven::Decoy
                && self.enforcement == Enforcement::Enforce
                && packet.unicast;
            return if refused { Fate::Refused } else { Fate::Served };
        }
        if self.recent.contains(now, &place) {
            return Fate::Passes;
        }
        self.probe(now, packet, subject, port, TcpFlags::SYN)
    }

    fn probe(
        &mut self,
        now: Timestamp,
        packet: &Packet,
        subject: Prefix,
        port: Port,
        flags: TcpFlags,
    ) -> Fate {
        let weight = self.rules.weigh_headers(packet.source, port, flags);
        let foreign = !self.is_home(packet.destination) || !packet.unicast;
        if foreign || weight == Weight::Excluded {
            return Fate::Passes;
        }
        Fate::Probe(self.sources.take(&self.rules, now, subject, port, weight))
    }

    fn acknowledged(&self, now: Timestamp, packet: &Packet, port: Port, owned: bool) -> Fate {
        let passes = owned
            || !self.is_home(packet.destination)
            || self.served.contains(&port)
            || self.recent.contains(now, &(packet.destination, port));
        if passes { Fate::Passes } else { Fate::Contact }
    }

    /// A dry run answers nobody.
    fn sends_decoys(&self) -> bool {
        self.unproven == Unproven::Decoy && self.enforcement == Enforcement::Enforce
    }
}

#[cfg(test)]
mod tests;
