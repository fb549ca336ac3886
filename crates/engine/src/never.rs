//! The never-ban set: addresses that no ban may cover, each with the fact that put it there.
//!
//! It is asked three times: by the gate before a decision becomes a ban, by the enforcer before a
//! block reaches the kernel, and by the kernel program before a ban set may drop.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::event::Facts;
use crate::net::Prefix;
use crate::policy::Allowed;

/// One member and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The addresses.
    pub prefix: Prefix,
    /// The fact that makes them members.
    pub because: Because,
}

/// Why an address may not be banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// It never leaves a host (127.0.0.0/8, `::1`).
    Loopback,
    /// It is no single host's: unspecified, multicast or broadcast.
    NoHost,
    /// It is one of this host's own.
    Own,
    /// This host's packets leave through it.
    Gateway,
    /// The operator allowed it in the configuration.
    Allowed(Option<String>),
    /// The operator allowed it while it runs; his words, empty if he gave none.
    Granted(String),
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => f.write_str("loopback"),
            Self::NoHost => f.write_str("not the address of one host"),
            Self::Own => f.write_str("this host's own address"),
            Self::Gateway => f.write_str("default gateway"),
            Self::Allowed(None) => f.write_str("in the allow-list"),
            Self::Allowed(Some(comment)) => write!(f, "in the allow-list: {comment}"),
            Self::Granted(comment) if comment.is_empty() => f.write_str("allowed by the operator"),
            Self::Granted(comment) => write!(f, "allowed by the operator: {comment}"),
        }
    }
}

/// The whole set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NeverSet {
    members: Vec<Member>,
}

impl NeverSet {
    /// From the operator's list and what is known of this host.
    #[must_use]
    pub fn new(allow: &[Allowed], facts: &Facts) -> Self {
        let fixed = [
            (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8, Because::Loopback),
            (IpAddr::V6(Ipv6Addr::LOCALHOST), 128, Because::Loopback),
            (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 32, Because::NoHost),
            (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 4, Because::NoHost),
            (IpAddr::V4(Ipv4Addr::BROADCAST), 32, Because::NoHost),
            (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 128, Because::NoHost),
            (IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8, Because::NoHost),
        ];
        let mut members: Vec<Member> = fixed
            .into_iter()
            .filter_map(|(addr, len, because)| {
                Some(Member { prefix: Prefix::new(addr, len)?, because })
            })
            .collect();
        let hosts = |addrs: &[IpAddr], because: Because| -> Vec<Member> {
            addrs
                .iter()
                .map(|addr| Member { prefix: Prefix::host(*addr), because: because.clone() })
                .collect()
        };
        members.extend(hosts(&facts.own, Because::Own));
        members.extend(hosts(&facts.gateways, Because::Gateway));
        members.extend(allow.iter().map(|allowed| Member {
            prefix: allowed.prefix,
            because: Because::Allowed(allowed.comment.clone()),
        }));
        Self { members }
    }

    /// The same with these allowed besides, each with the operator's words.
    #[must_use]
    pub fn with_granted(mut self, granted: impl IntoIterator<Item = (Prefix, String)>) -> Self {
        let member = |(prefix, comment)| Member { prefix, because: Because::Granted(comment) };
        self.members.extend(granted.into_iter().map(member));
        self
    }

    /// Every member.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member that a block of `subject` would hit, if there is one.
    #[must_use]
    pub fn hit(&self, subject: &Prefix) -> Option<&Member> {
        self.members.iter().find(|member| member.prefix.overlaps(subject))
    }

    /// Whether `addr` is in the set.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        self.hit(&Prefix::host(addr)).is_some()
    }
}
