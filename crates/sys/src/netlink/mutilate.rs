//! For the tests of readers: a valid reply, damaged in every way that is cheap to enumerate.
//!
//! What it does not do: search. Coverage-guided mutation is the fuzzers' job.

/// Calls `read` with every truncation of `bytes`, with every byte set to each of a few telling
/// values, and with bytes damaged at random (by a fixed seed, so a failure repeats).
pub(crate) fn every_mutilation(bytes: &[u8], mut read: impl FnMut(&[u8])) {
    for length in 0..=bytes.len() {
        read(&bytes[..length]);
    }
    let mut copy = bytes.to_vec();
    for at in 0..copy.len() {
        let kept = copy[at];
        for value in [0, 1, 3, 4, 5, 0x7f, 0x80, 0xff, kept.wrapping_add(1), kept.wrapping_sub(1)] {
            copy[at] = value;
            read(&copy);
        }
        copy[at] = kept;
    }
    let mut random = 0x9e37_79b9_7f4a_7c15_u64; // xorshift64: any seed but zero
    for _ in 0..20_000 {
        let mut copy = bytes.to_vec();
        for _ in 0..4 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = usize::try_from(random >> 32).unwrap() % copy.len();
            copy[at] = random.to_ne_bytes()[0];
        }
        read(&copy);
    }
}
