//! What goes out: blocks for the enforcer, notices for people.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::evidence::Cause;
use crate::grants::Grant;
use crate::ledger::Ban;
use crate::net::Prefix;
use crate::never::Member;
use crate::time::Timestamp;
use crate::zone::ZoneName;

/// Something that must now happen outside the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Tell the enforcer.
    Apply(Batch),
    /// Tell the enforcer whom operators have allowed while it runs: all of them, in place of those
    /// it was told of before.
    Allow(Vec<Prefix>),
    /// Tell people.
    Announce(Notice),
}

/// Changes to what the enforcer holds, in order; applied all or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The changes.
    pub ops: Vec<BlockOp>,
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockOp {
    /// Hold this block. To give one that exists another time, unblock it first.
    Block(Block),
    /// Hold no block for exactly this subject; it is no error when there is none.
    Unblock(Prefix),
    /// Destroy this host's TCP connections with this subject.
    Sever(Prefix),
    /// Forget the suspicion of this subject and what led to it.
    Pardon(Prefix),
    /// Hold no block at all, and forget every suspicion.
    Clear,
}

impl BlockOp {
    /// Whom it is about; `None` for everybody.
    #[must_use]
    pub fn subject(&self) -> Option<Prefix> {
        match self {
            Self::Block(block) => Some(block.subject),
            Self::Unblock(subject) | Self::Sever(subject) | Self::Pardon(subject) => Some(*subject),
            Self::Clear => None,
        }
    }
}

/// A subject that reaches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Whom.
    pub subject: Prefix,
    /// How long from now; `None` without end.
    pub remaining: Option<Duration>,
}

/// Something people may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A source became a suspect.
    Suspected {
        /// When.
        at: Timestamp,
        /// Whom the suspicion covers.
        subject: Prefix,
        /// The address that was seen.
        source: IpAddr,
        /// Why.
        cause: Cause,
        /// The zone that it was seen in, if that is only watched: nothing is done about it.
        zone: Option<ZoneName>,
    },
    /// A ban was recorded.
    Banned(Ban),
    /// A ban ran out.
    Expired {
        /// When.
        at: Timestamp,
        /// Whose.
        subject: Prefix,
    },
    /// A ban ended before its time because the ledger is full; the kernel's trigger holds its
    /// subject all the same.
    PushedOut {
        /// When.
        at: Timestamp,
        /// Whose.
        subject: Prefix,
    },
    /// A ban, a suspicion, or both ended before their time.
    Unbanned {
        /// When.
        at: Timestamp,
        /// Whose.
        subject: Prefix,
        /// Whether there was a ban to end (otherwise only suspicion or evidence was forgotten).
        was_banned: bool,
        /// Why.
        by: Release,
    },
    /// A ban was not made.
    Refused {
        /// When.
        at: Timestamp,
        /// Whom it would have covered.
        subject: Prefix,
        /// Why not.
        why: Refusal,
    },
    /// Somebody is never banned from here on, because an operator said so.
    Allowed(Grant),
    /// That is over.
    Disallowed {
        /// When.
        at: Timestamp,
        /// Whose.
        prefix: Prefix,
        /// Whether its time was up; otherwise an operator said so.
        ran_out: bool,
    },
    /// What the enforcer held differed from the ledger and is being put right.
    Healed {
        /// When.
        at: Timestamp,
        /// How many blocks were missing.
        missing: usize,
        /// How many were there that should not be.
        surplus: usize,
    },
}

/// Why a ban ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// The operator said so.
    Operator,
    /// It covers what has since become a member of the never-ban set.
    Never(Member),
}

/// Why a ban was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It would cover a member of the never-ban set.
    Never(Member),
    /// The ledger is full of bans that operators made or that do not end.
    LedgerFull,
    /// It covers more than one source (a prefix wider than bans are kept by).
    TooWide,
    /// As many as can be are allowed already ([`crate::grants::MOST_GRANTS`]).
    TooManyAllowed,
}
