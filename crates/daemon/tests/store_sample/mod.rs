//! What the tests of the store share: a folder that goes away, clocks, and bans.

#![allow(dead_code, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use vauban_daemon::store::{
    Anchor, BootId, InForce, Limits, Mono, Now, Opened, Store, StoredBan, StoredGrant, Times, Wall,
};
use vauban_engine::evidence::{Cause, Evidence, Meaning};
use vauban_engine::flags::TcpFlags;
use vauban_engine::ledger::Origin;
use vauban_engine::{Port, Prefix};

/// 2026-11-21T12:00:00Z.
pub const NOON: i64 = 1_795_262_400_000;
pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

pub const BOOT: BootId = BootId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

/// Noon, an hour after the boot.
pub const NOW: Now = Now { wall: Wall(NOON), boot: BOOT, mono: Mono(HOUR) };

/// `NOW`, so many milliseconds later.
pub fn later(millis: i64) -> Now {
    Now { wall: Wall(NOON + millis), boot: BOOT, mono: Mono(HOUR + millis) }
}

/// A folder of its own, removed with everything in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vauban-store-{}-{number}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn db(&self) -> PathBuf {
        self.0.join("state.db")
    }

    /// The names in it, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn open(folder: &Folder) -> Opened {
    open_at(folder, &NOW)
}

pub fn open_at(folder: &Folder, now: &Now) -> Opened {
    Store::open(&folder.db(), Limits::default(), now).unwrap_or_else(|error| panic!("{error}"))
}

/// What opening says that must not happen.
pub fn refusal(folder: &Folder) -> String {
    match Store::open(&folder.db(), Limits::default(), &NOW) {
        Ok(opened) => panic!("opened: {:?}", opened.what),
        Err(error) => error.to_string(),
    }
}

/// The n-th ban: of 10.n, begun n milliseconds after noon, for an hour.
pub fn ban(n: u32) -> StoredBan {
    let source = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n));
    StoredBan {
        subject: Prefix::host(source),
        source,
        level: 1,
        origin: Origin::Scan(Cause::ProvenPorts(3)),
        times: times(i64::from(n), HOUR),
        evidence: Vec::new(),
        not_kept: 0,
    }
}

/// Begun so long after noon, for so long.
pub fn times(after_noon: i64, length: i64) -> Times {
    let start = Mono(NOW.mono.0 + after_noon);
    Times {
        start: Wall(NOON + after_noon),
        end: Some(Wall(NOON + after_noon + length)),
        anchor: Some(Anchor { boot: BOOT, start, end: Some(Mono(start.0 + length)) }),
    }
}

/// Somebody allowed at noon, for so many milliseconds.
pub fn grant(prefix: &str, length: Option<i64>) -> StoredGrant {
    let mut times = times(0, length.unwrap_or(HOUR));
    if length.is_none() {
        times.end = None;
        times.anchor = times.anchor.map(|anchor| Anchor { end: None, ..anchor });
    }
    StoredGrant { prefix: prefix.parse().unwrap(), comment: "ours".into(), times }
}

/// The n-th ban with so many packets.
pub fn ban_with(n: u32, packets: u16) -> StoredBan {
    let mut ban = ban(n);
    ban.evidence = (0..packets)
        .map(|packet| Evidence {
            at: ban.times.start.timestamp(),
            source: ban.source,
            source_port: 40_000 + packet,
            destination: "198.51.100.1".parse().unwrap(),
            port: Port::tcp(packet + 1),
            flags: TcpFlags::SYN,
            meaning: Meaning::ClosedPort { count: u32::from(packet) + 1 },
            decoy: true,
            said: Vec::new(),
            bytes: vec![u8::try_from(n % 251).unwrap(); 60],
        })
        .collect();
    ban
}

pub fn bans(loaded: &[InForce]) -> Vec<StoredBan> {
    loaded.iter().map(|found| found.ban.clone()).collect()
}

/// The ban as loading gives it.
pub fn bare(ban: &StoredBan) -> StoredBan {
    StoredBan { evidence: Vec::new(), ..ban.clone() }
}
