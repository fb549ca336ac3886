//! Whatever a child asks for, what reaches the backend covers no member of the never-ban set.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use vauban_enforce::backends::{Enforcer, Trouble};
use vauban_enforce::boundary::Ask;
use vauban_enforce::boundary::wire::read_frame;
use vauban_enforce::message::{Counter, Listener};
use vauban_enforce::{Reply, Request, Service};
use vauban_engine::event::Facts;
use vauban_engine::never::NeverSet;
use vauban_engine::output::{Batch, Block, BlockOp};
use vauban_engine::policy::Allowed;
use vauban_engine::{Policy, Prefix};

/// A backend that notes what reaches it and does nothing.
#[derive(Clone, Default)]
struct Notebook(Arc<Mutex<Vec<BlockOp>>>);

impl Enforcer for Notebook {
    fn load(&mut self, _: &Policy, _: &Facts) -> Result<(), Trouble> {
        Ok(())
    }
    fn learn(&mut self, _: &Facts, _: &NeverSet) -> Result<(), Trouble> {
        Ok(())
    }
    fn apply(&mut self, batch: &Batch) -> Result<(), Trouble> {
        self.0.lock().unwrap().extend(&batch.ops);
        Ok(())
    }
    fn answering(&mut self, _: Duration) -> Result<(), Trouble> {
        Ok(())
    }
    fn served(&mut self, _: &[Listener]) -> Result<(), Trouble> {
        Ok(())
    }
    fn list(&mut self) -> Result<Vec<Block>, Trouble> {
        Ok(Vec::new())
    }
    fn suspects(&mut self) -> Result<Vec<Block>, Trouble> {
        Ok(Vec::new())
    }
    fn count(&mut self) -> Result<Vec<Counter>, Trouble> {
        Ok(Vec::new())
    }
    fn retire(&mut self, _: &Facts) -> Result<(), Trouble> {
        panic!("no question is a request to retire")
    }
    fn unload(&mut self) -> Result<(), Trouble> {
        panic!("no question is a request to unload")
    }
}

/// Few addresses, so that members and subjects meet: the host's own, gateways, allowed ones, their
/// neighbours, strangers, loopback, multicast, an IPv4 address in IPv6's clothes.
const POOL: [&str; 16] = [
    "192.0.2.1",
    "192.0.2.254",
    "192.0.2.7",
    "198.51.100.9",
    "10.1.2.3",
    "127.0.0.1",
    "0.0.0.0",
    "224.0.0.251",
    "255.255.255.255",
    "::ffff:192.0.2.1",
    "2001:db8:1::1",
    "2001:db8:1::2",
    "2001:db8:5::9",
    "fe80::1",
    "::1",
    "ff02::1",
];

fn address() -> impl Strategy<Value = IpAddr> {
    (0..POOL.len()).prop_map(|index| POOL[index].parse().unwrap())
}

/// Mostly what a child would ask for, and any width besides.
fn subject() -> impl Strategy<Value = Prefix> {
    let width = prop_oneof![3 => Just(128_u8), 2 => Just(64_u8), 1 => Just(32_u8), 3 => 0_u8..=128];
    (address(), width)
        .prop_map(|(addr, len)| Prefix::new(addr, len).unwrap_or_else(|| Prefix::host(addr)))
}

/// Whom operators allow while it runs.
fn granted() -> impl Strategy<Value = Vec<Prefix>> {
    vec(subject(), 0..3)
}

fn facts() -> impl Strategy<Value = Facts> {
    let some = || vec(address(), 0..3);
    (some(), some()).prop_map(|(own, gateways)| Facts { own, gateways, ..Facts::default() })
}

fn op() -> impl Strategy<Value = BlockOp> {
    let remaining = proptest::option::of(any::<u64>().prop_map(Duration::from_nanos));
    prop_oneof![
        4 => (subject(), remaining)
            .prop_map(|(subject, remaining)| BlockOp::Block(Block { subject, remaining })),
        3 => subject().prop_map(BlockOp::Sever),
        1 => subject().prop_map(BlockOp::Unblock),
        1 => subject().prop_map(BlockOp::Pardon),
        1 => Just(BlockOp::Clear),
    ]
}

/// Every member by its own words, not by the code that is tested.
fn members(allow: &[Prefix], facts: &Facts) -> Vec<Prefix> {
    let fixed =
        ["127.0.0.0/8", "::1", "0.0.0.0", "::", "224.0.0.0/4", "255.255.255.255", "ff00::/8"];
    let fixed = fixed.map(|text| text.parse::<Prefix>().unwrap());
    let own = facts.own.iter().chain(&facts.gateways).map(|addr| Prefix::host(*addr));
    fixed.into_iter().chain(allow.iter().copied()).chain(own).collect()
}

/// Whether two prefixes share an address, by their ends: not the way of the code that is tested.
fn share(a: &Prefix, b: &Prefix) -> bool {
    a.addr().is_ipv4() == b.addr().is_ipv4() && a.addr() <= b.last() && b.addr() <= a.last()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_question_blocks_or_cuts_off_a_member(
        allow in vec(subject(), 0..3),
        first in facts(),
        turns in vec(
            (proptest::option::of(facts()), proptest::option::of(granted()), vec(op(), 0..20)),
            1..6,
        ),
    ) {
        let notebook = Notebook::default();
        let mut service = Service::new(Box::new(notebook.clone()));
        let listed = allow.iter().map(|prefix| Allowed { prefix: *prefix, comment: None }).collect();
        let policy = Policy { allow: listed, ..Policy::default() };
        service.handle(Request::Load(Box::new(policy.clone()), first.clone()));
        let mut facts_now = first;
        let mut granted_now = Vec::new();
        for (news, granted, ops) in turns {
            if let Some(facts) = news {
                facts_now = facts.clone();
                prop_assert_eq!(service.handle(Request::Learn(facts)), Reply::Done);
            }
            if let Some(granted) = granted {
                granted_now.clone_from(&granted);
                let ask = Ask::read(&Ask::Allow(granted).write()[4..]).unwrap();
                prop_assert_eq!(service.handle(ask.into_request().unwrap()), Reply::Done);
                // Another program leaves them as they are.
                let again = Request::Load(Box::new(policy.clone()), facts_now.clone());
                prop_assert_eq!(service.handle(again), Reply::Done);
            }
            let mut members_now = members(&allow, &facts_now);
            members_now.extend(&granted_now);
            // The whole way: as bytes, as the parent reads them.
            let sent = Ask::Apply(Batch { ops: ops.clone() }).write();
            let frame = read_frame(&mut sent.as_slice()).unwrap().unwrap();
            let request = Ask::read(&frame).unwrap().into_request().unwrap();
            let reply = service.handle(request);

            let covers = |op: &BlockOp| match op {
                BlockOp::Block(Block { subject, .. }) | BlockOp::Sever(subject) => {
                    members_now.iter().any(|member| share(member, subject))
                }
                _ => false,
            };
            let (bad, good): (Vec<BlockOp>, Vec<BlockOp>) = ops.into_iter().partition(covers);
            // Nothing that covers a member, and all of the rest in its order.
            let reached = std::mem::take(&mut *notebook.0.lock().unwrap());
            prop_assert_eq!(reached, good);
            match reply {
                Reply::Done => prop_assert!(bad.is_empty()),
                Reply::Guarded(refused) => {
                    let refused: Vec<BlockOp> = refused.into_iter().map(|(op, _)| op).collect();
                    prop_assert_eq!(refused, bad);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

/// Even before anything is loaded, and with nothing known of the host.
#[test]
fn what_is_always_a_member_is_one_from_the_start() {
    let notebook = Notebook::default();
    let mut service = Service::new(Box::new(notebook.clone()));
    let subjects = ["127.0.0.1", "::1", "0.0.0.0/0", "::/0", "224.0.0.1", "ff02::1"];
    let ops = subjects.map(|text| BlockOp::Sever(text.parse().unwrap())).to_vec();
    let reply = service.handle(Ask::Apply(Batch { ops }).into_request().unwrap());
    assert!(matches!(reply, Reply::Guarded(refused) if refused.len() == subjects.len()));
    assert!(notebook.0.lock().unwrap().is_empty());
}
