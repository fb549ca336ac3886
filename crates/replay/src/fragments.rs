//! IPv4 fragments put together, as the kernel has done before its program sees a packet.
//!
//! Like Linux (`ip_frag_queue` and `inet_frag_queue_insert`), it throws a whole datagram away when
//! fragments overlap (CVE-2018-5391), and when they do not come together in time; a fragment that lies
//! within what is there without a gap is passed over. IPv6 fragments are left alone: the program sees them as they
//! come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vauban_engine::Timestamp;

/// How long fragments wait for the others (`net.ipv4.ipfrag_time`).
const WAIT: Duration = Duration::from_secs(30);

/// Datagrams that may wait at a time. A scan by fragments leaves none waiting; a flood of first
/// fragments pushes the oldest out, as it does in the kernel.
const MOST_DATAGRAMS: usize = 1_024;

/// Bytes that may wait at a time: as many as the kernel holds (`net.ipv4.ipfrag_high_thresh`).
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Fragments of one datagram: 64 KiB in pieces of eight bytes are 8,192, but nobody's stack needs
/// more than some dozens.
const MOST_PIECES: usize = 1_024;

/// Addresses, identification and protocol (RFC 791 section 3.2).
type Key = [u8; 11];

/// Those that wait.
#[derive(Debug, Default)]
pub struct Fragments {
    datagrams: BTreeMap<Key, Datagram>,
    by_age: BTreeSet<(Timestamp, Key)>,
    bytes: usize,
}

#[derive(Debug)]
struct Datagram {
    since: Timestamp,
    /// The header of the first fragment.
    header: Vec<u8>,
    /// Pieces of the payload by their offset.
    pieces: BTreeMap<usize, Vec<u8>>,
    /// Where those that came one behind the other begin and end: what lies within is there already.
    runs: BTreeMap<usize, usize>,
    /// How far the payload reaches, as far as is known.
    reaches: usize,
    /// Whether the last fragment has come, so that this is the payload's length.
    ends: bool,
}

/// What became of a packet.
#[derive(Debug, PartialEq, Eq)]
pub enum Whole {
    /// It is no fragment of IPv4: take it as it is.
    AsIs,
    /// It was the last one missing: take this.
    Together(Vec<u8>),
    /// Others are missing, or it was thrown away.
    Waits,
}

impl Fragments {
    /// Takes a packet, from its IP header on.
    pub fn take(&mut self, now: Timestamp, packet: &[u8]) -> Whole {
        let Some(piece) = Piece::read(packet) else { return Whole::AsIs };
        self.sweep(now);
        let datagram = self.datagrams.remove(&piece.key);
        let mut datagram = datagram.unwrap_or_else(|| Datagram {
            since: now,
            header: Vec::new(),
            pieces: BTreeMap::new(),
            runs: BTreeMap::new(),
            reaches: 0,
            ends: false,
        });
        self.by_age.remove(&(datagram.since, piece.key));
        self.bytes -= datagram.bytes();
        if !datagram.add(&piece) {
            return Whole::Waits;
        }
        if let Some(whole) = datagram.whole() {
            return Whole::Together(whole);
        }
        self.bytes += datagram.bytes();
        self.by_age.insert((datagram.since, piece.key));
        self.datagrams.insert(piece.key, datagram);
        while self.datagrams.len() > MOST_DATAGRAMS || self.bytes > MOST_BYTES {
            self.drop_oldest();
        }
        Whole::Waits
    }

    fn sweep(&mut self, now: Timestamp) {
        while let Some((since, _)) = self.by_age.first()
            && since.plus(WAIT) <= now
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((_, key)) = self.by_age.pop_first() else { return };
        if let Some(datagram) = self.datagrams.remove(&key) {
            self.bytes -= datagram.bytes();
        }
    }
}

/// A fragment.
struct Piece<'a> {
    key: Key,
    header: &'a [u8],
    offset: usize,
    more: bool,
    data: &'a [u8],
}

impl<'a> Piece<'a> {
    /// `None` when it is no fragment of IPv4, or one that cannot be read or was cut off.
    fn read(packet: &'a [u8]) -> Option<Self> {
        let fixed: [u8; 20] = packet.first_chunk().copied()?;
        if fixed[0] >> 4 != 4 {
            return None;
        }
        let field = u16::from_be_bytes([fixed[6], fixed[7]]);
        let (more, offset) = (field & 0x2000 != 0, usize::from(field & 0x1fff) * 8);
        if !more && offset == 0 {
            return None;
        }
        let header_len = usize::from(fixed[0] & 0x0f) * 4;
        let total = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        let header = packet.get(..header_len).filter(|header| header.len() >= fixed.len())?;
        let data = packet.get(header_len..total)?;
        let [_, _, _, _, id0, id1, _, _, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = fixed;
        let key = [s0, s1, s2, s3, d0, d1, d2, d3, id0, id1, protocol];
        Some(Self { key, header, offset, more, data })
    }
}

impl Datagram {
    fn bytes(&self) -> usize {
        self.header.len() + self.pieces.values().map(Vec::len).sum::<usize>()
    }

    /// Adds a piece; false when the datagram is to be thrown away.
    fn add(&mut self, piece: &Piece<'_>) -> bool {
        let mut data = piece.data;
        if piece.more {
            // What is no multiple of eight is cut down to one.
            data = data.get(..data.len() / 8 * 8).unwrap_or(data);
        }
        let end = piece.offset + data.len();
        let beyond = end > self.reaches;
        let odd = if piece.more {
            beyond && self.ends
        } else {
            end != self.reaches && (self.ends || !beyond)
        };
        if odd || data.is_empty() || end > usize::from(u16::MAX) || self.pieces.len() >= MOST_PIECES
        {
            return false;
        }
        self.ends |= !piece.more;
        self.reaches = self.reaches.max(end);
        let tail = self.pieces.last_key_value().map(|(offset, data)| offset + data.len());
        match tail {
            Some(tail) if piece.offset == tail => {
                if let Some(mut last) = self.runs.last_entry() {
                    last.insert(end);
                }
            }
            _ => {
                let met = self.runs.range(..end).next_back().filter(|(_, to)| **to > piece.offset);
                if let Some((from, to)) = met {
                    return *from <= piece.offset && end <= *to;
                }
                self.runs.insert(piece.offset, end);
            }
        }
        if piece.offset == 0 {
            self.header = piece.header.to_vec();
        }
        self.pieces.insert(piece.offset, data.to_vec());
        true
    }

    /// All of it, as one packet, if it is all there.
    fn whole(&self) -> Option<Vec<u8>> {
        let length = self.ends.then_some(self.reaches)?;
        let last = self.pieces.last_key_value()?;
        let there: usize = self.pieces.values().map(Vec::len).sum();
        // No two overlap, so nothing is missing when the lengths add up.
        if self.header.is_empty() || there != length || last.0 + last.1.len() != length {
            return None;
        }
        let total = u16::try_from(self.header.len() + length).ok()?;
        let mut packet = self.header.clone();
        packet.get_mut(2..4)?.copy_from_slice(&total.to_be_bytes());
        packet.get_mut(6..8)?.fill(0);
        self.pieces.values().for_each(|data| packet.extend_from_slice(data));
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(id: u8, offset: u16, more: bool, data: &[u8]) -> Vec<u8> {
        let total = u16::try_from(20 + data.len()).unwrap().to_be_bytes();
        let field = ((offset / 8) | if more { 0x2000 } else { 0 }).to_be_bytes();
        let mut packet = vec![0x45, 0, total[0], total[1], 0, id, field[0], field[1], 64, 6, 0, 0];
        packet.extend([192, 0, 2, 1, 192, 0, 2, 2]);
        packet.extend(data);
        packet
    }

    const NOW: Timestamp = Timestamp::from_secs(100);

    #[test]
    fn pieces_come_together_in_any_order() {
        let [a, b, c] = [
            piece(1, 0, true, b"12345678"),
            piece(1, 8, true, b"abcdefgh"),
            piece(1, 16, false, b"end"),
        ];
        for order in [[&a, &b, &c], [&c, &a, &b], [&b, &c, &a]] {
            let mut fragments = Fragments::default();
            assert_eq!(fragments.take(NOW, order[0]), Whole::Waits);
            assert_eq!(fragments.take(NOW, order[0]), Whole::Waits, "the same once more");
            assert_eq!(fragments.take(NOW, order[1]), Whole::Waits);
            let Whole::Together(packet) = fragments.take(NOW, order[2]) else { panic!() };
            assert_eq!(&packet[20..], b"12345678abcdefghend");
            assert_eq!((&packet[2..4], &packet[6..8]), (&[0, 39][..], &[0, 0][..]));
            assert_eq!((fragments.bytes, fragments.by_age.len()), (0, 0));
        }
    }

    #[test]
    fn what_is_there_already_is_passed_over() {
        let mut fragments = Fragments::default();
        for (offset, data) in [(0, &b"12345678abcdefgh"[..]), (8, b"ABCDEFGH"), (0, b"12345678")] {
            assert_eq!(fragments.take(NOW, &piece(1, offset, true, data)), Whole::Waits);
        }
        let Whole::Together(packet) = fragments.take(NOW, &piece(1, 16, false, b"end")) else {
            panic!("thrown away");
        };
        assert_eq!(&packet[20..], b"12345678abcdefghend");

        // Linux knows what came one behind the other as one, and all else apart.
        for (first, second, kept) in [(0, 8, true), (8, 0, false)] {
            fragments.take(NOW, &piece(2, first, true, b"12345678"));
            fragments.take(NOW, &piece(2, second, true, b"12345678"));
            fragments.take(NOW, &piece(2, 0, true, b"1234567812345678"));
            assert_eq!(!fragments.datagrams.is_empty(), kept, "{first}");
            let last = fragments.take(NOW, &piece(2, 16, false, b"end"));
            assert_eq!(matches!(last, Whole::Together(_)), kept);
            fragments = Fragments::default();
        }
    }

    #[test]
    fn what_does_not_fit_the_end_is_thrown_away() {
        for (offset, more, data) in [(16, true, b"12345678"), (8, false, b"12345678")] {
            let mut fragments = Fragments::default();
            fragments.take(NOW, &piece(1, 16, false, b"end"));
            fragments.take(NOW, &piece(1, offset, more, data));
            assert!(fragments.datagrams.is_empty(), "{offset}");
        }
        // Whoever is no multiple of eight is cut down.
        let mut fragments = Fragments::default();
        fragments.take(NOW, &piece(1, 0, true, b"12345678abc"));
        let Whole::Together(packet) = fragments.take(NOW, &piece(1, 8, false, b"end")) else {
            panic!("thrown away");
        };
        assert_eq!(&packet[20..], b"12345678end");
    }

    #[test]
    fn overlaps_and_late_pieces_are_thrown_away() {
        let mut fragments = Fragments::default();
        fragments.take(NOW, &piece(1, 0, true, b"12345678abcdefgh"));
        assert_eq!(fragments.take(NOW, &piece(1, 8, false, b"ABC")), Whole::Waits);
        assert!(fragments.datagrams.is_empty());
        fragments.take(NOW, &piece(2, 0, true, b"12345678"));
        let late = NOW.plus(WAIT);
        assert_eq!(fragments.take(late, &piece(2, 8, false, b"end")), Whole::Waits);
        assert_eq!(fragments.take(NOW, &piece(3, 0, false, b"whole")), Whole::AsIs);
    }

    #[test]
    fn a_flood_takes_no_more_room_than_there_is() {
        let mut fragments = Fragments::default();
        let data = vec![0; 16_000];
        for id in 0..3_000_u32 {
            let mut packet = piece(0, 0, true, &data);
            packet[12..16].copy_from_slice(&id.to_be_bytes());
            fragments.take(NOW, &packet);
            assert!(fragments.datagrams.len() <= MOST_DATAGRAMS);
            assert!(fragments.bytes <= MOST_BYTES + data.len());
        }
    }
}
