//! Blocks in the kernel's nf_tables.
//!
//! The program is loaded by `nft -f -`, once; elements come and go by netlink, without a fork.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use vauban_engine::Prefix;
use vauban_engine::event::Facts;
use vauban_engine::key::Keying;
use vauban_engine::net::Protocol;
use vauban_engine::never::{Because, NeverSet};
use vauban_engine::output::{Batch, Block, BlockOp};
use vauban_engine::policy::{Allowed, Policy, Unproven};
use vauban_sys::diag;
use vauban_sys::nft::{Element, Nft, SetOp};

use self::elements::{
    Doubt, ENDLESS, absent, banned_set, known_set, operations, put, suspect_set, timeout,
};
use self::marks::Marks;
use super::{Enforcer, Trouble};
use crate::message::{Counter, Listener};
use crate::program::{ANSWERING_SETS, Lane, TABLE, contents, render};

mod elements;
mod load;
mod marks;
mod pardon;
mod succeed;

/// No such table, set or element (errno(3)).
const ENOENT: i32 = 2;

/// Operations for which the suspects are not read out: that takes as long as some hundred of them.
const FEW: usize = 256;

/// Protocol numbers, as `inet_proto` keys.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// The kernel's nf_tables, through a netlink socket that nobody else holds.
pub struct Nftables {
    socket: Nft,
    policy: Policy,
    /// What the program is known again by; empty while none is loaded.
    known_by: Marks,
    /// In which of the two sets it was last said that user space answers.
    turn: bool,
}

impl Nftables {
    /// Opens the netlink socket. Needs `CAP_NET_ADMIN`.
    pub fn open() -> Result<Self, Trouble> {
        let socket = Nft::open()
            .map_err(|error| Trouble::Failed(format!("cannot open a netlink socket: {error}")))?;
        Ok(Self { socket, policy: Policy::default(), known_by: Marks::default(), turn: false })
    }

    /// The netlink port of its commits, by which they are told from others'.
    ///
    /// # Errors
    /// None is expected.
    pub fn port(&self) -> io::Result<u32> {
        self.socket.port()
    }

    /// Whether something stands under our name in the kernel.
    pub fn stands(&mut self) -> bool {
        self.socket.table_exists(TABLE).unwrap_or_default()
    }

    fn commit(&mut self, ops: &[SetOp<'_>]) -> Result<(), Trouble> {
        self.socket.commit(TABLE, ops).map_err(|error| self.explain(&error))
    }

    /// What an error means.
    fn explain(&mut self, error: &io::Error) -> Trouble {
        if error.raw_os_error() == Some(ENOENT) && !self.is_whole().unwrap_or(false) {
            return Trouble::Lost;
        }
        Trouble::Failed(format!("nf_tables: {error}"))
    }

    /// Puts the bans into the sets of known sources again where they are missing: without that the
    /// ban sets are not asked. (What packets fill is read unreliably, so this may put in again what
    /// is there.)
    fn keep_known(&mut self, held: &[Block]) -> Result<(), Trouble> {
        let mut ops = Vec::new();
        let known: BTreeSet<Prefix> =
            self.blocks(known_set)?.into_iter().map(|block| block.subject).collect();
        for block in held.iter().filter(|block| !known.contains(&block.subject)) {
            let Some((lane, key)) = Lane::of(&block.subject) else { continue };
            ops.extend(put(known_set(lane), key, Some(timeout(block.remaining))));
        }
        self.commit(&ops)
    }

    /// The subjects of a batch that the set of known sources may hold already, for a shorter time
    /// than a ban: suspects. To exchange an element costs three times what adding one costs, which
    /// nobody notices until a restart restores a hundred thousand bans.
    fn doubtful(&mut self, batch: &Batch) -> Result<Doubt, Trouble> {
        if batch.ops.len() <= FEW {
            return Ok(Doubt::All);
        }
        let suspects = self.blocks(suspect_set)?;
        Ok(Doubt::These(suspects.into_iter().map(|block| block.subject).collect()))
    }

    /// The elements of one set of each lane, as blocks.
    fn blocks(&mut self, set: fn(Lane) -> &'static str) -> Result<Vec<Block>, Trouble> {
        let mut blocks = Vec::new();
        for lane in Lane::ALL {
            blocks.extend(self.blocks_of(set(lane), lane)?);
        }
        Ok(blocks)
    }

    /// The elements of one set, as blocks.
    fn blocks_of(&mut self, set: &str, lane: Lane) -> Result<Vec<Block>, Trouble> {
        let elements = self.socket.dump(TABLE, set).map_err(|error| self.explain(&error))?;
        let block = |element: &Element| {
            Some(Block {
                subject: lane.subject(&element.key)?,
                remaining: element.expires_in.filter(|left| *left < ENDLESS),
            })
        };
        Ok(elements.iter().filter_map(block).collect())
    }
}

/// The set that remembers a listener, and its key there.
fn recent(listener: &Listener) -> (&'static str, Vec<u8>) {
    let protocol = match listener.port.protocol {
        Protocol::Tcp => TCP,
        Protocol::Udp => UDP,
    };
    let [high, low] = listener.port.number.to_be_bytes();
    let port = [protocol, 0, 0, 0, high, low, 0, 0];
    match listener.address {
        None => ("recent", port.to_vec()),
        Some(IpAddr::V4(address)) => ("recent4", [address.octets().as_slice(), &port].concat()),
        Some(IpAddr::V6(address)) => ("recent6", [address.octets().as_slice(), &port].concat()),
    }
}

/// Destroys the connections of a subject. Those that end by themselves meanwhile are no error.
fn sever(subject: &Prefix) -> Result<(), Trouble> {
    // Nobody bans more than that at a time.
    if Lane::of(subject).is_none() {
        return Err(Trouble::Failed(format!("{subject} is more than one source")));
    }
    match diag::destroy((subject.addr(), subject.len())) {
        Ok(_) => Ok(()),
        Err(error) => Err(Trouble::Failed(format!(
            "cannot destroy the connections of {subject} (they are dropped all the same): {error}"
        ))),
    }
}

impl Enforcer for Nftables {
    fn load(&mut self, policy: &Policy, facts: &Facts) -> Result<(), Trouble> {
        if self.known_by.rules.is_empty() {
            self.check_ours()?;
        }
        match self.standing()? {
            None => load::run_nft(&render(policy, facts))?,
            Some(standing) => self.succeed(&standing, policy, facts)?,
        }
        self.policy = policy.clone();
        self.remember()
    }

    fn learn(&mut self, facts: &Facts, never: &NeverSet) -> Result<(), Trouble> {
        let keying = Keying::new(facts, never);
        let contents = contents(&self.policy, facts, never, &keying);
        let mut ops = Vec::new();
        for (set, ranges) in contents.named() {
            ops.push(SetOp::Flush { set });
            for range in ranges {
                let (first, last) = (range.first.clone(), range.last.clone());
                ops.push(SetOp::AddInterval { set, first, last });
            }
        }
        self.commit(&ops)?;
        // What is left behind at the end is made of the policy: nobody who is not allowed any more.
        let allowed = never
            .members()
            .iter()
            .filter(|member| matches!(member.because, Because::Allowed(_) | Because::Granted(_)));
        self.policy.allow =
            allowed.map(|member| Allowed { prefix: member.prefix, comment: None }).collect();
        self.remember()
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), Trouble> {
        let doubtful = self.doubtful(batch)?;
        let ops = operations(batch, &doubtful)?;
        if !ops.is_empty() {
            self.commit(&ops)?;
        }
        for op in &batch.ops {
            match op {
                BlockOp::Pardon(subject) => self.pardon(subject)?,
                BlockOp::Clear => self.clear()?,
                BlockOp::Sever(subject) => sever(subject)?,
                BlockOp::Block(_) | BlockOp::Unblock(_) => {}
            }
        }
        Ok(())
    }

    fn answering(&mut self, hold: Duration) -> Result<(), Trouble> {
        if self.policy.unproven != Unproven::Decoy {
            return Ok(());
        }
        if hold.is_zero() {
            let ops: Vec<SetOp<'_>> =
                ANSWERING_SETS.iter().flat_map(|set| absent(set, vec![TCP])).collect();
            return self.commit(&ops);
        }
        // Packets on other processors may miss an element that is being exchanged.
        self.turn = !self.turn;
        let [one, other] = ANSWERING_SETS;
        let set = if self.turn { one } else { other };
        self.commit(&put(set, vec![TCP], Some(hold)))
    }

    fn served(&mut self, listeners: &[Listener]) -> Result<(), Trouble> {
        let ops: Vec<SetOp<'_>> = listeners
            .iter()
            .flat_map(|listener| {
                let (set, key) = recent(listener);
                put(set, key, None)
            })
            .collect();
        self.commit(&ops)
    }

    fn list(&mut self) -> Result<Vec<Block>, Trouble> {
        self.check_whole()?;
        let held = self.blocks(banned_set)?;
        self.keep_known(&held)?;
        Ok(held)
    }

    fn suspects(&mut self) -> Result<Vec<Block>, Trouble> {
        self.blocks(suspect_set)
    }

    fn count(&mut self) -> Result<Vec<Counter>, Trouble> {
        self.check_whole()?;
        let counters = self.socket.counters(TABLE).map_err(|error| self.explain(&error))?;
        Ok(counters
            .into_iter()
            .map(|c| Counter { name: c.name, packets: c.packets, bytes: c.bytes })
            .collect())
    }

    fn retire(&mut self, facts: &Facts) -> Result<(), Trouble> {
        self.leave_bans(facts)?;
        self.known_by = Marks::default();
        Ok(())
    }

    fn unload(&mut self) -> Result<(), Trouble> {
        self.known_by = Marks::default();
        match self.socket.delete_table(TABLE) {
            Err(error) if error.raw_os_error() != Some(ENOENT) => {
                Err(Trouble::Failed(format!("nf_tables: {error}")))
            }
            _ => Ok(()),
        }
    }
}
