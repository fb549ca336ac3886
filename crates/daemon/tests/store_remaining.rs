//! How much of a ban is left when clocks jump and machines boot.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod store_sample;

use std::time::Duration;

use proptest::prelude::*;
use store_sample::{BOOT, DAY, Folder, HOUR, MINUTE, NOON, ban, later, open, open_at, times};
use vauban_daemon::store::{
    Anchor, BootId, Ending, Mono, Now, Record, Times, Wall, anchored, remaining,
};

const OTHER: BootId = BootId(7);

fn now(boot: BootId, wall: i64, mono: i64) -> Now {
    Now { wall: Wall(NOON + wall), boot, mono: Mono(mono) }
}

/// A ban of an hour that began at noon, an hour after the boot.
#[test]
fn clocks_that_jump() {
    let ban = times(0, HOUR);
    for (name, now, left) in [
        ("at once", now(BOOT, 0, HOUR), HOUR),
        ("half", now(BOOT, HOUR / 2, HOUR + HOUR / 2), HOUR / 2),
        ("over", now(BOOT, HOUR, 2 * HOUR), 0),
        ("long over", now(BOOT, 0, 90 * HOUR), 0),
        ("same boot, wall set a year ahead", now(BOOT, 365 * DAY, HOUR + MINUTE), HOUR - MINUTE),
        ("same boot, wall set to long ago", now(BOOT, -365 * DAY, HOUR + MINUTE), HOUR - MINUTE),
        ("same boot, monotonic before the start", now(BOOT, 0, 0), HOUR),
        ("other boot", now(OTHER, MINUTE, 5), HOUR - MINUTE),
        ("other boot, over", now(OTHER, HOUR, 5), 0),
        ("other boot, wall a year ahead", now(OTHER, 365 * DAY, 5), 0),
        ("other boot, wall before the start", now(OTHER, -365 * DAY, 5), HOUR),
        ("other boot, wall at the beginning of time", now(OTHER, -NOON, 5), HOUR),
        ("other boot, monotonic does not count", now(OTHER, MINUTE, 99 * HOUR), HOUR - MINUTE),
    ] {
        let millis = u64::try_from(left).unwrap();
        assert_eq!(remaining(&ban, &now), Some(Duration::from_millis(millis)), "{name}");
        // A row of the first version knows the wall clock only.
        let old = Times { anchor: None, ..ban };
        let as_other = Now { boot: OTHER, ..now };
        assert_eq!(remaining(&old, &now), remaining(&ban, &as_other), "{name}, no boot known");
    }
    let forever = Times { end: None, ..ban };
    assert_eq!(remaining(&forever, &now(BOOT, 0, 0)), None);
}

fn any_times() -> impl Strategy<Value = (Times, i64)> {
    let start = prop_oneof![-DAY..DAY, any::<i64>()];
    (start, 0..400 * DAY, -DAY..DAY).prop_map(|(start, length, mono)| {
        let end = start.saturating_add(length);
        let anchor = Anchor { boot: BOOT, start: Mono(mono), end: Some(Mono(mono + length)) };
        (
            Times { start: Wall(start), end: Some(Wall(end)), anchor: Some(anchor) },
            end.saturating_sub(start),
        )
    })
}

fn any_now() -> impl Strategy<Value = Now> {
    (prop_oneof![-DAY..2 * DAY, any::<i64>()], any::<bool>(), any::<i64>()).prop_map(
        |(wall, same, mono)| Now {
            wall: Wall(wall),
            boot: if same { BOOT } else { OTHER },
            mono: Mono(mono),
        },
    )
}

proptest! {
    #[test]
    fn never_more_than_the_sentence((times, sentence) in any_times(), now in any_now()) {
        let left = remaining(&times, &now).unwrap().as_millis();
        prop_assert!(left <= u128::try_from(sentence.max(0)).unwrap());
    }

    /// Whatever the clocks of the boots say, no boot has more left than the one before it.
    #[test]
    fn boots_only_take((times, _) in any_times(), boots in prop::collection::vec(any_now(), 1..6)) {
        let mut times = times;
        let mut most = remaining(&times, &Now { boot: BootId(0), wall: times.start, mono: Mono(0) });
        for (number, now) in boots.iter().enumerate() {
            // Far from the end of the monotonic clock, which no machine reaches.
            let mono = Mono(now.mono.0 % (400 * DAY));
            let now = Now { boot: BootId(100 + number as u128), mono, ..*now };
            times = anchored(&times, &now);
            let left = remaining(&times, &now);
            prop_assert!(left <= most);
            most = left;
        }
    }

    /// In one boot, only the monotonic clock counts.
    #[test]
    fn the_wall_clock_does_not_matter_in_one_boot((times, _) in any_times(), a in any_now(), wall in any::<i64>()) {
        let a = Now { boot: BOOT, ..a };
        let b = Now { wall: Wall(wall), ..a };
        prop_assert_eq!(remaining(&times, &a), remaining(&times, &b));
    }
}

#[test]
fn what_ran_out_is_past_and_is_to_be_written() {
    let folder = Folder::new();
    let mut short = ban(1);
    short.times = times(0, MINUTE);
    let mut forever = ban(3);
    forever.times.end = None;
    let records: Vec<_> =
        [short.clone(), ban(2), forever.clone()].into_iter().map(Record::Banned).collect();
    open(&folder).store.write(&records).unwrap();
    let opened = open_at(&folder, &later(2 * MINUTE));
    let left: Vec<_> =
        opened.loaded.bans.iter().map(|found| (found.ban.subject, found.left)).collect();
    let rest = Duration::from_millis(u64::try_from(HOUR + 2 - 2 * MINUTE).unwrap());
    assert_eq!(left, [(ban(2).subject, Some(rest)), (forever.subject, None)]);
    let ended = Wall(NOON + MINUTE);
    assert_eq!(opened.loaded.past, [(short.subject, 1, ended)]);
    let over = Record::Ended { subject: short.subject, at: ended, how: Ending::Expired };
    assert_eq!(opened.loaded.over, [over]);
    let mut store = opened.store;
    store.write(&opened.loaded.over).unwrap();
    let again = store.load(&later(2 * MINUTE)).unwrap();
    assert_eq!((again.over.len(), again.bans.len()), (0, 2));
    assert_eq!(again.past, opened.loaded.past);
}

#[test]
fn settling_keeps_what_is_left_whatever_the_wall_clock_does_then() {
    let folder = Folder::new();
    let mut short = ban(1);
    short.times = times(0, MINUTE);
    let records = [Record::Banned(short.clone()), Record::Banned(ban(2))];
    open(&folder).store.write(&records).unwrap();
    let boot = Now { wall: Wall(NOON + 10 * MINUTE), boot: OTHER, mono: Mono(500) };
    let mut store = open_at(&folder, &boot).store;
    store.settle(&boot).unwrap();
    let left = Duration::from_millis(u64::try_from(HOUR + 2 - 11 * MINUTE).unwrap());
    for wall in [0, NOON, NOON + DAY] {
        let minute_later = Now { wall: Wall(wall), mono: Mono(500 + MINUTE), ..boot };
        let loaded = store.load(&minute_later).unwrap();
        assert_eq!(loaded.bans[0].left, Some(left));
        assert_eq!((loaded.bans.len(), loaded.over.len(), loaded.unreadable), (1, 0, 0));
    }
    let past = store.history(None, 9).unwrap();
    assert_eq!((past[0].ban.subject, past[0].how), (short.subject, Ending::Expired));
    assert_eq!(past[0].ended_at, Wall(NOON + MINUTE));
}
