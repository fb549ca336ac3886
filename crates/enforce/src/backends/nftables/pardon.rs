//! Suspicion forgotten: of one subject, or of everybody.

use vauban_engine::Prefix;
use vauban_engine::policy::Unproven;
use vauban_sys::nft::SetOp;

use super::elements::{absent, banned_set, known_set, suspect_set};
use super::{ENOENT, Nftables};
use crate::backends::Trouble;
use crate::program::{Lane, TABLE, claim_set, port_set, slot_set};

impl Nftables {
    /// Forgets the suspicion of a subject and the ports that led to it.
    ///
    /// In a single commit that cannot fail for what is not there: the kernel takes ten
    /// milliseconds to undo one (it waits for an RCU grace period).
    pub(super) fn pardon(&mut self, subject: &Prefix) -> Result<(), Trouble> {
        let Some((lane, key)) = Lane::of(subject) else { return Ok(()) };
        let mut taken: Vec<(String, Vec<u8>)> =
            self.of_suspicion(lane).into_iter().map(|set| (set, key.clone())).collect();
        for slot in 1..=self.policy.trigger.slots() {
            taken.push((slot_set(slot, lane), key.clone()));
            taken.push((claim_set(slot, lane), key.clone()));
            // A port stands behind its source in the key.
            let ports = port_set(slot, lane);
            let held = self.socket.dump(TABLE, &ports).map_err(|error| self.explain(&error))?;
            let of_subject = held.into_iter().filter(|element| element.key.starts_with(&key));
            taken.extend(of_subject.map(|element| (ports.clone(), element.key)));
        }
        let ops: Vec<SetOp<'_>> =
            taken.iter().flat_map(|(set, key)| absent(set, key.clone())).collect();
        let text = match self.commit(&ops) {
            Err(Trouble::Failed(text)) => text,
            other => return other,
        };
        // A full set takes no element for a moment either: then one by one, and what is not there
        // is no error.
        for (set, key) in &taken {
            match self.socket.commit(TABLE, &[SetOp::Delete { set, key: key.clone() }]) {
                Err(error) if error.raw_os_error() != Some(ENOENT) => {
                    return Err(Trouble::Failed(format!("{text}; {error}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The same for everybody, and all blocks with it.
    pub(super) fn clear(&mut self) -> Result<(), Trouble> {
        let mut sets = Vec::new();
        for lane in Lane::ALL {
            sets.push(banned_set(lane).to_owned());
            sets.extend(self.of_suspicion(lane));
            for slot in 1..=self.policy.trigger.slots() {
                sets.extend([slot_set(slot, lane), claim_set(slot, lane), port_set(slot, lane)]);
            }
        }
        let ops: Vec<SetOp<'_>> = sets.iter().map(|set| SetOp::Flush { set }).collect();
        self.commit(&ops)
    }

    /// The sets that hold a lane's suspects, apart from the slots.
    fn of_suspicion(&self, lane: Lane) -> Vec<String> {
        let mut sets = vec![suspect_set(lane).to_owned(), known_set(lane).to_owned()];
        if self.policy.unproven == Unproven::Decoy {
            sets.extend(["strained", "guess"].map(|set| format!("{set}{}", lane.suffix())));
        }
        sets
    }
}
