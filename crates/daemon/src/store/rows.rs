//! Bans and evidence as rows, and back.
//!
//! Every row of a ban carries a seal over the columns that make it what it is. SQLite finds pages
//! that are no pages, but not a byte of an address that turned into another; and nobody should be
//! banned by such a byte. The seal is no protection against people: who can write the file can
//! seal it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rusqlite::{Connection, Result, Row, Transaction, params};
use vauban_engine::Prefix;
use vauban_engine::evidence::Evidence;
use vauban_engine::ledger::Origin;

use super::remaining::{Anchor, Mono, Times, Wall};
use super::words::{self, Ending};

/// A ban, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBan {
    /// Whom it covers.
    pub subject: Prefix,
    /// The address that was seen.
    pub source: IpAddr,
    /// The how-manieth ban of this subject it is.
    pub level: u32,
    /// Who decided it, and why.
    pub origin: Origin,
    /// When it begins and ends.
    pub times: Times,
    /// What it rests on, oldest first; empty where the store gives bans without it. Times are kept
    /// to the millisecond.
    pub evidence: Vec<Evidence>,
    /// How many more packets counted.
    pub not_kept: u64,
}

/// A ban that has ended, without its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastBan {
    /// The ban.
    pub ban: StoredBan,
    /// When it ended.
    pub ended_at: Wall,
    /// How.
    pub how: Ending,
}

/// A row of `ban`: the ban itself if it can be read and its seal is right.
pub(crate) struct BanRow {
    pub(crate) id: i64,
    pub(crate) state: State,
    pub(crate) ban: Option<StoredBan>,
}

/// Whether the ban of a row is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    InForce,
    Ended(Wall, Ending),
    /// It has ended, in words that nobody knows.
    Unclear,
}

/// The columns that [`ban`] reads, in its order.
pub(crate) const BAN: &str = "id, subject, length, source, level, origin, why, starts, ends, boot, \
                              mono_start, mono_end, seal, not_kept, ended_at, ended_how";

/// The columns that make a ban, as they stand in its row.
struct Columns<'a> {
    subject: &'a [u8],
    length: i64,
    source: &'a [u8],
    level: i64,
    origin: &'a str,
    why: &'a str,
    starts: i64,
    ends: Option<i64>,
    boot: Option<&'a str>,
    mono_start: Option<i64>,
    mono_end: Option<i64>,
}

impl Columns<'_> {
    fn seal(&self) -> i64 {
        let mut seal = Seal::default();
        seal.bytes(self.subject);
        seal.bytes(self.source);
        seal.bytes(self.origin.as_bytes());
        seal.bytes(self.why.as_bytes());
        seal.bytes(self.boot.unwrap_or_default().as_bytes());
        seal.number(Some(self.length));
        seal.number(Some(self.level));
        seal.number(Some(self.starts));
        seal.number(self.ends);
        seal.number(self.mono_start);
        seal.number(self.mono_end);
        seal.value()
    }

    fn ban(&self, not_kept: i64) -> Option<StoredBan> {
        let length = u8::try_from(self.length).ok()?;
        let first = address(self.subject)?;
        // A subject with host bits, or not in its canonical family, was not written by us.
        let subject = Prefix::new(first, length)
            .filter(|prefix| prefix.addr() == first && prefix.len() == length)?;
        let anchor = match (self.boot, self.mono_start) {
            (Some(boot), Some(start)) => Some(Anchor {
                boot: boot.parse().ok()?,
                start: Mono(start),
                end: self.mono_end.map(Mono),
            }),
            _ => None,
        };
        Some(StoredBan {
            subject,
            source: address(self.source)?,
            level: u32::try_from(self.level).ok()?,
            origin: words::read_origin(self.origin, self.why)?,
            times: Times { start: Wall(self.starts), end: self.ends.map(Wall), anchor },
            evidence: Vec::new(),
            not_kept: not_kept.cast_unsigned(),
        })
    }
}

/// A checksum of 64 bits that takes eight bytes at a time, as all bans are sealed when they are
/// loaded. Each step can be undone for a given word, so one word that differs always shows.
#[derive(Default)]
pub(crate) struct Seal(u64);

impl Seal {
    fn word(&mut self, word: u64) {
        // Odd, so multiplying loses nothing: 2^64 divided by the golden ratio, as in Fibonacci
        // hashing. The rotation brings high bits down, where the next product spreads them.
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        // The length, too: what one column loses, the next must not win.
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        self.word(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }

    pub(crate) fn number(&mut self, number: Option<i64>) {
        self.word(number.is_some().into());
        self.word(number.unwrap_or_default().cast_unsigned());
    }

    /// The checksum so far.
    pub(crate) fn value(&self) -> i64 {
        self.0.cast_signed()
    }
}

/// Reads a row of the columns [`BAN`]. A row that makes no sense is no error.
pub(crate) fn ban(row: &Row<'_>) -> BanRow {
    let how = || row.get_ref(15).ok()?.as_str().ok().and_then(Ending::of);
    let state = match row.get(14) {
        Ok(None) => State::InForce,
        Ok(Some(at)) => how().map_or(State::Unclear, |how| State::Ended(Wall(at), how)),
        Err(_) => State::Unclear,
    };
    let ban = columns(row)
        .filter(|columns| row.get(12) == Ok(columns.seal()))
        .and_then(|columns| columns.ban(row.get(13).ok()?));
    BanRow { id: row.get(0).unwrap_or(i64::MIN), state, ban }
}

/// The columns that the seal is over; `None` if one is not of its type.
fn columns<'a>(row: &'a Row<'_>) -> Option<Columns<'a>> {
    Some(Columns {
        subject: row.get_ref(1).ok()?.as_blob().ok()?,
        length: row.get(2).ok()?,
        source: row.get_ref(3).ok()?.as_blob().ok()?,
        level: row.get(4).ok()?,
        origin: row.get_ref(5).ok()?.as_str().ok()?,
        why: row.get_ref(6).ok()?.as_str().ok()?,
        starts: row.get(7).ok()?,
        ends: row.get(8).ok()?,
        boot: row.get_ref(9).ok()?.as_str_or_null().ok()?,
        mono_start: row.get(10).ok()?,
        mono_end: row.get(11).ok()?,
    })
}

/// Writes a ban and its evidence, and says its id.
pub(crate) fn insert(
    change: &Transaction<'_>,
    ban: &StoredBan,
    ended: Option<(Wall, Ending)>,
) -> Result<i64> {
    let (subject, source) = (Octets::of(ban.subject.addr()), Octets::of(ban.source));
    let (origin, why) = words::origin(&ban.origin);
    let proven = matches!(&ban.origin, Origin::Scan(cause) if cause.is_proof());
    let anchor = ban.times.anchor;
    let boot = anchor.map(|anchor| anchor.boot.to_string());
    let columns = Columns {
        subject: subject.bytes(),
        length: ban.subject.len().into(),
        source: source.bytes(),
        level: ban.level.into(),
        origin,
        why: &why,
        starts: ban.times.start.0,
        ends: ban.times.end.map(|end| end.0),
        boot: boot.as_deref(),
        mono_start: anchor.map(|anchor| anchor.start.0),
        mono_end: anchor.and_then(|anchor| anchor.end).map(|end| end.0),
    };
    let mut statement = change.prepare_cached(
        "INSERT INTO ban (subject, length, source, level, origin, why, proven, starts, ends, boot, \
         mono_start, mono_end, seal, not_kept, ended_at, ended_how) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    statement.execute(params![
        columns.subject,
        columns.length,
        columns.source,
        columns.level,
        columns.origin,
        columns.why,
        proven,
        columns.starts,
        columns.ends,
        columns.boot,
        columns.mono_start,
        columns.mono_end,
        columns.seal(),
        ban.not_kept.cast_signed(),
        ended.map(|(at, _)| at.0),
        ended.map(|(_, how)| how.name()),
    ])?;
    let id = change.last_insert_rowid();
    let mut statement = change
        .prepare_cached("INSERT INTO evidence VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)")?;
    for (n, item) in (0_i64..).zip(&ban.evidence) {
        statement.execute(params![
            id,
            n,
            Wall::of(item.at).0,
            Octets::of(item.source).bytes(),
            item.source_port,
            Octets::of(item.destination).bytes(),
            item.port.to_string(),
            item.flags.to_string(),
            words::meaning(item.meaning),
            item.decoy,
            item.said,
            item.bytes,
        ])?;
    }
    Ok(id)
}

/// Gives the ban `id` other times of a boot.
pub(crate) fn anchor(change: &Transaction<'_>, id: i64, ban: &StoredBan) -> Result<()> {
    let anchor = ban.times.anchor;
    let mut statement = change
        .prepare_cached("UPDATE ban SET boot = ?2, mono_start = ?3, mono_end = ?4 WHERE id = ?1")?;
    statement.execute(params![
        id,
        anchor.map(|anchor| anchor.boot.to_string()),
        anchor.map(|anchor| anchor.start.0),
        anchor.and_then(|anchor| anchor.end).map(|end| end.0),
    ])?;
    seal_where(change, id, id)
}

/// Ends the ban `id`, unless it has ended.
pub(crate) fn end(change: &Transaction<'_>, id: i64, at: Wall, how: Ending) -> Result<()> {
    let mut statement = change.prepare_cached(
        "UPDATE ban SET ended_at = ?2, ended_how = ?3 WHERE id = ?1 AND ended_at IS NULL",
    )?;
    statement.execute(params![id, at.0, how.name()]).map(drop)
}

/// Ends the ban of `subject` that is in force, if there is one.
pub(crate) fn end_of(
    change: &Transaction<'_>,
    subject: &Prefix,
    at: Wall,
    how: Ending,
) -> Result<()> {
    let mut statement = change.prepare_cached(
        "UPDATE ban SET ended_at = ?3, ended_how = ?4 \
         WHERE subject = ?1 AND length = ?2 AND ended_at IS NULL",
    )?;
    let octets = Octets::of(subject.addr());
    statement.execute(params![octets.bytes(), subject.len(), at.0, how.name()]).map(drop)
}

/// Seals every row as it stands.
pub(crate) fn seal_all(change: &Transaction<'_>) -> Result<()> {
    seal_where(change, i64::MIN, i64::MAX)
}

fn seal_where(change: &Transaction<'_>, from: i64, to: i64) -> Result<()> {
    let sql = format!("SELECT {BAN} FROM ban WHERE id BETWEEN ?1 AND ?2");
    let mut statement = change.prepare_cached(&sql)?;
    let mut update = change.prepare_cached("UPDATE ban SET seal = ?2 WHERE id = ?1")?;
    let mut rows = statement.query([from, to])?;
    while let Some(row) = rows.next()? {
        let (id, seal): (i64, _) = (row.get(0)?, columns(row).map(|columns| columns.seal()));
        update.execute(params![id, seal])?;
    }
    Ok(())
}

/// The evidence of the ban `id`, and how many rows of it can't be read.
pub(crate) fn evidence(db: &Connection, id: i64) -> Result<(Vec<Evidence>, u64)> {
    let mut statement = db.prepare_cached(
        "SELECT at, source, source_port, destination, port, flags, meaning, decoy, said, bytes \
         FROM evidence WHERE ban = ?1 ORDER BY n",
    )?;
    let mut rows = statement.query([id])?;
    let (mut found, mut unreadable) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        match item(row) {
            Some(item) => found.push(item),
            None => unreadable += 1,
        }
    }
    Ok((found, unreadable))
}

fn item(row: &Row<'_>) -> Option<Evidence> {
    Some(Evidence {
        at: Wall(row.get(0).ok()?).timestamp(),
        source: address(row.get_ref(1).ok()?.as_blob().ok()?)?,
        source_port: row.get(2).ok()?,
        destination: address(row.get_ref(3).ok()?.as_blob().ok()?)?,
        port: words::read_port(row.get_ref(4).ok()?.as_str().ok()?)?,
        flags: words::read_flags(row.get_ref(5).ok()?.as_str().ok()?)?,
        meaning: words::read_meaning(row.get_ref(6).ok()?.as_str().ok()?)?,
        decoy: row.get(7).ok()?,
        said: row.get(8).ok()?,
        bytes: row.get(9).ok()?,
    })
}

/// An address as its bytes.
pub(crate) enum Octets {
    V4([u8; 4]),
    V6([u8; 16]),
}

impl Octets {
    pub(crate) fn of(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => Self::V6(v6.octets()),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).into())
}
