//! An enforcer that only remembers what it was told: for tests of what stands before it.

use std::collections::BTreeMap;
use std::time::Duration;

use vauban_engine::Prefix;
use vauban_engine::event::Facts;
use vauban_engine::never::NeverSet;
use vauban_engine::output::{Batch, Block, BlockOp};
use vauban_engine::policy::Policy;

use super::{Enforcer, Trouble};
use crate::message::{Counter, Listener};

/// Blocks without a kernel. They do not run out by themselves: there is no clock here.
#[derive(Debug, Default)]
pub struct Memory {
    loaded: bool,
    blocks: BTreeMap<Prefix, Option<Duration>>,
}

impl Memory {
    fn loaded(&self) -> Result<(), Trouble> {
        if self.loaded { Ok(()) } else { Err(Trouble::Lost) }
    }
}

impl Enforcer for Memory {
    fn load(&mut self, _policy: &Policy, _facts: &Facts) -> Result<(), Trouble> {
        self.loaded = true;
        Ok(())
    }

    fn learn(&mut self, _facts: &Facts, _never: &NeverSet) -> Result<(), Trouble> {
        self.loaded()
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), Trouble> {
        self.loaded()?;
        for op in &batch.ops {
            match op {
                BlockOp::Block(block) => {
                    self.blocks.insert(block.subject, block.remaining);
                }
                BlockOp::Unblock(subject) => {
                    self.blocks.remove(subject);
                }
                // Suspicion and connections are a kernel's business.
                BlockOp::Sever(_) | BlockOp::Pardon(_) => {}
                BlockOp::Clear => self.blocks.clear(),
            }
        }
        Ok(())
    }

    fn answering(&mut self, _hold: Duration) -> Result<(), Trouble> {
        self.loaded()
    }

    fn served(&mut self, _listeners: &[Listener]) -> Result<(), Trouble> {
        self.loaded()
    }

    fn list(&mut self) -> Result<Vec<Block>, Trouble> {
        self.loaded()?;
        let block = |(subject, remaining): (&Prefix, &Option<Duration>)| Block {
            subject: *subject,
            remaining: *remaining,
        };
        Ok(self.blocks.iter().map(block).collect())
    }

    fn suspects(&mut self) -> Result<Vec<Block>, Trouble> {
        self.loaded().map(|()| Vec::new())
    }

    fn count(&mut self) -> Result<Vec<Counter>, Trouble> {
        self.loaded().map(|()| Vec::new())
    }

    fn retire(&mut self, _facts: &Facts) -> Result<(), Trouble> {
        Ok(())
    }

    fn unload(&mut self) -> Result<(), Trouble> {
        *self = Self::default();
        Ok(())
    }
}
