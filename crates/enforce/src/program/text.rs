//! The program's text, put together.

use vauban_engine::policy::{Enforcement, Policy};

use super::lane::Lane;
use super::sets::SetContents;
use super::writer::Writer;
use super::{TABLE, declarations, decoys, hooks, probes};

/// The whole program.
pub fn program(policy: &Policy, contents: &SetContents) -> String {
    let mut w = Writer::default();
    let mode = match policy.enforcement {
        Enforcement::Enforce => "",
        Enforcement::DryRun => "# Dry run: every rule that would drop counts and accepts.\n",
    };
    w.raw(&format!(
        "# Vauban's kernel program. Nothing outside this table is ever touched.\n\
         {mode}\
         # The first two lines replace what an earlier run may have left.\n\
         table inet {TABLE}\n\
         delete table inet {TABLE}\n\
         table inet {TABLE} {{\n"
    ));
    declarations::counters(&mut w, policy);
    declarations::sets(&mut w, policy, contents);
    hooks::hooks(&mut w, policy);
    hooks::opening(&mut w, policy);
    probes::probes(&mut w, policy);
    decoys::told(&mut w, policy);
    for lane in Lane::ALL {
        probes::lane_chains(&mut w, policy, lane);
    }
    w.raw("}\n");
    w.finish()
}
