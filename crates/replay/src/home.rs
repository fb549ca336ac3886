//! Whose capture it is: which addresses are the protected host's.
//!
//! Where the user does not say so, the first part of the capture votes. A capture that was made on a
//! host has that host at one end of every packet. When two are at an end of every packet, it is the
//! one with fewer addresses behind its link address (the other one is a router), else the one that
//! answers calls, else the one that gets more of them, else the one that the first packet was for.
//!
//! It cannot tell a router's own addresses from those behind it: who captured on one says `--home`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use vauban_engine::net::Prefix;
use vauban_packet::{Carries, Headers, Sides};

/// Addresses that are learned at most. A host has a handful; one with hundreds is a router or a
/// proxy for a whole net, and its user knows better.
pub const MOST_LEARNED: usize = 64;

/// Addresses or link addresses that stand for election: beyond, newer ones are not counted.
const MOST_CANDIDATES: usize = 4_096;

/// So many times more addresses must a router have behind it than the host on its other side.
const ROUTER: usize = 4;

/// A link address.
type Mac = [u8; 6];

/// The votes so far.
#[derive(Debug, Default)]
pub struct Election {
    frames: u64,
    /// Of frames with link addresses.
    macs: BTreeMap<Mac, Votes>,
    /// How many frames had them.
    framed: u64,
    addresses: BTreeMap<IpAddr, Votes>,
    /// What the capture itself says: who sent, who received.
    said: BTreeSet<IpAddr>,
    /// Calls that were seen, to know answers by: caller, called.
    calls: BTreeSet<(IpAddr, u16, IpAddr, u16)>,
    first_for: Option<(Option<Mac>, IpAddr)>,
}

#[derive(Debug, Default)]
struct Votes {
    /// Frames that it was an end of.
    present: u64,
    /// Calls that it answered.
    answers: u64,
    /// Calls that it got.
    called: u64,
    addresses: BTreeSet<IpAddr>,
}

/// Who won.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// The host's addresses, in order.
    pub addresses: Vec<Prefix>,
    /// Its link address: what that sends later, it sends from an address of its own.
    pub mac: Option<[u8; 6]>,
}

impl Election {
    /// Counts a frame.
    pub fn count(&mut self, sides: &Sides, headers: &Headers) {
        let (from, to) = (headers.source, headers.destination);
        if !is_hosts(from) || !is_hosts(to) || sides.elsewhere {
            return;
        }
        self.frames += 1;
        match sides.outbound {
            Some(true) => self.say(from),
            Some(false) => self.say(to),
            None => {}
        }
        let (answer, call) = self.role(headers);
        let ends = sides.from.zip(sides.to);
        self.first_for.get_or_insert((ends.map(|(_, to)| to), to));
        if let Some((from_mac, to_mac)) = ends {
            self.framed += 1;
            for (mac, address, sent) in [(from_mac, from, true), (to_mac, to, false)] {
                if let Some(votes) = entry(&mut self.macs, mac) {
                    votes.add(sent, answer, call);
                    if votes.addresses.len() < MOST_CANDIDATES {
                        votes.addresses.insert(address);
                    }
                }
            }
        }
        for (address, sent) in [(from, true), (to, false)] {
            if let Some(votes) = entry(&mut self.addresses, address) {
                votes.add(sent, answer, call);
            }
        }
    }

    /// Counts what has been counted; `None` when the capture does not tell.
    #[must_use]
    pub fn winner(&self) -> Option<Home> {
        if !self.said.is_empty() {
            return Some(Home { addresses: hosts(&self.said), mac: None });
        }
        let first_for = self.first_for?;
        if self.framed == self.frames
            && let Some((mac, votes)) =
                best(&self.macs, self.framed, |mac| Some(*mac) == first_for.0)
            && votes.addresses.len() <= MOST_LEARNED
        {
            return Some(Home { addresses: hosts(&votes.addresses), mac: Some(*mac) });
        }
        // No link addresses, or none that says who it is. Each family has its own.
        let mut addresses = BTreeSet::new();
        for six in [false, true] {
            let family: BTreeMap<IpAddr, &Votes> = self
                .addresses
                .iter()
                .filter(|(address, _)| address.is_ipv6() == six)
                .map(|(address, votes)| (*address, votes))
                .collect();
            // Each packet has two ends.
            let frames = family.values().map(|votes| votes.present).sum::<u64>() / 2;
            let of_first = |address: &IpAddr| *address == first_for.1;
            if let Some((address, _)) = best(&family, frames, of_first) {
                addresses.insert(*address);
            }
        }
        (!addresses.is_empty()).then(|| Home { addresses: hosts(&addresses), mac: None })
    }

    fn say(&mut self, address: IpAddr) {
        if self.said.len() < MOST_LEARNED {
            self.said.insert(address);
        }
    }

    /// Whether this is an answer to a call, and whether it is one.
    fn role(&mut self, headers: &Headers) -> (bool, bool) {
        let (from, to) = (headers.source, headers.destination);
        match headers.carries {
            Carries::Tcp { source_port, port, flags, .. } => match flags.0 & 0x17 {
                // SYN alone; FIN alone, or nothing, as no stack sends them.
                0x00..=0x02 => {
                    if self.calls.len() < MOST_CANDIDATES {
                        self.calls.insert((from, source_port, to, port));
                    }
                    (false, true)
                }
                // SYN with ACK; RST.
                0x12 | 0x04 | 0x14 => (self.calls.contains(&(to, port, from, source_port)), false),
                _ => (false, false),
            },
            Carries::Unreachable(about) => (about.source == to, false),
            Carries::Udp { .. } | Carries::Other => (false, false),
        }
    }
}

impl Votes {
    fn add(&mut self, sent: bool, answer: bool, call: bool) {
        self.present += 1;
        self.answers += u64::from(sent && answer);
        self.called += u64::from(!sent && call);
    }
}

/// The candidate that is an end of nearly all frames; of several, as the head of this file says.
fn best<K: Ord, V: std::borrow::Borrow<Votes>>(
    candidates: &BTreeMap<K, V>,
    frames: u64,
    of_first: impl Fn(&K) -> bool,
) -> Option<(&K, &Votes)> {
    // A twentieth may be the neighbours' own talk that was overheard.
    let enough = frames - frames / 20;
    let mut standing: Vec<(&K, &Votes)> = candidates
        .iter()
        .map(|(key, votes)| (key, votes.borrow()))
        .filter(|(_, votes)| votes.present >= enough)
        .collect();
    let fewest = standing.iter().map(|(_, votes)| votes.addresses.len()).min()?;
    standing.retain(|(_, votes)| votes.addresses.len() <= fewest.max(1) * ROUTER);
    standing.into_iter().max_by_key(|(key, votes)| (votes.answers, votes.called, of_first(key)))
}

/// The votes for a candidate, if there is room for them.
fn entry<K: Ord>(candidates: &mut BTreeMap<K, Votes>, key: K) -> Option<&mut Votes> {
    if candidates.len() >= MOST_CANDIDATES && !candidates.contains_key(&key) {
        return None;
    }
    Some(candidates.entry(key).or_default())
}

/// Whether this can be the address of one host.
pub fn is_hosts(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_multicast() && !address.is_unspecified() && !address.is_loopback() && !broadcast
}

fn hosts(addresses: &BTreeSet<IpAddr>) -> Vec<Prefix> {
    addresses.iter().copied().map(Prefix::host).collect()
}
