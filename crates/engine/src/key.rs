//! By what a source is known: one IPv4 address, or the IPv6 /64 that one subscriber has.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use crate::event::Facts;
use crate::net::Prefix;
use crate::never::NeverSet;

/// Decides whether an IPv6 source is its /64 or its one address.
///
/// An attacker owns at least a /64 (RFC 6177), so that is the key, except where a /64 is shared
/// with strangers or with ourselves: link-local, on a link of this host, behind a NAT64 (RFC
/// 6052), or with a member of the never-ban set in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keying {
    exact: Vec<Prefix>,
}

impl Keying {
    /// From what is known of this host.
    #[must_use]
    pub fn new(facts: &Facts, never: &NeverSet) -> Self {
        let well_known = [
            (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10), // link-local, RFC 4291
            (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96), // NAT64, RFC 6052
            (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48), // local NAT64, RFC 8215
        ];
        let mut exact: Vec<Prefix> = well_known
            .into_iter()
            .filter_map(|(addr, len)| Prefix::new(IpAddr::V6(addr), len))
            .chain(facts.on_link.iter().copied().filter(|p| p.addr().is_ipv6()))
            .chain(never.members().iter().map(|member| member.prefix))
            .filter(|prefix| prefix.addr().is_ipv6())
            // A shared /96 or a protected /128 makes its whole /64 one to look at closely.
            .filter_map(|prefix| Prefix::new(prefix.addr(), prefix.len().min(64)))
            .collect();
        exact.sort_unstable();
        exact.dedup();
        Self { exact }
    }

    /// What a ban of `addr` covers, and what its probes are counted under.
    #[must_use]
    pub fn subject(&self, addr: IpAddr) -> Prefix {
        let host = Prefix::host(addr);
        if host.addr().is_ipv4() || self.is_exact(&host) {
            host
        } else {
            Prefix::new(host.addr(), 64).unwrap_or(host)
        }
    }

    /// The IPv6 prefixes, each a /64 or wider, in which every address stands for itself.
    #[must_use]
    pub fn exact(&self) -> &[Prefix] {
        &self.exact
    }

    fn is_exact(&self, host: &Prefix) -> bool {
        self.exact.iter().any(|prefix| prefix.covers(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Allowed;
    use std::string::ToString;
    use std::vec;

    #[test]
    fn a_source_is_its_address_or_its_64() {
        let facts = Facts {
            on_link: vec!["2001:db8:1::/64".parse().unwrap()],
            own: vec!["2001:db8:7::7".parse().unwrap()],
            ..Facts::default()
        };
        let allow = [Allowed { prefix: "2001:db8:5:5::9".parse().unwrap(), comment: None }];
        let keying = Keying::new(&facts, &NeverSet::new(&allow, &facts));
        for (addr, subject) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:2::1", "2001:db8:2::/64"),
            ("fe80::1", "fe80::1"),
            ("64:ff9b::c000:201", "64:ff9b::c000:201"),
            ("2001:db8:1::5", "2001:db8:1::5"),
            ("2001:db8:5:5::1", "2001:db8:5:5::1"),
            ("2001:db8:5:6::1", "2001:db8:5:6::/64"),
            ("2001:db8:7::1", "2001:db8:7::1"),
        ] {
            assert_eq!(keying.subject(addr.parse().unwrap()).to_string(), subject, "{addr}");
        }
    }
}
