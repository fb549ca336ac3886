//! A batch of blocks as changes to the elements of sets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vauban_engine::Prefix;
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

/// In whole milliseconds, as the kernel takes it.
pub(super) fn timeout(remaining: Option<Duration>) -> Duration {
    let millis = remaining.unwrap_or(LONGEST).min(LONGEST).as_nanos().div_ceil(1_000_000).max(1);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// The time of an element that is deleted in the same batch. No block has this one: see [`timeout`].
const BRIEF: Option<Duration> = Some(Duration::from_nanos(1_000_000_001));

/// What makes an element absent whether it was there or not: deleting one that is not there, or
/// has just run out, would undo the whole batch, and `destroy` needs a newer kernel than
/// Debian 12's.
pub(super) fn absent(set: &str, key: Vec<u8>) -> [SetOp<'_>; 2] {
    [SetOp::Add { set, key: key.clone(), timeout: BRIEF }, SetOp::Delete { set, key }]
}

/// What puts an element there with this timeout, whatever it had before; `None` for the set's own.
pub(super) fn put(set: &str, key: Vec<u8>, timeout: Option<Duration>) -> [SetOp<'_>; 3] {
    let [brief, gone] = absent(set, key.clone());
    [brief, gone, SetOp::Add { set, key, timeout }]
}

/// Whom the sets of known sources may hold already.
pub(super) enum Doubt {
    /// Anybody.
    All,
    /// Nobody but these.
    These(BTreeSet<Prefix>),
}

impl Doubt {
    fn covers(&self, subject: &Prefix) -> bool {
        match self {
            Self::All => true,
            Self::These(subjects) => subjects.contains(subject),
        }
    }
}

/// Puts operations of one kind on one set side by side, as they then share a message: 28 bytes for
/// an element in place of 76, and a tenth of the kernel's time. Only for batches that name nobody
/// twice: what was to happen to one key, in the order that matters, still happens in that order.
fn gather(ops: Vec<SetOp<'static>>) -> Vec<SetOp<'static>> {
    let count = ops.len();
    let mut groups: BTreeMap<(&str, u8), Vec<SetOp<'static>>> = BTreeMap::new();
    for op in ops {
        let group = match &op {
            // What makes an element absent whether it was there or not begins with a brief one.
            SetOp::Add { set, timeout, .. } if *timeout == BRIEF => (*set, 0),
            SetOp::Delete { set, .. } => (*set, 1),
            SetOp::Add { set, .. } | SetOp::AddInterval { set, .. } | SetOp::Flush { set } => {
                (*set, 2)
            }
        };
        groups.entry(group).or_default().push(op);
    }
    let mut gathered = Vec::with_capacity(count);
    gathered.extend(groups.into_values().flatten());
    gathered
}

fn names_nobody_twice(batch: &Batch) -> bool {
    let subjects = || batch.ops.iter().filter_map(BlockOp::subject);
    // As the engine writes down a whole ledger.
    if subjects().zip(subjects().skip(1)).all(|(one, next)| one < next) {
        return true;
    }
    let mut seen = BTreeSet::new();
    subjects().all(|subject| seen.insert(subject))
}

/// The element operations of a batch.
pub(super) fn operations(batch: &Batch, doubt: &Doubt) -> Result<Vec<SetOp<'static>>, Trouble> {
    let mut ops = Vec::with_capacity(batch.ops.len() * 4);
    for op in &batch.ops {
        let (subject, block) = match op {
            BlockOp::Block(block) => (&block.subject, Some(block)),
            BlockOp::Unblock(subject) => (subject, None),
            BlockOp::Sever(_) | BlockOp::Pardon(_) | BlockOp::Clear => continue,
        };
        let (lane, key) = Lane::of(subject)
            .ok_or_else(|| Trouble::Failed(format!("{subject} is no key of a ban set")))?;
        let (set, known) = (banned_set(lane), known_set(lane));
        if let Some(block) = block {
            let timeout = Some(timeout(block.remaining));
            ops.push(SetOp::Add { set, key: key.clone(), timeout });
            if doubt.covers(subject) {
                // A suspicion may have put it there already, for a shorter time.
                ops.extend(put(known, key, timeout));
            } else {
                ops.push(SetOp::Add { set: known, key, timeout });
            }
        } else {
            ops.extend(absent(set, key.clone()));
            ops.extend(absent(known, key));
        }
    }
    Ok(if names_nobody_twice(batch) { gather(ops) } else { ops })
}
