//! Every key there is: its name, what it takes, where it goes, and one line of why.
//!
//! The reader, the example file and the reference manual all come from this table. Defaults do
//! not stand here: they are what [`Config::default`] holds.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use vauban_engine::Port;
use vauban_engine::policy::{Afterwards, Allowed, Enforcement, Exclude, Length, Trigger, Unproven};
use vauban_engine::zone::Mode;

use crate::sensitivity::Sensitivity;
use crate::{AtStop, Config, LogFormat, UseJournal};

/// One key.
pub(crate) struct Key {
    /// The table it stands in; empty for those above all tables.
    pub(crate) table: &'static str,
    /// Its name there.
    pub(crate) name: &'static str,
    /// What it takes, and where that goes.
    pub(crate) kind: Kind,
    /// What a number of it counts; `–` for what is no amount.
    pub(crate) unit: &'static str,
    /// What it is for, in one sentence or two.
    pub(crate) why: &'static str,
    /// Why its default is what it is.
    pub(crate) because: &'static str,
}

impl Key {
    /// Whether what several files say of it holds together: lists of what is to be left alone.
    pub(crate) fn adds_up(&self) -> bool {
        matches!(self.kind, Kind::Allowed(_) | Kind::Exclude(_))
    }

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
    /// A span of time in a range, or for ever.
    Length(RangeInclusive<Duration>, Field<Length>),
    /// One of [`SENSITIVITY`]'s words.
    Sensitivity(Field<Sensitivity>),
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

/// The words for [`Sensitivity`].
pub(crate) const SENSITIVITY: [(&str, Sensitivity); 3] =
    [("low", Sensitivity::Low), ("normal", Sensitivity::Normal), ("high", Sensitivity::High)];

/// The words for a zone's [`Mode`].
pub(crate) const MODES: [(&str, Mode); 3] =
    [("protect", Mode::Protect), ("watch", Mode::Watch), ("ignore", Mode::Ignore)];

/// The word for a ban without end.
pub(crate) const FOREVER: &str = "forever";

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
pub(crate) static KEYS: [Key; 32] = [
    Key {
        table: "",
        name: "sensitivity",
        unit: "–",
        because: "What the other defaults are chosen for.",
        kind: Kind::Sensitivity(field!(sensitivity)),
        why: "How little it takes: a preset for `trigger.ports`, `trigger.window`, \
              `trigger.suspect`, `decoy.ports` and `decoy.window`. A key of these that is written \
              anywhere wins over it. `\"low\"` for hosts with clumsy neighbours, `\"high\"` for those \
              where nobody has any business.",
    },
    Key {
        table: "",
        name: "dry_run",
        unit: "–",
        because: "Off, because a host that is only watched is not protected.",
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
        unit: "–",
        because: "Empty: this host's own addresses and its gateways are never blocked anyway.",
        kind: Kind::Allowed(field!(policy.allow)),
        why: "Addresses and networks that are never blocked, whatever they do. Each may carry a \
              comment: `{ address = \"198.51.100.0/24\", comment = \"office\" }`.",
    },
    Key {
        table: "",
        name: "served",
        unit: "–",
        because: "The two ports that DHCP clients listen on without a socket (RFC 2131, RFC 8415).",
        kind: Kind::Ports(field!(policy.served)),
        why: "Ports that are served without a socket of this host: DHCP clients on packet \
              sockets, IPVS, port knocking. A packet to one of them is no probe. A list here \
              replaces the default one.",
    },
    Key {
        table: "",
        name: "trap_ports",
        unit: "–",
        because: "Those that botnets try first and that people and their programs do not: telnet, Android's debug bridge, TR-069, two routers' services.",
        kind: Kind::Ports(field!(policy.traps)),
        why: "Ports that only bots try. One packet to one of them makes its source a suspect, \
              unless this host serves the port. A list here replaces the default one.",
    },
    Key {
        table: "",
        name: "unproven",
        unit: "–",
        because: "Decoys, because everything else hits whoever's address was forged.",
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
        unit: "–",
        because: "Empty: nobody is known to check closed ports.",
        kind: Kind::Exclude(field!(policy.decoy.exclude)),
        why: "Ports of this host and sources, such as `\"tcp/8080\"` and `\"192.0.2.0/24\"`, \
              that the host answers as it always does: health checkers, load balancers, knock \
              ports. Packets to or from them are no probes.",
    },
    Key {
        table: "trigger",
        name: "ports",
        unit: "ports",
        because: "One or two stray connections happen to anybody; three different closed ports within a minute do not.",
        // From 2, because one stray packet proves nothing.
        kind: Kind::Count(2..=Trigger::MOST_PORTS, field!(policy.trigger.ports)),
        why: "How many different closed ports a source must try within `window` to become a \
              suspect.",
    },
    Key {
        table: "trigger",
        name: "window",
        unit: "time, with its unit",
        because: "A scan tries its first ports within seconds; people's mistakes lie further apart.",
        // Below 100 ms, loss and retransmission decide; a day of patience is more than the
        // kernel's sets should be asked for.
        kind: Kind::Time(millis(100)..=seconds(DAY), field!(policy.trigger.window)),
        why: "Within what time it must have tried them.",
    },
    Key {
        table: "trigger",
        name: "suspect",
        unit: "time, with its unit",
        because: "Long enough for a scanner to meet decoys, short enough for whoever's address was forged.",
        kind: Kind::Time(seconds(1)..=seconds(DAY), field!(policy.trigger.suspect)),
        why: "How long it stays a suspect after its last probe.",
    },
    Key {
        table: "decoy",
        name: "ports",
        unit: "ports",
        because: "As many as the trigger asks for, counted on their own.",
        // From 1, because a handshake is proof; no more than the trigger can ask for.
        kind: Kind::Count(1..=Trigger::MOST_PORTS, field!(policy.decoy.ports)),
        why: "How many different decoys a source must have completed a handshake with, within \
              `window`, to be banned. The decoy of a trap port counts for all.",
    },
    Key {
        table: "decoy",
        name: "window",
        unit: "time, with its unit",
        because: "Long enough for a bot that comes back for what its scan found, short enough that single mistakes do not add up over a day.",
        // Below a second, a handshake over a slow path may not fit.
        kind: Kind::Time(seconds(1)..=seconds(DAY), field!(policy.decoy.window)),
        why: "Within what time it must have done so.",
    },
    Key {
        table: "decoy",
        name: "afterwards",
        unit: "–",
        because: "Silence costs whoever waits for an answer more than it costs this host.",
        kind: Kind::Afterwards(field!(policy.decoy.afterwards)),
        why: "What a contact gets once it has spoken: `\"silence\"` leaves it waiting until it \
              gives up, `\"reset\"` tells it that the connection is gone.",
    },
    Key {
        table: "decoy",
        name: "per_second",
        unit: "decoys per second",
        because: "A host answers every SYN to a closed port, so decoys must too; one core makes a multiple of this.",
        kind: Kind::Count(RATE, field!(policy.decoy.per_second)),
        why: "How many decoys are played per second at most, for all suspects together. Beyond \
              this bound and the next two, a suspect's new connections are dropped, to ports with \
              a listener too, or those would stand out.",
    },
    Key {
        table: "decoy",
        name: "per_network",
        unit: "decoys per second",
        because: "A little below the bound for all, so that one network does not use that up.",
        kind: Kind::Count(RATE, field!(policy.decoy.per_network)),
        why: "How many of them for the neighbours of one source (an IPv4 /24, an IPv6 /48). The \
              narrowest of the three bounds holds.",
    },
    Key {
        table: "decoy",
        name: "per_source",
        unit: "decoys per second",
        because: "What masscan sends at `--rate 100000`, with a margin for its bursts.",
        kind: Kind::Count(RATE, field!(policy.decoy.per_source)),
        why: "How many of them for one source.",
    },
    Key {
        table: "ban",
        name: "first",
        unit: "time, with its unit, or `\"forever\"`",
        because: "Long enough to lose a scanner, short enough to forgive a mistake.",
        kind: Kind::Length(seconds(1)..=seconds(365 * DAY), field!(policy.ban.first)),
        why: "How long the first ban of a source is. With `\"forever\"` no ban ends by itself, and \
              `limit` is `\"forever\"` too unless it is written.",
    },
    Key {
        table: "ban",
        name: "factor",
        unit: "times",
        because: "Doubling reaches a day with the tenth ban.",
        kind: Kind::Count(1..=100, field!(policy.ban.factor)),
        why: "How many times longer each further ban of the same source is. 1 keeps them equal.",
    },
    Key {
        table: "ban",
        name: "limit",
        unit: "time, with its unit, or `\"forever\"`",
        because: "Addresses change hands; after a day most belong to somebody else or to nobody.",
        kind: Kind::Length(seconds(1)..=seconds(365 * DAY), field!(policy.ban.limit)),
        why: "How long a ban is at most; not less than `first`. With `\"forever\"` bans grow without \
              bound. Bans without end stay until somebody lifts them: when there are \
              `kernel.bans` of them, no further one is made.",
    },
    Key {
        table: "ban",
        name: "memory",
        unit: "time, with its unit",
        because: "As long as the longest ban.",
        kind: Kind::Time(Duration::ZERO..=seconds(365 * DAY), field!(policy.ban.memory)),
        why: "How long after the end of a ban its source still counts as a repeat offender.",
    },
    Key {
        table: "ban",
        name: "at_stop",
        unit: "–",
        because: "Whoever stops a daemon to find out whether it is to blame must be able to.",
        kind: Kind::AtStop(field!(at_stop)),
        why: "What becomes of bans in the kernel when the daemon is told to stop: `\"remove\"` \
              takes them away with everything else of Vauban's, `\"leave\"` leaves them until they \
              run out. The next start restores what is left of them either way.",
    },
    Key {
        table: "store",
        name: "path",
        unit: "–",
        because: "Where the Filesystem Hierarchy Standard puts what a program keeps.",
        kind: Kind::File(field!(store.path)),
        why: "The database: an absolute path, in a directory that belongs to the daemon alone.",
    },
    Key {
        table: "store",
        name: "history",
        unit: "time, with its unit",
        because: "A quarter of a year: who asks why somebody was banned asks by then.",
        kind: Kind::Time(seconds(DAY)..=seconds(3650 * DAY), field!(store.history)),
        why: "How long a ban that is over is remembered, with its evidence.",
    },
    Key {
        table: "store",
        name: "megabytes",
        unit: "MiB",
        because: "Some hundred thousand bans with their evidence.",
        // Below 16 the bans in force of a large attack find no room.
        kind: Kind::Count(16..=65_536, field!(store.megabytes)),
        why: "How large the database may become, in MiB: then what is over longest is forgotten \
              earlier. Bans in force are never.",
    },
    Key {
        table: "kernel",
        name: "nflog_group",
        unit: "number of a group",
        because: "Any number that no other tool is known to use.",
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
        unit: "packets per second",
        because: "A hundred times what `nmap -T5` sends, for a twentieth of a core.",
        kind: Kind::Count(1..=1_000_000, field!(policy.kernel.copies_per_second)),
        why: "How many probes are copied to the daemon per second at most. More are counted, not \
              copied; suspects are dropped all the same.",
    },
    Key {
        table: "kernel",
        name: "sources",
        unit: "sources, of each kind",
        because: "9 MiB of kernel memory when attackers have filled them.",
        kind: Kind::Count(16..=1_048_576, field!(policy.kernel.sources)),
        why: "How many sources can be watched or suspect at a time.",
    },
    Key {
        table: "kernel",
        name: "bans",
        unit: "bans",
        because: "12 MiB of memory in the worst flood.",
        kind: Kind::Count(16..=4_194_304, field!(policy.kernel.bans)),
        why: "How many bans can be in force at a time, of all kinds of sources together.",
    },
    Key {
        table: "kernel",
        name: "traceroute",
        unit: "ports",
        because: "From where traceroute(8) begins to the highest that firewalls commonly leave to it.",
        kind: Kind::PortRange(field!(policy.kernel.traceroute)),
        why: "UDP ports that traceroute sends to for an answer. Packets to them never make a \
              suspect.",
    },
    Key {
        table: "control",
        name: "socket",
        unit: "–",
        because: "Where `/run` has a directory of the service's own.",
        kind: Kind::Socket(field!(control.socket)),
        why: "The unix socket on which the daemon takes commands: an absolute path of at most 107 \
              bytes.",
    },
    Key {
        table: "log",
        name: "format",
        unit: "–",
        because: "Lines are for people and for grep; whoever feeds a program asks for JSON.",
        kind: Kind::LogFormat(field!(log.format)),
        why: "How entries are written to standard output: `\"text\"`, a line each, or `\"json\"`, an \
              object of JSON each.",
    },
    Key {
        table: "log",
        name: "journal",
        unit: "–",
        because: "With fields, `journalctl VAUBAN_SUBJECT=192.0.2.1` finds what it is asked for.",
        kind: Kind::Journal(field!(log.journal)),
        why: "Where standard output leads to systemd's journal, `\"auto\"` gives it entries with \
              their fields in place of lines; `\"off\"` writes to standard output as everywhere.",
    },
];

/// The table whose tables have names of the operator's choice.
pub(crate) const ZONE: &str = "zone";

/// What zones are about.
pub(crate) const ZONE_ABOUT: &str = "\
Groups of interfaces, and what is done about packets that come in by one. `NAME` is up to 16 of `a-z`, \
`0-9`, `_` and `-`. Without any zone, all interfaces are protected. What no zone names belongs to \
`[zone.wan]`, written or not. A name wins over a pattern, a longer pattern over a shorter one.";

/// A key of every zone. What it means is [`crate::zones`]'s business.
pub(crate) struct ZoneKey {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it takes, in words.
    pub(crate) value: &'static str,
    /// What a number of it counts; `–` for what is no amount.
    pub(crate) unit: &'static str,
    /// Its default, for the zones of known names and the others.
    pub(crate) default: &'static str,
    /// What it is for.
    pub(crate) why: &'static str,
    /// Why its default is what it is.
    pub(crate) because: &'static str,
    /// What the example says.
    pub(crate) example: &'static str,
}

/// The keys of a zone, in the order of the manual.
pub(crate) static ZONE_KEYS: [ZoneKey; 3] = [
    ZoneKey {
        name: "interfaces",
        value: "list of interfaces; a `*` at the end stands for any rest",
        unit: "–",
        default: "none for `wan`; those of common tunnels for `tunnel`: `wg*`, `tun*`, `tap*`, \
                  `tailscale*`, `zt*`, `ipsec*`, `vti*`, `xfrm*`; for other zones it must be written",
        why: "The interfaces by which packets belong to the zone, of at most 15 bytes each. They need \
              not exist yet.",
        because: "Nobody but you knows what is behind which interface, tunnels excepted: those are \
                  called after what makes them.",
        example: "[\"eth1\", \"br-*\"]",
    },
    ZoneKey {
        name: "mode",
        value: "`\"protect\"`, `\"watch\"` or `\"ignore\"`",
        unit: "–",
        default: "`\"protect\"` for `wan`; `\"watch\"` for `lan` and `tunnel`; for other zones it must be \
                  written",
        why: "`\"protect\"`: all that Vauban does. `\"watch\"`: scans are seen and said, but nothing is \
              dropped, no decoy is played, nobody is banned for them, and bans do not apply. `\"ignore\"`: \
              packets pass Vauban as if it were not there.",
        because: "Neighbours and colleagues scan by accident (printers, discovery, monitoring): that is \
                  worth a line, not a ban.",
        example: "\"watch\"",
    },
    ZoneKey {
        name: "comment",
        value: "text",
        unit: "–",
        default: "none",
        why: "What the zone is, for people.",
        because: "Names say most of it.",
        example: "\"printers, television, guests\"",
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
