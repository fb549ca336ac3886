//! From a packet to its place in the line: what it is, and what it tells about those that wait.

use vauban_engine::Port;
use vauban_engine::event::{Checksum, Contact, Probe};
use vauban_engine::flags::{Shape, TcpFlags};
use vauban_engine::net::Prefix;
use vauban_engine::program::{Packet, What};
use vauban_engine::zone::ZoneName;
use vauban_packet::{Carries, Headers, Sides, headers, probe, segment};

use super::Replay;
use crate::handshakes::{Said, Told};
use crate::home::{MOST_LEARNED, is_hosts};
use crate::line::{Call, Kind, Reply, Segment, Tuple, Waiting};
use crate::zones::Place;

impl Replay {
    pub(super) fn packet(&mut self, sides: &Sides, interface: Option<&str>, bytes: &[u8]) {
        let Ok(headers) = headers(bytes) else { return };
        let (from, to) = (headers.source, headers.destination);
        if self.home.mac.is_some() && self.home.mac == sides.from {
            self.discover(from);
        }
        let ends = (self.program.is_home(from), self.program.is_home(to));
        self.summary.met_home |= ends.0 || ends.1;
        match ends {
            // To another link address than ours: overheard.
            (false, true) => {
                let overheard = !self.home_is_said
                    && (sides.overheard || self.home.mac.is_some() && sides.to != self.home.mac);
                self.summary.guessed |= self.places.is_guess(interface);
                let zone = match self.places.of(interface) {
                    Place::Protected => None,
                    Place::Watched(zone) => Some(zone.clone()),
                    Place::Ignored => {
                        self.summary.ignored += 1;
                        return;
                    }
                };
                self.incoming(&headers, zone, !sides.elsewhere && !overheard, bytes);
            }
            (true, false) => self.outgoing(&headers),
            _ => {}
        }
    }

    /// An address that the host has used from its own link address, and that is not known yet.
    pub(super) fn discover(&mut self, address: std::net::IpAddr) {
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

    pub(super) fn incoming(
        &mut self,
        headers: &Headers,
        zone: Option<ZoneName>,
        unicast: bool,
        bytes: &[u8],
    ) {
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
                        // Nobody looks at these where nobody is held for anything.
                        if zone.is_some() {
                            return;
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
        self.line.push(Waiting { at: self.now, subject, tuple, packet, zone, kind });
    }

    /// A segment that acknowledges something: nobody's business, unless nobody listens there.
    pub(super) fn acknowledgement(
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
            None | Some(Said::Called) => return None,
            Some(Said::Accepted(told)) => told,
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

    pub(super) fn outgoing(&mut self, headers: &Headers) {
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

    pub(super) fn push(&mut self, tuple: Tuple, packet: Packet, kind: Kind) {
        let subject = self.engine.keying().subject(tuple.peer);
        self.line.push(Waiting { at: self.now, subject, tuple, packet, zone: None, kind });
    }
}
