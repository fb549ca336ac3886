//! Dates as people and exports write them, read back. How they are written: [`super::view::time`].

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use vauban_engine::Timestamp;

/// The time that an RFC 3339 date says, as [`super::view::time`] writes it; `None` for what is none,
/// or lies before 1970.
#[must_use]
pub fn read_time(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_nanosecond()).ok().map(Timestamp)
}

/// What a person writes for a point in time: a span back from `now` (`90s`, `1d`), or a date in UTC
/// (`2026-11-20`, `2026-11-20T12:00`, `2026-11-20T12:00:00Z`). In milliseconds since 1970.
///
/// # Errors
/// It is neither; the text says what to write.
pub fn read_since(text: &str, now: Timestamp) -> Result<u64, String> {
    if let Ok(span) = vauban_config::duration::parse(text) {
        let now = now.0 / 1_000_000;
        return Ok(now.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)));
    }
    let date = || {
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Some(at);
        }
        let civil = match text.parse::<Date>() {
            Ok(date) if text.len() <= "0000-00-00".len() => {
                date.to_datetime(jiff::civil::Time::midnight())
            }
            _ => text.parse::<DateTime>().ok()?,
        };
        TimeZone::UTC.to_timestamp(civil).ok()
    };
    date().and_then(|at| u64::try_from(at.as_millisecond()).ok()).ok_or_else(|| {
        format!(
            "{text:?} is no time: write how long ago (90s, 10m, 1d), or a date in UTC (2026-11-20, \
             2026-11-20T12:00)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::view::time;

    #[test]
    fn times_are_read_as_they_are_written() {
        let at = Timestamp(1_795_273_220_952 * 1_000_000);
        assert_eq!(read_time(&time(at)), Some(at));
        for bad in ["", "beyond the calendar", "1969-12-31T00:00:00Z", "2026-11-21"] {
            assert_eq!(read_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn spans_and_dates() {
        let now = Timestamp(1_795_262_400_000 * 1_000_000);
        for (text, before) in [
            ("1m", 60_000),
            ("1d", 86_400_000),
            ("2026-11-21", 43_200_000),
            ("2026-11-21T11:59", 60_000),
            ("2026-11-21T11:59:59Z", 1_000),
            ("2026-11-21T12:00:00+01:00", 3_600_000),
            ("99999d", 1_795_262_400_000),
        ] {
            let read = read_since(text, now);
            assert_eq!(read, Ok(1_795_262_400_000 - before), "{text}");
        }
        for bad in ["", "yesterday", "2026-13-01", "5", "-1d"] {
            assert!(read_since(bad, now).is_err(), "{bad}");
        }
    }
}
