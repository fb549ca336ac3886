//! TCP segments as whole Ethernet frames, with right checksums: what the sender sends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::lab::{SCANNER_MAC, VICTIM, VICTIM_MAC, VICTIM6};

/// Control bits (RFC 9293 section 3.1).
pub const SYN: u8 = 0x02;
/// A packet of an established connection.
pub const ACK: u8 = 0x10;
/// A reset of a connection that was established.
pub const RST_ACK: u8 = 0x14;

/// IP protocol number of TCP.
const TCP: u8 = 6;

/// One TCP segment to the victim.
#[derive(Clone, Copy)]
pub struct Segment {
    pub source: IpAddr,
    pub source_port: u16,
    pub port: u16,
    pub flags: u8,
}

impl Segment {
    /// As a frame, from the Ethernet header on.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame: Vec<u8> = VICTIM_MAC.into_iter().chain(SCANNER_MAC).collect();
        frame.extend(match self.source {
            IpAddr::V4(_) => [0x08, 0x00],
            IpAddr::V6(_) => [0x86, 0xdd],
        });
        frame.extend(self.packet());
        frame
    }

    /// From the IP header on.
    pub fn packet(&self) -> Vec<u8> {
        match self.source {
            IpAddr::V4(source) => {
                let mut packet = header4(source, 20 + 20);
                packet.extend(self.tcp(&pseudo4(source)));
                packet
            }
            IpAddr::V6(source) => {
                let mut packet = vec![0x60, 0, 0, 0, 0, 20, TCP, 64];
                packet.extend(source.octets());
                packet.extend(VICTIM6.octets());
                packet.extend(self.tcp(&pseudo6(source)));
                packet
            }
        }
    }

    fn tcp(&self, pseudo: &[u8]) -> Vec<u8> {
        let mut segment = Vec::with_capacity(20);
        segment.extend(self.source_port.to_be_bytes());
        segment.extend(self.port.to_be_bytes());
        // Sequence and acknowledgement numbers mean nothing to a port without a connection.
        segment.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, self.flags, 0xff, 0xff]);
        let sum = checksum(&[pseudo, &segment].concat());
        segment.extend(sum.to_be_bytes());
        segment.extend([0, 0]);
        segment
    }
}

fn header4(source: Ipv4Addr, length: u16) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 64, TCP];
    let addresses = [source.octets(), VICTIM.octets()].concat();
    let sum = checksum(&[&header[..], &addresses].concat());
    header.extend(sum.to_be_bytes());
    header.extend(addresses);
    header
}

fn pseudo4(source: Ipv4Addr) -> Vec<u8> {
    let mut pseudo = [source.octets(), VICTIM.octets()].concat();
    pseudo.extend([0, TCP, 0, 20]);
    pseudo
}

fn pseudo6(source: Ipv6Addr) -> Vec<u8> {
    let mut pseudo = [source.octets(), VICTIM6.octets()].concat();
    pseudo.extend([0, 0, 0, 20, 0, 0, 0, TCP]);
    pseudo
}

/// RFC 1071. All that is summed here has an even length.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks_exact(2)
        .filter_map(|pair| <[u8; 2]>::try_from(pair).ok())
        .map(|pair| u32::from(u16::from_be_bytes(pair)))
        .sum();
    while let Some(carry) = Some(sum >> 16).filter(|carry| *carry != 0) {
        sum = (sum & 0xffff) + carry;
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vauban_engine::event::Checksum;
    use vauban_packet::{LinkType, network_layer, probe};

    #[test]
    fn frames_are_what_the_reader_takes_for_good() {
        for source in ["198.51.100.9", "2001:db8:2::9"] {
            let segment = Segment {
                source: source.parse().unwrap(),
                source_port: 40_000,
                port: 9,
                flags: RST_ACK,
            };
            let frame = segment.frame();
            let packet = network_layer(LinkType::Ethernet, &frame).unwrap();
            let probe = probe(packet, None).unwrap();
            assert_eq!(probe.checksum, Checksum::Good);
            assert_eq!((probe.source, probe.port.number), (segment.source, 9));
            assert_eq!(probe.flags.0, RST_ACK);
        }
    }
}
