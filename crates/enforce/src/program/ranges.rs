//! Prefixes and ports as the disjoint ranges that an nftables interval set holds.

use std::net::IpAddr;

use vauban_engine::Prefix;

/// Values from `first` to `last`, both of them included, in network byte order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// The lowest value.
    pub first: Vec<u8>,
    /// The highest.
    pub last: Vec<u8>,
}

impl Range {
    /// Every address of a prefix.
    #[must_use]
    pub fn of(prefix: &Prefix) -> Self {
        let bytes = |addr: IpAddr| match addr {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        Self { first: bytes(prefix.addr()), last: bytes(prefix.last()) }
    }

    /// Ports from `first` to `last`.
    #[must_use]
    pub fn ports(range: &std::ops::RangeInclusive<u16>) -> Self {
        Self {
            first: range.start().to_be_bytes().to_vec(),
            last: range.end().to_be_bytes().to_vec(),
        }
    }

    /// As nft(8) writes it.
    #[must_use]
    pub fn text(&self) -> String {
        let (first, last) = (value(&self.first), value(&self.last));
        if first == last { first } else { format!("{first}-{last}") }
    }
}

fn value(bytes: &[u8]) -> String {
    if let Ok(port) = <[u8; 2]>::try_from(bytes) {
        return u16::from_be_bytes(port).to_string();
    }
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return IpAddr::from(v4).to_string();
    }
    <[u8; 16]>::try_from(bytes).map_or_else(|_| String::new(), |v6| IpAddr::from(v6).to_string())
}

/// Sorted, with overlapping and touching ranges made one: the kernel refuses overlaps.
#[must_use]
pub fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort();
    let mut out: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(before) if touches(before, &range) => {
                before.last = before.last.clone().max(range.last);
            }
            _ => out.push(range),
        }
    }
    out
}

/// Whether `next` begins within `before` or right after it.
fn touches(before: &Range, next: &Range) -> bool {
    let mut after = before.last.clone();
    for byte in after.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return next.first <= after;
        }
    }
    // `before` reaches the highest value of all.
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(prefixes: &[&str]) -> Vec<String> {
        let ranges = prefixes.iter().map(|p| Range::of(&p.parse().unwrap())).collect();
        merged(ranges).iter().map(Range::text).collect()
    }

    #[test]
    fn overlaps_and_neighbours_become_one() {
        assert_eq!(
            texts(&["10.1.0.0/16", "10.0.0.0/8", "192.0.2.1", "192.0.2.2", "192.0.2.4"]),
            ["10.0.0.0-10.255.255.255", "192.0.2.1-192.0.2.2", "192.0.2.4"]
        );
        assert_eq!(texts(&["240.0.0.0/4", "255.255.255.255"]), ["240.0.0.0-255.255.255.255"]);
        assert_eq!(texts(&["ff00::/8", "::1", "::"]).len(), 2);
        assert_eq!(Range::ports(&(33434..=33534)).text(), "33434-33534");
    }
}
