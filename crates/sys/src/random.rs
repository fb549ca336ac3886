//! Random bytes from the kernel (getrandom(2)), for keys that nobody may guess.
//!
//! What it does not do: generate many, or repeat a sequence for a test.

use std::io;

use crate::socket;

/// 128 bits that cannot be guessed.
///
/// Waits, without limit, only while the kernel has gathered nothing random yet: in the first
/// moments after a boot, and then for every program on the machine.
///
/// # Errors
/// `ENOSYS`: the kernel is older than Linux 3.17, or a sandbox forbids the call.
pub fn key() -> io::Result<[u8; 16]> {
    let mut key = [0; 16];
    let length = socket::counted(|| {
        // SAFETY: the pointer and the length are those of a live, exclusively borrowed array.
        unsafe { libc::getrandom(key.as_mut_ptr().cast(), key.len(), 0) }
    })?;
    // Requests of up to 256 bytes are never answered in part; a key of zeros would be worse than
    // none, so do not rely on it.
    if length == key.len() { Ok(key) } else { Err(io::Error::from_raw_os_error(libc::EIO)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_are_the_same() {
        let keys: std::collections::BTreeSet<_> = (0..100).map(|_| key().unwrap()).collect();
        assert_eq!(keys.len(), 100);
        assert!(!keys.contains(&[0; 16]));
    }
}
