//! Fields of a fixed size at an offset that may lie outside the bytes at hand.
//!
//! The only place where an offset meets a slice; everybody else gets `None` instead of a panic.

/// The `N` bytes from `offset` on, when all of them are there.
pub(crate) fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// Two bytes from `offset` on, in network byte order.
pub(crate) fn be16(bytes: &[u8], offset: usize) -> Option<u16> {
    array(bytes, offset).map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_is_none() {
        assert_eq!(be16(&[1, 2, 3], 1), Some(0x0203));
        assert_eq!(be16(&[1, 2, 3], 2), None);
        assert_eq!(array::<0>(&[], 1), None);
        assert_eq!(array::<1>(&[1], usize::MAX), None);
    }
}
