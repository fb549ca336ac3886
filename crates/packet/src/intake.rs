//! What Linux looks at in an IPv4 header before any hook sees the packet (`ip_rcv_core` and
//! `ip_rcv_options` in `net/ipv4/ip_input.c`, `__ip_options_compile` in `ip_options.c`).
//!
//! A live program never meets what is thrown away there; whoever reads a capture does. It does not
//! look at CIPSO's labels, nor at routes: that a source address cannot come from there is not seen.

use crate::checksum;
use crate::field::array;

/// Bytes of a header without options.
const HEADER: usize = 20;

// Options (<https://www.iana.org/assignments/ip-parameters>).
const END: u8 = 0;
const NOTHING: u8 = 1;
const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;
const LOOSE_ROUTE: u8 = 131;
const STRICT_ROUTE: u8 = 137;
const ROUTER_ALERT: u8 = 148;

/// Whether a host takes in a packet, or fragment, that came from outside, from its IP header on.
/// Only IPv4 is judged. A source route is refused, as Linux does by default
/// (`net.ipv4.conf.*.accept_source_route`, ip-sysctl).
///
/// What a capture's own host sent is not to be asked about: its headers may be unfinished.
#[must_use]
pub fn is_taken_in(packet: &[u8]) -> bool {
    let Some(fixed) = array::<HEADER>(packet, 0).filter(|fixed| fixed[0] >> 4 == 4) else {
        return true;
    };
    let length = usize::from(fixed[0] & 0x0f) * 4;
    let Some(header) = packet.get(..length) else { return false };
    let Some(options) = header.get(HEADER..) else { return false };
    checksum::is_intact(header) && are_sound(options)
}

/// Whether options are as Linux wants them.
fn are_sound(mut options: &[u8]) -> bool {
    let (mut recorded, mut stamped) = (false, false);
    while let Some(&kind) = options.first() {
        let length = match (kind, options.get(1)) {
            (END, _) => return true,
            (NOTHING, _) => 1,
            (_, None) => return false,
            (_, Some(length)) => usize::from(*length),
        };
        let Some((option, rest)) = options.split_at_checked(length) else { return false };
        let sound = match kind {
            NOTHING => true,
            LOOSE_ROUTE | STRICT_ROUTE => false,
            RECORD_ROUTE => !core::mem::replace(&mut recorded, true) && has_place(option, 3, 4),
            TIMESTAMP => !core::mem::replace(&mut stamped, true) && is_timestamp(option),
            ROUTER_ALERT => length >= 4,
            _ => length >= 2,
        };
        if !sound {
            return false;
        }
        options = rest;
    }
    true
}

/// Whether an option of at least `shortest` bytes has a pointer, not below `first`, to four free bytes
/// or behind its end.
fn has_place(option: &[u8], shortest: usize, first: u8) -> bool {
    let Some(&pointer) = option.get(2) else { return false };
    let at = usize::from(pointer);
    option.len() >= shortest && pointer >= first && (at > option.len() || at + 3 <= option.len())
}

/// The same for time stamps (RFC 791): some stand behind an address, and hosts without room are
/// counted.
fn is_timestamp(option: &[u8]) -> bool {
    let Some(&[_, _, pointer, flags]) = option.first_chunk::<4>() else { return false };
    let at = usize::from(pointer);
    let (kind, missed) = (flags & 0x0f, flags >> 4);
    if !has_place(option, 4, 5) {
        return false;
    }
    if at > option.len() {
        kind == 3 || missed < 15
    } else {
        !matches!(kind, 1 | 3) || at + 7 <= option.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn packet(options: &[u8]) -> Vec<u8> {
        let words = u8::try_from(5 + options.len() / 4).unwrap();
        let mut packet = std::vec![0x40 | words, 0, 0, 60, 0, 1, 0, 0, 64, 6, 0, 0];
        packet.extend([192, 0, 2, 7, 198, 51, 100, 9]);
        packet.extend(options);
        let sum = checksum::Sum::default().bytes(&packet).finish().to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        packet.extend([0; 20]);
        packet
    }

    #[test]
    fn a_wrong_header_checksum_is_thrown_away() {
        let good = packet(&[]);
        assert!(is_taken_in(&good));
        for bit in 0..160 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let is_four = bad[0] >> 4 == 4;
            assert_eq!(is_taken_in(&bad), !is_four, "bit {bit}");
        }
    }

    #[test]
    fn options_are_taken_as_linux_takes_them() {
        let cases: &[(&[u8], bool)] = &[
            (&[1, 1, 1, 0], true),
            (&[0, 9, 9, 9], true),
            (&[131, 7, 4, 10, 0, 0, 9, 0], false),
            (&[137, 7, 4, 10, 0, 0, 9, 0], false),
            (&[1, 131, 3, 4], false),
            (&[7, 7, 4, 0, 0, 0, 0, 0], true),
            (&[7, 7, 3, 0, 0, 0, 0, 0], false),
            (&[7, 7, 6, 0, 0, 0, 0, 0], false),
            (&[7, 7, 8, 0, 0, 0, 0, 0], true),
            (&[7, 3, 4, 7, 3, 4, 0, 0], false),
            (&[68, 8, 5, 0, 0, 0, 0, 0], true),
            (&[68, 8, 5, 1, 0, 0, 0, 0], false),
            (&[68, 8, 9, 0xf0, 0, 0, 0, 0], false),
            (&[68, 8, 9, 0xf3, 0, 0, 0, 0], true),
            (&[148, 4, 0, 0], true),
            (&[148, 3, 0, 0], false),
            (&[200, 1, 0, 0], false),
            (&[200, 5, 0, 0], false),
            (&[200, 2, 1, 200], false),
            (&[200, 4, 1, 2], true),
        ];
        for (options, taken) in cases {
            assert_eq!(is_taken_in(&packet(options)), *taken, "{options:?}");
        }
    }

    #[test]
    fn ipv6_is_not_judged_and_cuts_are_not_taken() {
        assert!(is_taken_in(&[0x60; 40]));
        let packet = packet(&[1, 1, 1, 0]);
        assert!(!is_taken_in(&packet[..22]));
    }
}
