//! The Internet checksum (RFC 1071): judged in TCP and UDP, made for the answers of decoys.

use core::net::IpAddr;

use vauban_engine::event::Checksum;

use crate::field::be16;
use crate::ip::Datagram;

/// What an intact message sums up to, its checksum included.
const INTACT: u16 = 0xffff;

/// Judges the checksum of a segment.
///
/// `covered` is how many bytes of the payload it covers; it stands in them at `offset`.
///
/// An *unfinished* checksum is good. Linux leaves the last step of a checksum to the network card
/// and puts only the pseudo-header's sum, folded but not complemented, into the field
/// (`CHECKSUM_PARTIAL`). Packets between virtual machines, containers and network namespaces never
/// meet a card and arrive like that; the receiving host takes them for intact, and so must we, or
/// every probe from a neighbouring container would look broken. Somebody may forge such a field
/// over a real link, where the host would throw the packet away. He gains nothing over sending a
/// right one, and a packet damaged by accident looks unfinished only once in 65,536 times.
pub(crate) fn judge(datagram: &Datagram<'_>, covered: usize, offset: usize) -> Checksum {
    let Some(field) = be16(datagram.payload, offset) else { return Checksum::Unknown };
    if datagram.fragment {
        // The length of the whole, part of the pseudo-header, stands in no first fragment.
        return Checksum::Unknown;
    }
    let pseudo = Sum::default()
        .address(datagram.source)
        .address(datagram.destination)
        .word(datagram.protocol.into())
        .word(covered);
    if field == pseudo.fold() {
        return Checksum::Good;
    }
    match datagram.payload.get(..covered) {
        None => Checksum::Unknown,
        Some(segment) if pseudo.bytes(segment).fold() == INTACT => Checksum::Good,
        Some(_) => Checksum::Bad,
    }
}

/// Whether an IPv4 header, with its options, is intact (RFC 791 section 3.1).
pub(crate) fn is_intact(header: &[u8]) -> bool {
    Sum::default().bytes(header).fold() == INTACT
}

/// A ones' complement sum that still has its carries.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum(u64);

impl Sum {
    /// Adds bytes; an odd one at the end counts as if a zero followed.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        let (pairs, last) = bytes.as_chunks();
        let words = pairs.iter().map(|&pair| u64::from(u16::from_be_bytes(pair))).sum::<u64>();
        let last = last.first().map_or(0, |&byte| u64::from(byte) << 8);
        Self(self.0 + words + last)
    }

    /// Adds a number. One wider than 16 bits counts as its halves would: 2^16 is 1 in this sum.
    pub(crate) fn word(self, word: usize) -> Self {
        Self(self.0 + word as u64)
    }

    pub(crate) fn address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => self.bytes(&v4.octets()),
            IpAddr::V6(v6) => self.bytes(&v6.octets()),
        }
    }

    /// What belongs into the header: the sum's complement (RFC 1071 section 1).
    pub(crate) fn finish(self) -> u16 {
        !self.fold()
    }

    /// The sum in 16 bits, carries added in, not complemented.
    fn fold(self) -> u16 {
        let mut sum = self.0;
        // Each step halves the width, so four are enough for 64 bits.
        for _ in 0..4 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        let sum = Sum::default().bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.fold(), 0xddf2);
    }

    #[test]
    fn odd_ends_and_carries() {
        assert_eq!(Sum::default().bytes(&[0x12, 0x34, 0x56]).fold(), 0x6834);
        assert_eq!(Sum(u64::MAX).fold(), 0xffff);
        assert_eq!(Sum(0x1_ffff).fold(), 1);
        assert_eq!(Sum(0).fold(), 0);
        assert_eq!(Sum::default().word(0x0003_0004).fold(), 7);
    }
}
