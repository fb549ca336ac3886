//! What can be replayed, and what is said of the rest.

use std::fs;
use std::path::Path;

use crate::command::{objects, replay, replay_from};

pub fn capture(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay/cases");
    fs::read(root.join(name).join("input.pcap")).unwrap()
}

/// The same capture as pcapng: a section, an interface (of this name, if any), blocks that are passed
/// over, frames.
pub fn as_pcapng(classic: &[u8], link: u16, big: bool, name: &str) -> Vec<u8> {
    let u16 = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let u32 = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let block = |kind: u32, body: &[u8]| {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = u32(u32::try_from(body.len() + 12).unwrap());
        [&u32(kind)[..], &length, &body, &length].concat()
    };
    let section = [&u32(0x1a2b_3c4d)[..], &u16(1), &u16(0), &[0xff; 8]].concat();
    // Time stamps in nanoseconds.
    let mut resolution = [&u16(9)[..], &u16(1), &[9, 0, 0, 0], &[0; 4]].concat();
    if !name.is_empty() {
        let mut padded = name.as_bytes().to_vec();
        padded.resize(name.len().next_multiple_of(4), 0);
        let length = u16(name.len().try_into().unwrap());
        resolution = [&u16(2)[..], &length, &padded, &resolution].concat();
    }
    let interface = [&u16(link)[..], &u16(0), &u32(0), &resolution].concat();
    let mut file = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
    file.extend(block(5, &[7; 40]));
    let mut rest = &classic[24..];
    while let Some((header, after)) = rest.split_at_checked(16) {
        let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let (frame, next) = after.split_at(number(8) as usize);
        let nanos = u64::from(number(0)) * 1_000_000_000 + u64::from(number(4)) * 1_000;
        let stamp = [u32((nanos >> 32) as u32), u32((nanos & 0xffff_ffff) as u32)].concat();
        file.extend(block(
            6,
            &[&u32(0)[..], &stamp, &u32(number(8)), &u32(number(12)), frame].concat(),
        ));
        rest = next;
    }
    file
}

#[test]
fn formats_and_pipes_give_the_same() {
    let classic = capture("a02_sT");
    let expected = replay_from(&["--json", "-"], &classic);
    assert_eq!((expected.code, expected.out.lines().count()), (0, 1), "{}", expected.err);
    for big in [false, true] {
        let same = replay_from(&["--json", "-"], &as_pcapng(&classic, 1, big, "eth0"));
        assert_eq!(same.out, expected.out, "{}", same.err);
    }
}

#[test]
fn links_give_the_same() {
    let classic = capture("a02_sT");
    let expected = replay_from(&["--json", "-"], &classic);
    // Each frame with another header in front of the packet.
    let with = |link: u16, header: &dyn Fn(bool, &[u8]) -> Vec<u8>| {
        let mut file = classic[..20].to_vec();
        file.extend(u32::from(link).to_le_bytes());
        let mut rest = &classic[24..];
        while let Some((record, after)) = rest.split_at_checked(16) {
            let length = u32::from_le_bytes(record[8..12].try_into().unwrap()) as usize;
            let (frame, next) = after.split_at(length);
            rest = next;
            if frame[12..14] != [8, 0] {
                continue;
            }
            let from_home = frame[26..30] == [10, 77, 0, 2];
            let frame = [header(from_home, frame), frame[14..].to_vec()].concat();
            let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
            file.extend([&record[..8], &length, &length, &frame].concat());
        }
        file
    };
    let tagged = |_: bool, frame: &[u8]| [&frame[..12], &[0x81, 0, 0, 5, 8, 0]].concat();
    let raw = |_: bool, _: &[u8]| Vec::new();
    let loopback = |_: bool, _: &[u8]| vec![2, 0, 0, 0];
    let sll = |home: bool, frame: &[u8]| {
        let kind = if home { 4 } else { 0 };
        [&[0, kind, 0, 1, 0, 6][..], &frame[6..12], &[0, 0, 8, 0]].concat()
    };
    let sll2 = |home: bool, frame: &[u8]| {
        let kind = if home { 4 } else { 0 };
        [&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, kind, 6][..], &frame[6..12], &[0, 0]].concat()
    };
    for (link, file) in [
        (1, with(1, &tagged)),
        (101, with(101, &raw)),
        (0, with(0, &loopback)),
        (113, with(113, &sll)),
        (276, with(276, &sll2)),
    ] {
        let same = replay_from(&["--json", "-"], &file);
        assert_eq!(same.out, expected.out, "link type {link}: {}", same.err);
    }
    let unknown = replay_from(&["-"], &with(105, &raw));
    assert_eq!(unknown.code, 65);
    assert!(unknown.err.contains("link type 105"), "{}", unknown.err);
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let missing = replay(&["/nonexistent/capture.pcap"]);
    assert_eq!(missing.code, 66);
    assert!(missing.err.contains("/nonexistent/capture.pcap"), "{}", missing.err);
    assert_eq!(replay(&[env!("CARGO_MANIFEST_DIR")]).code, 66);
    for (bytes, said) in [
        (&b""[..], "not a capture"),
        (b"#!/bin/sh", "not a capture"),
        (b"\x1f\x8b\x08\x00 and so on", "gzip -dc FILE | vauban replay -"),
        (b"{\"format\": \"else\", \"version\": 1}", "not an export of evidence"),
        (b"{\"format\": 7", "line 1 column 12"),
    ] {
        let outcome = replay_from(&["-"], bytes);
        assert_eq!(outcome.code, 65, "{bytes:?}: {}", outcome.err);
        assert!(outcome.err.contains(said), "{}", outcome.err);
    }
    for wrong in [["--home", "host"], ["--open", "22"], ["--open", "tcp/9-8"]] {
        assert_eq!(replay_from(&[&wrong[..], &["-"]].concat(), b"").code, 2, "{wrong:?}");
    }
}

#[test]
fn a_cut_frame_does_not_count_and_the_remedy_is_said() {
    // nmap's SYNs have whole checksums and 58 bytes; their options are cut off here.
    let classic = capture("a01_sS");
    let mut file = classic[..24].to_vec();
    let mut rest = &classic[24..];
    while let Some((record, after)) = rest.split_at_checked(16) {
        let length = u32::from_le_bytes(record[8..12].try_into().unwrap());
        let (frame, next) = after.split_at(length as usize);
        rest = next;
        let kept = length.min(54);
        file.extend([&record[..8], &kept.to_le_bytes(), &record[12..16]].concat());
        file.extend(&frame[..kept as usize]);
    }
    let whole = replay_from(&["--json", "--home", "10.77.0.2", "-"], &classic);
    assert_eq!(objects(&whole.out).len(), 1);
    let outcome = replay_from(&["--json", "--home", "10.77.0.2", "-"], &file);
    assert_eq!((outcome.code, outcome.out.as_str()), (0, ""));
    assert!(outcome.err.contains("probes do not count"), "{}", outcome.err);
    assert!(outcome.err.contains("tcpdump -s 0"), "{}", outcome.err);
}

#[test]
fn a_time_that_cannot_be_reckoned_with_is_damage() {
    let mut file = as_pcapng(&capture("a02_sT"), 1, false, "");
    let mut at = 0;
    while file[at] != 6 {
        at += u32::from_le_bytes(file[at + 4..at + 8].try_into().unwrap()) as usize;
    }
    // The upper half of the first frame's nanoseconds.
    file[at + 15] = 0xff;
    let outcome = replay_from(&["--home", "10.77.0.2", "-"], &file);
    assert_eq!(outcome.code, 65, "{}", outcome.err);
    assert!(outcome.err.contains("between 1970 and 2262"), "{}", outcome.err);
}

#[test]
fn an_export_of_more_than_is_read_is_refused() {
    let some = "{\"subject\":\"192.0.2.1\"},".repeat(550_000);
    let text = format!("{{\"format\":\"vauban-evidence\",\"version\":1,\"suspects\":[{some}");
    let outcome = replay_from(&["-"], text.as_bytes());
    assert_eq!(outcome.code, 65, "{}", outcome.err);
    assert!(outcome.err.contains("more packets than are read"), "{}", outcome.err);
}
