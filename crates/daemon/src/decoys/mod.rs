//! Answers in the name of ports that nobody serves.
//!
//! The kernel program copies a suspect's SYN here and drops it; the answer goes out of the
//! interface that the SYN came by, to the link address that it came from, past the host's own
//! rules for output. Nothing of a SYN is stored: the answer's sequence number is a keyed cookie,
//! and whoever acknowledges it has received it.
//!
//! What it does not do: say who is a suspect, limit rates (the kernel program does both, where a
//! packet too many can be kept from ports with a listener too), or judge (it says what happened, as
//! an event).
//!
//! | file | what |
//! |---|---|
//! | `host` | what this host's own answers look like |
//! | `routes` | what of that depends on the way to a suspect |
//! | `outbox` | packets that wait to be sent together |
//! | `pacer` | keeps bursts apart |
//! | `visits` | suspects at ports with a listener, until it is seen whether they reach it |
//! | `contacts` | who has completed a handshake lately |
//! | `pulse` | whether anybody answers, for the kernel program to know |

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use vauban_enforce::program::prefix;
use vauban_engine::event::{Checksum, Contact, EventKind, Guess, Probe, Stage};
use vauban_engine::flags::TcpFlags;
use vauban_engine::net::canonical;
use vauban_engine::policy::{Afterwards, Enforcement, Policy};
use vauban_engine::{Port, Timestamp};
use vauban_packet::decoy::{Cookies, reset, syn_ack};
use vauban_packet::{TcpSegment, Unreadable, probe, segment};
use vauban_sys::network::NetworkSender;
use vauban_sys::nflog::Copy;
use vauban_sys::{diag, random};

use self::contacts::{Contacts, Tuple};
use self::host::Host;
use self::outbox::{Outbox, Way};
use self::pacer::Pacer;
use self::visits::{Visit, Visits};
use crate::clock::Clock;

mod contacts;
mod host;
mod outbox;
mod pacer;
pub mod pulse;
mod routes;
mod visits;

/// How long the source of copies may be waited for when nothing else is due.
const IDLE: Duration = Duration::from_millis(250);

/// What the responder has done.
#[derive(Debug, Default)]
pub struct Counts {
    /// Decoys sent; in a dry run, those that would have been.
    pub decoys: AtomicU64,
    /// Of them, those in the place of a listener that the host's own filter hides.
    pub hidden: AtomicU64,
    /// SYNs that no listener would have answered either, and answers that could not be sent.
    pub unanswered: AtomicU64,
    /// Handshakes that were completed.
    pub handshakes: AtomicU64,
    /// Wrong acknowledgements that got a RST.
    pub resets: AtomicU64,
}

/// What copies are turned into: events, and answers.
pub struct Responder {
    sender: NetworkSender,
    /// In a dry run, nothing is sent.
    dry_run: bool,
    afterwards: Afterwards,
    /// Policies to go by from now on.
    policies: Receiver<Policy>,
    cookies: Cookies,
    host: Host,
    outbox: Outbox,
    pacer: Pacer,
    clock: Clock,
    visits: Visits,
    contacts: Contacts,
    counts: Arc<Counts>,
    scratch: Vec<u8>,
}

/// A probe from a zone that is only watched: nobody answers it.
fn watched(payload: &[u8], zone: &str) -> Result<Option<EventKind>, Unreadable> {
    let mut seen = probe(payload, None)?;
    // A copy of a program with other names was on its way.
    let Ok(zone) = zone.parse() else { return Ok(None) };
    seen.zone = Some(zone);
    Ok(Some(EventKind::Probe(seen)))
}

impl Responder {
    /// One that sends through this socket. The key of the cookies lives as long as it.
    ///
    /// # Errors
    /// Those of getrandom(2), and of opening sockets to ask the kernel.
    pub fn new(
        sender: NetworkSender,
        policy: &Policy,
        policies: Receiver<Policy>,
        clock: Clock,
        counts: Arc<Counts>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            sender,
            dry_run: policy.enforcement == Enforcement::DryRun,
            afterwards: policy.decoy.afterwards,
            policies,
            cookies: Cookies::new(random::key()?),
            host: Host::read()?,
            outbox: Outbox::default(),
            pacer: Pacer::default(),
            clock,
            visits: Visits::default(),
            contacts: Contacts::default(),
            counts,
            scratch: Vec::new(),
        })
    }

    /// Takes a copy, answers it if it is to be answered, and says what happened: `Ok(None)` when
    /// it is nobody else's business. `Err` when the copy could not be read.
    pub fn take(
        &mut self,
        now: Timestamp,
        copy: &Copy<'_>,
    ) -> Result<Option<EventKind>, Unreadable> {
        let way = Way::back(copy);
        if let Some(zone) = copy.prefix.strip_prefix(prefix::WATCH) {
            return watched(copy.payload, zone);
        }
        let (stage, answered) = match copy.prefix {
            prefix::BELOW => (Some(Stage::Below), false),
            prefix::TRIGGER => (Some(Stage::Trigger), false),
            prefix::TRIGGER_DECOY => (Some(Stage::Trigger), true),
            prefix::SUSPECT => (Some(Stage::Suspect), false),
            prefix::SUSPECT_DECOY => (Some(Stage::Suspect), true),
            // The kernel could not count it, so the engine's own count decides.
            prefix::FULL_DECOY => (None, true),
            prefix::VISIT | prefix::STRAY => return self.visit(now, copy.payload, way),
            prefix::PASSED => return self.passed(copy.payload),
            prefix::CONTACT => return self.contact(now, copy.payload, way),
            _ => (None, false),
        };
        let mut probe = probe(copy.payload, stage)?;
        if answered {
            probe.decoy =
                segment(copy.payload).is_ok_and(|opening| self.answer(now, &opening, way));
            self.send_one();
        }
        Ok(Some(EventKind::Probe(probe)))
    }

    /// Sends what has been answered, and settles which visits need a decoy. `drained` says that no
    /// copy is waiting.
    pub fn settle(&mut self, now: Timestamp, drained: bool) {
        for policy in self.policies.try_iter() {
            self.dry_run = policy.enforcement == Enforcement::DryRun;
            self.afterwards = policy.decoy.afterwards;
        }
        for visit in self.visits.due(now, drained) {
            self.stand_in(&visit);
        }
        self.send();
        if drained {
            self.host.refresh(now);
        }
    }

    /// Says how full the queue of copies is: `0.0` to `1.0`.
    pub fn backlog(&mut self, share: f64) {
        self.pacer.backlog(share);
    }

    /// Sends at once, but not faster than a scanner can read.
    fn send_one(&mut self) {
        if let Some(wait) = self.pacer.wait(self.clock.now()) {
            std::thread::sleep(wait);
            self.send();
        }
    }

    fn send(&mut self) {
        if self.dry_run {
            self.outbox.clear();
        } else {
            let failed = self.outbox.send(&self.sender);
            self.counts.unanswered.fetch_add(failed, Ordering::Relaxed);
        }
    }

    /// How long the next copy may be waited for.
    #[must_use]
    pub fn patience(&self, now: Timestamp) -> Duration {
        self.visits.next(now).map_or(IDLE, |next| next.min(IDLE))
    }

    /// A decoy for this SYN, unless no listener would answer it.
    fn answer(&mut self, now: Timestamp, opening: &TcpSegment<'_>, way: Option<Way>) -> bool {
        let made = way.filter(|way| self.make_decoy(now, opening, *way));
        let count = if made.is_some() { &self.counts.decoys } else { &self.counts.unanswered };
        count.fetch_add(1, Ordering::Relaxed);
        if let Some(way) = made {
            self.outbox.put(way, &self.scratch);
        }
        made.is_some()
    }

    /// Writes a decoy into `scratch`.
    fn make_decoy(&mut self, now: Timestamp, opening: &TcpSegment<'_>, way: Way) -> bool {
        let (from, to) = (opening.destination, opening.source);
        let (look, mtu) = self.host.look(now, from, to, way.interface);
        syn_ack(opening, &look, mtu, &self.cookies, now, &mut self.scratch).is_ok()
    }

    /// A suspect at a port with a listener. What a decoy would say is made now: the packet may be
    /// too long to be kept.
    fn visit(
        &mut self,
        now: Timestamp,
        packet: &[u8],
        way: Option<Way>,
    ) -> Result<Option<EventKind>, Unreadable> {
        let called = segment(packet)?;
        let Some(way) = way else { return Ok(None) };
        let opening = !called.flags.has(TcpFlags::ACK);
        let made = if opening {
            self.make_decoy(now, &called, way)
        } else {
            self.make_refusal(now, &called, way)
        };
        if made {
            self.visits.add(Visit {
                since: now,
                peer: SocketAddr::new(called.source, called.source_port),
                local: SocketAddr::new(called.destination, called.port),
                sequence: called.sequence,
                opening,
                answer: self.scratch.clone(),
                way,
            });
        }
        Ok(None)
    }

    /// A listener's answer to a suspect: its visit has passed the host's own filter.
    fn passed(&mut self, packet: &[u8]) -> Result<Option<EventKind>, Unreadable> {
        let answer = segment(packet)?;
        self.visits.passed(&answer);
        Ok(None)
    }

    /// A visit that nobody has answered: the host's own filter hides that port. Among decoys, it
    /// would stand out.
    fn stand_in(&mut self, visit: &Visit) {
        // A listener that is too busy must look so: whoever is really there tries again.
        if visit.opening && (self.visits.has_answered(visit) || self.host.listeners_are_busy()) {
            return;
        }
        // A connection that exists answers in its own way. If the kernel cannot say, silence harms
        // nobody.
        if diag::has_connection_on(visit.way.interface, visit.local, visit.peer).unwrap_or(true) {
            return;
        }
        self.outbox.put(visit.way, &visit.answer);
        let count = if visit.opening { &self.counts.hidden } else { &self.counts.resets };
        count.fetch_add(1, Ordering::Relaxed);
        if visit.opening {
            self.counts.decoys.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A suspect acknowledges something that no socket knows of.
    fn contact(
        &mut self,
        now: Timestamp,
        packet: &[u8],
        way: Option<Way>,
    ) -> Result<Option<EventKind>, Unreadable> {
        let answer = segment(packet)?;
        if answer.checksum != Checksum::Good {
            // The host would throw it away.
            return Ok(None);
        }
        let tuple = Tuple::of(&answer);
        let source = canonical(answer.source);
        let port = Port::tcp(answer.port);
        if self.cookies.proves(now, &answer) {
            if self.contacts.add(now, tuple) {
                self.counts.handshakes.fetch_add(1, Ordering::Relaxed);
            }
            if !answer.payload.is_empty() {
                self.part(now, &answer, way);
            }
            let kept = |bytes: &[u8], most: usize| bytes.get(..most).unwrap_or(bytes).to_vec();
            return Ok(Some(EventKind::Contact(Contact {
                source,
                destination: canonical(answer.destination),
                source_port: answer.source_port,
                port,
                flags: answer.flags,
                said: kept(answer.payload, Contact::JUDGED),
                bytes: kept(packet, Probe::KEPT),
            })));
        }
        if self.contacts.knows(now, &tuple) {
            // Further segments of a connection that was proven by its first ones.
            self.part(now, &answer, way);
            return Ok(None);
        }
        if self.refuse(now, &answer, way) {
            self.counts.resets.fetch_add(1, Ordering::Relaxed);
        }
        if answer.flags.has(TcpFlags::SYN) {
            // An answer to what nobody has asked: refused, but it guesses nothing.
            return Ok(None);
        }
        Ok(Some(EventKind::Guess(Guess { source, port })))
    }

    /// What a contact gets once it has spoken.
    fn part(&mut self, now: Timestamp, answer: &TcpSegment<'_>, way: Option<Way>) {
        match self.afterwards {
            Afterwards::Silence => {}
            Afterwards::Reset => {
                self.refuse(now, answer, way);
            }
        }
    }

    /// The RST that the host would have sent.
    fn refuse(&mut self, now: Timestamp, answer: &TcpSegment<'_>, way: Option<Way>) -> bool {
        let made = way.filter(|way| self.make_refusal(now, answer, *way));
        if let Some(way) = made {
            self.outbox.put(way, &self.scratch);
        }
        made.is_some()
    }

    /// Writes a RST into `scratch`.
    fn make_refusal(&mut self, now: Timestamp, answer: &TcpSegment<'_>, way: Way) -> bool {
        let (from, to) = (answer.destination, answer.source);
        let (look, _) = self.host.look(now, from, to, way.interface);
        reset(answer, &look, &self.cookies, &mut self.scratch).is_ok()
    }
}
