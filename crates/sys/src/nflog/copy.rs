//! Reading one copy of a packet.
//!
//! What it does not do: look into the packet.

use std::time::Duration;

use crate::netlink::{Attribute, Message};

// `NFULA_*`.
const TIMESTAMP: u16 = 3;
const INTERFACE_IN: u16 = 4;
const HARDWARE_ADDRESS: u16 = 8;
const PAYLOAD: u16 = 9;
const PREFIX: u16 = 10;

/// `struct nfgenmsg` before the attributes.
const HEADER: usize = 4;

/// A copy of a packet, borrowed from the buffer it was read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy<'a> {
    /// The text after `log prefix` in the rule, empty without one.
    pub prefix: &'a str,
    /// The packet from its IP header on.
    pub payload: &'a [u8],
    /// The index of the interface it came in by, unless it was made on this host.
    pub in_interface: Option<u32>,
    /// The sender's link-layer address, where the link has addresses.
    pub hardware_address: Option<&'a [u8]>,
    /// When it was received, as time since the epoch (1970-01-01 UTC) by the wall clock, to the
    /// microsecond. Missing on packets that were not stamped.
    pub timestamp: Option<Duration>,
}

impl<'a> Copy<'a> {
    pub(super) fn read(message: Message<'a>) -> Self {
        let mut copy = Self {
            prefix: "",
            payload: &[],
            in_interface: None,
            hardware_address: None,
            timestamp: None,
        };
        for attribute in message.attributes(HEADER) {
            match attribute.kind {
                TIMESTAMP => copy.timestamp = timestamp(attribute),
                INTERFACE_IN => copy.in_interface = attribute.be32(),
                HARDWARE_ADDRESS => copy.hardware_address = hardware_address(attribute.value),
                PAYLOAD => copy.payload = attribute.value,
                PREFIX => copy.prefix = attribute.text(),
                _ => {}
            }
        }
        copy
    }
}

/// `struct nfulnl_msg_packet_timestamp`: seconds and microseconds, 64 bits each.
fn timestamp(attribute: Attribute<'_>) -> Option<Duration> {
    let seconds = attribute.be64()?;
    let micros = attribute.value.get(8..)?.first_chunk().map(|b| u64::from_be_bytes(*b))?;
    Duration::from_secs(seconds).checked_add(Duration::from_micros(micros))
}

/// `struct nfulnl_msg_packet_hw`: a length, two bytes of nothing, room for eight bytes.
fn hardware_address(value: &[u8]) -> Option<&[u8]> {
    let length = value.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))?;
    value.get(4..4 + usize::from(length)).filter(|address| !address.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::mutilate::every_mutilation;
    use crate::netlink::{Builder, Messages};

    fn datagram() -> Vec<u8> {
        let mut builder = Builder::new();
        builder
            .message(0x0400, 0, 0, &[2, 0, 0, 5], |b| {
                b.attribute(1, &[8, 0, 1, 0])?; // NFULA_PACKET_HDR
                b.string(PREFIX, "one two")?;
                b.be32(INTERFACE_IN, 3)?;
                b.attribute(HARDWARE_ADDRESS, &[0, 6, 0, 0, 2, 0, 0, 0, 0, 9, 0, 0])?;
                b.attribute(TIMESTAMP, &[0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 7])?;
                b.attribute(PAYLOAD, b"\x45packet")
            })
            .unwrap();
        builder.bytes().to_vec()
    }

    #[test]
    fn every_field_is_read() {
        let bytes = datagram();
        let copy = Copy::read(Messages::new(&bytes).next().unwrap());
        assert_eq!(
            copy,
            Copy {
                prefix: "one two",
                payload: b"\x45packet",
                in_interface: Some(3),
                hardware_address: Some(&[2, 0, 0, 0, 0, 9]),
                timestamp: Some(Duration::from_micros(9_000_007)),
            }
        );
    }

    #[test]
    fn a_time_beyond_all_clocks_is_no_time() {
        let value = [0xff; 16];
        assert_eq!(timestamp(Attribute { kind: TIMESTAMP, value: &value }), None);
    }

    #[test]
    fn a_hardware_address_longer_than_its_room_is_none() {
        assert_eq!(hardware_address(&[0, 9, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]), None);
        assert_eq!(hardware_address(&[0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]), None);
        assert_eq!(hardware_address(&[0]), None);
    }

    #[test]
    fn no_mutilation_panics() {
        every_mutilation(&datagram(), |bytes| {
            Messages::new(bytes).for_each(|message| {
                Copy::read(message);
            });
        });
    }
}
