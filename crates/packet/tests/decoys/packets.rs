//! Packets to answer, and sums of a making other than the crate's.

use vauban_engine::event::Checksum;
use vauban_engine::flags::TcpFlags;
use vauban_packet::TcpSegment;

/// A good segment from 198.51.100.7, port 40000, to 192.0.2.2, port 23.
pub fn opening() -> TcpSegment<'static> {
    TcpSegment {
        source: [198, 51, 100, 7].into(),
        destination: [192, 0, 2, 2].into(),
        source_port: 40000,
        port: 23,
        sequence: 1000,
        acknowledgment: 0,
        flags: TcpFlags::SYN,
        reserved: 0,
        options: &[],
        payload: &[],
        checksum: Checksum::Good,
        traffic_class: 0,
        ip_options: false,
    }
}

/// What the client of that opening acknowledges a SYN-ACK with.
pub fn acknowledging<'a>(opening: &TcpSegment<'a>, cookie: u32) -> TcpSegment<'a> {
    TcpSegment {
        sequence: opening.sequence.wrapping_add(1),
        acknowledgment: cookie.wrapping_add(1),
        flags: TcpFlags::ACK,
        ..*opening
    }
}

pub fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Whether the checksums of an answer are right: not left to anybody, nor half done.
pub fn sums_up(packet: &[u8]) -> bool {
    let v6 = packet[0] >> 4 == 6;
    let (addresses, tcp) = if v6 { (8, 40) } else { (12, 20) };
    let length = u8::try_from(packet.len() - tcp).unwrap();
    let segment = [&packet[addresses..], &[0, 6, 0, length]].concat();
    // Of an odd length they would not be, as the length of an answer is a multiple of four.
    segment.len().is_multiple_of(2)
        && remainder(&segment) == 0
        && (v6 || remainder(&packet[..20]) == 0)
}

/// A ones' complement sum is a number modulo 65535; a right one is zero.
fn remainder(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(pair[1]));
    words.sum::<u64>() % 65535
}
