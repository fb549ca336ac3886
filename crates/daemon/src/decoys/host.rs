//! What this host's own answers look like, so that decoys look the same.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use vauban_engine::Timestamp;
use vauban_packet::decoy::Look;
use vauban_sys::tcp;

use super::routes::Paths;

/// How old what was read may be when the next answer is made: an administrator changes these
/// variables, and a minute of answers in the old way would tell.
const HOLDS: Duration = Duration::from_secs(1);

/// How long a listener that has dropped a SYN is taken for busy, at least.
const BUSY: Duration = Duration::from_secs(1);

/// The look, and what it depends on.
pub(super) struct Host {
    look: Look,
    paths: Paths,
    read_at: Timestamp,
    /// SYNs that listeners have dropped, at the last look in a quiet moment, and when that was.
    dropped: Option<u64>,
    looked_at: Timestamp,
}

impl Host {
    /// Asks the kernel.
    pub(super) fn read() -> io::Result<Self> {
        Ok(Self {
            look: look(tcp::knows_authentication()?),
            paths: Paths::open()?,
            read_at: Timestamp::default(),
            dropped: listen_drops(),
            looked_at: Timestamp::default(),
        })
    }

    /// How a packet from `local` to `peer` looks that answers what came in by `interface`, and how
    /// long it may be.
    pub(super) fn look(
        &mut self,
        now: Timestamp,
        local: IpAddr,
        peer: IpAddr,
        interface: u32,
    ) -> (Look, u32) {
        if now.since(self.read_at) >= HOLDS {
            self.read_at = now;
            self.look = look(self.look.authentication);
        }
        let path = self.paths.find(now, local, peer, interface);
        let mut look = self.look;
        if let Some(hops) = path.hop_limit {
            look.hop_limit_v4 = hops;
            look.hop_limit_v6 = hops;
        }
        (look, path.mtu)
    }

    /// Whether a listener of this host has just dropped a SYN: its queue is full.
    pub(super) fn listeners_are_busy(&self) -> bool {
        listen_drops() != self.dropped
    }

    /// Looks again at what is old. For quiet moments: it takes some hundred microseconds.
    pub(super) fn refresh(&mut self, now: Timestamp) {
        if now.since(self.looked_at) >= BUSY {
            self.looked_at = now;
            self.dropped = listen_drops();
        }
    }
}

/// By the kernel's variables.
fn look(authentication: bool) -> Look {
    let read = |name: &str| {
        let text = fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?;
        Some(text.trim().to_owned())
    };
    Look { authentication, ..Look::from_sysctls(read) }
}

/// How many SYNs the listeners of this namespace have dropped (`TcpExt: ListenDrops`,
/// networking/snmp_counter.rst); `None` if the kernel does not say.
fn listen_drops() -> Option<u64> {
    let text = fs::read_to_string("/proc/thread-self/net/netstat").ok()?;
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let mut both = names.split_whitespace().zip(numbers.split_whitespace());
    both.find(|(name, _)| *name == "ListenDrops")?.1.parse().ok()
}
