//! Addresses, prefixes and ports: the nouns that every other module speaks of.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) as the IPv4 address
/// that it stands for, so that one host has one name; every other address unchanged.
#[must_use]
pub fn canonical(addr: IpAddr) -> IpAddr {
    addr.to_canonical()
}

/// A network prefix in canonical form: host bits are zero, IPv4-mapped addresses are IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    addr: IpAddr,
    len: u8,
}

impl Prefix {
    /// The prefix of `len` bits that `addr` lies in. `None` when `len` is too long for the family.
    #[must_use]
    pub fn new(addr: IpAddr, len: u8) -> Option<Self> {
        let (addr, len) = match addr {
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) if len >= 96 => (IpAddr::V4(v4), len - 96),
                _ => (addr, len),
            },
            IpAddr::V4(_) => (addr, len),
        };
        let addr = match addr {
            IpAddr::V4(v4) if len <= 32 => IpAddr::V4(Ipv4Addr::from(v4.to_bits() & mask4(len))),
            IpAddr::V6(v6) if len <= 128 => IpAddr::V6(Ipv6Addr::from(v6.to_bits() & mask6(len))),
            _ => return None,
        };
        Some(Self { addr, len })
    }

    /// The prefix that holds this one address: /32 or /128.
    #[must_use]
    pub fn host(addr: IpAddr) -> Self {
        let addr = canonical(addr);
        Self { addr, len: if addr.is_ipv4() { 32 } else { 128 } }
    }

    /// Its first address.
    #[must_use]
    pub const fn addr(&self) -> IpAddr {
        self.addr
    }

    /// Its length in bits.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a prefix length, not a count of items")]
    pub const fn len(&self) -> u8 {
        self.len
    }

    /// Its last address.
    #[must_use]
    pub fn last(&self) -> IpAddr {
        match self.addr {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(v4.to_bits() | !mask4(self.len))),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(v6.to_bits() | !mask6(self.len))),
        }
    }

    /// Whether it is one single address.
    #[must_use]
    pub const fn is_host(&self) -> bool {
        match self.addr {
            IpAddr::V4(_) => self.len == 32,
            IpAddr::V6(_) => self.len == 128,
        }
    }

    /// Whether every address of `other` is one of this prefix's.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.len >= self.len && Self::new(other.addr, self.len).is_some_and(|p| p == *self)
    }

    /// Whether the two share an address.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// Whether `addr` is one of its addresses.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        self.covers(&Self::host(addr))
    }
}

fn mask4(len: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0)
}

fn mask6(len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() { self.addr.fmt(f) } else { write!(f, "{}/{}", self.addr, self.len) }
    }
}

/// Why a text is no address or prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPrefix;

impl fmt::Display for NotAPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an address (192.0.2.1, 2001:db8::1) or prefix (192.0.2.0/24)")
    }
}

impl FromStr for Prefix {
    type Err = NotAPrefix;

    fn from_str(text: &str) -> Result<Self, NotAPrefix> {
        match text.split_once('/') {
            None => text.parse().map(Self::host).map_err(|_| NotAPrefix),
            Some((addr, len)) => {
                // `parse` would take "+8"; a prefix length is digits only.
                let digits = !len.is_empty() && len.bytes().all(|b| b.is_ascii_digit());
                let (addr, len) =
                    (addr.parse().map_err(|_| NotAPrefix)?, len.parse().map_err(|_| NotAPrefix)?);
                Self::new(addr, len).filter(|_| digits).ok_or(NotAPrefix)
            }
        }
    }
}

/// The transport protocols whose ports are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// RFC 9293, IP protocol 6.
    Tcp,
    /// RFC 768, IP protocol 17.
    Udp,
}

impl Protocol {
    /// Its name as nftables, `/etc/services` and our output write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A port of one protocol, written `tcp/22`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// 0 to 65535.
    pub number: u16,
}

impl Port {
    /// A TCP port.
    #[must_use]
    pub const fn tcp(number: u16) -> Self {
        Self { protocol: Protocol::Tcp, number }
    }

    /// A UDP port.
    #[must_use]
    pub const fn udp(number: u16) -> Self {
        Self { protocol: Protocol::Udp, number }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.protocol.name(), self.number)
    }
}

/// Why a text is no port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPort;

impl fmt::Display for NotAPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a port; write tcp/23 or udp/161")
    }
}

impl FromStr for Port {
    type Err = NotAPort;

    fn from_str(text: &str) -> Result<Self, NotAPort> {
        let (protocol, number) = text.split_once('/').ok_or(NotAPort)?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(NotAPort),
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotAPort);
        }
        Ok(Self { protocol, number: number.parse().map_err(|_| NotAPort)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn prefixes_are_canonical() {
        assert_eq!(prefix("10.1.2.3/8").to_string(), "10.0.0.0/8");
        assert_eq!(prefix("::ffff:192.0.2.1"), prefix("192.0.2.1"));
        assert_eq!(prefix("::ffff:192.0.2.1/120"), prefix("192.0.2.0/24"));
        assert_eq!(prefix("2001:db8::1/64").to_string(), "2001:db8::/64");
        assert_eq!(prefix("0.0.0.0/0").last().to_string(), "255.255.255.255");
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/+8", "host", "1.2.3.4/"] {
            assert_eq!(bad.parse::<Prefix>(), Err(NotAPrefix), "{bad}");
        }
    }

    #[test]
    fn overlap_knows_both_directions_and_families() {
        assert!(prefix("10.0.0.0/8").overlaps(&prefix("10.1.0.0/16")));
        assert!(prefix("10.1.0.0/16").overlaps(&prefix("10.0.0.0/8")));
        assert!(!prefix("10.1.0.0/16").covers(&prefix("10.0.0.0/8")));
        assert!(!prefix("0.0.0.0/0").overlaps(&prefix("::/0")));
        assert!(prefix("192.0.2.0/24").contains("::ffff:192.0.2.9".parse().unwrap()));
    }

    #[test]
    fn ports_are_read_as_they_are_written() {
        assert_eq!("tcp/22".parse(), Ok(Port::tcp(22)));
        assert_eq!(Port::udp(161).to_string(), "udp/161");
        for bad in ["22", "tcp/65536", "tcp/", "sctp/1", "tcp/-1", "TCP/1"] {
            assert_eq!(bad.parse::<Port>(), Err(NotAPort), "{bad}");
        }
    }
}
