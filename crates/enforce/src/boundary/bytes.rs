//! Integers, texts, addresses and lists as bytes, and back.
//!
//! Reading trusts nothing: every length is compared with what is there before anything is
//! allocated. What it does not do: know messages; see [`super::wire`].

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use vauban_engine::Prefix;
use vauban_engine::event::Facts;
use vauban_engine::grants::MOST_GRANTS;
use vauban_engine::output::{Block, BlockOp};

use super::VERSION;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub(super) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed message between Vauban's processes: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

impl From<Malformed> for io::Error {
    fn from(error: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// A frame being written.
pub(super) struct Frame(Vec<u8>);

/// A frame being read.
pub(super) struct Reader<'a>(&'a [u8]);

pub(super) type Reading<T> = Result<T, Malformed>;

impl Frame {
    pub(super) fn new(kind: u8) -> Self {
        Self(vec![0, 0, 0, 0, VERSION, kind])
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len().saturating_sub(4)).unwrap_or(u32::MAX);
        if let Some(place) = self.0.first_chunk_mut() {
            *place = length.to_le_bytes();
        }
        self.0
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).unwrap_or(u32::MAX));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend(text.as_bytes());
    }

    pub(super) fn span(&mut self, span: Duration) {
        self.u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => {
                self.byte(4);
                self.0.extend(v4.octets());
            }
            IpAddr::V6(v6) => {
                self.byte(16);
                self.0.extend(v6.octets());
            }
        }
    }

    pub(super) fn prefix(&mut self, prefix: &Prefix) {
        self.address(prefix.addr());
        self.byte(prefix.len());
    }

    pub(super) fn block(&mut self, block: &Block) {
        self.prefix(&block.subject);
        self.byte(u8::from(block.remaining.is_some()));
        if let Some(remaining) = block.remaining {
            self.span(remaining);
        }
    }

    pub(super) fn list<T>(&mut self, items: &[T], one: fn(&mut Self, &T)) {
        self.length(items.len());
        for item in items {
            one(self, item);
        }
    }

    pub(super) fn facts(&mut self, facts: &Facts) {
        self.list(&facts.own, |frame, address| frame.address(*address));
        self.list(&facts.gateways, |frame, address| frame.address(*address));
        self.list(&facts.on_link, Self::prefix);
        self.u16(*facts.ephemeral.start());
        self.u16(*facts.ephemeral.end());
    }

    pub(super) fn op(&mut self, op: &BlockOp) {
        match op {
            BlockOp::Block(block) => {
                self.byte(0);
                self.block(block);
            }
            BlockOp::Unblock(subject) => {
                self.byte(1);
                self.prefix(subject);
            }
            BlockOp::Sever(subject) => {
                self.byte(2);
                self.prefix(subject);
            }
            BlockOp::Pardon(subject) => {
                self.byte(3);
                self.prefix(subject);
            }
            BlockOp::Clear => self.byte(4),
        }
    }
}

impl<'a> Reader<'a> {
    /// Begins with a frame as [`read_frame`] gives it; also returns its kind.
    pub(super) fn new(frame: &'a [u8]) -> Reading<(u8, Self)> {
        let mut reader = Self(frame);
        if reader.byte()? != VERSION {
            return Err(Malformed("it is of another version"));
        }
        let kind = reader.byte()?;
        Ok((kind, reader))
    }

    pub(super) fn finish<T>(self, message: T) -> Reading<T> {
        if self.0.is_empty() { Ok(message) } else { Err(Malformed("it goes on after its end")) }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Reading<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed("it is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Reading<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed("it is cut off"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Reading<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Reading<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Reading<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Reading<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn flag(&mut self) -> Reading<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("neither yes nor no")),
        }
    }

    pub(super) fn text(&mut self) -> Reading<String> {
        let length = self.u32()? as usize;
        let bytes = self.bytes(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Malformed("a text is not UTF-8"))
    }

    pub(super) fn span(&mut self) -> Reading<Duration> {
        self.u64().map(Duration::from_nanos)
    }

    pub(super) fn address(&mut self) -> Reading<IpAddr> {
        match self.byte()? {
            4 => Ok(IpAddr::V4(Ipv4Addr::from(self.array::<4>()?))),
            16 => Ok(IpAddr::V6(Ipv6Addr::from(self.array::<16>()?))),
            _ => Err(Malformed("an address of no family")),
        }
    }

    pub(super) fn prefix(&mut self) -> Reading<Prefix> {
        let (address, length) = (self.address()?, self.byte()?);
        // In the one way it is written: no bits behind its length, no IPv4 in IPv6's clothes.
        Prefix::new(address, length)
            .filter(|prefix| prefix.addr() == address && prefix.len() == length)
            .ok_or(Malformed("a prefix that is none"))
    }

    pub(super) fn block(&mut self) -> Reading<Block> {
        let subject = self.prefix()?;
        let remaining = if self.flag()? { Some(self.span()?) } else { None };
        Ok(Block { subject, remaining })
    }

    pub(super) fn list<T>(&mut self, one: fn(&mut Self) -> Reading<T>) -> Reading<Vec<T>> {
        let count = self.u32()? as usize;
        // Every item takes at least a byte, so no count makes us begin on more than was sent.
        if count > self.0.len() {
            return Err(Malformed("a list longer than its message"));
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(one(self)?);
        }
        Ok(items)
    }

    pub(super) fn facts(&mut self) -> Reading<Facts> {
        Ok(Facts {
            own: self.list(Self::address)?,
            gateways: self.list(Self::address)?,
            on_link: self.list(Self::prefix)?,
            ephemeral: self.u16()?..=self.u16()?,
        })
    }

    /// The operations of a batch.
    pub(super) fn ops(&mut self, most: usize) -> Reading<Vec<BlockOp>> {
        // Counted once more before any is read: see MOST_OPS.
        let count = Reader(self.0).u32()? as usize;
        if count > most {
            return Err(Malformed("a batch of too many operations"));
        }
        self.list(Self::op)
    }

    /// Whom operators have allowed.
    pub(super) fn granted(&mut self) -> Reading<Vec<Prefix>> {
        let count = Reader(self.0).u32()? as usize;
        if count > MOST_GRANTS {
            return Err(Malformed("a list of too many that are allowed"));
        }
        self.list(Self::prefix)
    }

    fn op(&mut self) -> Reading<BlockOp> {
        Ok(match self.byte()? {
            0 => BlockOp::Block(self.block()?),
            1 => BlockOp::Unblock(self.prefix()?),
            2 => BlockOp::Sever(self.prefix()?),
            3 => BlockOp::Pardon(self.prefix()?),
            4 => BlockOp::Clear,
            _ => return Err(Malformed("an operation of no kind")),
        })
    }
}
