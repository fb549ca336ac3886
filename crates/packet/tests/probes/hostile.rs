//! What nobody sends by accident. Whatever comes in, an answer comes out.

use proptest::prelude::*;
use vauban_engine::event::Checksum;
use vauban_packet::{LinkType, Unreadable, network_layer, probe};

use crate::build::{TCP, UDP, V4, V6, good, pseudo, tcp, tcp4, tcp6, udp, v4, v6};

/// Every shorter copy of a good packet is unreadable or of unknown checksum, never good or bad.
#[test]
fn every_truncation_is_seen() {
    let options: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
    for (what, packet, header) in [
        ("TCP over IPv4", tcp4(2, b"data"), 20 + 14),
        ("IPv4 options", v4(&[1; 8], 0, TCP, &good(V4, TCP, tcp(2, &[1; 4], &[]))), 28 + 14),
        ("UDP over IPv4", v4(&[], 0, UDP, &good(V4, UDP, udp(b"data"))), 20 + 8),
        ("TCP over IPv6", tcp6(&[]), 40 + 14),
        ("extension headers", tcp6(&[(0, options), (44, &[0; 8]), (60, options)]), 64 + 14),
        ("UDP over IPv6", v6(V6, &[(60, options)], UDP, &good(V6, UDP, udp(b"x"))), 48 + 8),
    ] {
        for end in 0..packet.len() {
            let read = probe(&packet[..end], None).map(|probe| probe.checksum);
            let expected =
                if end < header { Err(Unreadable::TooShort) } else { Ok(Checksum::Unknown) };
            assert_eq!(read, expected, "{what} cut at {end}");
        }
        assert_eq!(probe(&packet, None).map(|probe| probe.checksum), Ok(Checksum::Good), "{what}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        version in prop_oneof![Just(0x45), Just(0x60), any::<u8>()],
        protocol in prop_oneof![Just(0), Just(TCP), Just(UDP), Just(43), Just(44), any::<u8>()],
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        length in any::<Option<u8>>(),
    ) {
        // Pure noise would hardly ever get past the first header.
        let v6 = version >> 4 == 6;
        let places = if v6 { [0, 6, 4, 5] } else { [0, 9, 2, 3] };
        for (at, byte) in places.into_iter().zip([version, protocol, 0, length.unwrap_or(0)]) {
            if let Some(place) = bytes.get_mut(at) && (length.is_some() || at == 0) {
                *place = byte;
            }
        }
        if let Ok(probe) = probe(&bytes, None) {
            prop_assert!(bytes.starts_with(&probe.bytes));
        }
    }

    #[test]
    fn no_damage_to_a_packet_makes_it_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        six in any::<bool>(),
        end in any::<prop::sample::Index>(),
    ) {
        let options: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
        let mut packet = if six { tcp6(&[(60, options), (44, &[0; 8])]) } else { tcp4(2, b"data") };
        for (at, byte) in edits {
            let at = at.index(packet.len());
            packet[at] = byte;
        }
        let _ = probe(&packet[..end.index(packet.len() + 1)], None);
    }

    #[test]
    fn no_frame_makes_it_panic(number in 0_u16..300, frame in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Some(packet) = LinkType::from_number(number).and_then(|l| network_layer(l, &frame)) {
            prop_assert!(frame.ends_with(packet));
        }
    }

    /// Wherever one bit of the TCP segment is flipped, the packet is no longer good.
    #[test]
    fn a_flipped_bit_is_seen(
        flags in any::<u8>(),
        data in prop::collection::vec(any::<u8>(), 0..60),
        six in any::<bool>(),
        at in any::<prop::sample::Index>(),
        bit in 0_u32..8,
    ) {
        let (addresses, header) = if six { (V6, 40) } else { (V4, 20) };
        let segment = good(addresses, TCP, tcp(flags, &[], &data));
        let length = segment.len();
        let mut packet =
            if six { v6(addresses, &[], TCP, &segment) } else { v4(&[], 0, TCP, &segment) };
        packet[header + at.index(length)] ^= 1_u8 << bit;
        // The one field value that is accepted without a look at the rest.
        let unfinished = pseudo(addresses, TCP, length).to_be_bytes();
        prop_assume!(packet[header + 16..header + 18] != unfinished);
        let read = probe(&packet, None).map(|probe| probe.checksum);
        prop_assert!(matches!(read, Ok(Checksum::Bad) | Err(Unreadable::BadLength)), "{:?}", read);
    }
}
