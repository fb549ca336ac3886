//! TCP options (RFC 9293 section 3.1) as Linux reads them in a SYN and writes them in a SYN-ACK.
//!
//! Options of other segments, and those that Linux does not answer on an ordinary socket (TCP Fast
//! Open, Multipath TCP, SMC), are skipped.

use alloc::vec::Vec;

use crate::field::array;

// Kinds (<https://www.iana.org/assignments/tcp-parameters>).
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const TIMESTAMPS: u8 = 8;
/// RFC 2385.
const MD5_SIGNATURE: u8 = 19;
/// RFC 5925.
const AUTHENTICATION: u8 = 29;

/// In how few bytes a kernel with CONFIG_TCP_AO does not look for an authentication option: less
/// than one that says anything (`tcp_do_parse_auth_options`).
const AUTHENTICATION_MIN: usize = 5;

/// The same for one without: less than an MD5 signature.
const MD5_LENGTH: usize = 18;

/// What a SYN offers, or an answer accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// Whether window scaling is offered; the shift is about the other direction.
    pub window_scaling: bool,
    /// The sender's clock.
    pub timestamp: Option<u32>,
    pub sack: bool,
}

impl Offer {
    /// Reads the options of a SYN as `tcp_parse_options` does: the last of several counts, one of
    /// another length than its own is skipped, and nothing is read behind one that is broken.
    pub fn read(options: &[u8]) -> Self {
        let mut offer = Self::default();
        let mut rest = options;
        while let [kind, tail @ ..] = rest {
            if *kind == NO_OPERATION {
                rest = tail;
                continue;
            }
            let (false, Some((option, behind))) = (*kind == END, split(rest)) else { break };
            match option {
                [WINDOW_SCALE, _, _] => offer.window_scaling = true,
                [SACK_PERMITTED, _] => offer.sack = true,
                [TIMESTAMPS, 10, value @ ..] => {
                    offer.timestamp = array(value, 0).map(u32::from_be_bytes);
                }
                _ => (),
            }
            rest = behind;
        }
        offer
    }

    /// How many bytes [`Accepted::write`] makes of it; a multiple of four, at most 20.
    pub const fn length(self) -> u8 {
        let stamps = match (self.timestamp, self.sack) {
            (Some(_), _) => 12,
            (None, true) => 4,
            (None, false) => 0,
        };
        4 + stamps + if self.window_scaling { 4 } else { 0 }
    }
}

/// The options of a SYN-ACK.
pub(super) struct Accepted {
    pub offer: Offer,
    /// The largest segment that the answering side takes, in bytes.
    pub mss: u16,
    /// How far its windows are shifted, in bits.
    pub shift: u8,
    /// Its own clock.
    pub clock: u32,
}

impl Accepted {
    /// Appends the options, in the order and with the padding of `tcp_options_write`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let [m0, m1] = self.mss.to_be_bytes();
        out.extend_from_slice(&[MSS, 4, m0, m1]);
        let sack = [SACK_PERMITTED, 2];
        let padding = [NO_OPERATION; 2];
        if let Some(echo) = self.offer.timestamp {
            out.extend_from_slice(if self.offer.sack { &sack } else { &padding });
            out.extend_from_slice(&[TIMESTAMPS, 10]);
            out.extend_from_slice(&self.clock.to_be_bytes());
            out.extend_from_slice(&echo.to_be_bytes());
        } else if self.offer.sack {
            out.extend_from_slice(&padding);
            out.extend_from_slice(&sack);
        }
        if self.offer.window_scaling {
            out.extend_from_slice(&[NO_OPERATION, WINDOW_SCALE, 3, self.shift]);
        }
    }
}

/// Whether Linux throws a segment with these options away before anything else, because they sign
/// it with a key that nobody has, or are so broken that they might (`tcp_inbound_hash`).
///
/// Kernels differ in how they are built: one without TCP-AO takes its option for an unknown one, if
/// it is long enough to be one. `authentication` says whether this host's has it.
pub(super) fn refused(options: &[u8], authentication: bool) -> bool {
    let shortest = if authentication { AUTHENTICATION_MIN } else { MD5_LENGTH };
    let mut rest = options;
    let mut unknown = false;
    while rest.len() >= shortest {
        rest = match (rest, split(rest)) {
            ([END, ..], _) => return false,
            ([NO_OPERATION, tail @ ..], _) => tail,
            ([MD5_SIGNATURE, ..], _) | (_, None) => return true,
            ([AUTHENTICATION, ..], Some((option, behind))) => {
                // Two of them, or one without room for its key's number, are broken in any case.
                if authentication || unknown || option.len() < AUTHENTICATION_MIN {
                    return true;
                }
                unknown = true;
                behind
            }
            (_, Some((_, behind))) => behind,
        };
    }
    false
}

/// The first option, by its own length, and what is behind it; `None` when it is broken: shorter
/// than its kind and length, or longer than what is left.
fn split(options: &[u8]) -> Option<(&[u8], &[u8])> {
    match options {
        [_, length @ 2..=u8::MAX, ..] => options.split_at_checked(usize::from(*length)),
        _ => None,
    }
}
