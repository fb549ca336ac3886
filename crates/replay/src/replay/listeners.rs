//! Who listens, and what was a decoy: what the capture shows of a call's port.

use std::collections::BTreeSet;

use vauban_engine::net::Prefix;
use vauban_engine::{Protocol, Timestamp};

use super::Replay;
use crate::line::{Call, Kind, Reply, Tuple, Waiting};
use crate::listeners::Verdict;

/// So many unknown ports in a row that accept a source which is about to become a suspect, and none
/// that refuses it, are decoys. Nobody calls five services that nobody else has called, right after
/// as many closed ports as the trigger forgives, within a second.
const DECOYS_IN_A_ROW: usize = 5;

/// Packets that are looked through for them: so many leave one scanner's second, and more would make
/// a hostile capture slow.
const LOOKED_THROUGH: usize = 4_096;

/// Whether there is a socket for a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owned {
    Yes,
    No,
    /// None, and it was accepted all the same: by a decoy.
    Decoy,
    Unknown,
}

impl Replay {
    /// Whether what comes behind it shows if it was a decoy that has accepted this call.
    pub(super) fn may_be_decoys(&self, first: &Waiting) -> bool {
        let Kind::Call(call) = &first.kind else { return false };
        self.is_accepted(call) && !first.is_due(self.now) && self.is_brink(first)
    }

    /// Whether a call was accepted, also by what left past the tap.
    pub(super) fn is_accepted(&self, call: &Call) -> bool {
        match call.reply {
            Some(reply) => reply == Reply::Accepted,
            None => self.answers && call.went_on,
        }
    }

    /// Whether this call, to a port that has shown no listener, would make its source a suspect.
    pub(super) fn is_brink(&self, waiting: &Waiting) -> bool {
        let Tuple { peer, home, port, .. } = waiting.tuple;
        port.protocol == Protocol::Tcp
            && waiting.zone.is_none()
            && self.open.says(port).is_none()
            && self.listeners.verdict(home, port) != Some(Verdict::Open)
            && !self.plain.contains(waiting.at, &waiting.subject)
            && !self.is_suspect(waiting.at, &waiting.subject)
            && self.program.is_trigger(waiting.at, &waiting.subject, peer, port)
    }

    pub(super) fn is_suspect(&self, at: Timestamp, subject: &Prefix) -> bool {
        self.program.is_suspect(at, subject) || self.doubtful.contains(at, subject)
    }

    /// Whether decoys have accepted this call and those behind it.
    pub(super) fn decoys_follow(&mut self, waiting: &Waiting) -> bool {
        let mut ports = BTreeSet::from([waiting.tuple.port]);
        for other in self.line.waiting(LOOKED_THROUGH) {
            let Kind::Call(call) = &other.kind else { continue };
            let Tuple { home, port, .. } = other.tuple;
            if other.zone.is_some()
                || other.subject != waiting.subject
                || port.protocol != Protocol::Tcp
            {
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
    pub(super) fn is_open(&self, tuple: &Tuple) -> Option<bool> {
        self.open.says(tuple.port).or_else(|| {
            let verdict = self.listeners.verdict(tuple.home, tuple.port);
            verdict.map(|verdict| verdict == Verdict::Open)
        })
    }

    /// Whether there is a socket for this call; takes note of what its answer teaches.
    pub(super) fn owned(&mut self, waiting: &Waiting, call: &Call) -> Owned {
        let Tuple { home, port, .. } = waiting.tuple;
        let accepted = call.reply == Some(Reply::Accepted);
        if let Some(open) = self.open.says(port) {
            return match (open, accepted) {
                (true, _) => Owned::Yes,
                (false, true) => Owned::Decoy,
                (false, false) => Owned::No,
            };
        }
        // Decoys speak TCP alone, and to nobody who comes in by a zone that is only watched.
        let suspect = port.protocol == Protocol::Tcp
            && waiting.zone.is_none()
            && self.is_suspect(waiting.at, &waiting.subject);
        let known = self.listeners.verdict(home, port);
        let (owned, lesson) = match (call.reply, known) {
            (Some(Reply::Known), _) | (None, Some(Verdict::Open)) => (Owned::Yes, None),
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
            (None, None) if call.went_on && !self.answers && !suspect => {
                (Owned::Yes, Some(Verdict::Open))
            }
            (None, None) if call.went_on && !self.answers => (Owned::Unknown, None),
            // This host's answers are in the capture, but not this one: decoys leave past the taps
            // of their own host. Or it was lost.
            (None, None) if call.went_on => {
                let decoy = suspect || self.is_brink(waiting) && self.decoys_follow(waiting);
                (if decoy { Owned::Decoy } else { Owned::Unknown }, None)
            }
            (None, Some(Verdict::Closed) | None) => (Owned::No, None),
        };
        if let Some(verdict) = lesson {
            self.listeners.learn(home, port, verdict);
        }
        owned
    }
}
