//! Packets that counted as a capture: a pcapng section (draft-ietf-opsawg-pcapng) with one interface
//! of raw IP packets.
//!
//! Three kinds of blocks, each with what tcpdump(8), capinfos(1) and `vauban replay` need. It holds
//! the first bytes of each packet, as they were kept, and says how long the packet was.

use std::collections::BTreeSet;

use serde_json::Value;
use vauban_daemon::control::dates::read_time;

use crate::ask::{list, text};

/// Block types, from the draft's section 4.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;

/// Says in which order bytes stand.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// Packets that begin with the IP header, of either version (tcpdump.org, link-layer types).
const LINKTYPE_RAW: u16 = 101;

/// Options, from the draft's sections 3.5, 4.1 and 4.2.
const END: u16 = 0;
const COMMENT: u16 = 1;
const USER_APPLICATION: u16 = 4;
const TIME_RESOLUTION: u16 = 9;

/// Times in units of 10^-9 seconds.
const NANOSECONDS: u8 = 9;

/// Packets, in the order of their times.
#[derive(Default)]
pub struct Capture {
    /// Time in nanoseconds since 1970, bytes, comment; in the order that they were taken in. Times are
    /// exact to the millisecond, so those of one must not be sorted by anything else: the order is
    /// part of what happened.
    packets: Vec<(u64, Vec<u8>, String)>,
    /// The same: what is held against a ban and a suspect both is in it once.
    seen: BTreeSet<(u64, Vec<u8>, String)>,
}

impl Capture {
    /// Takes the evidence of a ban or a suspect.
    pub fn add(&mut self, of: &Value) {
        let subject = text(of, "/subject");
        for item in list(of, "/evidence") {
            let (Some(at), Some(bytes)) =
                (read_time(text(item, "/at")), hexadecimal(text(item, "/bytes")))
            else {
                continue;
            };
            let comment = format!("vauban: {} subject={subject}", text(item, "/meaning"));
            let packet = (at.0, bytes, comment);
            if self.seen.insert(packet.clone()) {
                self.packets.push(packet);
            }
        }
    }

    /// The whole file.
    pub fn finish(mut self) -> Vec<u8> {
        self.packets.sort_by_key(|(at, ..)| *at);
        let mut out = Vec::new();
        block(&mut out, SECTION, |body| {
            body.extend(BYTE_ORDER.to_le_bytes());
            body.extend([1_u16.to_le_bytes(), 0_u16.to_le_bytes()].concat());
            // The section's length is not said: it goes on to the end of the file.
            body.extend(u64::MAX.to_le_bytes());
            let program = format!("vauban {}", env!("CARGO_PKG_VERSION"));
            option(body, USER_APPLICATION, program.as_bytes());
            option(body, END, &[]);
        });
        block(&mut out, INTERFACE, |body| {
            body.extend(LINKTYPE_RAW.to_le_bytes());
            body.extend([0; 2]);
            // No limit of its own to what is kept.
            body.extend(0_u32.to_le_bytes());
            option(body, TIME_RESOLUTION, &[NANOSECONDS]);
            option(body, END, &[]);
        });
        for (at, bytes, comment) in &self.packets {
            block(&mut out, PACKET, |body| {
                body.extend(0_u32.to_le_bytes());
                // The upper half stands first.
                body.extend(at.rotate_left(32).to_le_bytes());
                body.extend(length(bytes.len()).to_le_bytes());
                body.extend(original(bytes).to_le_bytes());
                padded(body, bytes);
                option(body, COMMENT, comment.as_bytes());
                option(body, END, &[]);
            });
        }
        out
    }
}

/// A block: its type, its length, what it holds, and its length again.
fn block(out: &mut Vec<u8>, kind: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    /// Type and both lengths.
    const AROUND: usize = 12;
    let mut body = Vec::new();
    fill(&mut body);
    let whole = length(body.len() + AROUND).to_le_bytes();
    out.extend(kind.to_le_bytes());
    out.extend(whole);
    out.extend(body);
    out.extend(whole);
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    padded(body, value);
}

/// Bytes up to a multiple of four.
fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// How long the packet was, as its IP header says (RFC 791 section 3.1, RFC 8200 section 3).
fn original(bytes: &[u8]) -> u32 {
    let number = |at: usize| match bytes.get(at..at + 2) {
        Some([high, low]) => u32::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    };
    let said = match bytes.first().map(|first| first >> 4) {
        Some(4) => number(2),
        Some(6) => number(4) + 40,
        _ => 0,
    };
    said.max(length(bytes.len()))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An IPv4 header that says 60 bytes, of which 24 were kept.
    const KEPT: &str = "4500003c00004000400600000a00000102030405aabbccdd";

    fn number(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn blocks_are_whole_and_packets_in_the_order_of_their_times() {
        let item = |at: &str| json!({ "at": at, "bytes": KEPT, "meaning": "closed-port" });
        let (late, early) = ("2026-11-21T12:00:01.000Z", "2026-11-21T12:00:00.000Z");
        let mut capture = Capture::default();
        let of =
            json!({ "subject": "10.0.0.1", "evidence": [item(late), item(early), item(late)] });
        capture.add(&of);
        capture.add(&of);
        let bytes = capture.finish();
        let (mut at, mut kinds, mut times) = (0, Vec::new(), Vec::new());
        while at < bytes.len() {
            let (kind, whole) = (number(&bytes, at), number(&bytes, at + 4) as usize);
            assert_eq!(whole % 4, 0);
            assert_eq!(number(&bytes, at + whole - 4) as usize, whole);
            if kind == PACKET {
                let time =
                    u64::from(number(&bytes, at + 12)) << 32 | u64::from(number(&bytes, at + 16));
                times.push(time);
                assert_eq!((number(&bytes, at + 20), number(&bytes, at + 24)), (24, 60));
                let comment = b"vauban: closed-port subject=10.0.0.1";
                assert!(bytes[at..at + whole].windows(comment.len()).any(|part| part == comment));
            }
            kinds.push(kind);
            at += whole;
        }
        assert_eq!(kinds, [SECTION, INTERFACE, PACKET, PACKET]);
        assert_eq!(times, [1_795_262_400_000_000_000, 1_795_262_401_000_000_000]);
    }

    #[test]
    fn original_lengths() {
        let v6 = [[0x60, 0, 0, 0, 0, 20].as_slice(), &[0; 34]].concat();
        for (bytes, expected) in [
            (hexadecimal(KEPT).unwrap(), 60),
            (v6, 60),
            (vec![0x45, 0, 0, 2, 0], 5),
            (vec![0x45], 1),
            (vec![0xff, 1], 2),
        ] {
            assert_eq!(original(&bytes), expected, "{bytes:?}");
        }
        assert_eq!((hexadecimal("4"), hexadecimal("4g"), hexadecimal("")), (None, None, None));
    }
}
