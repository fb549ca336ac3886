//! What every enforcer must do, run with each of them. nftables needs root.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "tests fail by panicking"
)]

use std::process::Command;
use std::time::Duration;

use vauban_enforce::backends::{EnforcerKind, build};
use vauban_enforce::{Reply, Request, Service};
use vauban_engine::event::Facts;
use vauban_engine::output::{Batch, Block, BlockOp};
use vauban_engine::policy::Allowed;
use vauban_engine::zone::{Mode, Pattern, Zone, Zones};
use vauban_engine::{Policy, Prefix};

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn block(text: &str, seconds: u64) -> BlockOp {
    let remaining = (seconds > 0).then(|| Duration::from_secs(seconds));
    BlockOp::Block(Block { subject: prefix(text), remaining })
}

fn apply(service: &mut Service, ops: Vec<BlockOp>) -> Reply {
    service.handle(Request::Apply(Batch { ops }))
}

fn held(service: &mut Service) -> Vec<(String, Option<u64>)> {
    let Reply::Held(blocks) = service.handle(Request::List) else { panic!("no list") };
    let mut held: Vec<_> = blocks
        .iter()
        .map(|block| {
            // The kernel's clock runs while we look.
            let left = block.remaining.map(|left| (left + Duration::from_millis(500)).as_secs());
            (block.subject.to_string(), left)
        })
        .collect();
    held.sort();
    held
}

fn contract(kind: EnforcerKind) {
    let mut service = Service::new(build(kind).unwrap());
    let policy = Policy {
        allow: vec![Allowed { prefix: prefix("203.0.113.0/24"), comment: None }],
        ..Policy::default()
    };
    let load = || Request::Load(Box::new(policy.clone()), Facts::default());

    // Nothing is there yet: it says so, and taking it away is no error.
    assert_eq!(service.handle(Request::Unload), Reply::Done);
    assert_eq!(service.handle(Request::List), Reply::Lost);
    assert_eq!(apply(&mut service, vec![block("192.0.2.1", 60)]), Reply::Lost);

    assert_eq!(service.handle(load()), Reply::Done);
    assert_eq!(held(&mut service), []);

    // Each kind of key; without end too.
    let ops = vec![
        block("192.0.2.1", 100),
        block("2001:db8:2::/64", 200),
        block("fe80::7", 300),
        block("192.0.2.2", 0),
    ];
    assert_eq!(apply(&mut service, ops), Reply::Done);
    let expected = [
        ("192.0.2.1".to_owned(), Some(100)),
        ("192.0.2.2".to_owned(), None),
        ("2001:db8:2::/64".to_owned(), Some(200)),
        ("fe80::7".to_owned(), Some(300)),
    ];
    assert_eq!(held(&mut service), expected);

    // A new time needs the old block gone first; both in one batch.
    let ops = vec![BlockOp::Unblock(prefix("192.0.2.1")), block("192.0.2.1", 500)];
    assert_eq!(apply(&mut service, ops), Reply::Done);
    assert_eq!(held(&mut service)[0], ("192.0.2.1".to_owned(), Some(500)));

    // Unblocking and pardoning what is not there is no error.
    let ops = ["192.0.2.1", "192.0.2.2", "192.0.2.99", "2001:db8:2::/64"]
        .map(|text| BlockOp::Unblock(prefix(text)))
        .into_iter()
        .chain(["192.0.2.98", "2001:db8:9::/64"].map(|text| BlockOp::Pardon(prefix(text))))
        .collect();
    assert_eq!(apply(&mut service, ops), Reply::Done);
    assert_eq!(held(&mut service), [("fe80::7".to_owned(), Some(300))]);

    // The guard: a protected address is refused and named, the rest of the batch is done.
    let ops = vec![block("203.0.113.5", 60), block("127.0.0.1", 60), block("192.0.2.5", 60)];
    let Reply::Guarded(refused) = apply(&mut service, ops) else { panic!("not guarded") };
    assert_eq!(refused.len(), 2);
    assert_eq!(held(&mut service).len(), 2);

    // New facts keep the blocks, and guard from now on.
    let facts = Facts { gateways: vec!["192.0.2.200".parse().unwrap()], ..Facts::default() };
    assert_eq!(service.handle(Request::Learn(facts)), Reply::Done);
    assert_eq!(held(&mut service).len(), 2);
    assert!(matches!(apply(&mut service, vec![block("192.0.2.200", 60)]), Reply::Guarded(_)));

    // Whom an operator allows while it runs: guarded through other facts and another program, until
    // it is taken back. What is held stays for the ledger to lift.
    let granted = vec![prefix("192.0.2.32/27"), prefix("2001:db8:3::3")];
    assert_eq!(service.handle(Request::Allow(granted)), Reply::Done);
    for request in [Request::Learn(Facts::default()), load()] {
        let ops = vec![block("192.0.2.33", 60), block("2001:db8:3::/64", 60)];
        let Reply::Guarded(refused) = apply(&mut service, ops) else { panic!("not guarded") };
        assert_eq!(refused.len(), 2);
        assert_eq!(service.handle(request), Reply::Done);
    }
    assert!(matches!(apply(&mut service, vec![block("192.0.2.33", 60)]), Reply::Guarded(_)));
    assert_eq!(service.handle(Request::Allow(Vec::new())), Reply::Done);
    assert_eq!(apply(&mut service, vec![block("192.0.2.33", 60)]), Reply::Done);
    let ops = vec![BlockOp::Unblock(prefix("192.0.2.33"))];
    assert_eq!(apply(&mut service, ops), Reply::Done);
    assert_eq!(held(&mut service).len(), 2);

    // Many at once.
    let many = (0..5_000_u32).map(|n| {
        let addr = std::net::Ipv4Addr::from(0x0a00_0000 + n);
        BlockOp::Block(Block {
            subject: Prefix::host(addr.into()),
            remaining: Some(Duration::from_secs(1_000)),
        })
    });
    assert_eq!(apply(&mut service, many.collect()), Reply::Done);
    assert_eq!(held(&mut service).len(), 5_002);

    // Another program takes the blocks over: the same one, and one whose sets have other sizes and
    // times.
    let before = held(&mut service);
    assert_eq!(service.handle(load()), Reply::Done);
    assert_eq!(held(&mut service), before);
    let mut other = policy.clone();
    other.kernel.bans += 1_000;
    other.kernel.sources *= 2;
    other.trigger.suspect *= 2;
    other.trigger.ports += 1;
    other.kernel.copies_per_second += 1;
    other.allow.clear();
    assert_eq!(service.handle(Request::Load(Box::new(other), Facts::default())), Reply::Done);
    assert_eq!(held(&mut service), before);
    assert_eq!(apply(&mut service, vec![block("203.0.113.5", 60)]), Reply::Done, "allowed no more");
    assert!(matches!(service.handle(Request::Count), Reply::Counted(_)));
    assert_eq!(service.handle(Request::Unload), Reply::Done);
    assert_eq!(service.handle(Request::Unload), Reply::Done);
    assert_eq!(service.handle(Request::Count), Reply::Lost);
}

#[test]
fn memory() {
    contract(EnforcerKind::Memory);
}

/// A namespace that goes with its test.
struct Namespace(String);

impl Namespace {
    fn new(name: &str) -> Self {
        let name = format!("vauban-contract-{}-{name}", std::process::id());
        let status = Command::new("ip").args(["netns", "add", &name]).status();
        assert!(status.expect("apt install iproute2").success(), "ip netns add: root needed");
        vauban_sys::netns::enter(&std::path::Path::new("/run/netns").join(&name)).unwrap();
        Self(name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

#[test]
#[ignore = "needs root"]
fn nftables() {
    let _namespace = Namespace::new("all");
    contract(EnforcerKind::Nftables);
}

#[test]
#[ignore = "needs root"]
fn a_program_that_somebody_changed_is_lost() {
    let _namespace = Namespace::new("changed");
    let mut service = Service::new(build(EnforcerKind::Nftables).unwrap());
    let load = || Request::Load(Box::default(), Facts::default());
    for line in [
        "flush ruleset",
        "flush table inet vauban",
        "delete table inet vauban",
        "flush chain inet vauban opening",
        "add rule inet vauban input accept",
        "flush set inet vauban never4",
        "flush set inet vauban traps",
        "delete element inet vauban served { udp . 68 }",
        "delete table inet vauban ; add table inet vauban",
    ] {
        assert_eq!(service.handle(load()), Reply::Done);
        assert_eq!(held(&mut service), []);
        let status = Command::new("nft").arg(line).status().unwrap();
        assert!(status.success(), "{line}");
        assert_eq!(service.handle(Request::List), Reply::Lost, "{line}");
        assert_eq!(service.handle(Request::Count), Reply::Lost, "{line}");
    }
    assert_eq!(service.handle(load()), Reply::Done);
    assert_eq!(held(&mut service), []);
}

#[test]
#[ignore = "needs root"]
fn a_pardon_forgets_suspicion_and_ports() {
    let _namespace = Namespace::new("pardon");
    let mut service = Service::new(build(EnforcerKind::Nftables).unwrap());
    service.handle(Request::Load(Box::default(), Facts::default()));
    let nft = |text: &str| {
        let output = Command::new("nft").args(text.split(' ')).output().unwrap();
        assert!(output.status.success(), "{text}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let fill = || {
        for addr in ["192.0.2.1", "192.0.2.2"] {
            nft(&format!("add element inet vauban suspect4 {{ {addr} }}"));
            nft(&format!("add element inet vauban slot1_4 {{ {addr} }}"));
            nft(&format!("add element inet vauban port1_4 {{ {addr} . tcp . 81 }}"));
        }
    };
    fill();
    let Reply::Suspects(suspects) = service.handle(Request::Suspects) else { panic!() };
    assert_eq!(suspects.len(), 2);
    assert_eq!(apply(&mut service, vec![BlockOp::Pardon(prefix("192.0.2.1"))]), Reply::Done);
    for set in ["suspect4", "slot1_4", "port1_4"] {
        let text = nft(&format!("list set inet vauban {set}"));
        assert!(text.contains("192.0.2.2") && !text.contains("192.0.2.1 "), "{text}");
    }
    assert_eq!(apply(&mut service, vec![BlockOp::Clear]), Reply::Done);
    for set in ["suspect4", "slot1_4", "port1_4"] {
        let text = nft(&format!("list set inet vauban {set}"));
        assert!(!text.contains("elements"), "{text}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_full_set_can_be_emptied() {
    let _namespace = Namespace::new("full");
    let mut policy = Policy::default();
    (policy.kernel.sources, policy.kernel.bans) = (16, 16);
    let mut service = Service::new(build(EnforcerKind::Nftables).unwrap());
    service.handle(Request::Load(Box::new(policy), Facts::default()));
    for last in 0..16 {
        for set in ["suspect4", "slot1_4"] {
            let element = format!("{{ 192.0.2.{last} }}");
            let status = Command::new("nft")
                .args(["add", "element", "inet", "vauban", set, &element])
                .status();
            assert!(status.unwrap().success());
        }
        let ops = vec![block(&format!("192.0.2.{last}"), 100)];
        assert_eq!(apply(&mut service, ops), Reply::Done);
    }
    for subject in ["192.0.2.3", "192.0.2.99"].map(prefix) {
        let ops = vec![BlockOp::Unblock(subject), BlockOp::Pardon(subject)];
        assert_eq!(apply(&mut service, ops), Reply::Done);
    }
    assert_eq!(held(&mut service).len(), 15);
    let Reply::Suspects(suspects) = service.handle(Request::Suspects) else { panic!() };
    assert_eq!(suspects.len(), 15);
}

#[test]
#[ignore = "needs root"]
fn every_block_in_the_kernel_has_a_timeout() {
    let _namespace = Namespace::new("timeout");
    let mut service = Service::new(build(EnforcerKind::Nftables).unwrap());
    service.handle(Request::Load(Box::default(), Facts::default()));
    let ops = vec![block("192.0.2.1", 0), block("2001:db8:2::/64", 0), block("fe80::1", 7)];
    assert_eq!(apply(&mut service, ops), Reply::Done);
    for set in ["banned4", "banned6", "banned6x"] {
        let output =
            Command::new("nft").args(["list", "set", "inet", "vauban", set]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("expires"), "{text}");
    }
}

/// Whatever a zone and an interface may be called: nft takes it, in a map and as a pattern.
#[test]
#[ignore = "needs root"]
fn every_name_that_zones_take_is_loaded() {
    let _namespace = Namespace::new("zones");
    let mut service = Service::new(build(EnforcerKind::Nftables).unwrap());
    let odd: Vec<char> =
        ('!'..='~').filter(|c| format!("a{c}b").parse::<Pattern>().is_ok()).collect();
    assert!(odd.len() > 80, "{odd:?}");
    let all = |form: fn(char) -> String| odd.iter().map(|c| form(*c).parse().unwrap()).collect();
    let zones: [(&str, Mode, Vec<Pattern>); 5] = [
        ("-a", Mode::Watch, all(|c| format!("a{c}b"))),
        ("0", Mode::Ignore, all(|c| format!("{c}c*"))),
        ("_", Mode::Protect, all(|c| format!("d{c}*"))),
        ("0123456789abcdef", Mode::Watch, all(|c| format!("{c}bcdefghijklmn*"))),
        ("wan", Mode::Ignore, all(|c| format!("{c}bcdefghijklmno*"))),
    ];
    let zones = zones.map(|(name, mode, interfaces)| Zone {
        name: name.parse().unwrap(),
        mode,
        interfaces,
        comment: None,
    });
    let with = Policy { zones: Zones(zones.to_vec()), ..Policy::default() };
    // One after the other, as reloads do.
    for policy in [Policy::default(), with.clone(), Policy::default(), with] {
        let load = Request::Load(Box::new(policy), Facts::default());
        assert_eq!(service.handle(load), Reply::Done);
        assert_eq!(held(&mut service), []);
    }
    assert_eq!(service.handle(Request::Retire(Facts::default())), Reply::Done);
}
