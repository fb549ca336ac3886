//! Our own exports of evidence: what was kept of the packets that counted.
//!
//! What is read here has been judged once: probes were probes, and proofs were proofs. So they go to
//! the engine as they are, in the order of their times, and it decides as it did live. Excused
//! contacts are left out: they are held against nobody.
//!
//! It does not take over decisions from an export, nor its policy: the engine judges anew.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use vauban_engine::event::{Contact, Event, EventKind, Probe};
use vauban_engine::net::Prefix;
use vauban_engine::{Engine, Notice, Port, Timestamp};

use crate::replay::Replay;

mod bounded;
mod comments;
mod dates;
mod json;

pub use comments::{capture, is_ours};
pub use json::json;

/// Packets read at most, at some 500 bytes each: 128 MiB. A daemon remembers a tenth of that, and
/// its store ten times less.
const MOST_PACKETS: usize = 262_144;

/// Why an export cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

/// The packets of an export.
#[derive(Default)]
struct Packets {
    events: Vec<Event>,
    /// The same packet may stand below a ban and below a suspicion.
    seen: BTreeSet<(Timestamp, IpAddr, u16, IpAddr, Port, u8)>,
    /// IPv6 subjects that are one address.
    exact: BTreeSet<Prefix>,
}

impl Packets {
    /// Takes one of a subject.
    fn add(&mut self, at: Timestamp, subject: &str, kind: EventKind) -> Result<(), String> {
        let subject: Prefix =
            subject.parse().map_err(|_| format!("not a subject: {}", plain(subject)))?;
        let key = match &kind {
            EventKind::Probe(Probe { source, source_port, destination, port, flags, .. })
            | EventKind::Contact(Contact {
                source, source_port, destination, port, flags, ..
            }) => (at, *source, *source_port, *destination, *port, flags.0),
            _ => return Ok(()),
        };
        if !self.seen.insert(key) {
            return Ok(());
        }
        if self.events.len() >= MOST_PACKETS {
            return Err(format!("more than {MOST_PACKETS} packets"));
        }
        if subject.addr().is_ipv6() && subject.is_host() {
            self.exact.extend(Prefix::new(subject.addr(), 64));
        }
        self.events.push(Event { at, kind });
        Ok(())
    }

    /// Judges them.
    fn replay(mut self, replay: &mut Replay, each: &mut dyn FnMut(&Engine, &Notice)) {
        replay.needs_no_home();
        for prefix in self.exact {
            replay.add_link(prefix);
        }
        self.events.sort_by_key(|event| event.at);
        for event in self.events {
            replay.record(event, each);
        }
        // Without frames, nobody can ask whose they are.
        let _ = replay.finish(each);
    }
}

/// A stranger's text as it may be shown.
fn plain(text: &str) -> String {
    const MOST_SHOWN: usize = 80;
    text.chars().take(MOST_SHOWN).flat_map(char::escape_debug).collect()
}
