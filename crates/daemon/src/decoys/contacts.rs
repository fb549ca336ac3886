//! Who has completed a handshake with a decoy lately: what he goes on to send is no guess.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use vauban_engine::Timestamp;
use vauban_packet::TcpSegment;

/// Contacts remembered at most, some 100 KiB. Further segments of a forgotten one are taken for
/// wrong acknowledgements and get a RST.
const MOST: usize = 1_024;

/// How long: TCP gives up on a silent peer after some fifteen minutes, but a bot sooner.
const REMEMBERED: Duration = Duration::from_secs(120);

/// Source and its port, destination and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tuple(IpAddr, u16, IpAddr, u16);

impl Tuple {
    /// That of a segment.
    pub(super) fn of(segment: &TcpSegment<'_>) -> Self {
        Self(segment.source, segment.source_port, segment.destination, segment.port)
    }
}

/// The contacts.
#[derive(Default)]
pub(super) struct Contacts {
    since: BTreeMap<Tuple, Timestamp>,
    oldest: VecDeque<Tuple>,
}

impl Contacts {
    /// Remembers one, and says whether it is new.
    pub(super) fn add(&mut self, now: Timestamp, tuple: Tuple) -> bool {
        let new = self.since.insert(tuple, now).is_none();
        if new {
            self.oldest.push_back(tuple);
        }
        while self.oldest.len() > MOST {
            let Some(oldest) = self.oldest.pop_front() else { break };
            self.since.remove(&oldest);
        }
        new
    }

    /// Whether it is remembered.
    pub(super) fn knows(&self, now: Timestamp, tuple: &Tuple) -> bool {
        self.since.get(tuple).is_some_and(|since| now.since(*since) < REMEMBERED)
    }
}
