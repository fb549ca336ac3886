//! Spans of time as nftables writes them.

use std::fmt::Write as _;
use std::time::Duration;

/// A span as nft(8) reads it: whole units from days to milliseconds, at least one of the last.
#[must_use]
pub fn span(span: Duration) -> String {
    let mut left = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    let mut text = String::new();
    for (unit, millis) in
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
    {
        if left >= millis {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}{unit}", left / millis);
            left %= millis;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        assert_eq!(span(Duration::from_secs(180)), "3m");
        assert_eq!(span(Duration::from_millis(90_500)), "1m30s500ms");
        assert_eq!(span(Duration::ZERO), "1ms");
    }
}
