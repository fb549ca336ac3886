//! The three kinds of key that sources are known by, each with sets and chains of its own.

use std::net::IpAddr;

use vauban_engine::Prefix;

/// A kind of key. The kernel program has one lane of sets and chains for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// An IPv4 address.
    V4,
    /// An IPv6 /64.
    V6,
    /// One IPv6 address, in a /64 that is shared or protected.
    V6Exact,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V4, Self::V6, Self::V6Exact];

    /// What its sets' and chains' names end in.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::V4 => "4",
            Self::V6 => "6",
            Self::V6Exact => "6x",
        }
    }

    /// The expression that yields a packet's key.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::V4 => "ip saddr",
            Self::V6 => "ip6 saddr & ffff:ffff:ffff:ffff::",
            Self::V6Exact => "ip6 saddr",
        }
    }

    /// The address family's digit, for sets that know sources by their whole address.
    pub(super) const fn family(self) -> &'static str {
        match self {
            Self::V4 => "4",
            Self::V6 | Self::V6Exact => "6",
        }
    }

    /// A packet's source, as a whole address.
    pub(super) const fn source(self) -> &'static str {
        match self {
            Self::V4 => "ip saddr",
            Self::V6 | Self::V6Exact => "ip6 saddr",
        }
    }

    /// The key of a packet's destination.
    pub(super) const fn peer(self) -> &'static str {
        match self {
            Self::V4 => "ip daddr",
            Self::V6 => "ip6 daddr & ffff:ffff:ffff:ffff::",
            Self::V6Exact => "ip6 daddr",
        }
    }

    /// The network that a source shares with its neighbours: what a provider gives to one site at
    /// most (RFC 6177), or a class C of old.
    pub(super) const fn network(self) -> &'static str {
        match self {
            Self::V4 => "ip saddr & 255.255.255.0",
            Self::V6 | Self::V6Exact => "ip6 saddr & ffff:ffff:ffff::",
        }
    }

    /// The key's nftables type.
    #[must_use]
    pub const fn key_type(self) -> &'static str {
        match self {
            Self::V4 => "ipv4_addr",
            Self::V6 | Self::V6Exact => "ipv6_addr",
        }
    }

    /// The lane of a subject, and its key's bytes in network order. `None` for prefixes that are
    /// no key.
    #[must_use]
    pub fn of(subject: &Prefix) -> Option<(Self, Vec<u8>)> {
        match (subject.addr(), subject.len()) {
            (IpAddr::V4(addr), 32) => Some((Self::V4, addr.octets().to_vec())),
            (IpAddr::V6(addr), 64) => Some((Self::V6, addr.octets().to_vec())),
            (IpAddr::V6(addr), 128) => Some((Self::V6Exact, addr.octets().to_vec())),
            _ => None,
        }
    }

    /// The subject whose key these bytes are. `None` when they are no key of this lane.
    #[must_use]
    pub fn subject(self, key: &[u8]) -> Option<Prefix> {
        match self {
            Self::V4 => Prefix::new(IpAddr::from(<[u8; 4]>::try_from(key).ok()?), 32),
            Self::V6 => Prefix::new(IpAddr::from(<[u8; 16]>::try_from(key).ok()?), 64),
            Self::V6Exact => Some(Prefix::host(IpAddr::from(<[u8; 16]>::try_from(key).ok()?))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_finds_its_lane_and_back() {
        for (text, lane) in
            [("192.0.2.1", Lane::V4), ("2001:db8::/64", Lane::V6), ("fe80::1", Lane::V6Exact)]
        {
            let subject: Prefix = text.parse().unwrap();
            let (found, key) = Lane::of(&subject).unwrap();
            assert_eq!(found, lane);
            assert_eq!(lane.subject(&key), Some(subject));
        }
        assert_eq!(Lane::of(&"10.0.0.0/8".parse().unwrap()), None);
        assert_eq!(Lane::V4.subject(&[1, 2, 3]), None);
    }
}
