//! Every key there is: its name, what it takes, where it goes, and one line of why.
//!
//! The reader, the example file and the reference manual all come from this table. Defaults do
//! not stand here: they are what [`Config::default`] holds.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use vauban_engine::Port;
use vauban_engine::policy::{Afterwards, Allowed, Enforcement, Exclude, Trigger, Unproven};

use crate::{AtStop, Config, LogFormat, UseJournal};

/// One key.
pub(crate) struct Key {
    /// The table it stands in; empty for those above all tables.
    pub(crate) table: &'static str,
    /// Its name there.
    pub(crate) name: &'static str,
    /// What it takes, and where that goes.
    pub(crate) kind: Kind,
    /// What it is for, in one sentence or two.
    pub(crate) why: &'static str,
}

impl Key {
    /// Its name with its table's: `trigger.window`.
    pub(crate) fn path(&self) -> String {
        if self.table.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}.{}", self.table, self.name)
        }
    }
}

/// What a key takes, and where that goes.
pub(crate) enum Kind {
    /// `true` or `false`.
    Switch(Field<bool>),
    /// A whole number in a range.
    Count(RangeInclusive<u32>, Field<u32>),
    /// A span of time in a range.
    Time(RangeInclusive<Duration>, Field<Duration>),
    /// Addresses and networks, each with or without a comment.
    Allowed(Field<Vec<Allowed>>),
    /// Ports.
    Ports(Field<Vec<Port>>),
    /// Ports and sources.
    Exclude(Field<Exclude>),
    /// One of [`UNPROVEN`]'s words.
    Unproven(Field<Unproven>),
    /// One of [`AFTERWARDS`]'s words.
    Afterwards(Field<Afterwards>),
    /// One of [`AT_STOP`]'s words.
    AtStop(Field<AtStop>),
    /// One of [`LOG_FORMAT`]'s words.
    LogFormat(Field<LogFormat>),
    /// One of [`JOURNAL`]'s words.
    Journal(Field<UseJournal>),
    /// `33434-33534`.
    PortRange(Field<RangeInclusive<u16>>),
    /// An absolute path that fits a socket's address.
    Socket(Field<PathBuf>),
    /// An absolute path of a file.
    File(Field<PathBuf>),
}

/// A place in [`Config`].
pub(crate) struct Field<T> {
    /// What stands there.
    pub(crate) get: fn(&Config) -> T,
    /// Puts something else there.
    pub(crate) set: fn(&mut Config, T),
}

macro_rules! field {
    ($($part:ident).+) => {
        Field {
            get: |config| Clone::clone(&config.$($part).+),
            set: |config, value| config.$($part).+ = value,
        }
    };
}

/// The words for [`Unproven`].
pub(crate) const UNPROVEN: [(&str, Unproven); 3] =
    [("decoy", Unproven::Decoy), ("drop", Unproven::Drop), ("ban", Unproven::Ban)];

/// The words for [`Afterwards`].
pub(crate) const AFTERWARDS: [(&str, Afterwards); 2] =
    [("silence", Afterwards::Silence), ("reset", Afterwards::Reset)];

/// The words for [`AtStop`].
pub(crate) const AT_STOP: [(&str, AtStop); 2] =
    [("remove", AtStop::Remove), ("leave", AtStop::Leave)];

/// The words for [`LogFormat`].
pub(crate) const LOG_FORMAT: [(&str, LogFormat); 2] =
    [("text", LogFormat::Text), ("json", LogFormat::Json)];

/// The words for [`UseJournal`].
pub(crate) const JOURNAL: [(&str, UseJournal); 2] =
    [("auto", UseJournal::Auto), ("off", UseJournal::Off)];

/// The longest path that fits a unix socket's address with its final zero byte: unix(7),
/// `sun_path`.
pub(crate) const LONGEST_SOCKET: usize = 107;

/// The longest path that the kernel takes, with room for what a database's own files are called
/// behind it: `PATH_MAX`.
pub(crate) const LONGEST_PATH: usize = 4000;

/// Decoys per second. From 1, because 0 would be [`Unproven::Drop`] under another name; a gigabit
/// line carries 1.5 million of the smallest packets.
const RATE: RangeInclusive<u32> = 1..=1_000_000;

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The tables, in the order of the manual, each with what its keys are about.
pub(crate) const TABLES: [(&str, &str); 8] = [
    ("", "What is protected, and whom it must never hit."),
    ("trigger", "When a source becomes a suspect."),
    ("decoy", "How decoys play for suspects, and what a proven contact is worth."),
    ("ban", "How long bans are: the first one, then `factor` times the last one, up to `limit`."),
    ("store", "Where bans outlive the daemon, with what they rest on."),
    (
        "kernel",
        "How much room the kernel program gets, because attackers decide how full its sets get. \
         Sources are counted apart for IPv4 addresses, IPv6 networks (/64) and single IPv6 \
         addresses.",
    ),
    ("control", "How the `vauban` command reaches the daemon."),
    ("log", "How what happens is logged."),
];

/// All keys, in the order of the manual.
pub(crate) static KEYS: [Key; 31] = [
    Key {
        table: "",
        name: "dry_run",
        kind: Kind::Switch(Field {
            get: |config| config.policy.enforcement == Enforcement::DryRun,
            set: |config, on| {
                config.policy.enforcement =
                    if on { Enforcement::DryRun } else { Enforcement::Enforce };
            },
        }),
        why: "Watch, judge and count, and say what would be done, but drop nothing.",
    },
    Key {
        table: "",
        name: "allow",
        kind: Kind::Allowed(field!(policy.allow)),
        why: "Addresses and networks that are never blocked, whatever they do. Each may carry a \
              comment: `{ address = \"198.51.100.0/24\", comment = \"office\" }`.",
    },
    Key {
        table: "",
        name: "served",
        kind: Kind::Ports(field!(policy.served)),
        why: "Ports that are served without a socket of this host: DHCP clients on packet \
              sockets, IPVS, port knocking. A packet to one of them is no probe. A list here \
              replaces the default one.",
    },
    Key {
        table: "",
        name: "trap_ports",
        kind: Kind::Ports(field!(policy.traps)),
        why: "Ports that only bots try. One packet to one of them makes its source a suspect, \
              unless this host serves the port. A list here replaces the default one.",
    },
    Key {
        table: "",
        name: "unproven",
        kind: Kind::Unproven(field!(policy.unproven)),
        why: "What a suspect meets that has not proven that its address is its own. \
              `\"decoy\"`: closed ports look open, ports with a listener stay untouched, and a \
              ban needs proof. `\"drop\"`: its new connections are dropped for as long as it is \
              a suspect, to served ports too, and nobody is banned; the price: a forged address \
              is denied service for that long. `\"ban\"`: a ban at the trigger, as PortSentry \
              does; the price: whoever forges an address gets it banned.",
    },
    Key {
        table: "",
        name: "decoy_exclude",
        kind: Kind::Exclude(field!(policy.decoy.exclude)),
        why: "Ports of this host and sources, such as `\"tcp/8080\"` and `\"192.0.2.0/24\"`, \
              that the host answers as it always does: health checkers, load balancers, knock \
              ports. Packets to or from them are no probes.",
    },
    Key {
        table: "trigger",
        name: "ports",
        // From 2, because one stray packet proves nothing.
        kind: Kind::Count(2..=Trigger::MOST_PORTS, field!(policy.trigger.ports)),
        why: "How many different closed ports a source must try within `window` to become a \
              suspect.",
    },
    Key {
        table: "trigger",
        name: "window",
        // Below 100 ms, loss and retransmission decide; a day of patience is more than the
        // kernel's sets should be asked for.
        kind: Kind::Time(millis(100)..=seconds(DAY), field!(policy.trigger.window)),
        why: "Within what time it must have tried them.",
    },
    Key {
        table: "trigger",
        name: "suspect",
        kind: Kind::Time(seconds(1)..=seconds(DAY), field!(policy.trigger.suspect)),
        why: "How long it stays a suspect after its last probe.",
    },
    Key {
        table: "decoy",
        name: "ports",
        // From 1, because a handshake is proof; no more than the trigger can ask for.
        kind: Kind::Count(1..=Trigger::MOST_PORTS, field!(policy.decoy.ports)),
        why: "How many different decoys a source must have completed a handshake with, within \
              `window`, to be banned. The decoy of a trap port counts for all.",
    },
    Key {
        table: "decoy",
        name: "window",
        // Below a second, a handshake over a slow path may not fit.
        kind: Kind::Time(seconds(1)..=seconds(DAY), field!(policy.decoy.window)),
        why: "Within what time it must have done so.",
    },
    Key {
        table: "decoy",
        name: "afterwards",
        kind: Kind::Afterwards(field!(policy.decoy.afterwards)),
        why: "What a contact gets once it has spoken: `\"silence\"` leaves it waiting until it \
              gives up, `\"reset\"` tells it that the connection is gone.",
    },
    Key {
        table: "decoy",
        name: "per_second",
        kind: Kind::Count(RATE, field!(policy.decoy.per_second)),
        why: "How many decoys are played per second at most, for all suspects together. Beyond \
              this bound and the next two, a suspect's new connections are dropped, to ports with \
              a listener too, or those would stand out.",
    },
    Key {
        table: "decoy",
        name: "per_network",
        kind: Kind::Count(RATE, field!(policy.decoy.per_network)),
        why: "How many of them for the neighbours of one source (an IPv4 /24, an IPv6 /48). The \
              narrowest of the three bounds holds.",
    },
    Key {
        table: "decoy",
        name: "per_source",
        kind: Kind::Count(RATE, field!(policy.decoy.per_source)),
        why: "How many of them for one source.",
    },
    Key {
        table: "ban",
        name: "first",
        kind: Kind::Time(seconds(1)..=seconds(365 * DAY), field!(policy.ban.first)),
        why: "How long the first ban of a source is.",
    },
    Key {
        table: "ban",
        name: "factor",
        kind: Kind::Count(1..=100, field!(policy.ban.factor)),
        why: "How many times longer each further ban of the same source is. 1 keeps them equal.",
    },
    Key {
        table: "ban",
        name: "limit",
        kind: Kind::Time(seconds(1)..=seconds(365 * DAY), field!(policy.ban.limit)),
        why: "How long a ban is at most; not less than `first`.",
    },
    Key {
        table: "ban",
        name: "memory",
        kind: Kind::Time(Duration::ZERO..=seconds(365 * DAY), field!(policy.ban.memory)),
        why: "How long after the end of a ban its source still counts as a repeat offender.",
    },
    Key {
        table: "ban",
        name: "at_stop",
        kind: Kind::AtStop(field!(at_stop)),
        why: "What becomes of bans in the kernel when the daemon is told to stop: `\"remove\"` \
              takes them away with everything else of Vauban's, `\"leave\"` leaves them until they \
              run out. The next start restores what is left of them either way.",
    },
    Key {
        table: "store",
        name: "path",
        kind: Kind::File(field!(store.path)),
        why: "The database: an absolute path, in a directory that belongs to the daemon alone.",
    },
    Key {
        table: "store",
        name: "history",
        kind: Kind::Time(seconds(DAY)..=seconds(3650 * DAY), field!(store.history)),
        why: "How long a ban that is over is remembered, with its evidence.",
    },
    Key {
        table: "store",
        name: "megabytes",
        // Below 16 the bans in force of a large attack find no room.
        kind: Kind::Count(16..=65_536, field!(store.megabytes)),
        why: "How large the database may become, in MiB: then what is over longest is forgotten \
              earlier. Bans in force are never.",
    },
    Key {
        table: "kernel",
        name: "nflog_group",
        kind: Kind::Count(
            // 0 is what other tools fall back to.
            1..=65535,
            Field {
                get: |config| u32::from(config.policy.kernel.group),
                set: |config, group| {
                    config.policy.kernel.group = u16::try_from(group).unwrap_or(u16::MAX);
                },
            },
        ),
        why: "The NFLOG group in which the kernel hands copies of probes to the daemon. No other \
              program may use it.",
    },
    Key {
        table: "kernel",
        name: "copies_per_second",
        kind: Kind::Count(1..=1_000_000, field!(policy.kernel.copies_per_second)),
        why: "How many probes are copied to the daemon per second at most. More are counted, not \
              copied; suspects are dropped all the same.",
    },
    Key {
        table: "kernel",
        name: "sources",
        kind: Kind::Count(16..=1_048_576, field!(policy.kernel.sources)),
        why: "How many sources can be watched or suspect at a time.",
    },
    Key {
        table: "kernel",
        name: "bans",
        kind: Kind::Count(16..=4_194_304, field!(policy.kernel.bans)),
        why: "How many bans can be in force at a time, of all kinds of sources together.",
    },
    Key {
        table: "kernel",
        name: "traceroute",
        kind: Kind::PortRange(field!(policy.kernel.traceroute)),
        why: "UDP ports that traceroute sends to for an answer. Packets to them never make a \
              suspect.",
    },
    Key {
        table: "control",
        name: "socket",
        kind: Kind::Socket(field!(control.socket)),
        why: "The unix socket on which the daemon takes commands: an absolute path of at most 107 \
              bytes.",
    },
    Key {
        table: "log",
        name: "format",
        kind: Kind::LogFormat(field!(log.format)),
        why: "How entries are written to standard output: `\"text\"`, a line each, or `\"json\"`, an \
              object of JSON each.",
    },
    Key {
        table: "log",
        name: "journal",
        kind: Kind::Journal(field!(log.journal)),
        why: "Where standard output leads to systemd's journal, `\"auto\"` gives it entries with \
              their fields in place of lines; `\"off\"` writes to standard output as everywhere.",
    },
];

/// The keys of one table.
pub(crate) fn of(table: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.table == table)
}

/// The names of all tables.
pub(crate) fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, _)| *name).filter(|name| !name.is_empty())
}
