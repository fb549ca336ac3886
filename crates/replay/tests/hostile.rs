//! Whatever a file says, a replay ends, in bounded memory, and says where the damage is.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::io::Read;

use proptest::prelude::*;
use vauban_engine::Prefix;
use vauban_replay::capture::Reader;
use vauban_replay::source::{Failure, replay};
use vauban_replay::{Replay, Settings};

/// Ethernet, with a call that is refused.
const SMALL: &[u8] = include_bytes!("small.pcap");

fn run(input: impl Read, home: &[&str]) -> (Result<(), Failure>, usize) {
    let home: Vec<Prefix> = home.iter().map(|home| home.parse().unwrap()).collect();
    let mut replaying = Replay::new(Settings { home, ..Settings::default() });
    let mut notices = 0;
    let outcome = replay(input, &mut replaying, &mut |_, _| notices += 1);
    (outcome, notices)
}

#[test]
fn every_cut_is_an_error_or_the_end_of_a_frame() {
    let mut ends = vec![24];
    while let Some(header) = SMALL.get(*ends.last().unwrap()..).filter(|rest| !rest.is_empty()) {
        let length = u32::from_le_bytes(header[8..12].try_into().unwrap());
        ends.push(ends.last().unwrap() + 16 + length as usize);
    }
    for cut in 0..=SMALL.len() {
        let (outcome, _) = run(&SMALL[..cut], &["10.77.0.2"]);
        assert_eq!(outcome.is_ok(), ends.contains(&cut), "cut at {cut}: {outcome:?}");
    }
}

/// One byte at a time, as a slow pipe.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let (Some(byte), Some(place)) = (self.0.first(), buffer.first_mut()) else { return Ok(0) };
        *place = *byte;
        self.0 = &self.0[1..];
        Ok(1)
    }
}

#[test]
fn a_slow_pipe_gives_the_same_frames() {
    let frames = |input: Box<dyn Read>| {
        let mut reader = Reader::new(input).unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = reader.frame().unwrap() {
            frames.push((frame.at, frame.bytes.to_vec()));
        }
        frames
    };
    assert_eq!(frames(Box::new(SMALL)), frames(Box::new(Dripping(SMALL))));
}

/// Frames without end: SYNs from ever new sources, a thousand a second, some answered.
struct Flood {
    left: u64,
    frame: Vec<u8>,
    at: usize,
}

impl Flood {
    fn new(frames: u64) -> Self {
        let mut header = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
        header.extend([0; 8]);
        header.extend([0, 0, 4, 0, 101, 0, 0, 0]);
        Self { left: frames, frame: header, at: 0 }
    }

    fn next(&mut self) {
        let number = u32::try_from(self.left).unwrap();
        let home = [192, 0, 2, 1];
        let [_, a, b, c] = (number / 2).wrapping_mul(0x9e37_79b9).to_be_bytes();
        let peer = [100, a, b, c];
        let port = (number / 2 % 5_000 + 1).to_be_bytes();
        let (from, to, ports, flags) = if number % 2 == 0 || number % 7 == 0 {
            (peer, home, [0x10, 0, port[2], port[3]], 2)
        } else {
            (home, peer, [port[2], port[3], 0x10, 0], 0x12)
        };
        let data = 900;
        let mut packet = vec![0x45, 0];
        packet.extend(u16::try_from(40 + data).unwrap().to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        packet.extend([from, to].concat());
        let sum: u32 = packet.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1])).sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(ports);
        packet.extend([0, 0, 0, 9, 0, 0, 0, 10, 0x50, flags, 4, 0, 0, 0, 0, 0]);
        packet.resize(packet.len() + data, 0);
        let length = u32::try_from(packet.len()).unwrap();
        let seconds = 2_000_000_000 - number / 1_000;
        self.frame.clear();
        for number in [seconds, 0, length, length] {
            self.frame.extend(number.to_le_bytes());
        }
        self.frame.extend(packet);
    }
}

impl Read for Flood {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.frame.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.next();
            self.left -= 1;
            self.at = 0;
        }
        let count = (&self.frame[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

/// What this process holds now, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_flood_streams_in_bounded_memory() {
    let before = resident();
    // Some 95 MB of capture.
    let (outcome, _) = run(Flood::new(100_000), &["192.0.2.1"]);
    assert_eq!(outcome, Ok(()));
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_make_it_panic_or_go_on_for_ever(
        magic in prop::sample::select(vec![
            &b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0"[..],
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0\
              \x01\0\0\0\x14\0\0\0\x65\0\0\0\0\0\0\0\x14\0\0\0",
            b"\x0a\x0d\x0d\x0a",
            b"{\"format\": \"vauban-evidence\", ",
            b"",
        ]),
        bytes in prop::collection::vec(prop_oneof![3 => Just(0_u8), 1 => Just(6_u8), 2 => any::<u8>()], 0..600),
    ) {
        let file = [magic, &bytes].concat();
        let _ = run(&file[..], &[]);
        let _ = run(&file[..], &["192.0.2.1", "2001:db8::/32"]);
    }

    #[test]
    fn flipped_bytes_make_it_neither_panic_nor_find_more_than_there_is(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30),
    ) {
        let mut file = SMALL.to_vec();
        for (index, byte) in flips {
            let at = index.index(file.len());
            file[at] = byte;
        }
        let (_, notices) = run(&file[..], &["10.77.0.2"]);
        prop_assert!(notices <= 60);
    }

    /// Frames of hostile packets in a sound capture.
    #[test]
    fn hostile_packets_are_survived(
        packets in prop::collection::vec(
            (any::<u32>(), prop::collection::vec(any::<u8>(), 0..80), 0..4_usize), 0..60),
    ) {
        let mut file = SMALL[..24].to_vec();
        for (time, mut packet, kind) in packets {
            let start: &[u8] = match kind {
                0 => b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0\x45\0\0\x28\0\x07\x20\0\x40\x06\0\0",
                1 => b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x86\xdd\x60\0\0\0\0\x14\x2c\x40",
                2 => b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x81\0\0\x05\x08\0\x45\0\0\x3c\0\0\0\0\x40\x01\0\0",
                _ => b"",
            };
            packet.splice(0..0, start.iter().copied());
            let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
            file.extend([&time.to_le_bytes()[..], &[0; 4], &length, &length, &packet].concat());
        }
        let _ = run(&file[..], &[]);
        let _ = run(&file[..], &["0.0.0.0/0", "::/0"]);
    }
}
