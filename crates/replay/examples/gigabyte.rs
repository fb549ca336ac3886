//! Writes a capture of a gigabyte to standard output, to measure a replay with: pages that a host
//! serves to many clients, with some who scan; with the word `flood`, SYNs alone from ever new
//! sources.

use std::io::{BufWriter, StdoutLock, Write, stdout};

const GIGABYTE: u64 = 1 << 30;
const HOME: [u8; 4] = [192, 0, 2, 1];

struct Capture {
    out: BufWriter<StdoutLock<'static>>,
    bytes: u64,
    /// Ten thousand packets a second.
    packets: u32,
}

impl Capture {
    fn segment(
        &mut self,
        [from, to]: [[u8; 4]; 2],
        [source_port, port]: [u16; 2],
        flags: u8,
        [sequence, acknowledgment]: [u32; 2],
        data: u16,
    ) -> std::io::Result<()> {
        let mut packet = vec![0x45, 0];
        packet.extend((40 + data).to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        packet.extend([from, to].concat());
        let words =
            packet.chunks(2).map(|two| two.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)));
        let sum = words.sum::<u32>();
        let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap_or_default();
        if let Some(field) = packet.get_mut(10..12) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
        packet.extend([source_port.to_be_bytes(), port.to_be_bytes()].concat());
        packet.extend([sequence.to_be_bytes(), acknowledgment.to_be_bytes()].concat());
        // The unfinished checksum that virtual links leave: the sum of the pseudo-header.
        let halves = [from, to].concat();
        let words =
            halves.chunks(2).map(|two| two.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)));
        let sum = words.sum::<u32>() + 6 + 20 + u32::from(data);
        let folded = (sum & 0xffff) + (sum >> 16);
        let checksum = u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or_default();
        packet.extend([0x50, flags, 4, 0]);
        packet.extend(checksum.to_be_bytes());
        packet.extend([0, 0]);
        packet.resize(packet.len() + usize::from(data), 0);
        self.packets += 1;
        let length = u32::try_from(packet.len()).unwrap_or_default();
        let time = [1_795_000_000 + self.packets / 10_000, self.packets % 10_000 * 100];
        for number in [time[0], time[1], length, length] {
            self.out.write_all(&number.to_le_bytes())?;
        }
        self.bytes += u64::from(length) + 16;
        self.out.write_all(&packet)
    }
}

fn main() -> std::io::Result<()> {
    let flood = std::env::args().nth(1).is_some_and(|word| word == "flood");
    let mut capture = Capture { out: BufWriter::new(stdout().lock()), bytes: 24, packets: 0 };
    let mut header = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    header.extend([0; 8]);
    header.extend([0, 0, 4, 0, 101, 0, 0, 0]);
    capture.out.write_all(&header)?;
    let mut number = 0_u32;
    while capture.bytes < GIGABYTE {
        number += 1;
        let [_, a, b, c] = number.wrapping_mul(0x9e37_79b9).to_be_bytes();
        let port = u16::from_be_bytes([b | 4, c]);
        if flood {
            capture.segment([[100, a, b, c], HOME], [4_000, port], 2, [1, 0], 0)?;
            continue;
        }
        let client = [198, 18, a, b];
        let (there, back) = ([client, HOME], [HOME, client]);
        capture.segment(there, [port, 443], 0x02, [1_000, 0], 0)?;
        capture.segment(back, [443, port], 0x12, [5_000, 1_001], 0)?;
        capture.segment(there, [port, 443], 0x10, [1_001, 5_001], 0)?;
        capture.segment(there, [port, 443], 0x18, [1_001, 5_001], 200)?;
        for page in 0..40 {
            capture.segment(back, [443, port], 0x10, [5_001 + page * 1_400, 1_201], 1_400)?;
            capture.segment(there, [port, 443], 0x10, [1_201, 6_401 + page * 1_400], 0)?;
        }
        if number.is_multiple_of(10) {
            for port in [81, 82, 83] {
                capture.segment([[203, 0, 113, a], HOME], [4_000, port], 2, [1, 0], 0)?;
            }
        }
    }
    capture.out.flush()
}
