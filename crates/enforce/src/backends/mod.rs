//! What can hold blocks.
//!
//! To add one: a file here, a variant in [`EnforcerKind`]; the compiler then asks for the arm in
//! [`build`], and the contract test in `tests/contract.rs` runs it with all the others.

use std::fmt;
use std::time::Duration;

use vauban_engine::event::Facts;
use vauban_engine::never::NeverSet;
use vauban_engine::output::{Batch, Block};
use vauban_engine::policy::Policy;

use crate::message::{Counter, Listener, Reply};

pub mod memory;
pub mod nftables;

/// Which enforcers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnforcerKind {
    /// The host's kernel, by nf_tables.
    Nftables,
    /// This process's memory: blocks nobody. For tests.
    Memory,
}

impl EnforcerKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Nftables, Self::Memory];
}

/// Makes the enforcer of a kind.
pub fn build(kind: EnforcerKind) -> Result<Box<dyn Enforcer>, Trouble> {
    Ok(match kind {
        EnforcerKind::Nftables => Box::new(nftables::Nftables::open()?),
        EnforcerKind::Memory => Box::new(memory::Memory::default()),
    })
}

/// Holds blocks.
pub trait Enforcer: Send {
    /// Holds the program for this policy. One that was there before is replaced in one step; the
    /// blocks that it held stay.
    fn load(&mut self, policy: &Policy, facts: &Facts) -> Result<(), Trouble>;

    /// Takes the host's new facts into the program, without losing a block.
    fn learn(&mut self, facts: &Facts, never: &NeverSet) -> Result<(), Trouble>;

    /// Changes the blocks, all or none.
    fn apply(&mut self, batch: &Batch) -> Result<(), Trouble>;

    /// Takes note that user space answers for decoys for this long; zero: that it does not.
    fn answering(&mut self, hold: Duration) -> Result<(), Trouble>;

    /// Takes note of ports that have a listener.
    fn served(&mut self, listeners: &[Listener]) -> Result<(), Trouble>;

    /// Every block held.
    fn list(&mut self) -> Result<Vec<Block>, Trouble>;

    /// The suspects that the program holds, as blocks that last as long as their suspicion.
    fn suspects(&mut self) -> Result<Vec<Block>, Trouble>;

    /// The program's counters.
    fn count(&mut self) -> Result<Vec<Counter>, Trouble>;

    /// Leaves nothing but the blocks, which run out by themselves from here on.
    fn retire(&mut self, facts: &Facts) -> Result<(), Trouble>;

    /// Takes everything away. It is no error when nothing is there.
    fn unload(&mut self) -> Result<(), Trouble>;
}

/// Why an enforcer could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The program is not there (any more).
    Lost,
    /// Something else; the text is for people and says what helps.
    Failed(String),
}

impl Trouble {
    /// As an answer.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        match self {
            Self::Lost => Reply::Lost,
            Self::Failed(text) => Reply::Failed(text),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("the table inet vauban is gone"),
            Self::Failed(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Trouble {}
