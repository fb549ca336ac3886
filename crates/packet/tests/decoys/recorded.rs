//! The same packets through a real kernel and through `syn_ack` and `reset`.

use std::collections::BTreeMap;

use vauban_engine::Timestamp;
use vauban_engine::event::Checksum;
use vauban_packet::decoy::{Cookies, FlowLabels, Look, NoAnswer, reset, syn_ack};
use vauban_packet::segment;

use crate::packets::{bytes, sums_up};

/// What the recorded kernel answers and a decoy does not, with the reason why not. The names are
/// without the family.
const SILENT: &[(&str, NoAnswer)] = &[
    // Kept from listeners too: what they answer depends on more than is known here.
    ("record-route", NoAnswer::IpOptions),
    ("router-alert", NoAnswer::IpOptions),
    ("ip-eol", NoAnswer::IpOptions),
    ("ip-nop", NoAnswer::IpOptions),
    ("extension", NoAnswer::IpOptions),
    // Nobody gets that answer.
    ("from-unspecified", NoAnswer::Endpoints),
];

/// Overwrites what is random in an answer: sequence number and flow label (unless zero), checksum,
/// and the sender's clock. A RST's sequence number is not random.
fn masked(mut packet: Vec<u8>, synchronise: bool) -> Vec<u8> {
    let tcp = if packet[0] >> 4 == 6 { 40 } else { 20 };
    if tcp == 40 && (packet[1] & 0x0f, packet[2], packet[3]) != (0, 0, 0) {
        packet[1] = packet[1] & 0xf0 | 0x0f;
        packet[2..4].fill(0xff);
    }
    packet[tcp + 16..tcp + 18].fill(0);
    if synchronise {
        packet[tcp + 4..tcp + 8].fill(0);
        // Behind the MSS, and behind two bytes of padding or SACK.
        if packet.get(tcp + 26..tcp + 28) == Some(&[8, 10]) {
            packet[tcp + 28..tcp + 32].fill(0);
        }
    }
    packet
}

#[test]
fn a_decoy_answers_as_the_recorded_kernel_did() {
    let cookies = Cookies::new(*b"no secret at all");
    let now = Timestamp::from_secs(1_700_000_000);
    let (mut base, mut settings, mut mtu) = (BTreeMap::new(), BTreeMap::new(), 0);
    let (mut answered, mut silent) = (0, 0);
    for line in include_str!("recorded.txt").lines() {
        let words: Vec<_> = line.splitn(3, ' ').collect();
        let (name, packets) = match words[..] {
            ["base", name, value] => {
                base.insert(name, value);
                continue;
            }
            ["mtu", bytes] => {
                mtu = bytes.parse().unwrap();
                settings.clone_from(&base);
                continue;
            }
            ["set", name, value] => {
                settings.insert(name, value);
                continue;
            }
            ["syn" | "ack", name, packets] => (name, packets),
            _ => panic!("not understood: {line}"),
        };
        let look = Look::from_sysctls(|name| settings.get(name).map(ToString::to_string));
        let (sent, expected) = packets.split_once(' ').unwrap();
        let sent = bytes(sent);
        let read = segment(&sent).unwrap();
        let synchronise = words[0] == "syn";
        let mut out = b"what was there".to_vec();
        let result = if synchronise {
            syn_ack(&read, &look, mtu, &cookies, now, &mut out)
        } else {
            reset(&read, &look, &cookies, &mut out)
        };
        let what = format!("{name}, MTU {mtu}, {settings:?}");
        let exception = SILENT.iter().find(|(silent, _)| *silent == &name[3..]);
        if let (Some((_, reason)), true) = (exception, expected != "-") {
            assert_eq!(result, Err(*reason), "{what}");
            silent += 1;
        } else if expected == "-" {
            assert!(result.is_err(), "{what}");
        } else {
            assert_eq!(result, Ok(()), "{what}");
            let answer = segment(&out).unwrap();
            assert_eq!(answer.checksum, Checksum::Good, "{what}");
            assert!(sums_up(&out), "{what}");
            if look.flow_labels == FlowLabels::UpperHalf && out[0] >> 4 == 6 {
                assert_eq!((out[1] & 8, bytes(expected)[1] & 8), (8, 8), "{what}");
            }
            let [out, expected] = [out.clone(), bytes(expected)].map(|p| masked(p, synchronise));
            assert_eq!(out, expected, "{what}");
            answered += 1;
            continue;
        }
        assert!(out.is_empty(), "{what}");
    }
    assert!(answered > 500 && silent > 0, "{answered} answers, {silent} left out");
}

/// A host whose settings cannot be read looks like one that was never touched.
#[test]
fn missing_settings_are_the_defaults() {
    let recorded = include_str!("recorded.txt").lines();
    let base: BTreeMap<_, _> =
        recorded.filter_map(|line| line.strip_prefix("base ")?.split_once(' ')).collect();
    let missing = Look::from_sysctls(|_| None);
    assert_eq!(missing, Look::from_sysctls(|name| base.get(name).map(ToString::to_string)));
    assert_eq!(missing, Look::from_sysctls(|_| Some("no number".into())));
}
