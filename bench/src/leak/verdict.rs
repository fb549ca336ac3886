//! What a capture of a scan shows: which probe was the trigger, and what was answered after it.
//!
//! Pure: bytes of a capture in, numbers out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use vauban_engine::Timestamp;
use vauban_packet::{network_layer, pcap, probe};

use crate::lab::{SCANNER, VICTIM};
use crate::trouble::{Outcome, Trouble};

/// From which probe on a contender could answer no more.
pub enum Trigger {
    /// So many distinct closed ports within this time, or one of the trap ports.
    Distinct {
        /// How many.
        ports: usize,
        /// Within what time.
        window: Duration,
        /// Ports of which one is enough.
        traps: BTreeSet<u16>,
    },
    /// The first closed port below a bound, save some.
    Watched {
        /// The bound.
        below: u16,
        /// Those that are not watched.
        save: BTreeSet<u16>,
    },
}

/// What the scanner learned.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Probes sent, repetitions included.
    pub probes: usize,
    /// Probes answered.
    pub answered: usize,
    /// Distinct ports known to be open.
    pub open: usize,
    /// Which probe was the trigger, from 1.
    pub trigger_at: Option<usize>,
    /// Of the probes sent after the trigger, those answered.
    pub answered_after: usize,
    /// Of the open ports, those known by such an answer only.
    pub open_after: usize,
    /// From the trigger to the last such answer.
    pub last_after: Duration,
}

/// What makes an answer the answer to a probe: both ports, and the sequence number, which the
/// answer acknowledges (RFC 9293 section 3.4).
type Key = (u16, u16, u32);

/// The last sending of a probe.
struct Sent {
    number: usize,
    answered: bool,
}

/// Control bits.
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// Judges a capture.
pub fn judge(capture: &[u8], trigger: &Trigger, served: &BTreeSet<u16>) -> Outcome<Learned> {
    let reader = pcap::Reader::new(capture).map_err(|error| Trouble::new(error.to_string()))?;
    let link = reader.link();
    let mut learned = Learned::default();
    let mut sent: BTreeMap<Key, Sent> = BTreeMap::new();
    let mut tried: BTreeMap<u16, Timestamp> = BTreeMap::new();
    let mut triggered: Option<Timestamp> = None;
    let (mut open_before, mut open_after) = (BTreeSet::new(), BTreeSet::new());
    for record in reader {
        let record = record.map_err(|error| Trouble::new(error.to_string()))?;
        let Some(segment) = network_layer(link, record.frame).and_then(segment) else { continue };
        let control = segment.flags & (SYN | RST | ACK);
        if segment.from_scanner && control == SYN {
            learned.probes += 1;
            let number = learned.probes;
            let key = (segment.source_port, segment.port, segment.sequence);
            // An answer that came already was to an earlier sending; of several without an answer
            // the last one gets it.
            let probe = sent.entry(key).or_insert(Sent { number, answered: false });
            if !probe.answered {
                probe.number = number;
            }
            if triggered.is_none() && !served.contains(&segment.port) {
                tried.insert(segment.port, record.at);
                if is_trigger(trigger, segment.port, record.at, &tried) {
                    triggered = Some(record.at);
                    learned.trigger_at = Some(number);
                }
            }
        } else if !segment.from_scanner && (control == SYN | ACK || control & RST != 0) {
            let key = (segment.port, segment.source_port, segment.acknowledged.wrapping_sub(1));
            let Some(probe) = sent.get_mut(&key).filter(|probe| !probe.answered) else { continue };
            probe.answered = true;
            learned.answered += 1;
            let after = learned.trigger_at.is_some_and(|at| probe.number > at);
            if after {
                learned.answered_after += 1;
                learned.last_after = record.at.since(triggered.unwrap_or_default());
            }
            if control & SYN != 0 {
                let ports = if after { &mut open_after } else { &mut open_before };
                ports.insert(segment.source_port);
            }
        }
    }
    learned.open = open_before.union(&open_after).count();
    learned.open_after = open_after.difference(&open_before).count();
    Ok(learned)
}

/// Whether the probe of this port, which is among the `tried`, is the trigger.
fn is_trigger(
    trigger: &Trigger,
    port: u16,
    now: Timestamp,
    tried: &BTreeMap<u16, Timestamp>,
) -> bool {
    match trigger {
        Trigger::Distinct { ports, window, traps } => {
            let lately = tried.values().filter(|at| now.since(**at) < *window).count();
            traps.contains(&port) || lately >= *ports
        }
        Trigger::Watched { below, save } => port < *below && !save.contains(&port),
    }
}

/// What is needed of a TCP segment between the two.
struct Segment {
    from_scanner: bool,
    source_port: u16,
    port: u16,
    flags: u8,
    sequence: u32,
    acknowledged: u32,
}

fn segment(packet: &[u8]) -> Option<Segment> {
    let read = probe(packet, None).ok()?;
    let from_scanner = read.source == IpAddr::V4(SCANNER);
    let ends = if from_scanner { (SCANNER, VICTIM) } else { (VICTIM, SCANNER) };
    if (read.source, read.destination) != (ends.0.into(), ends.1.into()) {
        return None;
    }
    // The reader has checked that both headers are there; it leaves these two fields to us.
    let header = usize::from(packet.first()? & 0xf) * 4;
    let field = |offset| {
        let bytes = packet.get(header + offset..header + offset + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    Some(Segment {
        from_scanner,
        source_port: read.source_port,
        port: read.port.number,
        flags: read.flags.0,
        sequence: field(4)?,
        acknowledged: field(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A capture of TCP segments, one each millisecond.
    struct Film(Vec<u8>, u32);

    impl Film {
        fn new() -> Self {
            let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
            for number in [0_u32, 0, 256, 101] {
                bytes.extend(number.to_le_bytes());
            }
            Self(bytes, 0)
        }

        fn frame(
            mut self,
            from_scanner: bool,
            ports: (u16, u16),
            numbers: (u32, u32),
            flags: u8,
        ) -> Self {
            let (source, destination) =
                if from_scanner { (SCANNER, VICTIM) } else { (VICTIM, SCANNER) };
            let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(ports.0.to_be_bytes());
            packet.extend(ports.1.to_be_bytes());
            packet.extend(numbers.0.to_be_bytes());
            packet.extend(numbers.1.to_be_bytes());
            packet.extend([0x50, flags, 0, 0, 0, 0, 0, 0]);
            self.1 += 1;
            for number in [1, self.1 * 1000, 40, 40] {
                self.0.extend(number.to_le_bytes());
            }
            self.0.extend(packet);
            self
        }

        fn probe(self, port: u16) -> Self {
            self.frame(true, (40_000, port), (7, 0), SYN)
        }

        fn closed(self, port: u16) -> Self {
            self.frame(false, (port, 40_000), (0, 8), RST | ACK)
        }

        fn open(self, port: u16) -> Self {
            self.frame(false, (port, 40_000), (99, 8), SYN | ACK)
        }

        fn judged(&self, trigger: &Trigger) -> Learned {
            judge(&self.0, trigger, &[22, 80, 443].into()).unwrap()
        }
    }

    fn third() -> Trigger {
        Trigger::Distinct { ports: 3, window: Duration::from_secs(60), traps: [23].into() }
    }

    #[test]
    fn answers_to_earlier_probes_are_not_late() {
        let film = Film::new().probe(22).probe(1).closed(1).probe(2).probe(3).open(22).closed(2);
        let learned = film.judged(&third());
        let expected =
            Learned { probes: 4, answered: 3, open: 1, trigger_at: Some(4), ..Learned::default() };
        assert_eq!(learned, expected);
    }

    #[test]
    fn answers_to_later_probes_are() {
        let film = Film::new().probe(1).probe(2).probe(3).closed(3).probe(80).open(80).probe(4);
        let learned = film.closed(4).open(80).judged(&third());
        let expected = Learned {
            probes: 5,
            answered: 3,
            open: 1,
            trigger_at: Some(3),
            answered_after: 2,
            open_after: 1,
            last_after: Duration::from_millis(5),
        };
        assert_eq!(learned, expected);
    }

    #[test]
    fn a_repeated_answer_is_no_new_one_and_a_repeated_probe_takes_the_answer() {
        let early = Film::new().probe(80).open(80).probe(23).probe(80).open(80);
        assert_eq!(early.judged(&third()).answered_after, 0);
        let late = Film::new().probe(80).probe(23).probe(80).open(80);
        assert_eq!(late.judged(&third()).answered_after, 1);
    }

    #[test]
    fn each_has_its_own_trigger() {
        let film = Film::new().probe(2000).probe(113).probe(22).probe(7).probe(7);
        let watched = Trigger::Watched { below: 1024, save: [113].into() };
        assert_eq!(film.judged(&watched).trigger_at, Some(4));
        assert_eq!(film.judged(&third()).trigger_at, Some(4));
        assert_eq!(Film::new().probe(1).probe(1).probe(1).judged(&third()).trigger_at, None);
        assert_eq!(Film::new().probe(23).judged(&third()).trigger_at, Some(1));
    }
}
