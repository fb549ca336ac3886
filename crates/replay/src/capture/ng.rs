//! pcapng: blocks, each with its length before and behind it.

use std::io::Read;

use vauban_engine::Timestamp;
use vauban_packet::LinkType;

use super::classic::{MAX_FRAME, number};
use super::input::Input;
use super::{Damaged, Defect, Frame};

/// The type of a section header block, the same in both byte orders.
pub const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// Obsolete, but still written by some.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// The longest block that is held: the longest frame, and as much again for options.
const MAX_BLOCK: u32 = 2 * MAX_FRAME;

/// Interfaces that a section may describe: more than any host has, and with their names some 400 KiB.
const MOST_INTERFACES: usize = 4_096;

/// Bytes of an interface's name that are kept. Linux has 15 at most, other systems some 50.
const MOST_NAME: usize = 64;

/// What `dumpcap -i any` calls its interface: all of them, so it tells nothing.
const ANY: &str = "any";

/// Bytes of a name or remark that are looked at: our own remarks are far shorter.
const MOST_TEXT: usize = 512;

// Options (the draft's sections 3.5, 4.1, 4.2 and 4.3).
const COMMENT: u16 = 1;
const USER_APPLICATION: u16 = 4;
const FLAGS: u16 = 2;
const NAME: u16 = 2;
const RESOLUTION: u16 = 9;
const OFFSET: u16 = 14;

/// What a file says about itself up to here.
#[derive(Default)]
pub struct Section {
    little_endian: bool,
    interfaces: Vec<Interface>,
    /// The time of the last frame: simple packets have none of their own.
    last: Timestamp,
    pub application: Option<String>,
}

struct Interface {
    /// As in the file: an error only when a frame is of it.
    link: u16,
    /// Units of a time stamp in a second.
    units: u64,
    /// Added to each stamp, in seconds.
    offset: i64,
    name: Option<Box<str>>,
}

/// Where in the window the parts of a frame lie.
struct Found {
    interface: u32,
    ticks: Option<u64>,
    original_len: u32,
    data: std::ops::Range<usize>,
    options: std::ops::Range<usize>,
}

impl Section {
    /// Reads the first section's header.
    pub fn begin<R: Read>(&mut self, input: &mut Input<R>) -> Result<(), Damaged> {
        let head: [u8; 12] = input.peek()?.ok_or_else(|| input.damage(Defect::Cut))?;
        self.header(&head, input)
    }

    /// The next frame.
    pub fn frame<'a, R: Read>(
        &'a mut self,
        input: &'a mut Input<R>,
    ) -> Result<Option<Frame<'a>>, Damaged> {
        let (length, found) = loop {
            if input.is_over()? {
                return Ok(None);
            }
            // Even the smallest block has twelve bytes.
            let head: [u8; 12] = input.peek()?.ok_or_else(|| input.damage(Defect::Cut))?;
            let kind = number(&head, 0, self.little_endian);
            if kind == SECTION_HEADER {
                self.header(&head, input)?;
                continue;
            }
            let length = number(&head, 4, self.little_endian);
            if length < 12 || !length.is_multiple_of(4) {
                return Err(input.damage(Defect::Lengths));
            }
            match kind {
                INTERFACE => {
                    self.hold(input, length)?;
                    self.interface(input, length)?;
                    input.take(usize::try_from(length).unwrap_or_default());
                }
                PACKET | SIMPLE_PACKET | ENHANCED_PACKET => {
                    self.hold(input, length)?;
                    let body = input.window();
                    let found = Self::find(kind, body, length, self.little_endian);
                    break (length, found.ok_or_else(|| input.damage(Defect::Lengths))?);
                }
                _ => {
                    let before = input.damage(Defect::Cut);
                    if !input.skip(u64::from(length))? {
                        return Err(before);
                    }
                }
            }
        };
        let interface = usize::try_from(found.interface).unwrap_or(usize::MAX);
        let Some(interface) = self.interfaces.get(interface) else {
            return Err(input.damage(Defect::Interface(found.interface)));
        };
        let Some(link) = LinkType::from_number(interface.link) else {
            return Err(input.damage(Defect::LinkType(interface.link.into())));
        };
        let at = match found.ticks {
            Some(ticks) => interface.time(ticks).ok_or_else(|| input.damage(Defect::Time))?,
            None => self.last,
        };
        self.last = at;
        let little_endian = self.little_endian;
        let block = input.take(usize::try_from(length).unwrap_or_default());
        let mut frame = Frame {
            at,
            link,
            original_len: found.original_len,
            bytes: block.get(found.data).unwrap_or_default(),
            outbound: None,
            interface: interface.name.as_deref(),
            comment: &[],
        };
        for (code, value) in options(block.get(found.options).unwrap_or_default(), little_endian) {
            match code {
                COMMENT => frame.comment = value.get(..MOST_TEXT).unwrap_or(value),
                FLAGS => {
                    frame.outbound = match number(value, 0, little_endian) & 3 {
                        1 => Some(false),
                        2 => Some(true),
                        _ => None,
                    };
                }
                _ => {}
            }
        }
        Ok(Some(frame))
    }

    /// Has the whole block in the window.
    fn hold<R: Read>(&self, input: &mut Input<R>, length: u32) -> Result<(), Damaged> {
        if length > MAX_BLOCK {
            return Err(input.damage(Defect::TooLong(length)));
        }
        let whole = usize::try_from(length).unwrap_or_default();
        if !input.reach(whole)? {
            return Err(input.damage(Defect::Cut));
        }
        if number(input.window(), whole - 4, self.little_endian) != length {
            return Err(input.damage(Defect::Lengths));
        }
        Ok(())
    }

    /// A section header: everything begins anew.
    fn header<R: Read>(&mut self, head: &[u8; 12], input: &mut Input<R>) -> Result<(), Damaged> {
        self.little_endian = match head {
            [.., 0x4d, 0x3c, 0x2b, 0x1a] => true,
            [.., 0x1a, 0x2b, 0x3c, 0x4d] => false,
            _ => return Err(input.damage(Defect::NotACapture)),
        };
        let length = number(head, 4, self.little_endian);
        if length < 28 || !length.is_multiple_of(4) {
            return Err(input.damage(Defect::Lengths));
        }
        self.hold(input, length)?;
        let little_endian = self.little_endian;
        let length = usize::try_from(length).unwrap_or_default();
        let versions = number(input.window(), 12, little_endian);
        // Major 1; a minor one that is higher can still be read.
        if (if little_endian { versions & 0xffff } else { versions >> 16 }) != 1 {
            return Err(input.damage(Defect::Version));
        }
        self.interfaces.clear();
        let block = input.take(length);
        let text = options(block.get(24..length - 4).unwrap_or_default(), little_endian)
            .find(|(code, _)| *code == USER_APPLICATION)
            .map(|(_, value)| String::from_utf8_lossy(value.get(..MOST_TEXT).unwrap_or(value)));
        self.application = text.map(|text| text.trim_end_matches('\0').to_owned());
        Ok(())
    }

    /// An interface description, which is in the window.
    fn interface<R: Read>(&mut self, input: &Input<R>, length: u32) -> Result<(), Damaged> {
        if self.interfaces.len() >= MOST_INTERFACES {
            return Err(input.damage(Defect::Interfaces));
        }
        let length = usize::try_from(length).unwrap_or_default();
        let block = input.window().get(..length).unwrap_or_default();
        if length < 20 {
            return Err(input.damage(Defect::Lengths));
        }
        let two = number(block, 8, self.little_endian);
        let link = if self.little_endian { two & 0xffff } else { two >> 16 };
        let mut interface = Interface {
            link: u16::try_from(link).unwrap_or_default(),
            units: 1_000_000,
            offset: 0,
            name: None,
        };
        for (code, value) in
            options(block.get(16..length - 4).unwrap_or_default(), self.little_endian)
        {
            match (code, value) {
                (NAME, name) => {
                    let name = String::from_utf8_lossy(name.get(..MOST_NAME).unwrap_or(name));
                    let name = name.trim_end_matches('\0');
                    let tells = !name.is_empty() && name != ANY;
                    interface.name = tells.then(|| name.into());
                }
                (RESOLUTION, [code, ..]) => {
                    let exponent = u32::from(code & 0x7f);
                    let units = if code & 0x80 == 0 {
                        10_u64.checked_pow(exponent)
                    } else {
                        1_u64.checked_shl(exponent)
                    };
                    interface.units = units
                        .filter(|units| *units > 0)
                        .ok_or_else(|| input.damage(Defect::Resolution(*code)))?;
                }
                (OFFSET, value) => {
                    let eight = value.first_chunk::<8>().copied().unwrap_or_default();
                    interface.offset = if self.little_endian {
                        i64::from_le_bytes(eight)
                    } else {
                        i64::from_be_bytes(eight)
                    };
                }
                _ => {}
            }
        }
        self.interfaces.push(interface);
        Ok(())
    }

    /// Where the parts of a frame lie in its block; `None` when they do not fit into it.
    fn find(kind: u32, block: &[u8], length: u32, little_endian: bool) -> Option<Found> {
        let length = usize::try_from(length).ok()?;
        let block = block.get(..length)?;
        let number = |at: usize| number(block, at, little_endian);
        let size = |bytes: u32| usize::try_from(bytes).ok();
        // The length behind everything.
        let end = length - 4;
        if kind == SIMPLE_PACKET {
            // It says how long the packet was; what is there of it ends with the block.
            let original_len = (length >= 16).then(|| number(8))?;
            let data = 12..end.min(12_usize.checked_add(size(original_len)?)?);
            return Some(Found {
                interface: 0,
                ticks: None,
                original_len,
                data,
                options: end..end,
            });
        }
        if length < 32 {
            return None;
        }
        let interface = match kind {
            PACKET if little_endian => number(8) & 0xffff,
            PACKET => number(8) >> 16,
            _ => number(8),
        };
        let captured = size(number(20))?;
        let data = 28..28_usize.checked_add(captured)?;
        let options = data.end.checked_next_multiple_of(4)?..end;
        (options.start <= end).then_some(Found {
            interface,
            ticks: Some(u64::from(number(12)) << 32 | u64::from(number(16))),
            original_len: number(24),
            data,
            options,
        })
    }
}

impl Interface {
    /// Ticks as a time; `None` for what is before 1970, or so late that reckoning with it would end
    /// beyond what can be said.
    fn time(&self, ticks: u64) -> Option<Timestamp> {
        let nanos = i128::from(ticks) * 1_000_000_000 / i128::from(self.units)
            + i128::from(self.offset) * 1_000_000_000;
        i64::try_from(nanos).ok().and_then(|nanos| u64::try_from(nanos).ok()).map(Timestamp)
    }
}

/// The options of a block, as far as they can be read.
fn options(mut bytes: &[u8], little_endian: bool) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let [c0, c1, l0, l1] = *bytes.first_chunk::<4>()?;
        let two = |a, b| {
            if little_endian { u16::from_le_bytes([a, b]) } else { u16::from_be_bytes([a, b]) }
        };
        let (code, length) = (two(c0, c1), usize::from(two(l0, l1)));
        if code == 0 {
            return None;
        }
        let value = bytes.get(4..4 + length)?;
        bytes = bytes.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    })
}
