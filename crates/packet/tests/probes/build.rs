//! Builds packets, with a checksum of its own making: sharing the crate's would let one mistake
//! hide the other.

use std::net::IpAddr;

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;

pub const V4: [&str; 2] = ["192.0.2.7", "198.51.100.9"];
pub const V6: [&str; 2] = ["2001:db8::7", "2001:db8:1::9"];

/// A TCP segment from port 40000 to 23, without a checksum.
pub fn tcp(flags: u8, options: &[u8], data: &[u8]) -> Vec<u8> {
    let offset = u8::try_from((20 + options.len()) / 4 * 16).unwrap();
    let mut segment = [40000_u16.to_be_bytes(), 23_u16.to_be_bytes()].concat();
    segment.extend([1, 2, 3, 4, 0, 0, 0, 0, offset, flags, 4, 0, 0, 0, 0, 0]);
    segment.extend(options);
    segment.extend(data);
    segment
}

/// A UDP datagram from port 40000 to 161, without a checksum.
pub fn udp(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + data.len()).unwrap();
    let words = [40000, 161, length, 0];
    [words.map(u16::to_be_bytes).concat().as_slice(), data].concat()
}

/// The pseudo-header's sum for `length` bytes of `protocol`.
pub fn pseudo([source, destination]: [&str; 2], protocol: u8, length: usize) -> u16 {
    let octets = |address: &str| match address.parse().unwrap() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let length = u16::try_from(length).unwrap().to_be_bytes();
    let rest = [0, protocol, length[0], length[1]];
    sum(&[octets(source), octets(destination), rest.to_vec()].concat())
}

/// A ones' complement sum is a number modulo 65535, in which zero is written 65535.
fn sum(bytes: &[u8]) -> u16 {
    let value = bytes.iter().enumerate().fold(0_u64, |sum, (i, &byte)| {
        (sum + if i % 2 == 0 { u64::from(byte) << 8 } else { byte.into() }) % 65535
    });
    u16::try_from(if value == 0 { 65535 } else { value }).unwrap()
}

/// Where the checksum of `protocol` stands in its header.
fn field(protocol: u8) -> usize {
    if protocol == TCP { 16 } else { 6 }
}

/// Puts `checksum` into a segment.
pub fn with(checksum: u16, protocol: u8, mut segment: Vec<u8>) -> Vec<u8> {
    let at = field(protocol);
    segment[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    segment
}

/// Puts the right checksum into a segment.
pub fn good(addresses: [&str; 2], protocol: u8, segment: Vec<u8>) -> Vec<u8> {
    let pseudo = pseudo(addresses, protocol, segment.len());
    let segment = with(pseudo, protocol, segment);
    let checksum = !sum(&segment);
    with(if checksum == 0 { 0xffff } else { checksum }, protocol, segment)
}

/// An IPv4 packet; `fragment` is the field with the flags and the offset.
pub fn v4(options: &[u8], fragment: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header_len = 20 + options.len();
    let total = u16::try_from(header_len + payload.len()).unwrap().to_be_bytes();
    let [f0, f1] = fragment.to_be_bytes();
    let first = 0x40 | u8::try_from(header_len / 4).unwrap();
    let mut packet = vec![first, 0, total[0], total[1], 0, 1, f0, f1, 64, protocol, 0, 0];
    for address in V4 {
        packet.extend(address.parse::<std::net::Ipv4Addr>().unwrap().octets());
    }
    [&packet, options, payload].concat()
}

/// An IPv6 packet between `addresses`; each extension header is its number and its bytes, the
/// first of which is filled in here.
pub fn v6(
    addresses: [&str; 2],
    extensions: &[(u8, &[u8])],
    protocol: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut chain = Vec::new();
    for (i, (_, bytes)) in extensions.iter().enumerate() {
        let start = chain.len();
        chain.extend(*bytes);
        chain[start] = extensions.get(i + 1).map_or(protocol, |next| next.0);
    }
    let length = u16::try_from(chain.len() + payload.len()).unwrap().to_be_bytes();
    let first = extensions.first().map_or(protocol, |first| first.0);
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], first, 64];
    for address in addresses {
        packet.extend(address.parse::<std::net::Ipv6Addr>().unwrap().octets());
    }
    [packet.as_slice(), &chain, payload].concat()
}

/// A whole, good TCP packet over IPv4.
pub fn tcp4(flags: u8, data: &[u8]) -> Vec<u8> {
    v4(&[], 0, TCP, &good(V4, TCP, tcp(flags, &[], data)))
}

/// A whole, good TCP packet over IPv6.
pub fn tcp6(extensions: &[(u8, &[u8])]) -> Vec<u8> {
    v6(V6, extensions, TCP, &good(V6, TCP, tcp(2, &[], &[])))
}
