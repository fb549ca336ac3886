//! Ranks of measured values. No means: one long interruption would move them.

/// Tenths of a nanosecond: whole numbers that are fine enough.
pub type Tenths = i64;

/// The value below which `percent` of the values are. Zero of none.
pub fn percentile(values: &[i64], percent: usize) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent.min(100) / 100).copied().unwrap_or(0)
}

/// The middle one.
pub fn median(values: &[i64]) -> i64 {
    percentile(values, 50)
}

/// With one digit after the point.
pub fn tenths(value: Tenths) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{}", value.abs() / 10, value.abs() % 10)
}

/// How many times larger one number is than the other, for people.
pub fn times(large: i64, small: i64) -> String {
    if small <= 0 {
        return if large <= 0 { "equal".into() } else { "∞".into() };
    }
    let hundredths = large.saturating_mul(100).saturating_add(small / 2) / small;
    match hundredths {
        ..1_000 => format!("{}.{:02}", hundredths / 100, hundredths % 100),
        1_000..10_000 => tenths(hundredths / 10),
        _ => (hundredths / 100).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_figures() {
        let values = [5, 1, 4, 2, 3];
        assert_eq!((percentile(&values, 0), median(&values), percentile(&values, 100)), (1, 3, 5));
        assert_eq!(percentile(&values, 25), 2);
        assert_eq!(median(&[]), 0);
        assert_eq!(tenths(-34), "-3.4");
        assert_eq!(
            (times(5, 2), times(500, 2), times(1, 0)),
            ("2.50".into(), "250".into(), "∞".into())
        );
        assert_eq!((times(25, 1), times(997, 1_000)), ("25.0".into(), "1.00".into()));
    }
}
