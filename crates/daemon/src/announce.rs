//! One line per notice, on standard output, as it happens.

use anstyle::Style;
use vauban_engine::output::{Refusal, Release};
use vauban_engine::policy::{Enforcement, Policy};
use vauban_engine::{Notice, Timestamp};

use crate::clock::Dates;
use crate::control::view::time;
use crate::entry::rests_on;
use crate::paint::{ALERT, FAINT, GOOD, WARN, paint};
use crate::words;

/// The line for a notice, or none for what only repeats another line.
///
/// Shape: `TIME WORD SUBJECT …`, where WORD is one of Suspect, Ban, Unban, Allow, Disallow, Refused, Healed; in a
/// dry run what is not done begins with `Would`.
#[must_use]
pub fn line(notice: &Notice, dates: &Dates, policy: &Policy) -> Option<String> {
    let time = |at: Timestamp| time(dates.wall(at));
    let dry = policy.enforcement == Enforcement::DryRun;
    Some(match notice {
        Notice::Suspected { at, subject, source, cause, zone } => {
            let from = if subject.is_host() { String::new() } else { format!(" (seen: {source})") };
            let why = words::suspicion(cause, zone.as_ref(), policy);
            format!("{} Suspect {subject}{from}: {why}", time(*at))
        }
        Notice::Banned(ban) => {
            let length = ban.remaining(ban.start).map_or_else(|| "ever".into(), words::span);
            // Of a proven ban, the contacts: what was only scanned is not what it rests on.
            let ports = words::ports(rests_on(ban));
            let ports = if ports.is_empty() { ports } else { format!(" [{ports}]") };
            format!(
                "{} {} {} for {length} ({} ban): {}{ports}",
                time(ban.start),
                if dry { "Would ban" } else { "Ban" },
                ban.subject,
                words::ordinal(ban.level),
                words::reason(ban, policy),
            )
        }
        Notice::Expired { at, subject } => {
            let word = if dry { "Would unban" } else { "Unban" };
            format!("{} {word} {subject}: the ban is over", time(*at))
        }
        Notice::PushedOut { at, subject } => {
            let word = if dry { "Would unban" } else { "Unban" };
            format!("{} {word} {subject}: the ledger is full, and this ban ends first", time(*at))
        }
        Notice::Unbanned { at, subject, was_banned, by } => {
            let what = if *was_banned { "ban" } else { "suspicion" };
            let why = match by {
                Release::Operator => "by the operator".to_owned(),
                Release::Never(member) => {
                    format!("because {} is never banned: {}", member.prefix, member.because)
                }
            };
            let word = if dry && *was_banned { "Would unban" } else { "Unban" };
            format!("{} {word} {subject}: {what} ended {why}", time(*at))
        }
        Notice::Refused { at, subject, why } => {
            let what = if *why == Refusal::TooManyAllowed { "allow" } else { "ban" };
            format!("{} Refused to {what} {subject}: {}", time(*at), words::refusal(why))
        }
        Notice::Allowed(grant) => {
            let length = grant.remaining(grant.start).map_or_else(|| "ever".into(), words::span);
            let comment = if grant.comment.is_empty() { "" } else { ": " };
            let (prefix, words) = (grant.prefix, &grant.comment);
            format!("{} Allow {prefix} for {length}{comment}{words}", time(grant.start))
        }
        Notice::Disallowed { at, prefix, ran_out } => {
            let why = if *ran_out { "its time is up" } else { "by the operator" };
            format!("{} Disallow {prefix}: {why}", time(*at))
        }
        Notice::Healed { at, missing, surplus } => format!(
            "{} Healed: {missing} blocks were missing in the kernel, {surplus} too many",
            time(*at)
        ),
    })
}

/// The same line with colour, for a terminal.
#[must_use]
pub fn painted(line: &str) -> String {
    let Some((time, rest)) = line.split_once(' ') else { return line.to_owned() };
    // The words that a line begins with, as `line` makes them.
    let styles: [(&str, Style); 6] = [
        ("Would ban", WARN),
        ("Suspect", WARN),
        ("Ban", ALERT),
        ("Unban", GOOD),
        ("Trouble:", ALERT),
        ("Healed:", GOOD),
    ];
    let rest = styles
        .iter()
        .find_map(|(word, style)| {
            rest.strip_prefix(word).map(|tail| format!("{}{tail}", paint(*style, word)))
        })
        .unwrap_or_else(|| rest.to_owned());
    format!("{} {rest}", paint(FAINT, time))
}
