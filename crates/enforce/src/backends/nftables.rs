//! Blocks in the kernel's nf_tables.
//!
//! The program is loaded by `nft -f -`, once; elements come and go by netlink, without a fork.

use std::io::{ErrorKind, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use vauban_engine::Prefix;
use vauban_engine::event::Facts;
use vauban_engine::key::Keying;
use vauban_engine::never::NeverSet;
use vauban_engine::output::{Batch, Block, BlockOp};
use vauban_engine::policy::Policy;
use vauban_sys::nft::{Nft, SetOp};

use super::{Enforcer, Trouble};
use crate::message::Counter;
use crate::program::{Lane, TABLE, claim_set, contents, counter, port_set, render, slot_set};

/// A block without end still gets a timeout in the kernel, as every element has one. A century is
/// the most that all kernels take.
const LONGEST: Duration = Duration::from_secs(100 * 365 * DAY);

/// What has more time left than this was asked for without end: a century, less the years that a
/// host may be up.
const ENDLESS: Duration = Duration::from_secs(70 * 365 * DAY);

/// Seconds.
const DAY: u64 = 24 * 60 * 60;

/// No such table, set or element (errno(3)).
const ENOENT: i32 = 2;

/// The kernel's nf_tables, through a netlink socket that nobody else holds.
pub struct Nftables {
    socket: Nft,
    policy: Policy,
    /// What the program is known again by; empty while none is loaded.
    known_by: Marks,
}

/// What somebody would change who changed the program.
#[derive(Debug, Default, PartialEq, Eq)]
struct Marks {
    /// The handles of its rules.
    rules: Vec<u64>,
    /// The elements of the sets that only we fill, sorted: key, and whether it ends an interval.
    elements: Vec<Vec<(Vec<u8>, bool)>>,
}

/// The sets that only we fill, apart from the ban sets.
const CONFIGURED: [&str; 6] = ["never4", "never6", "exact6", "answers", "traps", "served"];

impl Nftables {
    /// Opens the netlink socket. Needs `CAP_NET_ADMIN`.
    pub fn open() -> Result<Self, Trouble> {
        let socket = Nft::open()
            .map_err(|error| Trouble::Failed(format!("cannot open a netlink socket: {error}")))?;
        Ok(Self { socket, policy: Policy::default(), known_by: Marks::default() })
    }

    fn commit(&mut self, ops: &[SetOp<'_>]) -> Result<(), Trouble> {
        self.socket.commit(TABLE, ops).map_err(|error| self.explain(&error))
    }

    /// What an error means.
    fn explain(&mut self, error: &std::io::Error) -> Trouble {
        if error.raw_os_error() == Some(ENOENT) && !self.is_whole().unwrap_or(false) {
            return Trouble::Lost;
        }
        Trouble::Failed(format!("nf_tables: {error}"))
    }

    /// What is in the kernel under our table's name.
    fn marks(&mut self) -> std::io::Result<Marks> {
        let mut marks = Marks { rules: self.socket.rules(TABLE)?, elements: Vec::new() };
        for set in CONFIGURED {
            let elements = self.socket.dump(TABLE, set)?;
            let mut elements: Vec<_> =
                elements.into_iter().map(|e| (e.key, e.interval_end)).collect();
            elements.sort_unstable();
            marks.elements.push(elements);
        }
        Ok(marks)
    }

    /// Whether the kernel holds the program as it was loaded.
    fn is_whole(&mut self) -> std::io::Result<bool> {
        if self.known_by.rules.is_empty() {
            return Ok(false);
        }
        match self.marks() {
            Ok(marks) => Ok(marks == self.known_by),
            Err(error) if error.raw_os_error() == Some(ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An error if there is a table of our name that no Vauban made. One that an earlier Vauban
    /// left has our counters.
    fn check_ours(&mut self) -> Result<(), Trouble> {
        match self.socket.counters(TABLE) {
            Err(error) if error.raw_os_error() == Some(ENOENT) => Ok(()),
            Err(error) => Err(Trouble::Failed(format!("nf_tables: {error}"))),
            Ok(counters) if counters.iter().any(|c| c.name == counter::TRIGGERS) => Ok(()),
            Ok(_) => Err(Trouble::Failed(format!(
                "there is a table inet {TABLE} that is not Vauban's; if nobody needs it: \
                 nft delete table inet {TABLE}"
            ))),
        }
    }

    /// Remembers what is there now as ours.
    fn remember(&mut self) -> Result<(), Trouble> {
        self.known_by = self
            .marks()
            .map_err(|error| Trouble::Failed(format!("nf_tables: reading it back: {error}")))?;
        Ok(())
    }

    /// An error unless the program is whole.
    fn check_whole(&mut self) -> Result<(), Trouble> {
        match self.is_whole() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Trouble::Lost),
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Forgets the suspicion of a subject and the ports that led to it.
    ///
    /// In a single commit that cannot fail for what is not there: the kernel takes ten
    /// milliseconds to undo one (it waits for an RCU grace period).
    fn pardon(&mut self, subject: &Prefix) -> Result<(), Trouble> {
        let Some((lane, key)) = Lane::of(subject) else { return Ok(()) };
        let mut taken = vec![(suspect_set(lane), key.clone())];
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

    /// The same for everybody.
    fn pardon_all(&mut self) -> Result<(), Trouble> {
        let mut sets = Vec::new();
        for lane in Lane::ALL {
            sets.push(suspect_set(lane));
            for slot in 1..=self.policy.trigger.slots() {
                sets.extend([slot_set(slot, lane), claim_set(slot, lane), port_set(slot, lane)]);
            }
        }
        let ops: Vec<SetOp<'_>> = sets.iter().map(|set| SetOp::Flush { set }).collect();
        self.commit(&ops)
    }

    /// The elements of one set of each lane, as blocks.
    fn blocks(&mut self, set: impl Fn(Lane) -> String) -> Result<Vec<Block>, Trouble> {
        let mut blocks = Vec::new();
        for lane in Lane::ALL {
            let elements =
                self.socket.dump(TABLE, &set(lane)).map_err(|error| self.explain(&error))?;
            blocks.extend(elements.iter().filter_map(|element| {
                Some(Block {
                    subject: lane.subject(&element.key)?,
                    remaining: element.expires_in.filter(|left| *left < ENDLESS),
                })
            }));
        }
        Ok(blocks)
    }
}

impl Drop for Nftables {
    /// A daemon that fails after loading leaves no program behind that nobody watches.
    fn drop(&mut self) {
        if !self.known_by.rules.is_empty() {
            // Whoever drops us cannot be told.
            let _ = self.unload();
        }
    }
}

fn suspect_set(lane: Lane) -> String {
    format!("suspect{}", lane.suffix())
}

fn set_name(lane: Lane) -> &'static str {
    match lane {
        Lane::V4 => "banned4",
        Lane::V6 => "banned6",
        Lane::V6Exact => "banned6x",
    }
}

fn timeout(remaining: Option<Duration>) -> Duration {
    remaining.unwrap_or(LONGEST).clamp(Duration::from_millis(1), LONGEST)
}

/// What makes an element absent whether it was there or not: deleting one that is not there, or
/// has just run out, would undo the whole batch, and `destroy` needs a newer kernel than
/// Debian 12's.
fn absent(set: &str, key: Vec<u8>) -> [SetOp<'_>; 2] {
    let brief = Some(Duration::from_secs(1));
    [SetOp::Add { set, key: key.clone(), timeout: brief }, SetOp::Delete { set, key }]
}

/// The element operations of a batch, pardons apart.
fn operations(batch: &Batch) -> Result<Vec<SetOp<'static>>, Trouble> {
    let mut ops = Vec::with_capacity(batch.ops.len());
    for op in &batch.ops {
        let subject = match op {
            BlockOp::Block(block) => &block.subject,
            BlockOp::Unblock(subject) => subject,
            BlockOp::Pardon(_) | BlockOp::PardonAll => continue,
        };
        let (lane, key) = Lane::of(subject)
            .ok_or_else(|| Trouble::Failed(format!("{subject} is no key of a ban set")))?;
        let set = set_name(lane);
        match op {
            BlockOp::Block(block) => {
                ops.push(SetOp::Add { set, key, timeout: Some(timeout(block.remaining)) });
            }
            BlockOp::Unblock(_) | BlockOp::Pardon(_) | BlockOp::PardonAll => {
                ops.extend(absent(set, key));
            }
        }
    }
    Ok(ops)
}

impl Enforcer for Nftables {
    fn load(&mut self, policy: &Policy, facts: &Facts) -> Result<(), Trouble> {
        if self.known_by.rules.is_empty() {
            self.check_ours()?;
        }
        run_nft(&render(policy, facts))?;
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
        self.remember()
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), Trouble> {
        let ops = operations(batch)?;
        if !ops.is_empty() {
            self.commit(&ops)?;
        }
        for op in &batch.ops {
            match op {
                BlockOp::Pardon(subject) => self.pardon(subject)?,
                BlockOp::PardonAll => self.pardon_all()?,
                BlockOp::Block(_) | BlockOp::Unblock(_) => {}
            }
        }
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<Block>, Trouble> {
        self.check_whole()?;
        self.blocks(|lane| set_name(lane).to_owned())
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

/// Gives `nft` a program on its standard input.
fn run_nft(program: &str) -> Result<(), Trouble> {
    let failed = |text: String| Err(Trouble::Failed(text));
    let spawned = Command::new("nft")
        .args(["-f", "-"])
        // Where nft lives, whatever environment we were started from.
        .env("PATH", "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return failed("the program nft is missing; install it: apt install nftables".into());
        }
        Err(error) => return failed(format!("cannot start nft: {error}")),
    };
    if let Some(mut stdin) = child.stdin.take()
        && let Err(error) = stdin.write_all(program.as_bytes())
        && error.kind() != ErrorKind::BrokenPipe
    {
        return failed(format!("cannot write to nft: {error}"));
    }
    match child.wait_with_output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            failed(format!("nft refused the program: {}", text.trim()))
        }
        Err(error) => failed(format!("nft did not end: {error}")),
    }
}
