//! Addresses, gateways and prefixes of a namespace with known ones.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]

mod namespace;

use std::net::IpAddr;

use namespace::{Namespace, run};
use vauban_sys::route::{addresses, default_gateways, on_link_prefixes6};

fn ip(arguments: &str) {
    run("ip", &arguments.split(' ').collect::<Vec<_>>());
}

fn link() -> Namespace {
    let namespace = Namespace::enter();
    ip("link add left type veth peer name right");
    ip("link set left up");
    ip("link set right up");
    ip("addr add 192.0.2.2/24 dev left");
    ip("addr add 2001:db8:1::2/64 dev left nodad");
    namespace
}

fn addrs(texts: &[&str]) -> Vec<IpAddr> {
    let mut addrs: Vec<_> = texts.iter().map(|text| text.parse().unwrap()).collect();
    addrs.sort_unstable();
    addrs
}

#[test]
#[ignore = "needs root"]
fn addresses_are_ours_and_not_the_peers() {
    let _namespace = link();
    ip("addr add 10.9.0.1 peer 10.9.0.2/32 dev left");
    ip("addr add 2001:db8:9::1 peer 2001:db8:9::2/128 dev left nodad");
    let found = addresses().unwrap();
    let has = |addr: &str, length: u8| {
        let addr: IpAddr = addr.parse().unwrap();
        found.iter().any(|a| a.addr == addr && a.prefix_len == length && a.interface > 0)
    };
    assert!(has("127.0.0.1", 8) && has("::1", 128));
    assert!(has("192.0.2.2", 24) && has("2001:db8:1::2", 64));
    assert!(has("10.9.0.1", 32) && has("2001:db8:9::1", 128));
    let peers = addrs(&["10.9.0.2", "2001:db8:9::2"]);
    assert!(found.iter().all(|a| !peers.contains(&a.addr)), "{found:?}");
}

#[test]
#[ignore = "needs root"]
fn gateways_of_every_table_family_and_kind() {
    let _namespace = link();
    assert_eq!(default_gateways().unwrap(), addrs(&[]));
    ip("route add default nexthop via 192.0.2.1 dev left nexthop via 192.0.2.3 dev left weight 2");
    ip("route add default via 192.0.2.1 dev left metric 50"); // the same again
    ip("route add default via 192.0.2.9 table 100");
    ip("route add default via inet6 2001:db8:1::77 dev left table 101");
    ip("route add unreachable default table 102");
    ip("route add default dev left table 103");
    ip("route add 198.51.100.0/24 via 192.0.2.200");
    ip("-6 route add default via 2001:db8:1::1 dev left");
    ip("-6 route add default via fe80::1 dev left table 100");
    ip(
        "-6 route add default table 104 nexthop via 2001:db8:1::3 dev left nexthop via 2001:db8:1::4 dev left",
    );
    assert_eq!(
        default_gateways().unwrap(),
        addrs(&[
            "192.0.2.1",
            "192.0.2.3",
            "192.0.2.9",
            "2001:db8:1::77",
            "2001:db8:1::1",
            "fe80::1",
            "2001:db8:1::3",
            "2001:db8:1::4",
        ])
    );
}

#[test]
#[ignore = "needs root"]
fn gateways_of_next_hop_objects() {
    let _namespace = link();
    ip("nexthop add id 1 via 192.0.2.1 dev left");
    ip("nexthop add id 2 via 192.0.2.3 dev left");
    ip("nexthop add id 10 group 1/2");
    ip("route add default nhid 10");
    assert_eq!(default_gateways().unwrap(), addrs(&["192.0.2.1", "192.0.2.3"]));
}

#[test]
#[ignore = "needs root"]
fn prefixes_on_the_link() {
    let _namespace = link();
    ip("-6 route add 2001:db8:2::/48 dev left");
    ip("-6 route add 2001:db8:3::/48 via 2001:db8:1::1 dev left");
    ip("-6 route add unreachable 2001:db8:4::/48");
    ip("-6 route add 2001:db8:5::5/128 dev left");
    ip("-6 route add default dev left table 100");
    let prefix = |addr: &str, length: u8| (addr.parse().unwrap(), length);
    assert_eq!(
        on_link_prefixes6().unwrap(),
        [prefix("2001:db8:1::", 64), prefix("2001:db8:2::", 48), prefix("fe80::", 64)]
    );
}
