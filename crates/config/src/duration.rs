//! The one notation for spans of time, in files, on the command line and in output: `1h30m`.
//!
//! It knows no months, and nothing finer than a millisecond. "forever" is a length that bans alone can
//! have: see [`parse_length`].

use std::fmt;
use std::time::Duration;

use vauban_engine::policy::Length;

use crate::diagnostic::quoted;
use crate::keys::FOREVER;

/// The units, from the longest, in milliseconds.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 24 * 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// What people write for a unit when they do not know ours, and ours.
const FOREIGN: [(&[&str], &str); 6] = [
    (&["week", "weeks"], "w"),
    (&["day", "days"], "d"),
    (&["hr", "hrs", "hour", "hours"], "h"),
    (&["min", "mins", "minute", "minutes"], "m"),
    (&["sec", "secs", "second", "seconds"], "s"),
    (&["msec", "msecs", "millisecond", "milliseconds"], "ms"),
];

/// Why a text is no span of time, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotADuration {
    /// What is wrong.
    pub message: String,
    /// The text that means what this one seems to mean.
    pub instead: Option<String>,
}

impl fmt::Display for NotADuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.instead {
            Some(text) => write!(f, "{}; write `{text}`", self.message),
            None => write!(f, "{}; write for example `90s`, `3m` or `1h30m`", self.message),
        }
    }
}

impl std::error::Error for NotADuration {}

/// Reads `500ms`, `90s`, `3m`, `1h30m`, `1d`, `2w`: numbers with a unit each, the longest unit
/// first.
///
/// # Errors
/// Anything else; a number without a unit too, because what it would mean is a guess.
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    strict(text).map_err(|message| NotADuration { message, instead: meant(text) })
}

/// Reads how long a ban is: the same, or `forever`.
///
/// # Errors
/// Anything else.
pub fn parse_length(text: &str) -> Result<Length, NotADuration> {
    if text == FOREVER { Ok(Length::Forever) } else { parse(text).map(Length::Span) }
}

/// Writes it as [`parse`] reads it, with days as the longest unit. Less than a millisecond is cut
/// off.
#[must_use]
pub fn format(span: Duration) -> String {
    let mut rest = span.as_millis();
    let mut text = String::new();
    // Nobody counts in weeks: "365d" says more than "52w1d".
    for (unit, millis) in UNITS.into_iter().skip(1) {
        let amount = rest / u128::from(millis);
        rest %= u128::from(millis);
        if amount > 0 {
            text.push_str(&amount.to_string());
            text.push_str(unit);
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Splits the next number and the letters after it off `text`.
fn part(text: &str) -> (&str, &str, &str) {
    let (number, rest) = split(text, |c| c.is_ascii_digit());
    let (unit, rest) = split(rest, char::is_alphabetic);
    (number, unit, rest)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

fn strict(text: &str) -> Result<Duration, String> {
    let nonsense = || format!("{} is no span of time", quoted(text));
    if text.is_empty() {
        return Err(nonsense());
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut longest = u64::MAX;
    while !rest.is_empty() {
        let (number, unit, after) = part(rest);
        if number.is_empty() || (unit.is_empty() && !after.is_empty()) {
            return Err(nonsense());
        }
        if unit.is_empty() {
            return Err(format!("{} has no unit", quoted(number)));
        }
        let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(|| {
            format!("{} is no unit of time (w, d, h, m, s and ms are)", quoted(unit))
        })?;
        if millis >= longest {
            return Err(format!(
                "in {}, the longest unit must stand first, each once",
                quoted(text)
            ));
        }
        longest = millis;
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|amount| amount.checked_mul(millis)?.checked_add(total))
            .ok_or_else(|| format!("{} is too long", quoted(text)))?;
        rest = after;
    }
    Ok(Duration::from_millis(total))
}

/// The text that means what this one seems to mean to a generous reader, who takes blanks, any
/// order and long names, and a number alone for seconds.
fn meant(text: &str) -> Option<String> {
    let text: String = text.split_whitespace().collect();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(format!("{seconds}s"));
    }
    let mut rest = text.as_str();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, unit, after) = part(rest);
        // A capital M alone is left out: it is the month to many.
        let word = unit.to_lowercase();
        let foreign = FOREIGN.iter().find(|(names, _)| names.contains(&word.as_str()));
        let known = foreign.map_or(unit, |(_, unit)| unit);
        let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == known)?;
        total = number.parse::<u64>().ok()?.checked_mul(millis)?.checked_add(total)?;
        rest = after;
    }
    (!text.is_empty()).then(|| format(Duration::from_millis(total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, millis, written) in [
            ("500ms", 500, "500ms"),
            ("90s", 90_000, "1m30s"),
            ("3m", 180_000, "3m"),
            ("45s", 45_000, "45s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("1d", 86_400_000, "1d"),
            ("2w", 14 * 86_400_000, "14d"),
            ("1w2d3h4m5s6ms", 788_645_006, "9d3h4m5s6ms"),
            ("0s", 0, "0s"),
            ("365d", 365 * 86_400_000, "365d"),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(format(Duration::from_millis(millis)), written);
        }
        assert_eq!(format(Duration::from_nanos(1_999_999)), "1ms");
        assert_eq!(format(Duration::from_nanos(999_999)), "0s");
        assert_eq!(format(Duration::MAX), "213503982334601d7h15s999ms");
    }

    #[test]
    fn refusals_say_what_to_write() {
        for (text, said) in [
            ("60", "`60` has no unit; write `60s`"),
            ("0", "`0` has no unit; write `0s`"),
            ("", "`` is no span of time; write for example `90s`, `3m` or `1h30m`"),
            ("-5m", "`-5m` is no span of time; write for example `90s`, `3m` or `1h30m`"),
            ("1.5h", "`1.5h` is no span of time; write for example `90s`, `3m` or `1h30m`"),
            ("1h30", "`30` has no unit; write for example `90s`, `3m` or `1h30m`"),
            ("1h 30m", "`1h 30m` is no span of time; write `1h30m`"),
            ("5min", "`min` is no unit of time (w, d, h, m, s and ms are); write `5m`"),
            ("2 Days", "`2 Days` is no span of time; write `2d`"),
            ("30s1m", "in `30s1m`, the longest unit must stand first, each once; write `1m30s`"),
            ("1m1m", "in `1m1m`, the longest unit must stand first, each once; write `2m`"),
            (
                "3ü",
                "`ü` is no unit of time (w, d, h, m, s and ms are); write for example `90s`, `3m` or `1h30m`",
            ),
            (
                "99999999999999999999s",
                "`99999999999999999999s` is too long; write for example `90s`, `3m` or `1h30m`",
            ),
            ("forever", "`forever` is no span of time; write for example `90s`, `3m` or `1h30m`"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), said, "{text}");
        }
    }
}
