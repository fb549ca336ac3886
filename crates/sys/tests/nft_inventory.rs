//! Chains and sets as the kernel lists them, against what `nft` loaded.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]

mod namespace;

use std::time::Duration;

use namespace::Namespace;
use vauban_sys::nft::{Nft, SetInfo};

const TABLES: &str = "table inet t {
    set plain { type ipv4_addr; }
    set hosts { type ipv6_addr; flags timeout; timeout 90s; size 4096; }
    set pairs { type ipv4_addr . inet_service; flags dynamic, timeout; }
    set nets { type ipv4_addr; flags interval; }
    map ports { type inet_service : verdict; }
    chain in {
        type filter hook input priority 0;
        tcp dport { 22, 23 } drop
        tcp dport vmap @ports
    }
    chain extra { }
}
table inet u {
    set elsewhere { type ipv4_addr; }
    chain other { }
}
table ip t {
    set of_ip { type ipv4_addr; }
    chain of_ip { }
}";

fn sorted<T, K: Ord>(mut list: Vec<T>, key: impl FnMut(&T) -> K) -> Vec<T> {
    list.sort_by_key(key);
    list
}

#[test]
#[ignore = "needs root"]
fn chains_are_those_of_the_table_alone() {
    let _namespace = Namespace::with_ruleset(TABLES);
    let mut nft = Nft::open().unwrap();
    assert_eq!(sorted(nft.chains("t").unwrap(), String::clone), ["extra", "in"]);
    assert_eq!(nft.chains("u").unwrap(), ["other"]);
    assert!(nft.chains("none").unwrap().is_empty());
}

#[test]
#[ignore = "needs root"]
fn sets_are_those_that_were_declared() {
    let _namespace = Namespace::with_ruleset(TABLES);
    let mut nft = Nft::open().unwrap();
    let set = |name: &str, flags, key_type, key_len| SetInfo {
        name: name.into(),
        flags,
        key_type,
        key_len,
        size: None,
        timeout: None,
    };
    let expected = [
        SetInfo {
            size: Some(4096),
            timeout: Some(Duration::from_secs(90)),
            ..set("hosts", SetInfo::TIMEOUT, 8, 16)
        },
        set("nets", SetInfo::INTERVAL, 7, 4),
        set("pairs", SetInfo::DYNAMIC | SetInfo::TIMEOUT, (7 << 6) + 13, 8),
        set("plain", 0, 7, 4),
        set("ports", SetInfo::MAP, 13, 2),
    ];
    assert_eq!(sorted(nft.sets("t").unwrap(), |set| set.name.clone()), expected);
    assert_eq!(nft.sets("u").unwrap(), [set("elsewhere", 0, 7, 4)]);
    assert!(nft.sets("none").unwrap().is_empty());
}
