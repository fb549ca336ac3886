//! The presets behind `sensitivity`: how little it takes to be a suspect, and to be banned.
//!
//! A preset is only a set of other defaults: what is written for a key itself always wins, wherever
//! it stands.

use std::time::Duration;

use crate::Config;

/// How little it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sensitivity {
    /// Much: hosts with clumsy neighbours.
    Low,
    /// The defaults.
    #[default]
    Normal,
    /// Little: hosts where nobody has any business.
    High,
}

/// The keys that a preset is for.
pub(crate) const KEYS: [(&str, &str); 5] = [
    ("trigger", "ports"),
    ("trigger", "window"),
    ("trigger", "suspect"),
    ("decoy", "ports"),
    ("decoy", "window"),
];

/// Why the presets are as they are, for the manual.
pub(crate) const WHY: &str = "\
`\"low\"` asks for ten ports within the minute: more than any misconfigured client tries, less than any \
scan does; at three times the kernel memory per source. `\"high\"` takes the second port within ten minutes, \
which patient scanners do not wait out; sources stay in the kernel's sets ten times as long, so \
`kernel.sources` is reached with a tenth of the flood. Never one port alone: a single stray packet proves \
nothing.";

const MINUTE: u64 = 60;

impl Sensitivity {
    /// Puts the preset into `config`, but for the keys that are `given`.
    pub(crate) fn apply(self, config: &mut Config, given: impl Fn(&str, &str) -> bool) {
        let minutes = |n: u64| Duration::from_secs(n * MINUTE);
        let normal = Config::default().policy;
        // From a normal trigger's three ports within a minute and three proofs within ten.
        let (ports, window, suspect, proofs, within) = match self {
            // Nine slots of the kernel's fifteen. A scan of a thousand ports is through in a
            // second; a client with a stale list of mirrors stays below.
            Self::Low => (10, minutes(1), minutes(1), 5, minutes(10)),
            Self::Normal => (
                normal.trigger.ports,
                normal.trigger.window,
                normal.trigger.suspect,
                normal.decoy.ports,
                normal.decoy.window,
            ),
            // One slot; a proof more than a single mistyped address gives.
            Self::High => (2, minutes(10), minutes(10), 2, minutes(60)),
        };
        let policy = &mut config.policy;
        if !given("trigger", "ports") {
            policy.trigger.ports = ports;
        }
        if !given("trigger", "window") {
            policy.trigger.window = window;
        }
        if !given("trigger", "suspect") {
            policy.trigger.suspect = suspect;
        }
        if !given("decoy", "ports") {
            policy.decoy.ports = proofs;
        }
        if !given("decoy", "window") {
            policy.decoy.window = within;
        }
    }
}
