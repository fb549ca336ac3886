//! A batch of blocks as changes to the elements of sets.

use std::time::Duration;

use vauban_engine::output::{Batch, BlockOp};
use vauban_sys::nft::SetOp;

use crate::backends::Trouble;
use crate::program::Lane;

/// A block without end still gets a timeout in the kernel, as every element has one. A century is
/// the most that all kernels take.
const LONGEST: Duration = Duration::from_secs(100 * 365 * DAY);

/// What has more time left than this was asked for without end: a century, less the years that a
/// host may be up.
pub(super) const ENDLESS: Duration = Duration::from_secs(70 * 365 * DAY);

/// Seconds.
const DAY: u64 = 24 * 60 * 60;

/// The set of a lane's suspects.
pub(super) fn suspect_set(lane: Lane) -> &'static str {
    match lane {
        Lane::V4 => "suspect4",
        Lane::V6 => "suspect6",
        Lane::V6Exact => "suspect6x",
    }
}

/// The set of a lane's bans.
pub(super) fn banned_set(lane: Lane) -> &'static str {
    match lane {
        Lane::V4 => "banned4",
        Lane::V6 => "banned6",
        Lane::V6Exact => "banned6x",
    }
}

/// The set of a lane's sources that are either: the one that every packet is looked up in.
pub(super) fn known_set(lane: Lane) -> &'static str {
    match lane {
        Lane::V4 => "known4",
        Lane::V6 => "known6",
        Lane::V6Exact => "known6x",
    }
}

pub(super) fn timeout(remaining: Option<Duration>) -> Duration {
    remaining.unwrap_or(LONGEST).clamp(Duration::from_millis(1), LONGEST)
}

/// What makes an element absent whether it was there or not: deleting one that is not there, or
/// has just run out, would undo the whole batch, and `destroy` needs a newer kernel than
/// Debian 12's.
pub(super) fn absent(set: &str, key: Vec<u8>) -> [SetOp<'_>; 2] {
    let brief = Some(Duration::from_secs(1));
    [SetOp::Add { set, key: key.clone(), timeout: brief }, SetOp::Delete { set, key }]
}

/// What puts an element there with this timeout, whatever it had before; `None` for the set's own.
pub(super) fn put(set: &str, key: Vec<u8>, timeout: Option<Duration>) -> [SetOp<'_>; 3] {
    let [brief, gone] = absent(set, key.clone());
    [brief, gone, SetOp::Add { set, key, timeout }]
}

/// The element operations of a batch.
pub(super) fn operations(batch: &Batch) -> Result<Vec<SetOp<'static>>, Trouble> {
    let mut ops = Vec::with_capacity(batch.ops.len() * 4);
    for op in &batch.ops {
        let (subject, block) = match op {
            BlockOp::Block(block) => (&block.subject, Some(block)),
            BlockOp::Unblock(subject) => (subject, None),
            BlockOp::Sever(_) | BlockOp::Pardon(_) | BlockOp::PardonAll => continue,
        };
        let (lane, key) = Lane::of(subject)
            .ok_or_else(|| Trouble::Failed(format!("{subject} is no key of a ban set")))?;
        let (set, known) = (banned_set(lane), known_set(lane));
        if let Some(block) = block {
            let timeout = Some(timeout(block.remaining));
            ops.push(SetOp::Add { set, key: key.clone(), timeout });
            // Where a suspicion may have put it already, for a shorter time.
            ops.extend(put(known, key, timeout));
        } else {
            ops.extend(absent(set, key.clone()));
            ops.extend(absent(known, key));
        }
    }
    Ok(ops)
}
