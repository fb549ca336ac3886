//! Decoys: how soon they are on the wire, how many one processor makes, and what making one takes.

mod copy;
mod latency;
mod rate;

use crate::contenders::Programs;
use crate::report::Report;
use crate::trouble::Outcome;

/// Measures all three.
pub fn run_all(quick: bool, programs: &Programs) -> Outcome<Report> {
    let mut report = Report::new("decoy", "how soon, how many, and what one takes");
    latency::measure(if quick { 300 } else { 2_000 }, programs, &mut report)?;
    rate::measure(quick, programs, &mut report)?;
    copy::measure(quick, &mut report)?;
    Ok(report)
}
