//! The closed set of messages that an enforcer takes and gives.

use std::net::IpAddr;
use std::time::Duration;

use vauban_engine::event::Facts;
use vauban_engine::never::Member;
use vauban_engine::output::{Batch, Block};
use vauban_engine::policy::Policy;
use vauban_engine::{BlockOp, Port, Prefix};

/// What can be asked of an enforcer.
#[derive(Clone, Debug)]
pub enum Request {
    /// Hold the kernel program for this policy on a host like this. Blocks that an earlier program
    /// holds stay.
    Load(Box<Policy>, Facts),
    /// This is what the host is like now.
    Learn(Facts),
    /// Never block these, beside whom the policy names: all of them, in place of those of before.
    Allow(Vec<Prefix>),
    /// Change the blocks.
    Apply(Batch),
    /// User space answers for decoys for this long, unless it says so again; not at all if it is
    /// zero. As long as nobody answers, suspects open no connections at all.
    Answering(Duration),
    /// These ports have a listener: for ten minutes from now on they are no probes and play no decoys
    /// when it is gone.
    Served(Vec<Listener>),
    /// Say what blocks are held.
    List,
    /// Say who is a suspect.
    Suspects,
    /// Say what the program has counted.
    Count,
    /// Leave nothing but the blocks, on a host like this: nobody watches them any more.
    Retire(Facts),
    /// Take everything away.
    Unload,
}

/// A port that has a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// The port.
    pub port: Port,
    /// Which of this host's addresses it serves; `None` for all of them.
    pub address: Option<IpAddr>,
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
