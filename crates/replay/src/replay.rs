//! The engine under a capture's clock.
//!
//! Each packet meets the kernel program's model, and what that would have told the daemon becomes an
//! event. Time is what the capture says, and never runs backwards; between packets, what is due
//! happens at its time. So the same capture gives the same decisions, to the byte.
//!
//! What a capture can't show: who listens without ever being called, what the host's own filter
//! kept from a listener, and the proof of an address, unless decoys played.

use std::collections::BTreeSet;

use vauban_engine::event::{Checksum, Contact, Event, EventKind, Facts, Guess, Probe};
use vauban_engine::flags::{Shape, TcpFlags};
use vauban_engine::net::Prefix;
use vauban_engine::policy::Policy;
use vauban_engine::program::{Expiring, Fate, Packet, Program, What};
use vauban_engine::{BlockOp, Engine, Notice, Output, Port, Protocol, Timestamp};
use vauban_packet::{Carries, Headers, Sides, headers, network_layer, probe, segment, sides};

use crate::capture::Frame;
use crate::fragments::{Fragments, Whole};
use crate::handshakes::{Handshakes, Told};
use crate::held::Held;
use crate::home::{Home, MOST_LEARNED, is_hosts};
use crate::line::{Call, Kind, Line, Reply, Segment, Tuple, Waiting};
use crate::listeners::{Listeners, Verdict};
use crate::open::Open;
use crate::summary::Summary;

/// So many unknown ports in a row that accept a source which is about to become a suspect, and none
/// that refuses it, are decoys. Nobody calls five services that nobody else has called, right after
/// as many closed ports as the trigger forgives, within a second.
const DECOYS_IN_A_ROW: usize = 5;

/// Packets that are looked through for them: so many leave one scanner's second, and more would make
/// a hostile capture slow.
const LOOKED_THROUGH: usize = 4_096;

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
}

/// The capture does not tell whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose;

impl std::fmt::Display for Whose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot tell which host this capture is of; say its address with --home")
    }
}

impl std::error::Error for Whose {}

/// A replay that goes on.
pub struct Replay {
    engine: Engine,
    program: Program,
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
    facts: Facts,
    now: Timestamp,
    summary: Summary,
}

/// Whether there is a socket for a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owned {
    Yes,
    No,
    /// None, and it was accepted all the same: by a decoy.
    Decoy,
    Unknown,
}

impl Replay {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let Settings { policy, home, open } = settings;
        let facts = Facts::default();
        let sources = usize::try_from(policy.kernel.sources).unwrap_or(usize::MAX);
        let mut replay = Self {
            program: Program::new(&policy, &facts),
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
            facts,
            now: Timestamp::default(),
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
            self.judge(waiting, each);
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
        let home = held.winner().ok_or(Whose)?;
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

    fn say_facts(&mut self) {
        self.engine.handle(Event { at: self.now, kind: EventKind::Facts(self.facts.clone()) });
    }

    /// A frame of the capture.
    fn see(&mut self, frame: &Frame<'_>, each: &mut dyn FnMut(&Engine, &Notice)) {
        self.now = self.now.max(frame.at);
        let mut sides = sides(frame.link, frame.bytes);
        sides.outbound = sides.outbound.or(frame.outbound);
        if let Some(packet) = network_layer(frame.link, frame.bytes) {
            match self.fragments.take(self.now, packet) {
                Whole::AsIs => self.packet(&sides, packet),
                Whole::Together(packet) => self.packet(&sides, &packet),
                Whole::Waits => {}
            }
        }
        self.advance(each);
    }

    fn packet(&mut self, sides: &Sides, bytes: &[u8]) {
        let Ok(headers) = headers(bytes) else { return };
        let (from, to) = (headers.source, headers.destination);
        if self.home.mac.is_some() && self.home.mac == sides.from {
            self.discover(from);
        }
        match (self.program.is_home(from), self.program.is_home(to)) {
            // To another link address than ours: overheard.
            (false, true) => {
                let overheard = self.home.mac.is_some() && sides.to != self.home.mac;
                self.incoming(&headers, !sides.elsewhere && !overheard, bytes);
            }
            (true, false) => self.outgoing(&headers),
            _ => {}
        }
    }

    /// An address that the host has used from its own link address, and that is not known yet.
    fn discover(&mut self, address: std::net::IpAddr) {
        if self.program.is_home(address)
            || !is_hosts(address)
            || self.home.addresses.len() >= MOST_LEARNED
        {
            return;
        }
        let prefix = Prefix::host(address);
        self.program.add_home(&[prefix]);
        let mut home = self.home.clone();
        home.addresses.push(prefix);
        home.addresses.sort_unstable();
        self.settle(home);
    }

    fn incoming(&mut self, headers: &Headers, unicast: bool, bytes: &[u8]) {
        let (source, destination) = (headers.source, headers.destination);
        let tuple = |peer_port, port| Tuple { peer: source, peer_port, home: destination, port };
        let read = || probe(bytes, None).ok().map(Box::new);
        let (tuple, what, kind) = match headers.carries {
            Carries::Udp { source_port, port } => {
                let call = Call { probe: read(), sequence: 0, reply: None, went_on: false };
                let what = What::Udp { source_port, port };
                (tuple(source_port, Port::udp(port)), what, Kind::Call(call))
            }
            Carries::Tcp { source_port, port, flags, sequence, acknowledgment } => {
                let tuple = tuple(source_port, Port::tcp(port));
                let kind = match flags.shape() {
                    Shape::Open => {
                        Kind::Call(Call { probe: read(), sequence, reply: None, went_on: false })
                    }
                    Shape::Impossible => Kind::Impossible(read()),
                    Shape::Other if flags.has(TcpFlags::RST) => return,
                    Shape::Other => {
                        let opens = flags.has(TcpFlags::SYN);
                        if !opens {
                            self.line.went_on(&tuple, sequence);
                        }
                        let Some(kind) =
                            self.acknowledgement(&tuple, opens, (sequence, acknowledgment), bytes)
                        else {
                            return;
                        };
                        kind
                    }
                };
                (tuple, What::Tcp { source_port, port, flags }, kind)
            }
            Carries::Unreachable(_) | Carries::Other => return,
        };
        let packet = Packet { source, destination, what, unicast };
        let subject = self.engine.keying().subject(source);
        self.line.push(Waiting { at: self.now, subject, tuple, packet, kind });
    }

    /// A segment that acknowledges something: nobody's business, unless nobody listens there.
    fn acknowledgement(
        &self,
        tuple: &Tuple,
        opens: bool,
        (sequence, acknowledgment): (u32, u32),
        bytes: &[u8],
    ) -> Option<Kind> {
        let subject = self.engine.keying().subject(tuple.peer);
        if self.line.is_empty() && !self.program.is_suspect(self.now, &subject) {
            return None;
        }
        let told = match self.handshakes.get(tuple) {
            None if self.is_open(tuple) == Some(false) => return Some(Kind::Stray),
            None | Some(None) => return None,
            Some(Some(told)) => told,
        };
        // Only the first segments of a connection can be a proof.
        let first = !opens && (sequence, acknowledgment) == (told.next, told.wanted);
        if !first || self.is_open(tuple) == Some(true) {
            return None;
        }
        let segment = segment(bytes).ok()?;
        let kept = |bytes: &[u8], most: usize| bytes.get(..most).unwrap_or(bytes).to_vec();
        Some(Kind::Acknowledged(Box::new(Segment {
            good: segment.checksum == Checksum::Good,
            said: kept(segment.payload, Contact::JUDGED),
            bytes: kept(bytes, Probe::KEPT),
            told: told.at,
        })))
    }

    fn outgoing(&mut self, headers: &Headers) {
        let (home, peer) = (headers.source, headers.destination);
        let tuple = |port, peer_port| Tuple { peer, peer_port, home, port };
        match headers.carries {
            Carries::Udp { source_port, port } => {
                let tuple = tuple(Port::udp(source_port), port);
                self.line.answer(&tuple, Reply::Accepted, |_| true);
                let packet = Packet {
                    source: home,
                    destination: peer,
                    what: What::Udp { source_port, port },
                    unicast: true,
                };
                self.push(tuple, packet, Kind::Asked);
            }
            Carries::Tcp { source_port, port, flags, sequence, acknowledgment } => {
                let tuple = tuple(Port::tcp(source_port), port);
                let ack = flags.has(TcpFlags::ACK);
                if flags.has(TcpFlags::RST) {
                    // What a call says with its SYN is acknowledged, too.
                    const MOST_SAID: u32 = 2_048;
                    let meant =
                        |call: u32| (1..=MOST_SAID).contains(&acknowledgment.wrapping_sub(call));
                    self.answers |=
                        self.line.answer(&tuple, Reply::Refused, |call| ack && meant(call));
                } else if flags.has(TcpFlags::SYN) && ack {
                    let next = acknowledgment;
                    let wanted = sequence.wrapping_add(1);
                    self.handshakes.tell(tuple, Told { at: self.now, next, wanted });
                    let meant = |call: u32| call.wrapping_add(1) == next;
                    if self.line.answer(&tuple, Reply::Accepted, meant) {
                        self.answers = true;
                    } else {
                        let what = What::Tcp { source_port, port, flags };
                        let packet =
                            Packet { source: home, destination: peer, what, unicast: true };
                        self.push(tuple, packet, Kind::Accepted);
                    }
                } else if flags.has(TcpFlags::SYN) {
                    self.handshakes.call(tuple);
                } else if ack {
                    self.line.answer(&tuple, Reply::Known, |_| true);
                }
            }
            Carries::Unreachable(about) => {
                let tuple = Tuple {
                    peer: about.source,
                    peer_port: about.source_port,
                    home: about.destination,
                    port: about.port,
                };
                self.line.answer(&tuple, Reply::Refused, |_| true);
            }
            Carries::Other => {}
        }
    }

    fn push(&mut self, tuple: Tuple, packet: Packet, kind: Kind) {
        let subject = self.engine.keying().subject(tuple.peer);
        self.line.push(Waiting { at: self.now, subject, tuple, packet, kind });
    }

    /// Judges those at the head of the line about which no more will be known.
    fn advance(&mut self, each: &mut dyn FnMut(&Engine, &Notice)) {
        while let Some(first) = self.line.first() {
            let full = self.line.is_full();
            if !full && (!first.is_ready(self.now) || self.may_be_decoys(first)) {
                return;
            }
            let Some(waiting) = self.line.pop() else { return };
            self.judge(waiting, each);
        }
    }

    /// Whether what comes behind it shows if it was a decoy that has accepted this call.
    fn may_be_decoys(&self, first: &Waiting) -> bool {
        let Kind::Call(call) = &first.kind else { return false };
        self.is_accepted(call) && !first.is_due(self.now) && self.is_brink(first)
    }

    /// Whether a call was accepted, also by what left past the tap.
    fn is_accepted(&self, call: &Call) -> bool {
        match call.reply {
            Some(reply) => reply == Reply::Accepted,
            None => self.answers && call.went_on,
        }
    }

    /// Whether this call, to a port that has shown no listener, would make its source a suspect.
    fn is_brink(&self, waiting: &Waiting) -> bool {
        let Tuple { peer, home, port, .. } = waiting.tuple;
        port.protocol == Protocol::Tcp
            && self.open.says(port).is_none()
            && self.listeners.verdict(home, port) != Some(Verdict::Open)
            && !self.plain.contains(waiting.at, &waiting.subject)
            && !self.is_suspect(waiting.at, &waiting.subject)
            && self.program.is_trigger(waiting.at, &waiting.subject, peer, port)
    }

    fn is_suspect(&self, at: Timestamp, subject: &Prefix) -> bool {
        self.program.is_suspect(at, subject) || self.doubtful.contains(at, subject)
    }

    /// Whether decoys have accepted this call and those behind it.
    fn decoys_follow(&mut self, waiting: &Waiting) -> bool {
        let mut ports = BTreeSet::from([waiting.tuple.port]);
        for other in self.line.waiting(LOOKED_THROUGH) {
            let Kind::Call(call) = &other.kind else { continue };
            let Tuple { home, port, .. } = other.tuple;
            if other.subject != waiting.subject || port.protocol != Protocol::Tcp {
                continue;
            }
            if call.reply == Some(Reply::Refused) {
                // Nobody refuses a suspect. So this call, the trigger, met a listener.
                self.plain.update(waiting.at, waiting.subject);
                return false;
            }
            match self.listeners.verdict(home, port) {
                Some(Verdict::Closed) if self.is_accepted(call) => return true,
                None if self.is_accepted(call) => {
                    ports.insert(port);
                }
                _ => {}
            }
            if ports.len() >= DECOYS_IN_A_ROW {
                return true;
            }
        }
        false
    }

    /// Whether there is a listener, as far as that is known.
    fn is_open(&self, tuple: &Tuple) -> Option<bool> {
        self.open.says(tuple.port).or_else(|| {
            let verdict = self.listeners.verdict(tuple.home, tuple.port);
            verdict.map(|verdict| verdict == Verdict::Open)
        })
    }

    fn judge(&mut self, waiting: Waiting, each: &mut dyn FnMut(&Engine, &Notice)) {
        let at = waiting.at;
        self.pass(at, each);
        let Waiting { subject, tuple, packet, .. } = waiting;
        let banned = self.engine.ban_of(tuple.peer).is_some();
        let event = match &waiting.kind {
            Kind::Call(call) => {
                let owned = self.owned(&waiting, call);
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
                (fate == Fate::Contact && segment.good).then(|| acknowledged(&waiting, segment))
            }
            Kind::Stray => {
                let fate = self.program.incoming(at, &packet, subject, banned, false);
                let what =
                    matches!(packet.what, What::Tcp { flags, .. } if !flags.has(TcpFlags::SYN));
                (fate == Fate::Contact && what)
                    .then(|| EventKind::Guess(Guess { source: tuple.peer, port: tuple.port }))
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

    /// Whether there is a socket for this call; takes note of what its answer teaches.
    fn owned(&mut self, waiting: &Waiting, call: &Call) -> Owned {
        let Tuple { home, port, .. } = waiting.tuple;
        let accepted = call.reply == Some(Reply::Accepted);
        if let Some(open) = self.open.says(port) {
            return match (open, accepted) {
                (true, _) => Owned::Yes,
                (false, true) => Owned::Decoy,
                (false, false) => Owned::No,
            };
        }
        // Decoys speak TCP alone.
        let suspect =
            port.protocol == Protocol::Tcp && self.is_suspect(waiting.at, &waiting.subject);
        let known = self.listeners.verdict(home, port);
        let (owned, lesson) = match (call.reply, known) {
            (Some(Reply::Known), _) => (Owned::Yes, None),
            (Some(Reply::Refused), _) => (Owned::No, Some(Verdict::Closed)),
            (Some(Reply::Accepted), known) if suspect => match known {
                Some(Verdict::Open) => (Owned::Yes, None),
                Some(Verdict::Closed) => (Owned::Decoy, None),
                None => (Owned::Unknown, None),
            },
            (Some(Reply::Accepted), _) => {
                if self.is_brink(waiting) && self.decoys_follow(waiting) {
                    (Owned::Decoy, None)
                } else {
                    (Owned::Yes, Some(Verdict::Open))
                }
            }
            (None, Some(Verdict::Open)) => (Owned::Yes, None),
            (None, Some(Verdict::Closed)) => (Owned::No, None),
            (None, None) if call.went_on && !self.answers => match suspect {
                true => (Owned::Unknown, None),
                false => (Owned::Yes, Some(Verdict::Open)),
            },
            // This host's answers are in the capture, but not this one: decoys leave past the taps
            // of their own host. Or it was lost.
            (None, None) if call.went_on => {
                let decoy = suspect || self.is_brink(waiting) && self.decoys_follow(waiting);
                (if decoy { Owned::Decoy } else { Owned::Unknown }, None)
            }
            (None, None) => (Owned::No, None),
        };
        if let Some(verdict) = lesson {
            self.listeners.learn(home, port, verdict);
        }
        owned
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
