//! The trigger's window as a rate that nftables can say.

use std::fmt::Write as _;
use std::time::Duration;

/// Units that nft(8) knows, with their seconds.
const UNITS: [(&str, u64); 5] =
    [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400), ("week", 604_800)];

/// "Once per `window`" as `N/unit`: exact where a unit is a whole multiple of the window, else the
/// nearest that is slower by less than a part in `week / window`. Slower, because then any ports
/// within the window still trigger.
#[must_use]
pub fn once_per(window: Duration) -> String {
    let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX).max(1);
    for (unit, seconds) in UNITS {
        if (seconds * 1000).is_multiple_of(window) {
            return format!("{}/{unit}", seconds * 1000 / window);
        }
    }
    format!("{}/week", (604_800_000 / window).max(1))
}

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
    fn windows_as_rates() {
        for (millis, rate) in [
            (60_000, "1/minute"),
            (6_000, "10/minute"),
            (1_000, "1/second"),
            (500, "2/second"),
            (90_000, "40/hour"),
            (7_000, "86400/week"),
            (11_000, "54981/week"),
            (86_400_000, "1/day"),
        ] {
            assert_eq!(once_per(Duration::from_millis(millis)), rate);
        }
    }

    #[test]
    fn spans() {
        assert_eq!(span(Duration::from_secs(180)), "3m");
        assert_eq!(span(Duration::from_millis(90_500)), "1m30s500ms");
        assert_eq!(span(Duration::ZERO), "1ms");
    }
}
