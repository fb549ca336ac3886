//! What the route to one peer says of the packets that take it (`RTM_GETROUTE`, rtnetlink(7)): the
//! path's MTU as ICMP has told it, and what the administrator has written into the route.

use std::io;
use std::net::IpAddr;

use super::read::{RTMSG, octets};
use crate::netlink::{ACK, Builder, Message, REQUEST, Socket};

// linux/rtnetlink.h.
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_METRICS: u16 = 8;
const RTAX_MTU: u16 = 2;
const RTAX_ADVMSS: u16 = 8;
const RTAX_HOPLIMIT: u16 = 10;

/// A route, as packets see it. What it does not say is the interface's, or the host's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The index of the interface that packets leave by; 0 if the kernel did not say.
    pub interface: u32,
    /// The longest packet, in bytes.
    pub mtu: Option<u32>,
    /// The largest TCP segment to announce, in bytes.
    pub largest_segment: Option<u32>,
    /// Time to live, hop limit.
    pub hop_limit: Option<u8>,
}

/// Asks for routes, one after the other, through one socket.
#[derive(Debug)]
pub struct Routes {
    socket: Socket,
    request: Builder,
}

impl Routes {
    /// Opens the socket. No privilege needed.
    ///
    /// # Errors
    /// Those of socket(2).
    pub fn open() -> io::Result<Self> {
        Ok(Self { socket: Socket::open(libc::NETLINK_ROUTE)?, request: Builder::new() })
    }

    /// The route from `local` to `peer`. `interface` is the one that a link-local peer is on; for
    /// others it is not asked.
    ///
    /// # Errors
    /// `ENETUNREACH`, `EHOSTUNREACH`: there is none. `EINVAL`: the addresses are of different
    /// families.
    pub fn metrics(&mut self, local: IpAddr, peer: IpAddr, interface: u32) -> io::Result<Metrics> {
        let (family, to) = octets(peer);
        let (local_family, from) = octets(local);
        if family != local_family {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let bits = u8::try_from(to.len() * 8).map_err(io::Error::other)?;
        let mut header = [0; RTMSG];
        let [f, d, s, ..] = &mut header;
        (*f, *d, *s) = (family, bits, bits);
        let on_link = matches!(peer, IpAddr::V6(peer) if peer.is_unicast_link_local());
        let sequence = self.socket.next_sequence();
        self.request.clear();
        self.request.message(libc::RTM_GETROUTE, REQUEST | ACK, sequence, &header, |b| {
            b.attribute(RTA_DST, &to)?;
            b.attribute(RTA_SRC, &from)?;
            if on_link { b.attribute(RTA_OIF, &interface.to_ne_bytes()) } else { Ok(()) }
        })?;
        let mut found = None;
        self.socket
            .request(self.request.bytes(), sequence, |message| found = found.or(read(message)))?;
        found.ok_or_else(|| io::Error::from_raw_os_error(libc::EPROTO))
    }
}

fn read(message: Message<'_>) -> Option<Metrics> {
    if message.kind != libc::RTM_NEWROUTE {
        return None;
    }
    let number = |value: &[u8]| value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    let mut metrics = Metrics::default();
    for attribute in message.attributes(RTMSG) {
        match attribute.kind {
            RTA_OIF => metrics.interface = number(attribute.value).unwrap_or_default(),
            RTA_METRICS => {
                for metric in attribute.nested() {
                    let value = number(metric.value).filter(|value| *value > 0);
                    match metric.kind {
                        RTAX_MTU => metrics.mtu = value,
                        RTAX_ADVMSS => metrics.largest_segment = value,
                        RTAX_HOPLIMIT => {
                            metrics.hop_limit = value.and_then(|hops| u8::try_from(hops).ok());
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some(metrics)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Messages;
    use crate::netlink::mutilate::every_mutilation;

    #[test]
    fn loopback_has_a_route() {
        let mut routes = Routes::open().unwrap();
        let here = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(routes.metrics(here, here, 0).unwrap().interface, 1);
        let other = IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]);
        assert!(routes.metrics(here, other, 0).is_err());
    }

    fn datagram() -> Vec<u8> {
        let mut builder = Builder::new();
        builder
            .message(libc::RTM_NEWROUTE, 0, 0, &[0; RTMSG], |b| {
                b.attribute(RTA_OIF, &7_u32.to_ne_bytes())?;
                b.nest(RTA_METRICS, |b| {
                    b.attribute(RTAX_MTU, &1000_u32.to_ne_bytes())?;
                    b.attribute(RTAX_ADVMSS, &900_u32.to_ne_bytes())?;
                    b.attribute(RTAX_HOPLIMIT, &33_u32.to_ne_bytes())
                })
            })
            .unwrap();
        builder.bytes().to_vec()
    }

    #[test]
    fn every_metric_is_read() {
        let bytes = datagram();
        let metrics = read(Messages::new(&bytes).next().unwrap()).unwrap();
        let expected = Metrics {
            interface: 7,
            mtu: Some(1000),
            largest_segment: Some(900),
            hop_limit: Some(33),
        };
        assert_eq!(metrics, expected);
    }

    #[test]
    fn no_mutilation_panics() {
        every_mutilation(&datagram(), |bytes| {
            Messages::new(bytes).for_each(|message| {
                read(message);
            });
        });
    }
}
