//! Causes, meanings and endings as the words that stand in the database, and back.
//!
//! Whoever opens the file with the `sqlite3` tool reads them; the daemon gets the exact value
//! back. One value has one spelling. They are the database's own and do not change with the
//! sentences of [`crate::words`]: a new spelling is a new version of the schema.

use vauban_engine::Port;
use vauban_engine::evidence::{Cause, Excuse, Meaning};
use vauban_engine::flags::TcpFlags;
use vauban_engine::ledger::Origin;

/// The word of bans that a detector decided.
const SCAN: &str = "scan";

/// The word of bans that the operator decided.
const OPERATOR: &str = "operator";

/// How a ban ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It ran out.
    Expired,
    /// The operator ended it.
    Unbanned,
    /// What it covers became a member of the never-ban set.
    NeverBan,
    /// The ledger was full, and it was the one that would have ended first.
    PushedOut,
    /// Another ban of the same subject took its place.
    Replaced,
    /// Nobody recorded it: the database could not be written then.
    Unrecorded,
}

impl Ending {
    /// Every one, for those who go through them.
    pub const ALL: [Self; 6] = [
        Self::Expired,
        Self::Unbanned,
        Self::NeverBan,
        Self::PushedOut,
        Self::Replaced,
        Self::Unrecorded,
    ];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Unbanned => "unbanned",
            Self::NeverBan => "never-ban",
            Self::PushedOut => "pushed out",
            Self::Replaced => "replaced",
            Self::Unrecorded => "unrecorded",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.name() == name)
    }

    /// What it means for the length of the subject's next ban: `Some(true)` that this one counts,
    /// `Some(false)` that all before it is forgotten, `None` nothing.
    pub(crate) const fn counts(self) -> Option<bool> {
        match self {
            Self::Expired | Self::PushedOut => Some(true),
            // A ban that ended in a way nobody knows may have been the operator's pardon.
            Self::Unbanned | Self::NeverBan | Self::Unrecorded => Some(false),
            Self::Replaced => None,
        }
    }
}

/// Who decided, and why: two columns.
pub(crate) fn origin(origin: &Origin) -> (&'static str, String) {
    match origin {
        Origin::Scan(why) => (SCAN, cause(*why)),
        Origin::Operator(reason) => (OPERATOR, reason.clone()),
    }
}

/// The origin that these two columns mean.
pub(crate) fn read_origin(kind: &str, why: &str) -> Option<Origin> {
    match kind {
        SCAN => read_cause(why).map(Origin::Scan),
        OPERATOR => Some(Origin::Operator(why.to_owned())),
        _ => None,
    }
}

/// A cause: `distinct-ports 10`, `trap-port tcp/23`, `impossible-flags FIN+PSH+URG` …
fn cause(cause: Cause) -> String {
    match cause {
        Cause::DistinctPorts(count) => format!("distinct-ports {count}"),
        Cause::TrapPort(port) => format!("trap-port {port}"),
        Cause::ImpossibleFlags(flags) => format!("impossible-flags {flags}"),
        Cause::KernelCount => "kernel-count".into(),
        Cause::GoesOn => "goes-on".into(),
        Cause::ProvenPorts(count) => format!("proven-ports {count}"),
        Cause::ProvenTrap(port) => format!("proven-trap {port}"),
    }
}

fn read_cause(text: &str) -> Option<Cause> {
    match split(text) {
        ("distinct-ports", Some(count)) => number(count).map(Cause::DistinctPorts),
        ("trap-port", Some(port)) => read_port(port).map(Cause::TrapPort),
        ("impossible-flags", Some(bits)) => read_flags(bits).map(Cause::ImpossibleFlags),
        ("kernel-count", None) => Some(Cause::KernelCount),
        ("goes-on", None) => Some(Cause::GoesOn),
        ("proven-ports", Some(count)) => number(count).map(Cause::ProvenPorts),
        ("proven-trap", Some(port)) => read_port(port).map(Cause::ProvenTrap),
        _ => None,
    }
}

/// A meaning: `closed-port 3`, `of-suspect`, `proven 2`, `excused browser` …
pub(crate) fn meaning(meaning: Meaning) -> String {
    match meaning {
        Meaning::ClosedPort { count } => format!("closed-port {count}"),
        Meaning::TrapPort => "trap-port".into(),
        Meaning::ImpossibleFlags => "impossible-flags".into(),
        Meaning::OfSuspect => "of-suspect".into(),
        Meaning::Proven { count } => format!("proven {count}"),
        Meaning::ProvenTrap => "proven-trap".into(),
        Meaning::Excused(Excuse::Browser) => "excused browser".into(),
        Meaning::Excused(Excuse::MailClient) => "excused mail-client".into(),
    }
}

/// The meaning that these words have.
pub(crate) fn read_meaning(text: &str) -> Option<Meaning> {
    match split(text) {
        ("closed-port", Some(count)) => number(count).map(|count| Meaning::ClosedPort { count }),
        ("trap-port", None) => Some(Meaning::TrapPort),
        ("impossible-flags", None) => Some(Meaning::ImpossibleFlags),
        ("of-suspect", None) => Some(Meaning::OfSuspect),
        ("proven", Some(count)) => number(count).map(|count| Meaning::Proven { count }),
        ("proven-trap", None) => Some(Meaning::ProvenTrap),
        ("excused", Some("browser")) => Some(Meaning::Excused(Excuse::Browser)),
        ("excused", Some("mail-client")) => Some(Meaning::Excused(Excuse::MailClient)),
        _ => None,
    }
}

/// The control bits that are written `SYN+ACK`, or `none`: what `TcpFlags` displays as.
pub(crate) fn read_flags(text: &str) -> Option<TcpFlags> {
    let mut flags = TcpFlags::default();
    if text != flags.to_string() {
        for name in text.split('+') {
            let bit = (0..8).map(|place| TcpFlags(1 << place)).find(|b| b.to_string() == name)?;
            flags = TcpFlags(flags.0 | bit.0);
        }
    }
    // Twice the same, or in another order, is not what was written.
    (flags.to_string() == text).then_some(flags)
}

/// A port as it is written, `tcp/22`; leading zeros are not.
pub(crate) fn read_port(text: &str) -> Option<Port> {
    text.parse().ok().filter(|_| text.ends_with("/0") || !text.contains("/0"))
}

fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once(' ').map_or((text, None), |(word, rest)| (word, Some(rest)))
}

fn number(text: &str) -> Option<u32> {
    let plain = !text.starts_with(['+', '0']) || text == "0";
    text.parse().ok().filter(|_| plain)
}
