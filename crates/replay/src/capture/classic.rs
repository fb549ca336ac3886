//! The classic format: a header of 24 bytes, then records.

use std::io::Read;

use vauban_engine::Timestamp;
use vauban_packet::LinkType;

use super::input::Input;
use super::{Damaged, Defect, Frame};

/// Bytes before the first record.
const FILE_HEADER: usize = 24;
/// Bytes before each frame.
const RECORD_HEADER: usize = 16;

/// The longest frame that libpcap writes or reads (its `MAXIMUM_SNAPLEN`): more means that we lost
/// our place in a damaged file.
pub const MAX_FRAME: u32 = 262_144;

/// How a file is written.
pub struct Format {
    little_endian: bool,
    /// How many nanoseconds one unit of a stamp's fraction has.
    fraction: u64,
    link: LinkType,
}

impl Format {
    /// Reads the file's header, which begins with `magic`.
    pub fn begin<R: Read>(magic: [u8; 4], input: &mut Input<R>) -> Result<Self, Damaged> {
        let (little_endian, fraction) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (false, 1000),
            [0xd4, 0xc3, 0xb2, 0xa1] => (true, 1000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (false, 1),
            [0x4d, 0x3c, 0xb2, 0xa1] => (true, 1),
            [0x1f, 0x8b, ..] => return Err(input.damage(Defect::Compressed("gzip"))),
            [0x28, 0xb5, 0x2f, 0xfd] => return Err(input.damage(Defect::Compressed("zstd"))),
            [0xfd, b'7', b'z', b'X'] => return Err(input.damage(Defect::Compressed("xz"))),
            [b'B', b'Z', b'h', _] => return Err(input.damage(Defect::Compressed("bzip2"))),
            _ => return Err(input.damage(Defect::NotACapture)),
        };
        let header: [u8; FILE_HEADER] = input.peek()?.ok_or_else(|| input.damage(Defect::Cut))?;
        let number = |at: usize| number(&header, at, little_endian);
        // Two 16-bit numbers, major and minor; read as one, the little-endian order swaps them.
        if number(4) != if little_endian { 0x0004_0002 } else { 0x0002_0004 } {
            return Err(input.damage(Defect::Version));
        }
        // The upper half says how long the link's checksum is; IP's lengths cut it off.
        let link = number(20) & 0xffff;
        let known = u16::try_from(link).ok().and_then(LinkType::from_number);
        let link = known.ok_or_else(|| input.damage(Defect::LinkType(link)))?;
        input.take(FILE_HEADER);
        Ok(Self { little_endian, fraction, link })
    }

    /// The next frame.
    pub fn frame<'a, R: Read>(
        &self,
        input: &'a mut Input<R>,
    ) -> Result<Option<Frame<'a>>, Damaged> {
        if input.is_over()? {
            return Ok(None);
        }
        let header: [u8; RECORD_HEADER] = input.peek()?.ok_or_else(|| input.damage(Defect::Cut))?;
        let number = |at: usize| number(&header, at, self.little_endian);
        let length = number(8);
        if length > MAX_FRAME {
            return Err(input.damage(Defect::TooLong(length)));
        }
        let length = usize::try_from(length).unwrap_or_default();
        if !input.reach(RECORD_HEADER + length)? {
            return Err(input.damage(Defect::Cut));
        }
        input.take(RECORD_HEADER);
        let (seconds, fraction) = (u64::from(number(0)), u64::from(number(4)));
        Ok(Some(Frame {
            // Below 2^64 whatever the two say: (2^32 - 1) * 10^9 + (2^32 - 1) * 1000.
            at: Timestamp(seconds * 1_000_000_000 + fraction * self.fraction),
            link: self.link,
            original_len: number(12),
            bytes: input.take(length),
            outbound: None,
            interface: None,
            comment: &[],
        }))
    }
}

/// Four bytes of a header as a number; zero outside of it.
pub fn number(bytes: &[u8], at: usize, little_endian: bool) -> u32 {
    let four =
        bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default();
    if little_endian { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) }
}
