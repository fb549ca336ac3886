//! What strangers send: any bytes are read, answered and forgotten. What is answered can be read,
//! and a decoy's answer proves when it is acknowledged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vauban_engine::Timestamp;
use vauban_engine::event::{Checksum, Stage};
use vauban_engine::flags::TcpFlags;
use vauban_packet::decoy::{Cookies, Look, reset, syn_ack};
use vauban_packet::{LinkType, TcpSegment, network_layer, probe, segment};

/// The MTU of Ethernet.
const MTU: u32 = 1500;

const LINKS: [LinkType; 5] =
    [LinkType::Null, LinkType::Ethernet, LinkType::Raw, LinkType::LinuxSll, LinkType::LinuxSll2];

fuzz_target!(|packet: &[u8]| {
    for link in LINKS {
        let _ = network_layer(link, packet);
    }
    let _ = probe(packet, Some(Stage::Suspect));
    let Ok(read) = segment(packet) else { return };
    // As if its checksum were right: nobody guesses one.
    let read = TcpSegment { checksum: Checksum::Good, ..read };
    let look = Look::from_sysctls(|_| None);
    let cookies = Cookies::new([7; 16]);
    let now = Timestamp::from_secs(1_000_000);
    let mut out = Vec::new();
    if syn_ack(&read, &look, MTU, &cookies, now, &mut out).is_ok() {
        let answer = segment(&out).expect("an answer that can be read");
        assert_eq!(answer.checksum, Checksum::Good);
        let acknowledging = TcpSegment {
            sequence: read.sequence.wrapping_add(1),
            acknowledgment: answer.sequence.wrapping_add(1),
            flags: TcpFlags::ACK,
            ..read
        };
        assert!(cookies.proves(now, &acknowledging));
    }
    if reset(&read, &look, &cookies, &mut out).is_ok() {
        segment(&out).expect("a reset that can be read");
    }
    let _ = cookies.proves(now, &read);
});
