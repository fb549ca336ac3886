//! What this host is, asked of its kernel.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use vauban_enforce::Listener;
use vauban_engine::event::Facts;
use vauban_engine::{Port, Prefix, net};
use vauban_sys::{diag, route};

/// Where Linux says which ports outgoing connections come from (ip(7)); the value holds for IPv6
/// too.
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Protocol numbers.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// The facts as of now, in an order that does not depend on the kernel's.
pub fn facts() -> io::Result<Facts> {
    let addresses = route::addresses()?;
    let mut own: Vec<IpAddr> = addresses.iter().map(|a| net::canonical(a.addr)).collect();
    let mut gateways: Vec<IpAddr> =
        route::default_gateways()?.into_iter().map(net::canonical).collect();
    let from_addresses = addresses.iter().filter_map(|a| Prefix::new(a.addr, a.prefix_len));
    let from_routes = route::on_link_prefixes6()?
        .into_iter()
        .filter_map(|(addr, len)| Prefix::new(IpAddr::V6(addr), len));
    let mut on_link: Vec<Prefix> =
        from_addresses.chain(from_routes).filter(|prefix| prefix.addr().is_ipv6()).collect();
    own.sort_unstable();
    own.dedup();
    gateways.sort_unstable();
    gateways.dedup();
    on_link.sort_unstable();
    on_link.dedup();
    let ephemeral = fs::read_to_string(PORT_RANGE)
        .ok()
        .and_then(|text| port_range(&text))
        .unwrap_or_else(|| Facts::default().ephemeral);
    Ok(Facts { own, gateways, on_link, ephemeral })
}

/// Who listens right now, for others than this host itself. UDP ports of the ephemeral range are
/// left out: what asks from there listens for an answer.
pub fn listeners(ephemeral: &RangeInclusive<u16>) -> io::Result<BTreeSet<Listener>> {
    let listeners = diag::listeners()?.into_iter().filter_map(|found| {
        let port = match found.protocol {
            TCP => Port::tcp(found.port),
            UDP if !ephemeral.contains(&found.port) => Port::udp(found.port),
            _ => return None,
        };
        let elsewhere = found.address.is_some_and(|address| address.is_loopback());
        (!elsewhere).then_some(Listener { port, address: found.address })
    });
    Ok(listeners.collect())
}

fn port_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_whitespace().map(str::parse);
    let (first, last) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_port_range() {
        assert_eq!(port_range("32768\t60999\n"), Some(32768..=60999));
        assert_eq!(port_range("5 4"), None);
        assert_eq!(port_range(""), None);
    }
}
