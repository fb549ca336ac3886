//! Dates as exports have them: RFC 3339 in UTC.

use vauban_engine::Timestamp;

/// The time that `text` says, like `2026-11-21T15:00:20.952Z`; `None` if it says none from 1970 on.
pub fn read(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix('T')?.strip_suffix('Z')?;
    let (clock, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let mut date = date.split('-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut clock = clock.split(':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let whole = (1970..=2553).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !whole || fraction.len() > 9 || date.next().is_some() || clock.next().is_some() {
        return None;
    }
    let scale = 10_u64.pow(u32::try_from(9 - fraction.len()).ok()?);
    let nanos = if fraction.is_empty() { 0 } else { number(fraction)? * scale };
    let seconds = ((days(year, month, day)? * 24 + hour) * 60 + minute) * 60 + second;
    Some(Timestamp(seconds * 1_000_000_000 + nanos))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year - u64::from(month <= 2);
    let in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let since_year_zero = year * 365 + year / 4 - year / 100 + year / 400 + in_year;
    // 1970-01-01, counted in the same way.
    since_year_zero.checked_sub(719_468)
}

/// Digits only: `parse` would take a sign.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        let millis = |text| read(text).map(|at| at.0 / 1_000_000);
        assert_eq!(millis("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(millis("2026-11-21T15:00:20.952Z"), Some(1_795_273_220_952));
        assert_eq!(millis("2000-02-28T23:59:59.999Z"), Some(951_782_399_999));
        assert_eq!(millis("2000-02-29T00:00:00Z"), Some(951_782_400_000));
        for wrong in [
            "",
            "2026-11-21",
            "2026-11-21T15:00:20",
            "2026-13-21T15:00:20Z",
            "+026-11-21T15:00:20Z",
            "2026-11-21T15:00:20.9521234567Z",
            "1969-12-31T23:59:59Z",
            "2026-11-21T15:00:20:20Z",
            "äääää-11-21T15:00:20Z",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
