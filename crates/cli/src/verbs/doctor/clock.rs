//! The wall clock: bans outlive a restart by it, and the log is dated by it.

use vauban_daemon::clock;

use super::finding::Finding;
use super::host::{Host, Said};

/// No clock is right that says less: this was written later. In seconds since 1970: 2026.
const EARLIEST: u64 = 1_767_225_600;

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let seconds = clock::wall().0 / 1_000_000_000;
    vec![year(seconds), synchronised(host)]
}

fn year(seconds: u64) -> Finding {
    let date = vauban_daemon::control::view::time(vauban_engine::Timestamp::from_secs(seconds));
    if seconds >= EARLIEST {
        Finding::ok("time", date)
    } else {
        Finding::trouble("time", format!("{date} is long past: bans are dated wrongly"))
            .remedy("timedatectl set-ntp true")
    }
}

fn synchronised(host: &Host) -> Finding {
    const WHAT: &str = "synchronised";
    let by_command = || match host.ask("timedatectl", &["show", "-p", "NTPSynchronized", "--value"])
    {
        Said::Done(true, text, _) => match text.trim() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        },
        _ => None,
    };
    let by_file = host.has("/run/systemd/timesync/synchronized").then_some(true);
    match by_file.or_else(by_command) {
        Some(true) => Finding::ok(WHAT, "yes"),
        Some(false) => Finding::warning(
            WHAT,
            "no: when the clock is set later, dates in the log jump; no ban gets shorter or longer",
        )
        .remedy("timedatectl set-ntp true"),
        None => Finding::note(WHAT, "cannot be told: nobody here says whether it is"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_clock_without_a_battery() {
        assert_eq!(year(0).verdict, Verdict::Trouble);
        assert_eq!(year(EARLIEST).verdict, Verdict::Ok);
    }
}
