//! The rendered program against `tests/golden/*.nft`. `BLESS=1 cargo test` rewrites them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use vauban_enforce::program::render;
use vauban_engine::event::Facts;
use vauban_engine::policy::{Allowed, Enforcement, Unproven};
use vauban_engine::zone::{Mode, Zone, Zones};
use vauban_engine::{Policy, Port};

fn host() -> Facts {
    Facts {
        own: vec!["192.0.2.1".parse().unwrap(), "2001:db8:1::1".parse().unwrap()],
        gateways: vec!["192.0.2.254".parse().unwrap(), "fe80::1".parse().unwrap()],
        on_link: vec!["2001:db8:1::/64".parse().unwrap()],
        ..Facts::default()
    }
}

fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{} differs; BLESS=1 rewrites it", path.display());
}

#[test]
fn defaults() {
    check("defaults.nft", &render(&Policy::default(), &host()));
}

#[test]
fn dry_run() {
    let policy = Policy { enforcement: Enforcement::DryRun, ..Policy::default() };
    let text = render(&policy, &host());
    assert!(!text.lines().any(|line| line.ends_with("drop")), "a dry run drops");
    check("dry-run.nft", &text);
}

#[test]
fn silence_instead_of_decoys() {
    let drop = Policy { unproven: Unproven::Drop, ..Policy::default() };
    let ban = Policy { unproven: Unproven::Ban, ..Policy::default() };
    let text = render(&drop, &host());
    assert_eq!(text, render(&ban, &host()), "who is banned is not the kernel's decision");
    check("drop.nft", &text);
}

#[test]
fn everything_configured() {
    let mut policy = Policy::default();
    policy.trigger.ports = 5;
    policy.trigger.window = Duration::from_secs(7);
    policy.trigger.suspect = Duration::from_secs(90);
    policy.traps = vec![Port::udp(1900)];
    policy.served = vec![Port::tcp(7000)];
    policy.kernel.group = 7;
    policy.kernel.copies_per_second = 100;
    policy.kernel.sources = 64;
    policy.kernel.bans = 256;
    policy.decoy.exclude.ports = vec![Port::tcp(8080), Port::udp(7000)];
    policy.decoy.exclude.sources =
        ["203.0.113.0/24", "2001:db8:9::/48"].map(|text| text.parse().unwrap()).to_vec();
    policy.decoy.per_second = 500;
    policy.decoy.per_network = 400;
    policy.decoy.per_source = 300;
    let allow = ["10.0.0.0/8", "10.1.0.0/16", "2001:db8:5::9", "198.51.100.7"];
    policy.allow =
        allow.map(|text| Allowed { prefix: text.parse().unwrap(), comment: None }).to_vec();
    check("configured.nft", &render(&policy, &host()));
}

fn zone(name: &str, mode: Mode, interfaces: &[&str]) -> Zone {
    Zone {
        name: name.parse().unwrap(),
        mode,
        interfaces: interfaces.iter().map(|text| text.parse().unwrap()).collect(),
        comment: None,
    }
}

#[test]
fn zones() {
    let zones = Zones(vec![
        zone("cams", Mode::Ignore, &["eth2", "vlan3*"]),
        zone("lan", Mode::Watch, &["eth1", "br-*", "my+nic.7"]),
        zone("uplink-2", Mode::Protect, &["br-uplink", "vlan30*"]),
    ]);
    let mut policy = Policy { zones, ..Policy::default() };
    check("zones.nft", &render(&policy, &host()));
    policy.zones.0.push(zone("wan", Mode::Watch, &[]));
    policy.enforcement = Enforcement::DryRun;
    let text = render(&policy, &host());
    assert!(!text.lines().any(|line| line.ends_with("drop")), "a dry run drops");
    check("zones-dry-run.nft", &text);
}

#[test]
fn zones_that_change_nothing_cost_nothing() {
    let zones = Zones(vec![zone("wan", Mode::Protect, &["eth0"])]);
    let policy = Policy { zones, ..Policy::default() };
    assert_eq!(render(&policy, &host()), render(&Policy::default(), &host()));
}

#[test]
fn no_trap_and_nothing_served() {
    let policy = Policy { traps: Vec::new(), served: Vec::new(), ..Policy::default() };
    check("empty-sets.nft", &render(&policy, &Facts::default()));
}
