//! The engine under a capture's clock.
//!
//! Each packet meets the kernel program's model, and what that would have told the daemon becomes an
//! event. Time is what the capture says, and never runs backwards; between packets, what is due
//! happens at its time. So the same capture gives the same decisions, to the byte.
//!
//! What a capture can't show: who listens without ever being called, what the host's own filter
//! kept from a listener, and the proof of an address, unless decoys played.

use std::collections::BTreeSet;
use std::net::IpAddr;

use vauban_engine::event::{Checksum, Contact, Event, EventKind, Facts, Guess, Probe};
use vauban_engine::flags::TcpFlags;
use vauban_engine::net::Prefix;
use vauban_engine::policy::Policy;
use vauban_engine::program::{Expiring, Fate, Program, What};
use vauban_engine::zone::ZoneName;
use vauban_engine::{BlockOp, Engine, Notice, Output, Timestamp};
use vauban_packet::{is_taken_in, network_layer, sides};

use self::listeners::Owned;
use crate::capture::Frame;
use crate::fragments::{Fragments, Whole};
use crate::handshakes::{Handshakes, Told};
use crate::held::Held;
use crate::home::Home;
use crate::line::{Kind, Line, Segment, Tuple, Waiting};
use crate::listeners::{Listeners, Verdict};
use crate::open::Open;
use crate::summary::Summary;
use crate::zones::Places;

mod listeners;
mod packets;

/// How long the last contacts of a capture may still wait to be judged as silent.
const AFTERWARDS: std::time::Duration = std::time::Duration::from_secs(2);

/// What a replay goes by.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The policy to judge by.
    pub policy: Policy,
    /// The protected host's addresses; when there are none, the capture tells.
    pub home: Vec<Prefix>,
    /// Who listens, where the user says so.
    pub open: Open,
    /// The interface that packets came in by which do not say theirs; without it, one that no zone
    /// names.
    pub interface: Option<String>,
}

/// The capture does not tell whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// Addresses that it may be, the likeliest first; a handful at most.
    pub candidates: Vec<IpAddr>,
}

impl Whose {
    const MOST: usize = 4;
}

impl std::fmt::Display for Whose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot tell which host this capture is of; say its address with --home")?;
        for (number, address) in self.candidates.iter().enumerate() {
            write!(f, "{}{address}", if number == 0 { " (there are " } else { ", " })?;
        }
        f.write_str(if self.candidates.is_empty() { "" } else { ", …)" })
    }
}

impl std::error::Error for Whose {}

/// A replay that goes on.
pub struct Replay {
    engine: Engine,
    program: Program,
    places: Places,
    open: Open,
    listeners: Listeners,
    handshakes: Handshakes,
    /// Sources that were suspects, and have been accepted by unknown ports since: they may be
    /// suspects still.
    doubtful: Expiring<Prefix>,
    /// Sources that have been refused when decoys would have accepted them: who has accepted them
    /// was none.
    plain: Expiring<Prefix>,
    /// Whether this host's own answers to calls are in the capture, and not only its callers' side.
    answers: bool,
    fragments: Fragments,
    line: Line,
    held: Option<Held>,
    home: Home,
    /// Whether the user has said who is at home: then no packet to there is overheard.
    home_is_said: bool,
    facts: Facts,
    now: Timestamp,
    /// How far the engine's clock has come: those in the line are still to be judged.
    judged: Timestamp,
    summary: Summary,
}

impl Replay {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let Settings { policy, home, open, interface } = settings;
        let facts = Facts::default();
        let sources = usize::try_from(policy.kernel.sources).unwrap_or(usize::MAX);
        let mut replay = Self {
            program: Program::new(&policy, &facts),
            places: Places::new(&policy.zones, interface),
            doubtful: Expiring::new(policy.trigger.suspect, sources),
            plain: Expiring::new(policy.trigger.suspect, sources),
            answers: false,
            engine: Engine::new(policy),
            open,
            listeners: Listeners::default(),
            handshakes: Handshakes::default(),
            fragments: Fragments::default(),
            line: Line::default(),
            held: home.is_empty().then(Held::default),
            home: Home::default(),
            home_is_said: !home.is_empty(),
            facts,
            now: Timestamp::default(),
            judged: Timestamp::default(),
            summary: Summary::default(),
        };
        if !home.is_empty() {
            replay.settle(Home { addresses: home, mac: None });
        }
        replay
    }

    /// The judge.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What has been seen so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = self.summary.clone();
        summary.home.clone_from(&self.home.addresses);
        summary.listeners = self.listeners.open();
        summary.tally = self.engine.tally();
        summary
    }

    /// Whether the home is known by now.
    #[must_use]
    pub fn home(&self) -> Option<&[Prefix]> {
        self.held.is_none().then_some(&self.home.addresses)
    }

    /// Takes a frame, and tells `each` notice that comes of it.
    ///
    /// # Errors
    /// [`Whose`] when the home is to be learned and the frames so far do not tell.
    pub fn take(
        &mut self,
        frame: &Frame<'_>,
        each: &mut dyn FnMut(&Engine, &Notice),
    ) -> Result<(), Whose> {
        self.summary.see(frame);
        let Some(held) = &mut self.held else {
            self.see(frame, each);
            return Ok(());
        };
        held.keep(frame);
        if held.is_enough() {
            self.vote(each)?;
        }
        Ok(())
    }

    /// The capture is over: judges what still waits.
    ///
    /// # Errors
    /// [`Whose`] as in [`Replay::take`].
    pub fn finish(&mut self, each: &mut dyn FnMut(&Engine, &Notice)) -> Result<(), Whose> {
        if self.held.is_some() {
            self.vote(each)?;
        }
        while let Some(waiting) = self.line.pop() {
            self.judge(&waiting, each);
        }
        self.pass(self.now.plus(AFTERWARDS), each);
        Ok(())
    }

    /// Takes an event that another program has recorded.
    pub fn record(&mut self, event: Event, each: &mut dyn FnMut(&Engine, &Notice)) {
        self.now = self.now.max(event.at);
        self.pass(self.now, each);
        self.engine.handle(event);
        self.tell(each);
    }

    /// Takes an IPv6 prefix for one in which every address stands for itself.
    pub fn add_link(&mut self, prefix: Prefix) {
        if !self.facts.on_link.contains(&prefix) {
            self.facts.on_link.push(prefix);
            self.say_facts();
        }
    }

    /// Says that the home need not be learned: what comes has been judged by somebody who knew.
    pub fn needs_no_home(&mut self) {
        self.held = None;
    }

    fn vote(&mut self, each: &mut dyn FnMut(&Engine, &Notice)) -> Result<(), Whose> {
        let Some(held) = self.held.take() else { return Ok(()) };
        if held.is_empty() {
            return Ok(());
        }
        let home =
            held.winner().ok_or_else(|| Whose { candidates: held.candidates(Whose::MOST) })?;
        self.settle(home);
        held.each(|frame| self.see(frame, each));
        Ok(())
    }

    /// Now it is known who is at home.
    fn settle(&mut self, home: Home) {
        self.program.add_home(&home.addresses);
        self.home = home;
        let hosts = self.home.addresses.iter().filter(|prefix| prefix.is_host());
        self.facts.own = hosts.clone().map(Prefix::addr).collect();
        // Its neighbours on the link are known by their addresses, as on a live host.
        let links = hosts.filter(|host| host.addr().is_ipv6());
        let links: BTreeSet<Prefix> =
            links.filter_map(|host| Prefix::new(host.addr(), 64)).collect();
        self.facts.on_link = links.into_iter().collect();
        self.say_facts();
    }

    /// Facts overtake those that wait in the line, but the clock does not.
    fn say_facts(&mut self) {
        self.engine.handle(Event { at: self.judged, kind: EventKind::Facts(self.facts.clone()) });
    }

    /// A frame of the capture.
    fn see(&mut self, frame: &Frame<'_>, each: &mut dyn FnMut(&Engine, &Notice)) {
        self.now = self.now.max(frame.at);
        let mut sides = sides(frame.link, frame.bytes);
        sides.outbound = sides.outbound.or(frame.outbound);
        if let Some(packet) = network_layer(frame.link, frame.bytes)
            && (is_taken_in(packet) || !self.is_for_home(packet))
        {
            match self.fragments.take(self.now, packet) {
                Whole::AsIs => self.packet(&sides, frame.interface, packet),
                Whole::Together(packet) => self.packet(&sides, frame.interface, &packet),
                Whole::Waits => {}
            }
        }
        self.advance(each);
    }

    /// Whether an IPv4 packet, or a fragment of one, came to this host from another one.
    fn is_for_home(&self, packet: &[u8]) -> bool {
        let address = |at: usize| {
            let bytes: Option<[u8; 4]> =
                packet.get(at..).and_then(|rest| rest.first_chunk()).copied();
            bytes.map(IpAddr::from)
        };
        let (from, to) = (address(12), address(16));
        to.is_some_and(|to| self.program.is_home(to))
            && !from.is_some_and(|from| self.program.is_home(from))
    }

    /// Judges those at the head of the line about which no more will be known.
    fn advance(&mut self, each: &mut dyn FnMut(&Engine, &Notice)) {
        while let Some(first) = self.line.first() {
            let full = self.line.is_full();
            if !full && (!first.is_ready(self.now) || self.may_be_decoys(first)) {
                return;
            }
            let Some(waiting) = self.line.pop() else { return };
            self.judge(&waiting, each);
        }
    }

    fn judge(&mut self, waiting: &Waiting, each: &mut dyn FnMut(&Engine, &Notice)) {
        let at = waiting.at;
        self.pass(at, each);
        let Waiting { subject, tuple, packet, .. } = *waiting;
        if let Some(zone) = &waiting.zone {
            self.watch(waiting, zone, each);
            return;
        }
        let banned = self.engine.ban_of(tuple.peer).is_some();
        let event = match &waiting.kind {
            Kind::Call(call) => {
                let owned = self.owned(waiting, call);
                if owned == Owned::Unknown {
                    if self.is_suspect(at, &subject) {
                        self.doubtful.update(at, subject);
                    }
                    return;
                }
                let open = owned == Owned::Yes;
                let fate = self.program.incoming(at, &packet, subject, banned, open);
                self.probed(fate, call.probe.as_deref(), owned == Owned::Decoy)
            }
            Kind::Impossible(probe) => {
                let fate = self.program.incoming(at, &packet, subject, banned, false);
                self.probed(fate, probe.as_deref(), false)
            }
            Kind::Acknowledged(segment) => {
                let open = self.is_open(&tuple) != Some(false);
                let fate = self.program.incoming(at, &packet, subject, banned, open);
                (fate == Fate::Contact && segment.good).then(|| acknowledged(waiting, segment))
            }
            Kind::Stray => {
                let fate = self.program.incoming(at, &packet, subject, banned, false);
                let what =
                    matches!(packet.what, What::Tcp { flags, .. } if !flags.has(TcpFlags::SYN));
                (fate == Fate::Contact && what)
                    .then_some(EventKind::Guess(Guess { source: tuple.peer, port: tuple.port }))
            }
            Kind::Accepted => {
                if !self.is_suspect(at, &subject) {
                    self.listeners.learn(tuple.home, tuple.port, Verdict::Open);
                }
                None
            }
            Kind::Asked => {
                self.program.leaving(at, &packet);
                None
            }
        };
        if let Some(kind) = event {
            self.engine.handle(Event { at, kind });
            self.tell(each);
        }
    }

    /// One that came in by a zone that is only watched: the kernel program keeps no count of it.
    fn watch(
        &mut self,
        waiting: &Waiting,
        zone: &ZoneName,
        each: &mut dyn FnMut(&Engine, &Notice),
    ) {
        let (owned, probe) = match &waiting.kind {
            Kind::Call(call) => {
                let owned = self.owned(waiting, call);
                if owned == Owned::Unknown {
                    return;
                }
                (owned == Owned::Yes, &call.probe)
            }
            Kind::Impossible(probe) => (false, probe),
            _ => return,
        };
        let fate = self.program.watched(waiting.at, &waiting.packet, owned);
        let fate = if fate { Fate::Probe(None) } else { Fate::Passes };
        if let Some(EventKind::Probe(probe)) = self.probed(fate, probe.as_deref(), false) {
            let kind = EventKind::Probe(Probe { zone: Some(zone.clone()), ..probe });
            self.engine.handle(Event { at: waiting.at, kind });
            self.tell(each);
        }
    }

    /// The event of a packet that the kernel program took for a probe.
    fn probed(&mut self, fate: Fate, probe: Option<&Probe>, decoy: bool) -> Option<EventKind> {
        let Fate::Probe(stage) = fate else { return None };
        let probe = probe?;
        if probe.checksum == Checksum::Unknown {
            self.summary.unverified += 1;
        }
        Some(EventKind::Probe(Probe { stage, decoy, ..probe.clone() }))
    }

    /// Lets time pass up to `now`, one thing after the other.
    fn pass(&mut self, now: Timestamp, each: &mut dyn FnMut(&Engine, &Notice)) {
        self.judged = self.judged.max(now);
        let mut last = None;
        while let Some(due) = self.engine.next_timeout().filter(|due| *due <= now) {
            // What stays due is for the next event.
            if last == Some(due) {
                break;
            }
            last = Some(due);
            self.engine.handle_timeout(due);
            self.tell(each);
        }
        self.engine.handle_timeout(now);
        self.tell(each);
    }

    /// Tells what the engine says, and does what it asks of the kernel.
    fn tell(&mut self, each: &mut dyn FnMut(&Engine, &Notice)) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Announce(notice) => {
                    self.summary.notice(&notice);
                    each(&self.engine, &notice);
                }
                // Whom operators allow is in no capture.
                Output::Allow(_) => {}
                Output::Apply(batch) => {
                    for op in &batch.ops {
                        match op {
                            BlockOp::Pardon(subject) => self.program.pardon(Some(subject)),
                            BlockOp::Clear => self.program.pardon(None),
                            BlockOp::Block(_) | BlockOp::Unblock(_) | BlockOp::Sever(_) => {}
                        }
                    }
                }
            }
        }
    }
}

/// What a suspect's first segment to a decoy is: a proof, or too late for one.
fn acknowledged(waiting: &Waiting, segment: &Segment) -> EventKind {
    let Tuple { peer: source, peer_port: source_port, home: destination, port } = waiting.tuple;
    if !Told::holds(segment.told, waiting.at) {
        return EventKind::Guess(Guess { source, port });
    }
    let flags = match waiting.packet.what {
        What::Tcp { flags, .. } => flags,
        _ => TcpFlags::ACK,
    };
    EventKind::Contact(Contact {
        source,
        destination,
        source_port,
        port,
        flags,
        said: segment.said.clone(),
        bytes: segment.bytes.clone(),
    })
}
