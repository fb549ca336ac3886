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
        let ports: Vec<String> = learned.open.iter().map(ToString::to_string).collect();
        format!("{} of {}  {}", ports.len(), SERVED.len(), ports.join(" "))
    };
    let row = |what: &str, a: String, b: String| vec![what.to_owned(), a, b];
    let count = |number: usize| number.to_string();
    let rows = [
        row("ports that answered", count(without.answered()), count(with.answered())),
        row("said to be closed", count(without.closed), count(with.closed)),
        row("open ports found", open(without), open(with)),
        row("silent", count(without.silent), count(with.silent)),
    ];
    // The third closed port is the trigger, so at most two can have answered before it.
    let verdict = if with.closed <= 2 && with.silent > 0 {
        paint(GOOD, "After two wrong ports the scanner got no answer any more.")
    } else {
        paint(ALERT, "The scan was not stopped.")
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
