//! How much of a ban is left, over restarts and over boots.
//!
//! Two clocks tell. The monotonic one counts truly, but begins anew with each boot. The wall clock
//! goes on over boots, but may be set, and may be years behind on a machine without a battery. So
//! within one boot the monotonic clock decides alone; over a boot the wall clock does, held between
//! nothing and what was left when the ban was last anchored to a boot.
//!
//! What it does not do: read a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use vauban_engine::Timestamp;

/// Nanoseconds in a millisecond.
const NANOS_PER_MILLI: u64 = 1_000_000;

/// Milliseconds since 1970-01-01T00:00:00Z, as the wall clock said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub i64);

impl Wall {
    /// The millisecond that `time` lies in.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        Self(i64::try_from(time.0 / NANOS_PER_MILLI).unwrap_or(i64::MAX))
    }

    /// Its beginning, for the engine; 1970 for what was before.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp(u64::try_from(self.0).unwrap_or(0).saturating_mul(NANOS_PER_MILLI))
    }
}

/// Milliseconds of the monotonic clock of one boot (`CLOCK_MONOTONIC`, or better `CLOCK_BOOTTIME`,
/// which also counts while the machine sleeps; clock_gettime(2)). Always the same one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub i64);

/// Which boot it is: `/proc/sys/kernel/random/boot_id` (random(4)), 128 bits written as a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(pub u128);

/// Why a text is no boot id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotABootId;

impl fmt::Display for NotABootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a boot id (01234567-89ab-cdef-0123-456789abcdef)")
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
        let groups: Vec<&str> = groups.into_iter().filter_map(|group| hex.get(group)).collect();
        f.write_str(&groups.join("-"))
    }
}

impl FromStr for BootId {
    type Err = NotABootId;

    /// Takes the text of the file, with or without its newline.
    fn from_str(text: &str) -> Result<Self, NotABootId> {
        let text = text.trim_ascii_end();
        if text.len() != 36 {
            return Err(NotABootId);
        }
        let mut id: u128 = 0;
        for (place, byte) in text.bytes().enumerate() {
            if matches!(place, 8 | 13 | 18 | 23) {
                if byte != b'-' {
                    return Err(NotABootId);
                }
                continue;
            }
            // One way to write each: upper case is not how the kernel does.
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return Err(NotABootId),
            };
            id = id << 4 | u128::from(digit);
        }
        Ok(Self(id))
    }
}

/// What the clocks say, read at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub wall: Wall,
    /// Which boot this is.
    pub boot: BootId,
    /// The monotonic clock of this boot.
    pub mono: Mono,
}

/// When a ban begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it began.
    pub start: Wall,
    /// When it ends; `None` for never.
    pub end: Option<Wall>,
    /// The same in the time of one boot; `None` for a row of the first version, which had none.
    pub anchor: Option<Anchor>,
}

/// When a ban begins and ends, in the time of one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The boot.
    pub boot: BootId,
    /// When it began, or when it was taken over from an earlier boot.
    pub start: Mono,
    /// When it ends; `None` for never.
    pub end: Option<Mono>,
}

/// How long a ban of `times` lasts from `now` on; `None` without end, zero when it is over.
///
/// In the boot that it is anchored to: what the monotonic clock says, wherever the wall clock has
/// been set to. In another: what the wall clock says, but never more than the sentence, and never
/// more than was left when an earlier boot took it over. A wall clock that is behind the start
/// leaves all of that: one that is wrong must not end bans.
#[must_use]
pub fn remaining(times: &Times, now: &Now) -> Option<Duration> {
    let end = times.end?;
    let sentence = end.0.saturating_sub(times.start.0);
    let by_wall = end.0.saturating_sub(now.wall.0).min(sentence);
    let left = match times.anchor {
        Some(Anchor { boot, start, end: Some(end) }) => {
            let most = end.0.saturating_sub(start.0);
            let left = if boot == now.boot { end.0.saturating_sub(now.mono.0) } else { by_wall };
            left.min(most)
        }
        _ => by_wall,
    };
    Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
}

/// `times` as this boot keeps it: what is left of it, from `now` on in this boot's time. The wall
/// times stay as they were.
#[must_use]
pub fn anchored(times: &Times, now: &Now) -> Times {
    let left =
        remaining(times, now).map(|left| i64::try_from(left.as_millis()).unwrap_or(i64::MAX));
    let end = left.map(|left| Mono(now.mono.0.saturating_add(left)));
    Times { anchor: Some(Anchor { boot: now.boot, start: now.mono, end }), ..*times }
}
