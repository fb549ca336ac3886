//! The delay line: a call is judged only when its answer has been seen, or does not come.
//!
//! Whether a port has a listener, the capture shows by what is answered, and that stands behind the
//! call. So packets wait here, strictly in their order, and everything that tells about one that
//! waits is noted at it. Bounded in packets and bytes: when there are too many, the first one goes on
//! with what is known by then.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use vauban_engine::event::Probe;
use vauban_engine::net::Prefix;
use vauban_engine::program::Packet;
use vauban_engine::zone::ZoneName;
use vauban_engine::{Port, Timestamp};

/// How long an answer is waited for: TCP's first retransmission timeout is a second (RFC 6298), so
/// whatever has not been answered by then is called for again.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Packets that wait at most. At 400 bytes each with what is kept of a probe, 26 MiB; as many SYNs a
/// second without an answer are a flood, of which the kernel would copy fewer.
const MOST: usize = 65_536;

/// Bytes of packets that wait at most: what contacts have said counts most.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The two ends of a call: of the caller and of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tuple {
    /// The other one's address.
    pub peer: IpAddr,
    /// His port.
    pub peer_port: u16,
    /// Ours.
    pub home: IpAddr,
    /// Our port.
    pub port: Port,
}

/// A packet that waits.
#[derive(Debug)]
pub struct Waiting {
    /// When it came.
    pub at: Timestamp,
    /// The key of the other side's address.
    pub subject: Prefix,
    /// Its two ends.
    pub tuple: Tuple,
    /// What the kernel program goes by.
    pub packet: Packet,
    /// The zone that it came in by, if that is only watched.
    pub zone: Option<ZoneName>,
    /// What it is.
    pub kind: Kind,
}

/// What waits.
#[derive(Debug)]
pub enum Kind {
    /// A SYN or a UDP datagram to this host.
    Call(Call),
    /// A segment that no stack sends.
    Impossible(Option<Box<Probe>>),
    /// A segment that acknowledges what was told to its sender.
    Acknowledged(Box<Segment>),
    /// A segment to a port without a listener that belongs to nothing.
    Stray,
    /// This host's SYN-ACK, to a call that has not waited for it.
    Accepted,
    /// UDP that leaves this host.
    Asked,
}

/// A call.
#[derive(Debug)]
pub struct Call {
    /// As user space would read it; `None` when that is not possible.
    pub probe: Option<Box<Probe>>,
    /// Its sequence number; zero for UDP.
    pub sequence: u32,
    /// What was answered.
    pub reply: Option<Reply>,
    /// Whether the caller went on as if he had been answered.
    pub went_on: bool,
}

/// What a call was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// SYN-ACK, or a datagram from that port.
    Accepted,
    /// An acknowledgement without SYN: there was a connection of these ends already.
    Known,
    /// RST or ICMP unreachable.
    Refused,
}

/// A segment that may prove its sender's address.
#[derive(Debug)]
pub struct Segment {
    /// Whether its checksum is right.
    pub good: bool,
    /// What it says, as much as is judged.
    pub said: Vec<u8>,
    /// Its first bytes from the IP header on.
    pub bytes: Vec<u8>,
    /// When the SYN-ACK left that it acknowledges.
    pub told: Timestamp,
}

/// The line.
#[derive(Debug, Default)]
pub struct Line {
    waiting: VecDeque<Waiting>,
    /// The number of the first one; those behind it have the next ones.
    first: u64,
    /// The calls that wait, by their ends.
    calls: BTreeMap<Tuple, VecDeque<u64>>,
    bytes: usize,
}

impl Line {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The first one that waits.
    pub fn first(&self) -> Option<&Waiting> {
        self.waiting.front()
    }

    /// Those that wait, at most `most` of them.
    pub fn waiting(&self, most: usize) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter().take(most)
    }

    /// Whether there is no room for more.
    pub fn is_full(&self) -> bool {
        self.waiting.len() > MOST || self.bytes > MOST_BYTES
    }

    /// Puts one at the end.
    pub fn push(&mut self, waiting: Waiting) {
        if matches!(waiting.kind, Kind::Call(_)) {
            let number = self.first + self.waiting.len() as u64;
            self.calls.entry(waiting.tuple).or_default().push_back(number);
        }
        self.bytes += waiting.bytes();
        self.waiting.push_back(waiting);
    }

    /// Takes the first one out.
    pub fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.first += 1;
        self.bytes -= waiting.bytes();
        if matches!(waiting.kind, Kind::Call(_))
            && let Some(numbers) = self.calls.get_mut(&waiting.tuple)
        {
            numbers.pop_front();
            if numbers.is_empty() {
                self.calls.remove(&waiting.tuple);
            }
        }
        Some(waiting)
    }

    /// Notes an answer at the calls of these ends that `is_meant`, by their sequence number; says
    /// whether there was one. The first answer counts.
    pub fn answer(&mut self, tuple: &Tuple, reply: Reply, is_meant: impl Fn(u32) -> bool) -> bool {
        let mut found = false;
        self.each_call(tuple, |call| {
            if is_meant(call.sequence) {
                call.reply.get_or_insert(reply);
                found = true;
            }
        });
        found
    }

    /// Notes that the caller went on.
    pub fn went_on(&mut self, tuple: &Tuple, sequence: u32) {
        self.each_call(tuple, |call| call.went_on |= call.sequence.wrapping_add(1) == sequence);
    }

    fn each_call(&mut self, tuple: &Tuple, mut each: impl FnMut(&mut Call)) {
        // Whoever repeats one call for ever makes no more work than this.
        const MOST_EACH: usize = 64;
        let Some(numbers) = self.calls.get(tuple) else { return };
        for number in numbers.iter().rev().take(MOST_EACH) {
            let index = usize::try_from(number - self.first).unwrap_or(usize::MAX);
            if let Some(Waiting { kind: Kind::Call(call), .. }) = self.waiting.get_mut(index) {
                each(call);
            }
        }
    }
}

impl Waiting {
    /// Whether more may still come that tells about it, at `now`.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        match &self.kind {
            Kind::Call(call) => call.reply.is_some() || call.went_on || self.is_due(now),
            _ => true,
        }
    }

    /// Whether it has waited long enough for an answer.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now.since(self.at) >= PATIENCE
    }

    fn bytes(&self) -> usize {
        match &self.kind {
            Kind::Call(Call { probe: Some(probe), .. }) | Kind::Impossible(Some(probe)) => {
                probe.bytes.len()
            }
            Kind::Acknowledged(segment) => segment.said.len() + segment.bytes.len(),
            _ => 0,
        }
    }
}
