//! Writing netlink messages into a buffer that is used again and again.
//!
//! What it does not do: send, or check that a subsystem will like what is written.

use std::io;

/// Set in the type of an attribute that contains attributes (`NLA_F_NESTED`). `nf_tables` does not
/// insist on it, newer subsystems do.
const NESTED: u16 = 0x8000;

/// `struct nlattr`: length and type, two bytes each.
const ATTRIBUTE_HEADER: usize = 4;

/// A buffer of netlink messages, one after another.
///
/// Lengths are filled in when a message or a nest ends. An attribute that outgrows the 16 bits of
/// its length field is an [`InvalidInput`](io::ErrorKind::InvalidInput) error: sent anyway, the
/// kernel would read the bytes beyond as something else. After an error the content is only good
/// for [`clear`](Self::clear).
#[derive(Debug, Default)]
pub struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the messages and keeps the memory, up to a megabyte: ordinary requests need no
    /// more, and a rare large one shall not cost its size for ever.
    pub fn clear(&mut self) {
        const KEPT: usize = 1 << 20;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }

    /// What was written so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One message: its type, its flags (`NLM_F_*`), its sequence number, its subsystem's fixed
    /// header, and whatever attributes `body` writes.
    pub fn message(
        &mut self,
        kind: u16,
        flags: u16,
        sequence: u32,
        header: &[u8],
        body: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]); // the port: ours, the kernel fills it in
        self.bytes.extend_from_slice(header);
        self.pad();
        body(self)?;
        let length = u32::try_from(self.bytes.len() - start).map_err(|_| too_long())?;
        self.patch(start, &length.to_ne_bytes());
        Ok(())
    }

    /// An attribute with these bytes.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) -> io::Result<()> {
        let length = u16::try_from(value.len() + ATTRIBUTE_HEADER).map_err(|_| too_long())?;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
        Ok(())
    }

    /// A 32-bit number in network order, as netfilter wants all its numbers.
    pub fn be32(&mut self, kind: u16, value: u32) -> io::Result<()> {
        self.attribute(kind, &value.to_be_bytes())
    }

    /// A 64-bit number in network order.
    pub fn be64(&mut self, kind: u16, value: u64) -> io::Result<()> {
        self.attribute(kind, &value.to_be_bytes())
    }

    /// A string with the zero byte that ends it in the kernel. A zero byte inside would name
    /// something else than the caller meant and is an error.
    pub fn string(&mut self, kind: u16, value: &str) -> io::Result<()> {
        if value.bytes().any(|byte| byte == 0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a zero byte inside a name"));
        }
        let length = u16::try_from(value.len() + 1 + ATTRIBUTE_HEADER).map_err(|_| too_long())?;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(0);
        self.pad();
        Ok(())
    }

    /// An attribute that contains the attributes `body` writes.
    pub fn nest(
        &mut self,
        kind: u16,
        body: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let start = self.bytes.len();
        self.attribute(kind | NESTED, &[])?;
        body(self)?;
        let length = u16::try_from(self.bytes.len() - start).map_err(|_| too_long())?;
        self.patch(start, &length.to_ne_bytes());
        Ok(())
    }

    /// Attributes and messages begin at multiples of four (`NLA_ALIGNTO`, `NLMSG_ALIGNTO`).
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn patch(&mut self, at: usize, value: &[u8]) {
        if let Some(slot) = self.bytes.get_mut(at..at + value.len()) {
            slot.copy_from_slice(value);
        }
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "too long for the length field of netlink")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_a_nest_is_laid_out_as_the_kernel_reads_it() {
        let mut builder = Builder::new();
        builder
            .message(0x0a0c, 0x5, 7, &[1, 0, 0, 0], |b| {
                b.string(1, "ab")?;
                b.nest(3, |b| b.be32(2, 0x0102_0304))
            })
            .unwrap();
        let mut expected = Vec::new();
        expected.extend_from_slice(&40u32.to_ne_bytes());
        expected.extend_from_slice(&0x0a0cu16.to_ne_bytes());
        expected.extend_from_slice(&5u16.to_ne_bytes());
        expected.extend_from_slice(&7u32.to_ne_bytes());
        expected.extend_from_slice(&[0; 4]);
        expected.extend_from_slice(&[1, 0, 0, 0]);
        expected.extend_from_slice(&7u16.to_ne_bytes());
        expected.extend_from_slice(&1u16.to_ne_bytes());
        expected.extend_from_slice(b"ab\0\0");
        expected.extend_from_slice(&12u16.to_ne_bytes());
        expected.extend_from_slice(&0x8003u16.to_ne_bytes());
        expected.extend_from_slice(&8u16.to_ne_bytes());
        expected.extend_from_slice(&2u16.to_ne_bytes());
        expected.extend_from_slice(&[1, 2, 3, 4]);
        assert_eq!(builder.bytes(), expected);
    }

    #[test]
    fn an_attribute_takes_what_its_length_field_can_say_and_no_more() {
        let mut builder = Builder::new();
        builder.attribute(1, &vec![0; 65_531]).unwrap();
        let error = builder.attribute(1, &vec![0; 65_532]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_nest_that_grows_too_long_is_an_error() {
        let error = Builder::new()
            .nest(1, |b| (0..2).try_for_each(|_| b.attribute(2, &vec![0; 40_000])))
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_name_with_a_zero_byte_is_refused() {
        assert!(Builder::new().string(1, "a\0b").is_err());
        assert!(Builder::new().string(1, &"a".repeat(70_000)).is_err());
    }

    #[test]
    fn clearing_keeps_a_reasonable_amount_of_memory() {
        let mut builder = Builder::new();
        builder.attribute(1, &[0; 1000]).unwrap();
        let capacity = builder.bytes.capacity();
        builder.clear();
        assert!(builder.bytes().is_empty());
        assert_eq!(builder.bytes.capacity(), capacity);
        (0..100).try_for_each(|_| builder.attribute(1, &vec![0; 60_000])).unwrap();
        builder.clear();
        assert!(builder.bytes.capacity() < 2 << 20);
    }
}
