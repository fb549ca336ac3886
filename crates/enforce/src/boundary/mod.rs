//! What the two processes of a running Vauban say to each other. This is all of it.
//!
//! The *parent* keeps the privileges: it holds the netlink sockets, loads the kernel program and
//! knows the configured files. The *child* has none and reads everything that strangers can
//! influence. So whatever the child says is taken for a stranger's word: the set of messages is
//! closed, each is bounded, and nothing in it names a file, a program or a command. The worst that
//! a child can ask for is a block, and the never-ban set is checked again before it is made.
//!
//! | from | message | means |
//! |---|---|---|
//! | parent | [`Tell`] | begin with this; the host, the program or the configuration has changed; stop |
//! | child | [`Ask`] | blocks to make or lift; whom operators allow; lists; the parent's own duties, done now |
//! | parent | [`Answer`] | exactly one to each [`Ask`], in their order |
//!
//! How they are written down: [`wire`]. What it does not do: move bytes, or carry anything out.

use std::time::Duration;

use vauban_engine::Prefix;
use vauban_engine::event::Facts;
use vauban_engine::output::{Batch, Block};

use crate::message::{Counter, Request};

mod bytes;
pub mod wire;

/// Both processes are one binary, so they agree unless somebody replaced it in a strange moment.
/// Raised with every change of a message.
pub const VERSION: u8 = 2;

/// What the child may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Change the blocks.
    Apply(Batch),
    /// Decoys are answered for this long; not at all if it is zero.
    Answering(Duration),
    /// Say what blocks the kernel holds.
    List,
    /// Say who is a suspect.
    Suspects,
    /// Say what the program has counted.
    Count,
    /// Look now what this host is like.
    Facts,
    /// Read the configuration again.
    Reload,
    /// The ledger is restored, commands are taken: this host is protected.
    Ready,
    /// Operators have allowed these while it runs: all of them, at most
    /// [`MOST_GRANTS`](vauban_engine::grants::MOST_GRANTS), in place of those of before. They end with both processes: the next child
    /// says them again.
    Allow(Vec<Prefix>),
}

impl Ask {
    /// As a request to the enforcer.
    ///
    /// # Errors
    /// It is none: the parent does it itself.
    pub fn into_request(self) -> Result<Request, ParentsOwn> {
        Ok(match self {
            Self::Apply(batch) => Request::Apply(batch),
            Self::Answering(hold) => Request::Answering(hold.min(LONGEST_ANSWERING)),
            Self::Allow(granted) => Request::Allow(granted),
            Self::List => Request::List,
            Self::Suspects => Request::Suspects,
            Self::Count => Request::Count,
            Self::Facts => return Err(ParentsOwn::Facts),
            Self::Reload => return Err(ParentsOwn::Reload),
            Self::Ready => return Err(ParentsOwn::Ready),
        })
    }
}

/// What the parent does itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParentsOwn {
    /// See [`Ask::Facts`].
    Facts,
    /// See [`Ask::Reload`].
    Reload,
    /// See [`Ask::Ready`].
    Ready,
}

/// No child may promise answers for longer: one that dies takes nobody's chance to tell listeners
/// from decoys for more than that.
pub const LONGEST_ANSWERING: Duration = Duration::from_secs(10);

/// What the parent answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It is done but for these, which would have covered a member of the never-ban set.
    Guarded(Vec<Prefix>),
    /// What is held.
    Held(Vec<Block>),
    /// The suspects, each with the time until it is none.
    Suspects(Vec<Block>),
    /// What was counted.
    Counted(Vec<Counter>),
    /// What this host is like.
    Facts(Facts),
    /// The program is gone; it is being loaded again.
    Lost,
    /// It could not be done; the text says why, for people.
    Failed(String),
    /// The new configuration is wrong and nothing has changed; the text says where.
    Refused(String),
}

/// What the parent tells without being asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// The first message, with the sockets.
    Begin(Box<Begin>),
    /// This host has changed.
    Facts(Facts),
    /// The program was loaded again, because somebody had taken it away or changed it: ask for a
    /// list.
    Loaded,
    /// Somebody has changed something in the kernel: ask for a list.
    Changed,
    /// This configuration holds from now on.
    Configuration(Configuration),
    /// End in good order.
    Stop,
}

/// What the child begins with. Beside it go descriptors, in the order of [`Begin::SOCKETS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Whom to become.
    pub uid: u32,
    /// With which group.
    pub gid: u32,
    /// The configuration, as the parent has read it.
    pub configuration: Configuration,
    /// Whether the command line asks for a dry run.
    pub dry_run: bool,
    /// The database, in a directory that the child may write to.
    pub store: String,
    /// What this host is like.
    pub facts: Facts,
}

/// A configuration, and where it is from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// All of it in one text: every key with the value that holds.
    pub text: String,
    /// The main file, for people; empty without one.
    pub file: String,
    /// How many files beside it were read.
    pub drop_ins: u32,
}

impl Begin {
    /// What the descriptors are: copies of packets, the way of decoys out, calls of operators.
    pub const SOCKETS: [&'static str; 3] = ["nflog", "network", "control"];
}

/// What the parent says: an answer, or something nobody has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// To the oldest open question.
    Answer(Answer),
    /// Unasked.
    Tell(Tell),
}
