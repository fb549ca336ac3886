//! What the capture has shown of this host's ports: which have a listener, which have none.
//!
//! What suspects are answered tells nothing: it may be a decoy's, when the capture was made on a
//! host that ran Vauban.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use vauban_engine::Port;

/// Ports remembered at most: as many as there are. When a whole net is at home, those learned first
/// make room; some 12 MiB.
const MOST: usize = 131_072;

/// What is known of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody listens.
    Open,
    /// Nobody does.
    Closed,
}

/// The ports.
#[derive(Debug, Default)]
pub struct Listeners {
    known: BTreeMap<(IpAddr, Port), Verdict>,
    oldest: VecDeque<(IpAddr, Port)>,
}

impl Listeners {
    /// Takes note; the last word counts.
    pub fn learn(&mut self, address: IpAddr, port: Port, verdict: Verdict) {
        let place = (address, port);
        if self.known.insert(place, verdict).is_none() {
            self.oldest.push_back(place);
        }
        while self.oldest.len() > MOST {
            let Some(oldest) = self.oldest.pop_front() else { return };
            self.known.remove(&oldest);
        }
    }

    /// What is known of it, if anything is.
    #[must_use]
    pub fn verdict(&self, address: IpAddr, port: Port) -> Option<Verdict> {
        self.known.get(&(address, port)).copied()
    }

    /// The ports that have a listener, in order, each once.
    #[must_use]
    pub fn open(&self) -> Vec<Port> {
        let mut ports: Vec<Port> = self
            .known
            .iter()
            .filter(|(_, verdict)| **verdict == Verdict::Open)
            .map(|((_, port), _)| *port)
            .collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }
}
