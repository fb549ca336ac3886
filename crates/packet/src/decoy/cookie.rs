//! Numbers that look random to everybody without the key, and that need no memory.
//!
//! It makes and checks them; it does not draw the key.

use core::fmt;
use core::hash::Hasher;
use core::net::IpAddr;
use core::time::Duration;

use siphasher::sip::SipHasher24;
use vauban_engine::Timestamp;
use vauban_engine::flags::TcpFlags;

use crate::tcp::TcpSegment;

/// How long a time slot is. A cookie holds in its own slot and in the next one, so for 32 to 64 s.
///
/// A client's stack acknowledges a SYN-ACK at once: all that has to fit is one round trip, the
/// SYN-ACK's way through queues included. Linux gives its own SYN cookies 60 to 120 s; the shorter
/// the time, the less a recorded cookie is worth.
pub const SLOT: Duration = Duration::from_secs(32);

/// [`SLOT`] in nanoseconds, the unit of [`Timestamp`].
const SLOT_NANOS: u64 = SLOT.as_secs() * 1_000_000_000;

/// What a number is for, so that no two uses of the key hash the same bytes.
#[derive(Clone, Copy)]
enum Domain {
    Sequence = 1,
    TimestampOffset = 2,
    FlowLabel = 3,
}

/// Everything that is derived from the decoys' key with SipHash-2-4 (Aumasson and Bernstein 2012).
///
/// Two hosts with the same key accept each other's cookies; one key per host and start is meant.
#[derive(Clone)]
pub struct Cookies {
    keyed: SipHasher24,
}

impl Cookies {
    /// From a key of 16 random bytes. Who knows it can forge proofs.
    #[must_use]
    pub fn new(key: [u8; 16]) -> Self {
        Self { keyed: SipHasher24::new_with_key(&key) }
    }

    /// The first sequence number of the answer to `opening`, sent at `now`.
    #[must_use]
    pub fn sequence(&self, now: Timestamp, opening: &TcpSegment<'_>) -> u32 {
        self.cookie(slot(now), opening, opening.sequence)
    }

    /// Whether the sender of `segment` has seen the SYN-ACK with the cookie, so that its address is
    /// not forged: it acknowledges exactly the cookie for an opening from the same address and
    /// port to the same address and port, one sequence number earlier, in this slot or the last.
    ///
    /// Only a segment with ACK, without SYN and RST can prove that; a first segment with data
    /// does, too. The checksum is not asked: a guess succeeds once in 2^31 either way.
    #[must_use]
    pub fn proves(&self, now: Timestamp, segment: &TcpSegment<'_>) -> bool {
        let has = |bit| segment.flags.has(bit);
        if !has(TcpFlags::ACK) || has(TcpFlags::SYN) || has(TcpFlags::RST) {
            return false;
        }
        let opening = segment.sequence.wrapping_sub(1);
        let claimed = segment.acknowledgment.wrapping_sub(1);
        let current = slot(now);
        [Some(current), current.checked_sub(1)]
            .into_iter()
            .flatten()
            .any(|slot| claimed == self.cookie(slot, segment, opening))
    }

    /// What is added to the clock in timestamps (RFC 7323 section 5.4), in milliseconds: one number
    /// for each pair of addresses and ports, as the recorded kernel has it (`secure_tcp_ts_off`; for
    /// some years, the ports did not count there).
    pub(super) fn timestamp_offset(&self, segment: &TcpSegment<'_>) -> u32 {
        let mut hasher = self.between(Domain::TimestampOffset, segment);
        ports(&mut hasher, segment);
        low(hasher.finish())
    }

    /// The flow label (RFC 6437) of what is sent back on a connection, in the low 20 bits.
    pub(super) fn flow_label(&self, segment: &TcpSegment<'_>) -> u32 {
        let mut hasher = self.between(Domain::FlowLabel, segment);
        ports(&mut hasher, segment);
        low(hasher.finish()) & 0x000f_ffff
    }

    fn cookie(&self, slot: u64, segment: &TcpSegment<'_>, opening: u32) -> u32 {
        let mut hasher = self.between(Domain::Sequence, segment);
        ports(&mut hasher, segment);
        hasher.write(&opening.to_be_bytes());
        hasher.write(&slot.to_be_bytes());
        low(hasher.finish())
    }

    /// A hash that has taken in both addresses. The family before each says how long it is, so
    /// that no two pairs write the same bytes.
    fn between(&self, domain: Domain, segment: &TcpSegment<'_>) -> SipHasher24 {
        let mut hasher = self.keyed;
        hasher.write(&[domain as u8]);
        for address in [segment.source, segment.destination] {
            match address {
                IpAddr::V4(v4) => {
                    hasher.write(&[4]);
                    hasher.write(&v4.octets());
                }
                IpAddr::V6(v6) => {
                    hasher.write(&[6]);
                    hasher.write(&v6.octets());
                }
            }
        }
        hasher
    }
}

/// Never shows the key.
impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookies").finish_non_exhaustive()
    }
}

fn ports(hasher: &mut SipHasher24, segment: &TcpSegment<'_>) {
    hasher.write(&segment.source_port.to_be_bytes());
    hasher.write(&segment.port.to_be_bytes());
}

fn slot(now: Timestamp) -> u64 {
    now.0 / SLOT_NANOS
}

/// The lower half.
pub(super) fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}
