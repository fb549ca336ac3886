//! The gate between a detector's decision and a ban.
//!
//! Here stands what no amount of evidence overrides: the never-ban set. And here the policy for
//! sources that have not proven their address takes effect: a further [`Unproven`] is one more
//! arm.
//!
//! It does not ask how good a proof is: that is the detector's business.

use crate::detect::Decision;
use crate::never::{Member, NeverSet};
use crate::policy::Unproven;
use crate::zone::ZoneName;

/// What the gate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It may become a ban.
    Ban,
    /// The source is a suspect and that is all: it has not proven its address.
    Unproven,
    /// It was seen in this zone, which is only watched: nothing is done about it, whatever the policy
    /// for others.
    Watched(ZoneName),
    /// It may not: it would cover this member of the never-ban set.
    Never(Member),
}

/// Asks whether `decision` may become a ban.
#[must_use]
pub fn ask(decision: &Decision, never: &NeverSet, unproven: Unproven) -> Passage {
    if let Some(zone) = &decision.zone {
        return Passage::Watched(zone.clone());
    }
    if let Some(member) = never.hit(&decision.subject) {
        return Passage::Never(member.clone());
    }
    if decision.cause.is_proof() {
        return Passage::Ban;
    }
    match unproven {
        Unproven::Ban => Passage::Ban,
        // A SYN can carry anyone's address.
        Unproven::Decoy | Unproven::Drop => Passage::Unproven,
    }
}
