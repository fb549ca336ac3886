//! The program's text, put together.

use vauban_engine::policy::{Enforcement, Policy};

use super::lane::Lane;
use super::sets::SetContents;
use super::writer::Writer;
use super::{TABLE, declarations, decoys, hooks, probes, zones};

/// The whole program, in the place of whatever stood there.
pub fn program(policy: &Policy, contents: &SetContents) -> String {
    let head = format!(
        "# The first two lines replace what an earlier run may have left.\n\
         table inet {TABLE}\n\
         delete table inet {TABLE}\n"
    );
    over(&head, Part::Whole, policy, contents)
}

/// What of the program is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Only what bans need, for when nobody watches any more.
    Bans,
}

/// The program behind what makes room for it.
pub fn over(head: &str, part: Part, policy: &Policy, contents: &SetContents) -> String {
    let mut w = Writer::default();
    let mode = match policy.enforcement {
        Enforcement::Enforce => "",
        Enforcement::DryRun => "# Dry run: every rule that would drop counts and accepts.\n",
    };
    w.raw(&format!(
        "# Vauban's kernel program. Nothing outside this table is ever touched.\n\
         {mode}{head}table inet {TABLE} {{\n"
    ));
    body(&mut w, part, policy, contents);
    w.raw("}\n");
    w.finish()
}

/// What is in the table.
pub(super) fn body(w: &mut Writer, part: Part, policy: &Policy, contents: &SetContents) {
    declarations::counters(w, policy);
    if part == Part::Bans {
        declarations::of_bans_alone(w, policy, contents);
        hooks::bans_alone(w, policy);
        zones::spared(w, policy);
        return;
    }
    declarations::sets(w, policy, contents);
    hooks::hooks(w, policy);
    hooks::opening(w, policy);
    probes::probes(w, policy);
    decoys::told(w, policy);
    zones::zones(w, policy);
    zones::crossings(w, policy);
    for lane in Lane::ALL {
        probes::lane_chains(w, policy, lane);
    }
}
