//! The closed set of messages that an enforcer takes and gives.

use vauban_engine::BlockOp;
use vauban_engine::event::Facts;
use vauban_engine::never::Member;
use vauban_engine::output::{Batch, Block};
use vauban_engine::policy::Policy;

/// What can be asked of an enforcer.
#[derive(Clone, Debug)]
pub enum Request {
    /// Hold the kernel program for this policy on a host like this, with no blocks in it.
    Load(Box<Policy>, Facts),
    /// This is what the host is like now.
    Learn(Facts),
    /// Change the blocks.
    Apply(Batch),
    /// Say what blocks are held.
    List,
    /// Say who is a suspect.
    Suspects,
    /// Say what the program has counted.
    Count,
    /// Take everything away.
    Unload,
}

/// What an enforcer answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done,
    /// It is done but for these blocks, which would have covered a member of the never-ban set.
    Guarded(Vec<(BlockOp, Member)>),
    /// What is held.
    Held(Vec<Block>),
    /// The suspects, each with the time until it is none.
    Suspects(Vec<Block>),
    /// What was counted.
    Counted(Vec<Counter>),
    /// The program is gone: somebody flushed the firewall. Load again.
    Lost,
    /// It could not be done; the text says why, for people.
    Failed(String),
}

/// One of the program's counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Its name in the program.
    pub name: String,
    /// Packets counted since the program was loaded.
    pub packets: u64,
    /// Their bytes, IP header included.
    pub bytes: u64,
}
