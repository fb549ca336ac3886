//! An export as JSON: `{"format": "vauban-evidence", "version": 1, "bans": […], "suspects": […]}`.

use std::io::Read;

use serde::Deserialize;
use vauban_engine::event::{Checksum, Contact, EventKind, Probe};
use vauban_engine::flags::TcpFlags;
use vauban_engine::{Engine, Notice};

use super::bounded::Bounded;
use super::{MOST_PACKETS, Packets, Wrong, dates, plain};
use crate::replay::Replay;

/// Bytes of text read at most, and so held: some 200,000 packets with all that is usually kept of each.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Objects read at most: the packets, their subjects, and what stands around them.
const MOST_OBJECTS: usize = 2 * MOST_PACKETS;

/// The version that is read.
const VERSION: u32 = 1;

/// What of an export is read; the rest is for people and other programs.
#[derive(Deserialize)]
struct Export {
    format: String,
    version: u32,
    #[serde(default)]
    bans: Vec<Subject>,
    #[serde(default)]
    suspects: Vec<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    subject: String,
    #[serde(default)]
    evidence: Vec<Item>,
}

/// A packet, in the names of `explain --json`.
#[derive(Deserialize)]
struct Item {
    at: String,
    source: String,
    source_port: u16,
    destination: String,
    port: String,
    flags: Option<String>,
    meaning: String,
    #[serde(default)]
    said: String,
    #[serde(default)]
    bytes: String,
}

/// Replays it.
///
/// # Errors
/// [`Wrong`] with its place when it is no export that can be read; nothing has been judged then.
pub fn json(
    input: impl Read,
    replay: &mut Replay,
    each: &mut dyn FnMut(&Engine, &Notice),
) -> Result<(), Wrong> {
    let input = std::io::BufReader::new(Bounded::new(input.take(MOST_BYTES), MOST_OBJECTS));
    let export: Export = serde_json::from_reader(input).map_err(|error| {
        Wrong(format!("not an export of evidence: {}", plain(&error.to_string())))
    })?;
    if export.format != "vauban-evidence" {
        return Err(Wrong(format!("not an export of evidence, but `{}`", plain(&export.format))));
    }
    if export.version != VERSION {
        let version = export.version;
        return Err(Wrong(format!("an export of version {version}; version {VERSION} is read")));
    }
    let mut packets = Packets::default();
    for (list, subjects) in [("bans", &export.bans), ("suspects", &export.suspects)] {
        for (index, subject) in subjects.iter().enumerate() {
            for (number, item) in subject.evidence.iter().enumerate() {
                let place = format!("{list}[{index}].evidence[{number}]");
                add(&mut packets, &subject.subject, item)
                    .map_err(|what| Wrong(format!("{place}: {what}")))?;
            }
        }
    }
    packets.replay(replay, each);
    Ok(())
}

fn add(packets: &mut Packets, subject: &str, item: &Item) -> Result<(), String> {
    let wrong = |what: &str, text: &str| format!("not {what}: `{}`", plain(text));
    let at = dates::read(&item.at).ok_or_else(|| wrong("a time", &item.at))?;
    let source = item.source.parse().map_err(|_| wrong("an address", &item.source))?;
    let destination =
        item.destination.parse().map_err(|_| wrong("an address", &item.destination))?;
    let port = item.port.parse().map_err(|_| wrong("a port", &item.port))?;
    let flags = item.flags.as_deref().map_or(Some(TcpFlags::default()), flags);
    let flags = flags.ok_or_else(|| wrong("TCP flags", item.flags.as_deref().unwrap_or("")))?;
    let mut bytes = hexadecimal(&item.bytes).ok_or_else(|| wrong("hexadecimal", &item.bytes))?;
    bytes.truncate(Probe::KEPT);
    let mut said = hexadecimal(&item.said).ok_or_else(|| wrong("hexadecimal", &item.said))?;
    said.truncate(Contact::JUDGED);
    let source_port = item.source_port;
    let kind = match item.meaning.as_str() {
        "closed-port" | "trap-port" | "impossible-flags" | "of-suspect" => {
            EventKind::Probe(Probe {
                source,
                destination,
                source_port,
                port,
                flags,
                checksum: Checksum::Good,
                stage: None,
                decoy: false,
                zone: None,
                bytes,
            })
        }
        "proven" | "proven-trap" => EventKind::Contact(Contact {
            source,
            destination,
            source_port,
            port,
            flags,
            said,
            bytes,
        }),
        "excused" => return Ok(()),
        other => return Err(wrong("a meaning that is known", other)),
    };
    packets.add(at, subject, kind)
}

/// Control bits as they are written: `SYN+FIN`, or `none`.
fn flags(text: &str) -> Option<TcpFlags> {
    if text == "none" {
        return Some(TcpFlags::default());
    }
    text.split('+').try_fold(TcpFlags::default(), |flags, name| {
        let bit = (0..8).map(|shift| TcpFlags(1 << shift)).find(|bit| bit.to_string() == name)?;
        Some(TcpFlags(flags.0 | bit.0))
    })
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    rest.is_empty().then(|| bytes.collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_bytes_are_read_back() {
        for bits in 0..=u8::MAX {
            assert_eq!(flags(&TcpFlags(bits).to_string()), Some(TcpFlags(bits)));
        }
        assert_eq!(flags("SYN+"), None);
        assert_eq!(hexadecimal("00ff"), Some(vec![0, 255]));
        assert_eq!(hexadecimal("0"), None);
        assert_eq!(hexadecimal("0g"), None);
    }
}
