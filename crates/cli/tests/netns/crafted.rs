//! Packets that no program sends: SYNs behind IPv6 extension headers and in IPv6 fragments.

use std::net::Ipv6Addr;

use vauban_sys::frame::FrameSender;

use crate::lab::{Lab, SCANNER_MAC, VICTIM_MAC};

/// What stands between the IPv6 header and TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    HopByHop,
    Destination,
    Routing,
    /// A fragment header on a packet that is whole (RFC 6946).
    Atomic,
}

impl Extension {
    fn number(self) -> u8 {
        match self {
            Self::HopByHop => 0,
            Self::Routing => 43,
            Self::Atomic => 44,
            Self::Destination => 60,
        }
    }

    /// Eight bytes, followed by the header of this number.
    fn bytes(self, next: u8) -> [u8; 8] {
        match self {
            // One option that pads to the end (RFC 8200 section 4.2).
            Self::HopByHop | Self::Destination => [next, 0, 1, 4, 0, 0, 0, 0],
            // An unknown type with nothing left to visit is passed over (section 4.4).
            Self::Routing => [next, 0, 253, 0, 0, 0, 0, 0],
            Self::Atomic => [next, 0, 0, 0, 0, 0, 0, 7],
        }
    }
}

const TCP: u8 = 6;
const FRAGMENT: u8 = 44;

/// A SYN with some data, which makes it long enough to cut.
fn syn(from: Ipv6Addr, to: Ipv6Addr, port: u16) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(45_678_u16.to_be_bytes());
    segment.extend(port.to_be_bytes());
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0]);
    segment.extend([b'x'; 12]);
    let mut covered: Vec<u8> = [from.octets(), to.octets()].concat();
    covered.extend(u32::try_from(segment.len()).unwrap().to_be_bytes());
    covered.extend([0, 0, 0, TCP]);
    covered.extend(&segment);
    let mut sum: u32 =
        covered.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let checksum = !u16::try_from(sum).unwrap();
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
    segment
}

fn packet(from: Ipv6Addr, to: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = [VICTIM_MAC, SCANNER_MAC].concat();
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend([next, 64]);
    frame.extend(from.octets());
    frame.extend(to.octets());
    frame.extend(payload);
    frame
}

/// A SYN behind these headers.
pub fn behind(headers: &[Extension], from: Ipv6Addr, to: Ipv6Addr, port: u16) -> Vec<Vec<u8>> {
    let mut payload = syn(from, to, port);
    let mut next = TCP;
    for header in headers.iter().rev() {
        payload.splice(0..0, header.bytes(next));
        next = header.number();
    }
    vec![packet(from, to, next, &payload)]
}

/// A SYN with a wrong checksum.
pub fn wrong(from: Ipv6Addr, to: Ipv6Addr, port: u16) -> Vec<Vec<u8>> {
    let mut segment = syn(from, to, port);
    segment[16] ^= 0x55;
    vec![packet(from, to, TCP, &segment)]
}

/// A SYN in two fragments: TCP's header in the first, its data in the second.
pub fn fragments(from: Ipv6Addr, to: Ipv6Addr, port: u16) -> Vec<Vec<u8>> {
    cut_in_two(from, to, port, TCP, &syn(from, to, port), 24)
}

/// A packet in two fragments, the first with so many bytes of it.
fn cut_in_two(
    from: Ipv6Addr,
    to: Ipv6Addr,
    port: u16,
    next: u8,
    whole: &[u8],
    cut: u16,
) -> Vec<Vec<u8>> {
    let fragment = |offset: u16, more: u16, part: &[u8]| {
        let [high, low] = (offset | more).to_be_bytes();
        let mut payload = vec![next, 0, high, low, 0, 0];
        // One identification per packet.
        payload.extend(port.to_be_bytes());
        payload.extend(part);
        packet(from, to, FRAGMENT, &payload)
    };
    let (first, second) = whole.split_at(usize::from(cut));
    vec![fragment(0, 1, first), fragment(cut, 0, second)]
}

/// A SYN in two fragments, with the cut between two extension headers before TCP's: against RFC
/// 7112, but Linux puts it together again.
pub fn hidden(from: Ipv6Addr, to: Ipv6Addr, port: u16) -> Vec<Vec<u8>> {
    let header = Extension::Destination;
    let mut whole = [header.bytes(header.number()), header.bytes(TCP)].concat();
    whole.extend(syn(from, to, port));
    cut_in_two(from, to, port, header.number(), &whole, 8)
}

/// Sends frames from the scanner.
pub fn send(lab: &Lab, frames: Vec<Vec<u8>>) {
    lab.inside("scanner", move || {
        let sender = FrameSender::open("eth0").unwrap();
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        assert_eq!(sender.send(&frames).unwrap(), frames.len());
    });
}
