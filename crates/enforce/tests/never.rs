//! No sequence of events yields a block that covers a member of the never-ban set.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use vauban_enforce::backends::{EnforcerKind, build};
use vauban_enforce::guard::Guard;
use vauban_enforce::{Reply, Request, Service};
use vauban_engine::event::{Checksum, Command, Event, EventKind, Facts, Probe, Stage};
use vauban_engine::flags::TcpFlags;
use vauban_engine::never::NeverSet;
use vauban_engine::output::{Batch, Block, BlockOp, Output};
use vauban_engine::policy::Allowed;
use vauban_engine::{Engine, Policy, Port, Prefix, Timestamp};

/// Few addresses, so that they meet: strangers, own, gateways, allowed, neighbours of those in
/// the same /64, loopback, mapped.
const POOL: [&str; 14] = [
    "192.0.2.1",
    "192.0.2.254",
    "192.0.2.7",
    "198.51.100.9",
    "10.1.2.3",
    "127.0.0.1",
    "2001:db8:1::1",
    "2001:db8:1::2",
    "2001:db8:5::9",
    "2001:db8:5::8",
    "2001:db8:9::1",
    "fe80::1",
    "::ffff:192.0.2.1",
    "255.255.255.255",
];

fn address() -> impl Strategy<Value = IpAddr> {
    (0..POOL.len()).prop_map(|index| POOL[index].parse().unwrap())
}

fn prefix() -> impl Strategy<Value = Prefix> {
    (address(), 0_u8..=128)
        .prop_map(|(addr, len)| Prefix::new(addr, len).unwrap_or_else(|| Prefix::host(addr)))
}

fn facts() -> impl Strategy<Value = Facts> {
    let some = || proptest::collection::vec(address(), 0..3);
    (some(), some(), proptest::collection::vec(prefix(), 0..2))
        .prop_map(|(own, gateways, on_link)| Facts { own, gateways, on_link, ..Facts::default() })
}

fn probe() -> impl Strategy<Value = EventKind> {
    let stage = prop_oneof![
        Just(None),
        Just(Some(Stage::Below)),
        Just(Some(Stage::Trigger)),
        Just(Some(Stage::Suspect)),
    ];
    (address(), 20_u16..26, any::<u8>(), any::<bool>(), stage).prop_map(
        |(source, port, flags, udp, stage)| {
            EventKind::Probe(Probe {
                source,
                destination: "192.0.2.1".parse().unwrap(),
                source_port: 40_000,
                port: if udp { Port::udp(port) } else { Port::tcp(port) },
                flags: TcpFlags(flags),
                checksum: Checksum::Good,
                stage,
                decoy: false,
                zone: None,
                bytes: Vec::new(),
            })
        },
    )
}

fn event() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        8 => probe(),
        2 => (prefix(), 1_u64..1000).prop_map(|(subject, seconds)| {
            EventKind::Command(Command::Ban {
                subject,
                length: Some(Duration::from_secs(seconds).into()),
                reason: String::new(),
            })
        }),
        1 => address().prop_map(|addr| EventKind::Command(Command::Unban(addr))),
        2 => facts().prop_map(EventKind::Facts),
        1 => proptest::collection::vec(prefix(), 0..4).prop_map(|subjects| {
            let block = |subject| Block { subject, remaining: None };
            EventKind::Held(subjects.into_iter().map(block).collect())
        }),
    ]
}

fn policy() -> Policy {
    let allow = |text: &str| Allowed { prefix: text.parse().unwrap(), comment: None };
    Policy { allow: vec![allow("10.0.0.0/8"), allow("2001:db8:5::9")], ..Policy::default() }
}

fn held(service: &mut Service) -> Vec<Block> {
    match service.handle(Request::List) {
        Reply::Held(blocks) => blocks,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn no_events_yield_a_block_on_a_protected_address(
        events in proptest::collection::vec((0_u64..200, event()), 1..80)
    ) {
        let policy = policy();
        let mut engine = Engine::new(policy.clone());
        let mut service = Service::new(build(EnforcerKind::Memory).unwrap());
        service.handle(Request::Load(Box::new(policy.clone()), Facts::default()));
        let mut known = Facts::default();
        let mut now = Timestamp::from_secs(1_000_000);
        for (pause, kind) in events {
            now = now.plus(Duration::from_secs(pause));
            if let EventKind::Facts(facts) = &kind {
                known = facts.clone();
                service.handle(Request::Learn(known.clone()));
            }
            engine.handle(Event { at: now, kind });
            while let Some(output) = engine.poll_output() {
                if let Output::Apply(batch) = output {
                    let reply = service.handle(Request::Apply(batch));
                    // The gate must have seen it already: the guard never has work to do.
                    prop_assert_eq!(reply, Reply::Done);
                }
            }
            let never = NeverSet::new(&policy.allow, &known);
            for block in held(&mut service) {
                prop_assert!(never.hit(&block.subject).is_none(), "{}", block.subject);
            }
        }
    }

    #[test]
    fn the_guard_trusts_nobody(
        facts in facts(),
        subjects in proptest::collection::vec(prefix(), 0..20)
    ) {
        let policy = policy();
        let guard = Guard::new(&policy.allow, &facts);
        let block = |subject: &Prefix| BlockOp::Block(Block { subject: *subject, remaining: None });
        let batch = Batch { ops: subjects.iter().map(block).collect() };
        let (passed, refused) = guard.sift(batch);
        prop_assert_eq!(passed.ops.len() + refused.len(), subjects.len());
        let never = NeverSet::new(&policy.allow, &facts);
        for op in &passed.ops {
            let subject = op.subject().unwrap();
            prop_assert!(never.members().iter().all(|member| !member.prefix.overlaps(&subject)));
        }
    }
}

#[test]
fn a_guarded_block_is_named_and_the_rest_is_applied() {
    let mut service = Service::new(build(EnforcerKind::Memory).unwrap());
    let facts = Facts { gateways: vec!["192.0.2.254".parse().unwrap()], ..Facts::default() };
    service.handle(Request::Load(Box::new(policy()), facts));
    let block =
        |text: &str| BlockOp::Block(Block { subject: text.parse().unwrap(), remaining: None });
    let batch = Batch { ops: vec![block("192.0.2.254"), block("198.51.100.9")] };
    match service.handle(Request::Apply(batch)) {
        Reply::Guarded(refused) => assert_eq!(refused.len(), 1),
        other => panic!("{other:?}"),
    }
    let subjects: Vec<String> =
        held(&mut service).iter().map(|block| block.subject.to_string()).collect();
    assert_eq!(subjects, ["198.51.100.9"]);
}
