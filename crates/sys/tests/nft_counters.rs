//! Named counters, read while the kernel counts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]

mod namespace;

use std::net::UdpSocket;

use namespace::{Namespace, nft};
use vauban_sys::nft::{Counter, Nft};

#[test]
#[ignore = "needs root"]
fn counters_count_what_their_rule_met() {
    let _namespace = Namespace::with_ruleset(
        "table inet t {
            counter hits { }
            counter misses { }
            limit brake { rate 1/second; }
            chain in {
                type filter hook input priority 0;
                udp dport 9 counter name hits drop
                udp dport 10 counter name misses drop
            }
        }
        table inet u {
            counter elsewhere { }
        }",
    );
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..3 {
        socket.send_to(b"abcd", "127.0.0.1:9").unwrap();
    }
    let mut nft = Nft::open().unwrap();
    let mut counters = nft.counters("t").unwrap();
    counters.sort_by(|a, b| a.name.cmp(&b.name));
    // IPv4 header 20, UDP header 8, payload 4.
    let hits = Counter { name: "hits".into(), packets: 3, bytes: 3 * 32 };
    let misses = Counter { name: "misses".into(), packets: 0, bytes: 0 };
    assert_eq!(counters, [hits, misses]);
}

#[test]
#[ignore = "needs root"]
fn a_table_without_counters_is_not_an_absent_table() {
    let _namespace = Namespace::enter();
    nft("table inet t { }");
    let mut nft = Nft::open().unwrap();
    assert_eq!(nft.counters("t").unwrap(), []);
    assert_eq!(nft.counters("none").unwrap_err().raw_os_error(), Some(libc::ENOENT));
}
