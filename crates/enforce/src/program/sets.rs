//! What the sets hold that follow from the policy and from what the host is like.
//!
//! They are the part of the program that changes while it runs: when an interface comes up, only
//! their elements are exchanged.

use vauban_engine::event::Facts;
use vauban_engine::key::Keying;
use vauban_engine::never::NeverSet;
use vauban_engine::policy::Policy;

use super::ranges::{Range, merged};

/// The contents of the interval sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetContents {
    /// IPv4 addresses that are never blocked.
    pub never4: Vec<Range>,
    /// IPv6 addresses that are never blocked.
    pub never6: Vec<Range>,
    /// IPv6 addresses that stand for themselves and not for their /64.
    pub exact6: Vec<Range>,
    /// IPv4 sources that no decoy is played for.
    pub excluded4: Vec<Range>,
    /// IPv6 sources that no decoy is played for.
    pub excluded6: Vec<Range>,
    /// UDP ports to which late answers and traceroute go.
    pub answers: Vec<Range>,
}

impl SetContents {
    /// Each with its set's name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &[Range]); 6] {
        [
            ("never4", &self.never4),
            ("never6", &self.never6),
            ("exact6", &self.exact6),
            ("excluded4", &self.excluded4),
            ("excluded6", &self.excluded6),
            ("answers", &self.answers),
        ]
    }
}

/// The contents for this policy on a host like this.
#[must_use]
pub fn contents(policy: &Policy, facts: &Facts, never: &NeverSet, keying: &Keying) -> SetContents {
    let of_family = |v4: bool| {
        let members = never.members().iter().filter(|m| m.prefix.addr().is_ipv4() == v4);
        merged(members.map(|member| Range::of(&member.prefix)).collect())
    };
    let excluded = |v4: bool| {
        let sources = policy.decoy.exclude.sources.iter().filter(|s| s.addr().is_ipv4() == v4);
        merged(sources.map(Range::of).collect())
    };
    SetContents {
        excluded4: excluded(true),
        excluded6: excluded(false),
        never4: of_family(true),
        never6: of_family(false),
        exact6: merged(keying.exact().iter().map(Range::of).collect()),
        answers: merged(vec![
            Range::ports(&policy.kernel.traceroute),
            Range::ports(&facts.ephemeral),
        ]),
    }
}
