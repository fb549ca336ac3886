//! What the demo shows.

use serde_json::Value;

use super::SERVED;
use super::scan::Learned;
use crate::ask::{number, text};
use crate::table::table;
use crate::verbs::explain;
use vauban_daemon::announce;
use vauban_daemon::paint::{ALERT, GOOD, HEAD, paint};

/// The comparison, the daemon's own lines, and the explanation.
pub fn side_by_side(without: &Learned, with: &Learned, log: &str, explanation: &Value) -> String {
    let open = |learned: &Learned| {
        let real = SERVED.iter().filter(|port| learned.open.contains(port)).count();
        format!("{}, {real} of them real", learned.open.len())
    };
    let row = |what: &str, a: String, b: String| vec![what.to_owned(), a, b];
    let count = |number: usize| number.to_string();
    let rows = [
        row("ports found open", open(without), open(with)),
        row("said to be closed", count(without.closed), count(with.closed)),
        row("silent", count(without.silent), count(with.silent)),
    ];
    // The third closed port is the trigger, so at most two can have answered before it.
    let verdict = if with.closed <= 2 && with.silent == 0 {
        paint(GOOD, "After at most two wrong ports, every port was open: the scan is worthless.")
    } else {
        paint(ALERT, "The scan was not made worthless.")
    };
    let heading = |text: &str| paint(HEAD, text);
    format!(
        "{}\n\n{verdict}\n\n{}\n{}\n\n{}\n{}",
        table(&["WHAT THE SCANNER LEARNED", "WITHOUT VAUBAN", "WITH VAUBAN"], &rows),
        heading("what vauban printed"),
        log.lines()
            .filter(|line| !line.contains(NO_USER))
            .map(|line| announce::painted(&timed(line)))
            .collect::<Vec<_>>()
            .join("\n"),
        heading("vauban explain 192.0.2.2"),
        explain::words(&shortened(explanation))
            .replace("packets that are not kept", "packets like these")
            .lines()
            .map(timed)
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

/// Of a line that is about the machine that the demo runs on, and so no part of it.
const NO_USER: &str = " There is no user ";

/// Probes of the suspect that are shown: one says what happened to the hundreds of others.
const SUSPECTS_SHOWN: usize = 1;

/// The explanation with fewer of the packets that are all alike.
fn shortened(explanation: &Value) -> Value {
    let mut short = explanation.clone();
    let Some(Value::Array(evidence)) = short.get_mut("evidence") else { return short };
    let before = evidence.len();
    let mut shown = 0;
    evidence.retain(|item| {
        let alike = text(item, "/meaning") == "of-suspect";
        shown += usize::from(alike);
        !alike || shown <= SUSPECTS_SHOWN
    });
    let left_out = u64::try_from(before - evidence.len()).unwrap_or(u64::MAX);
    let not_kept = number(&short, "/not_kept");
    if let Some(count) = short.get_mut("not_kept") {
        *count = Value::from(not_kept.saturating_add(left_out));
    }
    short
}

/// A line with the time of day in place of its date: all of a demo is of today.
fn timed(line: &str) -> String {
    let mut out = line.to_owned();
    let dated = |start: usize| {
        let text = line.get(start..start + 24)?;
        let is_date = |(index, wanted)| text.as_bytes().get(index) == Some(wanted);
        [(4, &b'-'), (10, &b'T'), (23, &b'Z')].into_iter().all(is_date).then_some(start)
    };
    let starts = line.char_indices().map(|(index, _)| index);
    if let Some(start) = starts.filter(|index| *index < 24).find_map(dated) {
        // What stands around the time is left.
        out.replace_range(start + 19..start + 24, "");
        out.replace_range(start..start + 11, "");
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dates_become_times_of_day() {
        assert_eq!(timed("2026-11-21T20:57:54.404Z Ban x"), "20:57:54 Ban x");
        assert_eq!(timed("  since   2026-11-21T20:57:54.404Z"), "  since   20:57:54");
        let coloured = "  \u{1b}[2m2026-11-21T20:57:54.404Z\u{1b}[0m  TCP";
        assert_eq!(timed(coloured), "  \u{1b}[2m20:57:54\u{1b}[0m  TCP");
        assert_eq!(timed("vauban \u{e9}xplain"), "vauban \u{e9}xplain");
    }

    #[test]
    fn packets_that_are_all_alike_become_a_number() {
        let item = |meaning: &str| json!({ "meaning": meaning });
        let all = json!({ "not_kept": 5, "evidence": [item("closed-port"), item("of-suspect"),
            item("of-suspect"), item("of-suspect"), item("proven")] });
        let wanted = json!({ "not_kept": 7, "evidence": [item("closed-port"), item("of-suspect"),
            item("proven")] });
        assert_eq!(shortened(&all), wanted);
    }
}
