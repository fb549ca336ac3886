//! Reader for capture files in the classic format of libpcap
//! ([draft-ietf-opsawg-pcap](https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/)), in both
//! byte orders, with stamps in micro- or nanoseconds.
//!
//! It reads from memory: who has a file reads or maps it first. It does not read pcapng, nor the
//! variants from before version 2.4 (1998), nor does it write.

use core::error::Error;
use core::fmt;

use vauban_engine::time::Timestamp;

use crate::field::array;
use crate::link::LinkType;

/// Bytes before the first record.
const FILE_HEADER: usize = 24;
/// Bytes before each frame.
const RECORD_HEADER: usize = 16;

/// The longest frame that libpcap writes or reads (its `MAXIMUM_SNAPLEN`): more means that we lost
/// our place in a damaged file.
const MAX_FRAME: u32 = 262_144;

/// One captured frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was captured.
    pub at: Timestamp,
    /// How many bytes it had on the wire; more than `frame` has when it was cut off.
    pub original_len: u32,
    /// Its bytes, from the link's header on.
    pub frame: &'a [u8],
}

/// The records of a capture file, in the file's order.
///
/// After damage there is no way to find the next record, so the error is the last item.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// Where the next record begins; past the end of `bytes` after damage.
    offset: usize,
    format: Format,
    link: LinkType,
}

/// How numbers are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    little_endian: bool,
    /// How many nanoseconds one unit of a stamp's fraction has.
    fraction: u64,
}

impl Format {
    const fn from_magic(magic: [u8; 4]) -> Option<Self> {
        let (little_endian, fraction) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (false, 1000),
            [0xd4, 0xc3, 0xb2, 0xa1] => (true, 1000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (false, 1),
            [0x4d, 0x3c, 0xb2, 0xa1] => (true, 1),
            _ => return None,
        };
        Some(Self { little_endian, fraction })
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    }
}

impl<'a> Reader<'a> {
    /// Begins to read a whole file.
    ///
    /// # Errors
    ///
    /// [`Damaged`] when it is no capture file of this format, or of a link that is not read here.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Damaged> {
        let at = |offset, defect| Damaged { offset, defect };
        let magic = array(bytes, 0).ok_or(at(0, Defect::NotPcap))?;
        // Its section header block begins the same in both byte orders.
        if magic == [0x0a, 0x0d, 0x0d, 0x0a] {
            return Err(at(0, Defect::PcapNg));
        }
        let format = Format::from_magic(magic).ok_or(at(0, Defect::NotPcap))?;
        let header: [u8; FILE_HEADER] = array(bytes, 0).ok_or(at(bytes.len(), Defect::Cut))?;
        let [_, _, _, _, v0, v1, v2, v3, .., l0, l1, l2, l3] = header;
        let version = format.u32([v0, v1, v2, v3]);
        // Two 16-bit numbers, major and minor; read as one, the little-endian order swaps them.
        if version != if format.little_endian { 0x0004_0002 } else { 0x0002_0004 } {
            return Err(at(4, Defect::Version));
        }
        // The upper half says how long the link's checksum is; IP's lengths cut it off.
        let number = format.u32([l0, l1, l2, l3]) & 0xffff;
        let link = u16::try_from(number).ok().and_then(LinkType::from_number);
        let link = link.ok_or(at(20, Defect::LinkType(number)))?;
        Ok(Self { bytes, offset: FILE_HEADER, format, link })
    }

    /// What each frame begins with.
    #[must_use]
    pub const fn link(&self) -> LinkType {
        self.link
    }

    fn record(&self) -> Result<Record<'a>, Defect> {
        let header: [u8; RECORD_HEADER] = array(self.bytes, self.offset).ok_or(Defect::Cut)?;
        let number = |offset| array(&header, offset).map_or(0, |bytes| self.format.u32(bytes));
        let (seconds, fraction) = (u64::from(number(0)), u64::from(number(4)));
        let length = number(8);
        if length > MAX_FRAME {
            return Err(Defect::TooLong(length));
        }
        let frame = self.bytes.get(self.offset + RECORD_HEADER..).unwrap_or_default();
        let length = usize::try_from(length).map_err(|_| Defect::Cut)?;
        Ok(Record {
            // Below 2^64 whatever the two say: (2^32 - 1) * 10^9 + (2^32 - 1) * 1000.
            at: Timestamp(seconds * 1_000_000_000 + fraction * self.format.fraction),
            original_len: number(12),
            frame: frame.get(..length).ok_or(Defect::Cut)?,
        })
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.bytes.len() {
            return None;
        }
        let offset = self.offset;
        let record = self.record();
        self.offset = match &record {
            Ok(record) => offset + RECORD_HEADER + record.frame.len(),
            Err(_) => self.bytes.len(),
        };
        Some(record.map_err(|defect| Damaged { offset, defect }))
    }
}

impl core::iter::FusedIterator for Reader<'_> {}

/// A capture file cannot be read, or not further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Where in the file, in bytes from its start: the record, or the field of the file header.
    pub offset: usize,
    /// What is wrong there.
    pub defect: Defect,
}

/// What is wrong with a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// It does not begin like a capture file.
    NotPcap,
    /// It is one of the newer format, pcapng.
    PcapNg,
    /// It is not of version 2.4, the only one written since 1998.
    Version,
    /// Its frames are of this link type, which is not read here.
    LinkType(u32),
    /// The file ends in the middle of a header or frame, as when the capturing program was killed.
    Cut,
    /// A record claims to be this many bytes long, more than any capture program writes.
    TooLong(u32),
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.defect {
            Defect::NotPcap => f.write_str("not a capture file"),
            Defect::PcapNg => {
                f.write_str("a pcapng file; convert it with `editcap -F pcap IN OUT`")
            }
            Defect::Version => f.write_str("a capture file of a version other than 2.4"),
            Defect::LinkType(number) => {
                write!(f, "frames of link type {number}; Ethernet, raw IP, SLL and NULL are read")
            }
            Defect::Cut => write!(f, "cut off in the record at byte {}", self.offset),
            Defect::TooLong(length) => {
                write!(f, "the record at byte {} claims {length} bytes", self.offset)
            }
        }
    }
}

impl Error for Damaged {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// A file of two frames, `abc` and `de`, written as `magic` says.
    fn file(magic: [u8; 4], link: u32) -> Vec<u8> {
        let little = Format::from_magic(magic).unwrap().little_endian;
        let u32 = |n: u32| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let u16 = |n: u16| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let mut file = magic.to_vec();
        file.extend([u16(2), u16(4)].concat());
        file.extend([u32(0), u32(0), u32(256), u32(link)].concat());
        for (fraction, original, frame) in [(5, 3, &b"abc"[..]), (6, 60, b"de")] {
            let length = u32::try_from(frame.len()).unwrap();
            file.extend([u32(1_700_000_000), u32(fraction), u32(length), u32(original)].concat());
            file.extend(frame);
        }
        file
    }

    const MICROS: [u8; 4] = [0xd4, 0xc3, 0xb2, 0xa1];

    #[test]
    fn both_orders_and_both_resolutions() {
        for (magic, unit) in [
            ([0xa1, 0xb2, 0xc3, 0xd4], 1000),
            (MICROS, 1000),
            ([0xa1, 0xb2, 0x3c, 0x4d], 1),
            ([0x4d, 0x3c, 0xb2, 0xa1], 1),
        ] {
            // The upper bits are about the link's checksum.
            let file = file(magic, 0x1400_0071);
            let mut reader = Reader::new(&file).unwrap();
            assert_eq!(reader.link(), LinkType::LinuxSll);
            let at = |fraction: u64| Timestamp(1_700_000_000_000_000_000 + fraction * unit);
            let expected = [
                Record { at: at(5), original_len: 3, frame: b"abc" },
                Record { at: at(6), original_len: 60, frame: b"de" },
            ];
            assert_eq!(reader.by_ref().map(Result::unwrap).collect::<Vec<_>>(), expected);
            assert_eq!(reader.next(), None);
        }
    }

    #[test]
    fn every_cut_is_seen_where_it_is() {
        let file = file(MICROS, 1);
        let records = [FILE_HEADER, FILE_HEADER + RECORD_HEADER + 3, file.len()];
        for end in 0..=file.len() {
            let expected = match end {
                0..4 => Some(Damaged { offset: 0, defect: Defect::NotPcap }),
                4..FILE_HEADER => Some(Damaged { offset: end, defect: Defect::Cut }),
                _ if records.contains(&end) => None,
                _ => {
                    let offset = *records.iter().rfind(|start| **start < end).unwrap();
                    Some(Damaged { offset, defect: Defect::Cut })
                }
            };
            let read = Reader::new(&file[..end]).map(Reader::last);
            assert_eq!(read.map_or_else(Some, |last| last.and_then(Result::err)), expected);
        }
    }

    #[test]
    fn lies_are_errors() {
        let mut lying = file(MICROS, 1);
        lying[FILE_HEADER + 8..FILE_HEADER + 12].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut reader = Reader::new(&lying).unwrap();
        let expected = Damaged { offset: FILE_HEADER, defect: Defect::TooLong(u32::MAX) };
        assert_eq!(reader.next(), Some(Err(expected)));
        assert_eq!(reader.next(), None);

        let defect = |bytes: &[u8]| Reader::new(bytes).unwrap_err().defect;
        assert_eq!(defect(&[0x0a, 0x0d, 0x0d, 0x0a, 0, 0]), Defect::PcapNg);
        assert_eq!(defect(b"#!/bin/sh, not packets"), Defect::NotPcap);
        assert_eq!(defect(&file(MICROS, 105)), Defect::LinkType(105));
        let mut old = file(MICROS, 1);
        old[6] = 3;
        assert_eq!(defect(&old), Defect::Version);
    }
}
