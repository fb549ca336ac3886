//! Whose capture it is: which addresses are the protected host's.
//!
//! Where the user does not say so, the first part of the capture votes. A capture that was made on a
//! host has that host at one end of every packet. When two are at an end of every packet, it is the
//! one with fewer addresses behind its link address (the other one is a router), else the one that
//! answers calls, else the one that gets more of them, else the one whom others speak to first. Where
//! that makes no difference, or the winner is one who calls, is never called and never goes on with a
//! call (a scanner whom nobody answers), the user is asked.
//!
//! It cannot tell a router's own addresses from those behind it: who captured on one says `--home`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use vauban_engine::flags::{Shape, TcpFlags};
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
    /// Who has spoken with whom.
    pairs: BTreeSet<(IpAddr, IpAddr)>,
    /// Calls that were seen, to know answers by: caller, called.
    calls: BTreeSet<(IpAddr, u16, IpAddr, u16)>,
}

#[derive(Debug, Default)]
struct Votes {
    /// Frames that it was an end of.
    present: u64,
    /// Calls that it answered.
    answers: u64,
    /// Calls that it got.
    called: u64,
    /// Others who spoke to it first.
    visited: u64,
    /// Calls that it made.
    calls: u64,
    /// All else that it sent, resets excepted.
    goes_on: u64,
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
        if !is_hosts(from) || !is_hosts(to) {
            return;
        }
        if sides.elsewhere || sides.overheard {
            return;
        }
        self.frames += 1;
        match sides.outbound {
            Some(true) => self.say(from),
            Some(false) => self.say(to),
            None => {}
        }
        let role = self.role(headers);
        // Whoever speaks first comes to somebody's door.
        let pair = (from.min(to), from.max(to));
        let first = self.pairs.len() < MOST_CANDIDATES && self.pairs.insert(pair);
        let ends = sides.from.zip(sides.to);
        if let Some((from_mac, to_mac)) = ends {
            self.framed += 1;
            for (mac, address, sent) in [(from_mac, from, true), (to_mac, to, false)] {
                if let Some(votes) = entry(&mut self.macs, mac) {
                    votes.add(sent, role);
                    votes.visited += u64::from(first && !sent);
                    if votes.addresses.len() < MOST_CANDIDATES {
                        votes.addresses.insert(address);
                    }
                }
            }
        }
        for (address, sent) in [(from, true), (to, false)] {
            if let Some(votes) = entry(&mut self.addresses, address) {
                votes.add(sent, role);
                votes.visited += u64::from(first && !sent);
            }
        }
    }

    /// Counts what has been counted; `None` when the capture does not tell.
    #[must_use]
    pub fn winner(&self) -> Option<Home> {
        if !self.said.is_empty() {
            return Some(Home { addresses: hosts(&self.said), mac: None });
        }
        if self.frames == 0 {
            return None;
        }
        if self.framed == self.frames {
            match best(&self.macs, self.framed) {
                Best::One(mac, votes) if votes.addresses.len() <= MOST_LEARNED => {
                    return Some(Home { addresses: hosts(&votes.addresses), mac: Some(*mac) });
                }
                Best::Doubtful => return None,
                Best::One(..) | Best::Nobody => {}
            }
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
            match best(&family, frames) {
                Best::One(address, _) => {
                    addresses.insert(*address);
                }
                Best::Doubtful => return None,
                Best::Nobody => {}
            }
        }
        (!addresses.is_empty()).then(|| Home { addresses: hosts(&addresses), mac: None })
    }

    fn say(&mut self, address: IpAddr) {
        if self.said.len() < MOST_LEARNED {
            self.said.insert(address);
        }
    }

    /// Whom the user may mean: those who answered or were called most, at most this many.
    #[must_use]
    pub fn candidates(&self, most: usize) -> Vec<IpAddr> {
        let mut all: Vec<(&IpAddr, &Votes)> = self.addresses.iter().collect();
        all.sort_by_key(|(_, votes)| {
            std::cmp::Reverse((votes.answers, votes.called, votes.present))
        });
        all.into_iter().take(most).map(|(address, _)| *address).collect()
    }

    fn role(&mut self, headers: &Headers) -> Role {
        let (from, to) = (headers.source, headers.destination);
        match headers.carries {
            Carries::Tcp { source_port, port, flags, .. } => {
                // A SYN, or what no stack sends.
                if flags.shape() != Shape::Other {
                    if self.calls.len() < MOST_CANDIDATES {
                        self.calls.insert((from, source_port, to, port));
                    }
                    return Role::Call;
                }
                let refuses = flags.has(TcpFlags::RST);
                if (refuses || flags.has(TcpFlags::SYN))
                    && self.calls.contains(&(to, port, from, source_port))
                {
                    Role::Answer
                } else if refuses {
                    Role::Reset
                } else {
                    Role::Other
                }
            }
            Carries::Unreachable(about) if about.source == to => Role::Answer,
            Carries::Unreachable(_) | Carries::Udp { .. } | Carries::Other => Role::Other,
        }
    }
}

/// What a packet is between two hosts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Call,
    /// To a call that was seen.
    Answer,
    /// To anything else: a stack's own word, also a scanner's to who accepts him.
    Reset,
    Other,
}

impl Votes {
    fn add(&mut self, sent: bool, role: Role) {
        self.present += 1;
        self.answers += u64::from(sent && role == Role::Answer);
        self.called += u64::from(!sent && role == Role::Call);
        self.calls += u64::from(sent && role == Role::Call);
        self.goes_on += u64::from(sent && matches!(role, Role::Answer | Role::Other));
    }

    /// Whether this is more likely a scanner than who is protected.
    fn only_calls(&self) -> bool {
        self.calls > 0 && self.called == 0 && self.goes_on == 0
    }
}

/// Who is an end of nearly all frames.
enum Best<'a, K> {
    One(&'a K, &'a Votes),
    /// Two that nothing tells apart, or one who looks like a scanner.
    Doubtful,
    Nobody,
}

/// The candidate that is an end of nearly all frames; of several, as the head of this file says.
fn best<K: Ord, V: std::borrow::Borrow<Votes>>(
    candidates: &BTreeMap<K, V>,
    frames: u64,
) -> Best<'_, K> {
    // A twentieth may be the neighbours' own talk that was overheard.
    let enough = frames - frames / 20;
    let mut standing: Vec<(&K, &Votes)> = candidates
        .iter()
        .map(|(key, votes)| (key, votes.borrow()))
        .filter(|(_, votes)| votes.present >= enough)
        .collect();
    let Some(fewest) = standing.iter().map(|(_, votes)| votes.addresses.len()).min() else {
        return Best::Nobody;
    };
    standing.retain(|(_, votes)| votes.addresses.len() <= fewest.max(1) * ROUTER);
    let rank = |votes: &Votes| (votes.answers, votes.called, votes.visited);
    standing.sort_by_key(|(_, votes)| std::cmp::Reverse(rank(votes)));
    match standing.as_slice() {
        [(_, one), (_, other), ..] if rank(one) == rank(other) => Best::Doubtful,
        [(_, one), ..] if one.only_calls() => Best::Doubtful,
        [(key, one), ..] => Best::One(key, one),
        [] => Best::Nobody,
    }
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
