//! What was before this run: bans of the store, and what only the kernel still knows of.
//!
//! A store that was lost, or cannot be read yet, lets nobody go whom the kernel holds.

use std::collections::BTreeSet;
use std::path::Path;

use vauban_enforce::boundary::{Answer, Ask};
use vauban_engine::event::{EventKind, Restored};
use vauban_engine::ledger::Ban;
use vauban_engine::{Event, Prefix, Timestamp};
use vauban_sys::memory;

use super::core::{Core, orphaned};
use super::ledger;
use super::link::Orphaned;
use crate::run::RunError;
use crate::store::{Loaded, Record, What};

impl Core {
    /// Puts into the kernel what the store has kept, and says that this host is protected.
    pub fn restore(&mut self) -> Result<(), RunError> {
        self.restoring = true;
        if self.lost {
            self.adopt().map_err(orphaned)?;
        }
        self.look().map_err(orphaned)?;
        self.restoring = false;
        // A ledger on its way from the store into the kernel takes twice its room.
        memory::give_back();
        self.ask(&Ask::Ready).map_err(orphaned)?;
        self.greet();
        Ok(())
    }

    /// Keeps what the kernel holds and the ledger does not know: somebody whom a lost store banned
    /// is not let go because of that.
    fn adopt(&mut self) -> Result<(), Orphaned> {
        let Answer::Held(held) = self.ask(&Ask::List)? else { return Ok(()) };
        let at = self.clock.now();
        let known: BTreeSet<Prefix> = self.engine.bans().map(|ban| ban.subject).collect();
        let unknown = held.iter().filter(|block| !known.contains(&block.subject));
        let bans: Vec<Ban> = unknown.map(|block| ledger::adopted(block, at)).collect();
        if bans.is_empty() {
            return Ok(());
        }
        for ban in &bans {
            let stored = ledger::stored(ban, self.clock, &self.dates, self.boot);
            self.records.write(Record::Banned(stored));
        }
        self.say(&format!("Kept: {} bans that only the kernel still held", bans.len()));
        let restored = Restored { bans, past: Vec::new(), grants: Vec::new() };
        self.engine.handle(Event { at, kind: EventKind::Restored(restored) });
        self.drain()?;
        Ok(())
    }

    /// A store that could not be read at the start can be read now. What was decided meanwhile is
    /// newer than what it says.
    pub(super) fn restore_late(
        &mut self,
        at: Timestamp,
        what: What,
        loaded: Loaded,
    ) -> Result<(), Orphaned> {
        let (mut restored, said) =
            ledger::found(Path::new(&self.begin.store), Some(what), loaded, at);
        let mut newer = self.let_go.take().unwrap_or_default();
        let decided = self.engine.bans().filter(|ban| !ledger::is_adopted(ban));
        newer.extend(decided.map(|ban| ban.subject));
        restored.bans.retain(|ban| !newer.contains(&ban.subject));
        for line in said {
            self.say(&line);
        }
        self.engine.handle(Event { at, kind: EventKind::Restored(restored) });
        self.drain()?;
        self.offer_again = at;
        self.look()
    }
}
