//! How a program takes over from one that stands in the kernel already, in one transaction and
//! without losing what packets and bans have put into its sets.
//!
//! Rules are always written anew. A set that both programs declare in the same way stays as it is:
//! nobody reads a hundred thousand elements out and writes them in again to change an allow-list.
//! Where a set has changed (its size, its timeout), what is known of sources is carried over, as
//! elements in the same transaction; what a set counts begins anew.
//!
//! What it does not do: ask the kernel what stands there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use vauban_engine::event::Facts;
use vauban_engine::output::Block;
use vauban_engine::policy::Policy;

use super::declarations::{CONTACTS_LIMIT, COPIES_LIMIT, DECOYS_LIMIT, WATCHED_LIMIT};
use super::span::span;
use super::writer::{Declared, Writer};
use super::{ANSWERING_SETS, Part, TABLE, text};

/// What stands under our table's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The names of its chains.
    pub chains: Vec<String>,
    /// Its named sets.
    pub sets: Vec<StandingSet>,
}

/// A set as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingSet {
    /// Its name.
    pub name: String,
    /// `NFTA_SET_FLAGS` (linux/netfilter/nf_tables.h).
    pub flags: u32,
    /// The length of a key, in bytes.
    pub key_bytes: u32,
    /// Its size, if it has one.
    pub size: Option<u32>,
    /// How long an element stays that is given no time of its own.
    pub timeout: Option<Duration>,
}

/// `NFT_SET_TIMEOUT` and `NFT_SET_EVAL`, which nft calls `timeout` and `dynamic`.
const TIMEOUT: u32 = 0x10;
const DYNAMIC: u32 = 0x20;

/// What is to become of what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// Chains that the new program does not have.
    chains: Vec<String>,
    /// Sets that are emptied and filled again.
    flushed: Vec<String>,
    /// Sets that go, to be declared again or not.
    gone: Vec<String>,
    /// Limits that go, to be declared again or not.
    limits: Vec<&'static str>,
    part: Part,
}

impl Succession {
    /// For a program of this policy.
    #[must_use]
    pub fn new(part: Part, policy: &Policy, standing: &Standing) -> Self {
        let mut w = Writer::default();
        // What the sets hold that we fill changes nothing of their declarations.
        text::body(&mut w, part, policy, &super::SetContents::default());
        let heads: BTreeSet<&str> = w.heads().collect();
        let in_new = |kind: &str, name: &str| heads.contains(format!("{kind} {name}").as_str());
        let declared: BTreeMap<&str, &Declared> =
            w.declared().iter().map(|set| (set.name.as_str(), set)).collect();
        let mut plan = Self {
            chains: Vec::new(),
            flushed: Vec::new(),
            gone: Vec::new(),
            limits: Vec::new(),
            part,
        };
        for chain in standing.chains.iter().filter(|chain| !in_new("chain", chain)) {
            plan.chains.push(chain.clone());
        }
        for set in &standing.sets {
            match declared.get(set.name.as_str()) {
                Some(new) if is_same(new, set) => {}
                // One that we fill: never changes but in what it holds.
                None if in_new("set", &set.name) => plan.flushed.push(set.name.clone()),
                _ => plan.gone.push(set.name.clone()),
            }
        }
        plan.limits.push(COPIES_LIMIT);
        // What bans need of zones has this chain; what has it and a trigger has that limit.
        if standing.chains.iter().any(|chain| chain == "spared") {
            plan.limits.push(WATCHED_LIMIT);
        }
        if standing.sets.iter().any(|set| ANSWERING_SETS.contains(&set.name.as_str())) {
            plan.limits.extend([DECOYS_LIMIT, CONTACTS_LIMIT]);
        }
        plan
    }

    /// Whether what is in this set will be lost unless it is carried over.
    #[must_use]
    pub fn loses(&self, set: &str) -> bool {
        self.gone.iter().any(|gone| gone == set)
    }

    /// The program, to be loaded over what stands there, with these blocks carried over.
    #[must_use]
    pub fn render(&self, policy: &Policy, facts: &Facts, carried: &Carried) -> String {
        let mut head = format!("table inet {TABLE}\nflush table inet {TABLE}\n");
        for (verb, kind, names) in [
            ("delete", "chain", &self.chains),
            ("delete", "set", &self.gone),
            ("flush", "set", &self.flushed),
        ] {
            for name in names {
                // Writing to a String cannot fail.
                let _ = writeln!(head, "{verb} {kind} inet {TABLE} {name}");
            }
        }
        for limit in &self.limits {
            let _ = writeln!(head, "delete limit inet {TABLE} {limit}");
        }
        carried.behind(text::over(&head, self.part, policy, &super::of_host(policy, facts)))
    }
}

/// The program in the place of whatever stands there, all of which goes, with these blocks carried
/// over.
#[must_use]
pub fn render_instead(policy: &Policy, facts: &Facts, carried: &Carried) -> String {
    carried.behind(super::render(policy, facts))
}

/// Blocks that a new program begins with, by the sets they go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried(pub Vec<(&'static str, Vec<Block>)>);

impl Carried {
    /// Appends them to a program.
    fn behind(&self, mut program: String) -> String {
        for (set, blocks) in self.0.iter().filter(|(_, blocks)| !blocks.is_empty()) {
            let _ = writeln!(program, "add element inet {TABLE} {set} {{");
            for block in blocks {
                let timeout = block.remaining.map_or_else(|| "36500d".into(), span);
                let _ = writeln!(program, "\t{} timeout {timeout},", block.subject.addr());
            }
            program.push_str("}\n");
        }
        program
    }
}

fn is_same(new: &Declared, standing: &StandingSet) -> bool {
    let flag = |on: bool, flag: u32| if on { flag } else { 0 };
    let flags =
        flag(new.flags.contains("dynamic"), DYNAMIC) | flag(new.flags.contains("timeout"), TIMEOUT);
    standing.flags & (DYNAMIC | TIMEOUT) == flags
        && standing.size == Some(new.size)
        && standing.timeout == new.timeout
        && standing.key_bytes == key_bytes(&new.kind)
}

/// The length of a key of this nftables type. The fields of a concatenation each take a multiple
/// of four bytes.
fn key_bytes(kind: &str) -> u32 {
    let field = |name: &str| match name {
        "ipv6_addr" => 16,
        "ipv4_addr" => 4,
        "inet_service" => 2,
        _ => 1,
    };
    match kind.split(" . ").collect::<Vec<_>>().as_slice() {
        [one] => field(one),
        fields => fields.iter().map(|name| field(name).next_multiple_of(4)).sum(),
    }
}
