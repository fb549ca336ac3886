//! The never-ban set, checked a second time where blocks are made.
//!
//! The gate in the engine has checked already. This check does not trust it: whatever asks for a
//! block of a protected address, and for whatever reason, does not get it.

use vauban_engine::Prefix;
use vauban_engine::event::Facts;
use vauban_engine::never::{Member, NeverSet};
use vauban_engine::output::{Batch, BlockOp};
use vauban_engine::policy::Allowed;

/// Keeps the never-ban set of the enforcing side.
#[derive(Clone, Debug)]
pub struct Guard {
    allow: Vec<Allowed>,
    /// Whom operators have allowed while it runs. Another policy leaves them as they are.
    granted: Vec<Prefix>,
    facts: Facts,
    never: NeverSet,
}

impl Guard {
    /// For this operator's list on a host like this.
    #[must_use]
    pub fn new(allow: &[Allowed], facts: &Facts) -> Self {
        let (allow, facts) = (allow.to_vec(), facts.clone());
        let mut guard = Self { allow, granted: Vec::new(), facts, never: NeverSet::default() };
        guard.renew();
        guard
    }

    /// Another list of the operator's, on a host like this.
    pub fn judge_by(&mut self, allow: &[Allowed], facts: &Facts) {
        self.allow = allow.to_vec();
        self.facts = facts.clone();
        self.renew();
    }

    /// Whom operators have allowed while it runs: all of them.
    pub fn grant(&mut self, granted: Vec<Prefix>) {
        self.granted = granted;
        self.renew();
    }

    /// Whom operators have allowed while it runs.
    #[must_use]
    pub fn granted(&self) -> &[Prefix] {
        &self.granted
    }

    /// The host as known here.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    fn renew(&mut self) {
        let granted = self.granted.iter().map(|prefix| (*prefix, String::new()));
        self.never = NeverSet::new(&self.allow, &self.facts).with_granted(granted);
    }

    /// The host has changed.
    pub fn learn(&mut self, facts: &Facts) {
        self.facts = facts.clone();
        self.renew();
    }

    /// The set as known here.
    #[must_use]
    pub fn never(&self) -> &NeverSet {
        &self.never
    }

    /// Splits a batch into what may be applied and what may not, with the member that it would
    /// have hit.
    #[must_use]
    pub fn sift(&self, batch: Batch) -> (Batch, Vec<(BlockOp, Member)>) {
        let mut refused = Vec::new();
        let mut passed = Batch::default();
        for op in batch.ops {
            let hit = match &op {
                BlockOp::Block(block) => self.never.hit(&block.subject).cloned(),
                BlockOp::Sever(subject) => self.never.hit(subject).cloned(),
                BlockOp::Unblock(_) | BlockOp::Pardon(_) | BlockOp::Clear => None,
            };
            match hit {
                Some(member) => refused.push((op, member)),
                None => passed.ops.push(op),
            }
        }
        (passed, refused)
    }
}
