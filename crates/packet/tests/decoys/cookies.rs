//! What a cookie proves and what it doesn't; and that nothing panics.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proptest::prelude::*;
use vauban_engine::Timestamp;
use vauban_engine::flags::TcpFlags;
use vauban_packet::decoy::{Cookies, Look, NoAnswer, SLOT, reset, syn_ack};
use vauban_packet::{TcpSegment, Unreadable, segment};

use crate::packets::{acknowledging, bytes, opening, sums_up};

/// The start of a slot.
const NOW: Timestamp = Timestamp::from_secs(32 * 50_000_000);

fn cookies() -> Cookies {
    Cookies::new([7; 16])
}

fn look() -> Look {
    Look::from_sysctls(|_| None)
}

#[test]
fn an_acknowledged_answer_proves() {
    let opening = opening();
    let mut out = Vec::new();
    syn_ack(&opening, &look(), 1500, &cookies(), NOW, &mut out).unwrap();
    let answer = segment(&out).unwrap();
    assert_eq!(answer.acknowledgment, opening.sequence + 1);
    let ack = acknowledging(&opening, answer.sequence);
    assert!(cookies().proves(NOW, &ack));
    // With data, and with a FIN, it is as good a proof.
    assert!(cookies().proves(NOW, &TcpSegment { payload: b"GET /", ..ack }));
    assert!(cookies().proves(NOW, &TcpSegment { flags: TcpFlags(0x19), ..ack }));
}

#[test]
fn anything_else_does_not() {
    let opening = opening();
    let good = acknowledging(&opening, cookies().sequence(NOW, &opening));
    let mapped = |address| match address {
        IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
        IpAddr::V6(_) => address,
    };
    let other = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 8));
    for (what, ack) in [
        ("address", TcpSegment { source: other, ..good }),
        ("destination", TcpSegment { destination: other, ..good }),
        (
            "family",
            TcpSegment {
                source: mapped(good.source),
                destination: mapped(good.destination),
                ..good
            },
        ),
        ("direction", TcpSegment { source: good.destination, destination: good.source, ..good }),
        ("source port", TcpSegment { source_port: 40001, ..good }),
        ("port", TcpSegment { port: 24, ..good }),
        ("sequence", TcpSegment { sequence: good.sequence + 1, ..good }),
        ("number", TcpSegment { acknowledgment: good.acknowledgment.wrapping_add(1), ..good }),
        ("no ACK", TcpSegment { flags: TcpFlags::PSH, ..good }),
        ("SYN", TcpSegment { flags: TcpFlags(0x12), ..good }),
        ("RST", TcpSegment { flags: TcpFlags(0x14), ..good }),
    ] {
        assert!(!cookies().proves(NOW, &ack), "{what}");
    }
    assert!(cookies().proves(NOW, &good));
    assert!(!Cookies::new([8; 16]).proves(NOW, &good));
}

#[test]
fn a_cookie_holds_for_its_slot_and_the_next() {
    let opening = opening();
    let last = Timestamp(NOW.plus(SLOT).0 - 1);
    for sent in [NOW, last] {
        let ack = acknowledging(&opening, cookies().sequence(sent, &opening));
        let held = |at| cookies().proves(at, &ack);
        assert!(held(sent) && held(NOW) && held(last));
        assert!(held(NOW.plus(SLOT)) && held(last.plus(SLOT)));
        assert!(!held(NOW.plus(2 * SLOT)));
        // Nor before it was made.
        assert!(!held(Timestamp(NOW.0 - 1)));
    }
    assert!(cookies().proves(
        Timestamp(0),
        &acknowledging(&opening, cookies().sequence(Timestamp(0), &opening))
    ));
}

/// One clock for each connection, in milliseconds, however often it is opened.
#[test]
fn the_clock_is_one_for_a_connection() {
    let options = &bytes("0101080a0000000900000000");
    let clock = |at, change: fn(&mut TcpSegment<'_>)| {
        let mut opening = TcpSegment { options, ..opening() };
        change(&mut opening);
        let mut out = Vec::new();
        syn_ack(&opening, &look(), 1500, &cookies(), at, &mut out).unwrap();
        let clock = u32::from_be_bytes(out[48..52].try_into().unwrap());
        (clock, out[52..56].to_vec())
    };
    let (first, echo) = clock(NOW, |_| ());
    assert_eq!(echo, [0, 0, 0, 9]);
    let later = NOW.plus(Duration::from_millis(1234));
    assert_eq!(clock(later, |opening| opening.sequence = 5).0, first.wrapping_add(1234));
    assert_ne!(clock(NOW, |opening| opening.port = 80).0, first);
    assert_ne!(clock(NOW, |opening| opening.source = [198, 51, 100, 8].into()).0, first);
}

#[test]
fn what_nobody_answers() {
    let answer = |opening: &TcpSegment<'_>| {
        let mut out = b"left over".to_vec();
        let result = syn_ack(opening, &look(), 1500, &cookies(), NOW, &mut out);
        assert!(out.is_empty());
        result.unwrap_err()
    };
    let checksum = vauban_engine::event::Checksum::Unknown;
    assert_eq!(answer(&TcpSegment { checksum, ..opening() }), NoAnswer::Checksum);
    assert_eq!(answer(&TcpSegment { flags: TcpFlags(0x12), ..opening() }), NoAnswer::Flags);
    assert_eq!(answer(&TcpSegment { port: 0, ..opening() }), NoAnswer::Endpoints);
    let source = IpAddr::V6([0x20; 16].into());
    assert_eq!(answer(&TcpSegment { source, ..opening() }), NoAnswer::Endpoints);
    let mut out = Vec::new();
    assert_eq!(reset(&opening(), &look(), &cookies(), &mut out), Err(NoAnswer::Flags));
    assert!(!NoAnswer::Options.to_string().is_empty());
}

/// The whole header is needed, and nothing but TCP.
#[test]
fn a_segment_is_all_of_its_header() {
    let mut out = Vec::new();
    let options = &bytes("020405b40402080a112233440000000001030307");
    let opening = TcpSegment { options, ..opening() };
    syn_ack(&opening, &look(), 1500, &cookies(), NOW, &mut out).unwrap();
    assert_eq!(out.len(), 60);
    for end in 0..60 {
        assert_eq!(segment(&out[..end]), Err(Unreadable::TooShort), "{end}");
    }
    assert_eq!(segment(&out).unwrap().options.len(), 20);
    out[9] = 17;
    assert_eq!(segment(&out), Err(Unreadable::NotTcp(17)));
    out[9] = 6;
    out[32] = 0x40;
    assert_eq!(segment(&out), Err(Unreadable::BadLength));
    out[32] = 0xf0;
    assert_eq!(segment(&out), Err(Unreadable::BadLength));
}

proptest! {
    #[test]
    fn whatever_is_offered_the_answer_is_whole(
        options in prop::collection::vec(prop_oneof![0_u8..11, any::<u8>()], 0..41),
        sequence in any::<u32>(),
        flags in any::<u8>(),
        class in any::<u8>(),
        mtu in any::<u32>(),
        now in any::<u64>(),
        rmem in any::<u32>(),
        v6 in any::<bool>(),
    ) {
        let (mut opening, now) = (opening(), Timestamp(now));
        if v6 {
            opening.source = IpAddr::V6([0x20; 16].into());
            opening.destination = IpAddr::V6([0x21; 16].into());
        }
        let opening = TcpSegment {
            options: &options,
            sequence,
            flags: TcpFlags(flags | 2),
            traffic_class: class,
            ..opening
        };
        let look = Look::from_sysctls(|_| Some(format!("{rmem} {rmem} {rmem}")));
        let mut out = Vec::with_capacity(80);
        if syn_ack(&opening, &look, mtu, &cookies(), now, &mut out).is_ok() {
            prop_assert!(sums_up(&out));
            let answer = segment(&out).unwrap();
            prop_assert!(answer.options.len() <= 20 && out.capacity() == 80);
            let ack = acknowledging(&opening, answer.sequence);
            prop_assert!(cookies().proves(now, &ack));
            let reset = reset(&TcpSegment { options: &[], ..ack }, &look, &cookies(), &mut out);
            prop_assert_eq!(reset, Ok(()));
            prop_assert!(sums_up(&out));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        version in prop_oneof![Just(0x45), Just(0x60), any::<u8>()],
        mut packet in prop::collection::vec(any::<u8>(), 1..120),
        now in any::<u64>(),
    ) {
        packet[0] = version;
        if let Some(protocol) = packet.get_mut(if version == 0x60 { 6 } else { 9 }) {
            *protocol = 6;
        }
        if let Ok(read) = segment(&packet) {
            let mut out = Vec::new();
            // As if its checksum were right, or nothing would get any further.
            let read = TcpSegment { checksum: vauban_engine::event::Checksum::Good, ..read };
            let now = Timestamp(now);
            let _ = syn_ack(&read, &look(), 1500, &cookies(), now, &mut out);
            let _ = reset(&read, &look(), &cookies(), &mut out);
            let _ = cookies().proves(now, &read);
        }
    }
}
