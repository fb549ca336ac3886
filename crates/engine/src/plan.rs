//! Desired state against actual state: the blocks that the ledger asks for, compared with the
//! blocks that the enforcer holds.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::ledger::Ledger;
use crate::net::Prefix;
use crate::output::{Batch, Block, BlockOp};
use crate::time::Timestamp;

/// Ends that differ by less are the same: the kernel's timers and the message on its way both
/// take their time.
const SLACK: Duration = Duration::from_secs(2);

/// What must change, and how much of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes.
    pub batch: Batch,
    /// Blocks that were missing or ended too early or too late.
    pub missing: usize,
    /// Blocks that should not be there.
    pub surplus: usize,
}

/// The changes that turn what is `held` into what the ledger asks for at `now`.
#[must_use]
pub fn heal(now: Timestamp, ledger: &Ledger, held: &[Block]) -> Plan {
    let mut held: BTreeMap<Prefix, Option<Duration>> =
        held.iter().map(|block| (block.subject, block.remaining)).collect();
    let mut plan = Plan::default();
    for ban in ledger.bans() {
        let wanted = ban.remaining(now);
        if wanted.is_some_and(|left| left < SLACK) {
            // About to run out, in the kernel as in the ledger.
            held.remove(&ban.subject);
            continue;
        }
        let has = held.remove(&ban.subject);
        let same = match (has, wanted) {
            (Some(Some(has)), Some(wants)) => has.abs_diff(wants) < SLACK,
            (Some(None), None) => true,
            _ => false,
        };
        if !same {
            plan.missing += 1;
            if has.is_some() {
                plan.batch.ops.push(BlockOp::Unblock(ban.subject));
            }
            plan.batch.ops.push(BlockOp::Block(Block { subject: ban.subject, remaining: wanted }));
        }
    }
    plan.surplus = held.len();
    plan.batch.ops.extend(held.into_keys().map(BlockOp::Unblock));
    plan
}
