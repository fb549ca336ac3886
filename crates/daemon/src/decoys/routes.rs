//! What the ways to suspects say of the packets that take them, for a moment.
//!
//! A suspect can change the host's mind about his own way: by ICMP, which says that a packet was too
//! long. A listener's answers follow at once, and so must decoys.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use vauban_engine::Timestamp;
use vauban_sys::interface;
use vauban_sys::route::{Metrics, Routes};

/// How long an answer of the kernel is taken for true. Asking takes some ten microseconds, which a
/// fast scan would feel.
const HOLDS: Duration = Duration::from_millis(50);

/// Ways remembered at most, some 200 KiB.
const MOST: usize = 1_024;

/// Ethernet's (RFC 894), for interfaces that went away before they could be asked.
const ETHERNET: u32 = 1500;

/// TCP's and IP's headers, without options.
const HEADERS_V4: u32 = 40;
const HEADERS_V6: u32 = 60;

/// What matters of a way.
#[derive(Clone, Copy)]
pub(super) struct Path {
    /// The longest packet, in bytes, as far as it decides about the largest segment.
    pub mtu: u32,
    /// Where the route says so.
    pub hop_limit: Option<u8>,
}

/// The ways.
pub(super) struct Paths {
    routes: Routes,
    known: BTreeMap<(IpAddr, IpAddr), (Timestamp, Path)>,
    oldest: VecDeque<(IpAddr, IpAddr)>,
}

impl Paths {
    /// Opens what is asked.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self { routes: Routes::open()?, known: BTreeMap::new(), oldest: VecDeque::new() })
    }

    /// The way from `local` to `peer`, from whom something came in by `interface`.
    pub(super) fn find(
        &mut self,
        now: Timestamp,
        local: IpAddr,
        peer: IpAddr,
        interface: u32,
    ) -> Path {
        let key = (local, peer);
        if let Some((since, path)) = self.known.get(&key)
            && now.since(*since) < HOLDS
        {
            return *path;
        }
        // Without a route back, a listener could not answer at all; then any look will do.
        let metrics = self.routes.metrics(local, peer, interface).unwrap_or_default();
        let path = path(&metrics, peer, interface);
        if self.known.insert(key, (now, path)).is_none() {
            self.oldest.push_back(key);
        }
        while self.oldest.len() > MOST {
            let Some(oldest) = self.oldest.pop_front() else { break };
            self.known.remove(&oldest);
        }
        path
    }
}

fn path(metrics: &Metrics, peer: IpAddr, came_by: u32) -> Path {
    let leaves_by = if metrics.interface == 0 { came_by } else { metrics.interface };
    let headers = if peer.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 };
    let mtu = metrics
        .largest_segment
        .map(|segment| segment.saturating_add(headers))
        .or(metrics.mtu)
        .unwrap_or_else(|| interface::mtu(leaves_by).unwrap_or(ETHERNET));
    Path { mtu, hop_limit: metrics.hop_limit }
}
