//! A program in the place of one that stands in the kernel already: an earlier run's, or that of
//! another configuration.

use vauban_engine::event::Facts;
use vauban_engine::policy::Policy;

use super::elements::{banned_set, known_set, suspect_set};
use super::{ENOENT, Nftables, load};
use crate::backends::Trouble;
use crate::program::succession::{Carried, Standing, StandingSet, Succession, render_instead};
use crate::program::{Lane, Part, TABLE};

impl Nftables {
    /// What stands under our name; `None` if nothing does.
    pub(super) fn standing(&mut self) -> Result<Option<Standing>, Trouble> {
        let read = |socket: &mut vauban_sys::nft::Nft| {
            if !socket.table_exists(TABLE)? {
                return Ok(None);
            }
            let chains = socket.chains(TABLE)?;
            let sets = socket.sets(TABLE)?.into_iter().map(|set| StandingSet {
                name: set.name,
                flags: set.flags,
                key_bytes: set.key_len,
                size: set.size,
                timeout: set.timeout,
            });
            Ok(Some(Standing { chains, sets: sets.collect() }))
        };
        match read(&mut self.socket) {
            Err(error) if std::io::Error::raw_os_error(&error) == Some(ENOENT) => Ok(None),
            other => other.map_err(|error| Trouble::Failed(format!("nf_tables: {error}"))),
        }
    }

    /// Loads the program over what stands there; where that is refused (it was made by a version
    /// that named things otherwise), in its place.
    pub(super) fn succeed(
        &mut self,
        standing: &Standing,
        policy: &Policy,
        facts: &Facts,
    ) -> Result<(), Trouble> {
        let plan = Succession::new(Part::Whole, policy, standing);
        let carried = self.carry(standing, |set| plan.loses(set))?;
        if load::run_nft(&plan.render(policy, facts, &carried)).is_ok() {
            return Ok(());
        }
        let carried = self.carry(standing, |_| true)?;
        load::run_nft(&render_instead(policy, facts, &carried))
    }

    /// Leaves nothing but the bans, which then run out by themselves.
    pub(super) fn leave_bans(&mut self, facts: &Facts) -> Result<(), Trouble> {
        let Some(standing) = self.standing()? else { return Ok(()) };
        let plan = Succession::new(Part::Bans, &self.policy, &standing);
        let text = plan.render(&self.policy, facts, &Carried::default());
        load::run_nft(&text)
    }

    /// What is known of sources in the sets that will be lost.
    fn carry(
        &mut self,
        standing: &Standing,
        lost: impl Fn(&str) -> bool,
    ) -> Result<Carried, Trouble> {
        let mut carried = Carried::default();
        let stands = |set: &str| standing.sets.iter().any(|found| found.name == set);
        for lane in Lane::ALL {
            for set in [known_set(lane), banned_set(lane), suspect_set(lane)] {
                if lost(set) && stands(set) {
                    carried.0.push((set, self.blocks_of(set, lane)?));
                }
            }
            // A daemon that has stopped leaves bans only. Without this the ban sets would not be
            // asked until somebody has compared them with the ledger.
            if stands(banned_set(lane)) && !stands(known_set(lane)) {
                carried.0.push((known_set(lane), self.blocks_of(banned_set(lane), lane)?));
            }
        }
        Ok(carried)
    }
}
