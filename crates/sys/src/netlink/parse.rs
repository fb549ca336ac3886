//! Reading netlink messages and attributes from bytes.
//!
//! The iterators give what is whole and end at the first length that is too short for its own
//! header or points beyond the end. They allocate nothing and never panic.
//!
//! What it does not do: tell a malformed tail from a proper end. The kernel is the only writer
//! (see [`Socket`](super::Socket)), so a tail that does not parse carries nothing we could use.

/// `struct nlmsghdr`.
const MESSAGE_HEADER: usize = 16;
/// `struct nlattr`.
const ATTRIBUTE_HEADER: usize = 4;
/// `NLA_TYPE_MASK`: without the flags "nested" and "network byte order".
const TYPE_MASK: u16 = 0x3fff;

/// The messages of one datagram.
#[derive(Debug, Clone)]
pub struct Messages<'a>(&'a [u8]);

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// The number of the request this answers; 0 for what nobody asked for.
    pub sequence: u32,
    /// Of an answer, the port that asked; of a notice, the port that caused it; 0 for the kernel
    /// (`nlmsg_pid`).
    pub port: u32,
    /// What follows the header, padding excluded.
    pub payload: &'a [u8],
}

/// A run of attributes.
#[derive(Debug, Clone)]
pub struct Attributes<'a>(&'a [u8]);

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// `nla_type` without its flag bits.
    pub kind: u16,
    /// The value, padding excluded.
    pub value: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Reads a datagram.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = usize::try_from(native32(self.0, 0)?).ok()?;
        let kind = native16(self.0, 4)?;
        let flags = native16(self.0, 6)?;
        let sequence = native32(self.0, 8)?;
        let port = native32(self.0, 12)?;
        let payload = self.0.get(MESSAGE_HEADER..length)?;
        self.0 = after(self.0, length);
        Some(Message { kind, flags, sequence, port, payload })
    }
}

impl<'a> Message<'a> {
    /// The error number of an [`ERROR`](super::ERROR) or [`DONE`](super::DONE) message, positive,
    /// 0 for success. `None` when the message is too short to carry one.
    ///
    /// The kernel sends it negative. A number no kernel sends (positive, or the one without a
    /// positive twin) reads as `EPROTO`: never as success.
    pub fn error(&self) -> Option<i32> {
        let code = i32::from_ne_bytes(self.payload.first_chunk().copied()?);
        Some(match code.checked_neg() {
            Some(code) if code >= 0 => code,
            _ => libc::EPROTO,
        })
    }

    /// The attributes behind a fixed header of `header` bytes (a multiple of four).
    pub fn attributes(&self, header: usize) -> Attributes<'a> {
        Attributes::new(self.payload.get(header..).unwrap_or_default())
    }
}

impl<'a> Attributes<'a> {
    /// Reads attributes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The first attribute of this type, searched from where the iteration stands.
    pub fn get(mut self, kind: u16) -> Option<Attribute<'a>> {
        self.find(|attribute| attribute.kind == kind)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let length = usize::from(native16(self.0, 0)?);
        let kind = native16(self.0, 2)? & TYPE_MASK;
        let value = self.0.get(ATTRIBUTE_HEADER..length)?;
        self.0 = after(self.0, length);
        Some(Attribute { kind, value })
    }
}

impl<'a> Attribute<'a> {
    /// The attributes inside this one.
    pub fn nested(&self) -> Attributes<'a> {
        Attributes::new(self.value)
    }

    /// A 32-bit number in network order.
    pub fn be32(&self) -> Option<u32> {
        self.value.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// A 64-bit number in network order.
    pub fn be64(&self) -> Option<u64> {
        self.value.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// A string up to its zero byte, or up to the first byte that is not UTF-8.
    pub fn text(&self) -> &'a str {
        let bytes = self.value.split(|byte| *byte == 0).next().unwrap_or_default();
        match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => bytes
                .get(..error.valid_up_to())
                .and_then(|valid| str::from_utf8(valid).ok())
                .unwrap_or_default(),
        }
    }
}

/// What follows an item of `length` bytes and its padding. The last item may lack its padding.
fn after(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(length.next_multiple_of(4)..).unwrap_or_default()
}

fn native16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn native32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Builder;
    use crate::netlink::mutilate::every_mutilation;

    fn two_messages() -> Vec<u8> {
        let mut builder = Builder::new();
        builder
            .message(0x0a0c, 2, 41, &[1, 0, 0, 9], |b| {
                b.string(1, "table")?;
                b.nest(3, |b| b.nest(1, |b| b.be64(4, 77)))
            })
            .unwrap();
        builder.message(3, 2, 41, &(-2i32).to_ne_bytes(), |_| Ok(())).unwrap();
        builder.bytes().to_vec()
    }

    #[test]
    fn what_was_built_is_read_back() {
        let bytes = two_messages();
        let messages: Vec<_> = Messages::new(&bytes).collect();
        assert_eq!(messages.len(), 2);
        assert_eq!((messages[0].kind, messages[0].flags, messages[0].sequence), (0x0a0c, 2, 41));
        assert_eq!(messages[0].attributes(4).get(1).unwrap().text(), "table");
        let inner = messages[0].attributes(4).get(3).unwrap().nested().next().unwrap();
        assert_eq!(inner.nested().get(4).unwrap().be64(), Some(77));
        assert_eq!(messages[1].error(), Some(2));
    }

    #[test]
    fn a_length_shorter_than_its_header_ends_the_iteration() {
        assert_eq!(Messages::new(&[0; 64]).count(), 0);
        assert_eq!(Attributes::new(&[0; 64]).count(), 0);
        assert_eq!(Attributes::new(&[3, 0, 1, 0, 9, 9, 9, 9]).count(), 0);
    }

    #[test]
    fn a_length_beyond_the_end_ends_the_iteration() {
        let mut bytes = two_messages();
        bytes[..4].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(Messages::new(&bytes).count(), 0);
    }

    #[test]
    fn the_last_attribute_may_lack_its_padding() {
        let attribute = Attributes::new(&[5, 0, 2, 0x80, b'x']).next().unwrap();
        assert_eq!((attribute.kind, attribute.value), (2, &b"x"[..]));
    }

    #[test]
    fn error_numbers_are_never_mistaken_for_success() {
        let with = |code: i32| {
            let bytes = code.to_ne_bytes();
            Message { kind: 2, flags: 0, sequence: 0, port: 0, payload: &bytes }.error()
        };
        assert_eq!(with(0), Some(0));
        assert_eq!(with(-2), Some(2));
        assert_eq!(with(5), Some(libc::EPROTO));
        assert_eq!(with(i32::MIN), Some(libc::EPROTO));
        assert_eq!(
            Message { kind: 2, flags: 0, sequence: 0, port: 0, payload: &[1] }.error(),
            None
        );
    }

    #[test]
    fn text_ends_where_it_stops_being_text() {
        let text = |value| Attribute { kind: 1, value }.text();
        assert_eq!(text(b"abc\0def"), "abc");
        assert_eq!(text(b"abc"), "abc");
        assert_eq!(text(b"ab\xffc"), "ab");
        assert_eq!(text(b""), "");
    }

    #[test]
    fn no_mutilation_panics_or_loops() {
        every_mutilation(&two_messages(), |bytes| {
            for message in Messages::new(bytes).take(1000) {
                message.error();
                for attribute in message.attributes(4).take(1000) {
                    attribute.text();
                    attribute.be32();
                    attribute.nested().for_each(|inner| {
                        inner.be64();
                    });
                }
            }
        });
    }
}
