//! What the demo shows.

use serde_json::Value;

use super::SERVED;
use super::scan::Learned;
use crate::table::table;
use crate::verbs::explain;
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
        paint(GOOD, "After two wrong ports, every port was open: the scan is worthless.")
    } else {
        paint(ALERT, "The scan was not made worthless.")
    };
    let heading = |text: &str| paint(HEAD, text);
    format!(
        "{}\n\n{verdict}\n\n{}\n{}\n\n{}\n{}",
        table(&["WHAT THE SCANNER LEARNED", "WITHOUT VAUBAN", "WITH VAUBAN"], &rows),
        heading("what vauban printed"),
        log.trim_end(),
        heading("vauban explain 192.0.2.2"),
        explain::words(explanation),
    )
}
