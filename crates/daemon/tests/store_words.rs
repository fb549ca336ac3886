//! Every value comes back from the database as it went in.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod store_sample;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use store_sample::{Folder, NOW, bans, bare, open};
use vauban_daemon::store::{Anchor, BootId, Ending, Mono, Record, StoredBan, Times, Wall};
use vauban_engine::evidence::{Cause, Evidence, Excuse, Meaning};
use vauban_engine::flags::TcpFlags;
use vauban_engine::ledger::Origin;
use vauban_engine::{Port, Prefix, Protocol};

fn port() -> impl Strategy<Value = Port> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    (protocol, any::<u16>()).prop_map(|(protocol, number)| Port { protocol, number })
}

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        any::<u32>().prop_map(Cause::DistinctPorts),
        port().prop_map(Cause::TrapPort),
        any::<u8>().prop_map(|bits| Cause::ImpossibleFlags(TcpFlags(bits))),
        Just(Cause::KernelCount),
        Just(Cause::GoesOn),
        any::<u32>().prop_map(Cause::ProvenPorts),
        port().prop_map(Cause::ProvenTrap),
    ]
}

fn meaning() -> impl Strategy<Value = Meaning> {
    prop_oneof![
        any::<u32>().prop_map(|count| Meaning::ClosedPort { count }),
        Just(Meaning::TrapPort),
        Just(Meaning::ImpossibleFlags),
        Just(Meaning::OfSuspect),
        any::<u32>().prop_map(|count| Meaning::Proven { count }),
        Just(Meaning::ProvenTrap),
        Just(Meaning::Excused(Excuse::Browser)),
        Just(Meaning::Excused(Excuse::MailClient)),
    ]
}

/// Which strategy above makes it: a new variant does not compile until it is there.
fn index(cause: Cause, meaning: Meaning) -> (u8, u8) {
    let cause = match cause {
        Cause::DistinctPorts(_) => 0,
        Cause::TrapPort(_) => 1,
        Cause::ImpossibleFlags(_) => 2,
        Cause::KernelCount => 3,
        Cause::GoesOn => 4,
        Cause::ProvenPorts(_) => 5,
        Cause::ProvenTrap(_) => 6,
    };
    let meaning = match meaning {
        Meaning::ClosedPort { .. } => 0,
        Meaning::TrapPort => 1,
        Meaning::ImpossibleFlags => 2,
        Meaning::OfSuspect => 3,
        Meaning::Proven { .. } => 4,
        Meaning::ProvenTrap => 5,
        Meaning::Excused(Excuse::Browser) => 6,
        Meaning::Excused(Excuse::MailClient) => 7,
    };
    (cause, meaning)
}

fn evidence() -> impl Strategy<Value = Evidence> {
    // Milliseconds that nanoseconds of 64 bits can hold.
    let at = (0..18_446_744_073_709_i64).prop_map(|millis| Wall(millis).timestamp());
    let places = (any::<IpAddr>(), any::<u16>(), any::<IpAddr>(), port());
    let bytes = (vec(any::<u8>(), 0..600), vec(any::<u8>(), 0..200));
    (at, places, any::<u8>(), meaning(), any::<bool>(), bytes).prop_map(
        |(at, (source, source_port, destination, port), flags, meaning, decoy, (said, bytes))| {
            let flags = TcpFlags(flags);
            Evidence {
                at,
                source,
                source_port,
                destination,
                port,
                flags,
                meaning,
                decoy,
                said,
                bytes,
            }
        },
    )
}

fn times() -> impl Strategy<Value = Times> {
    let anchor =
        (any::<u128>(), any::<i64>(), option::of(any::<i64>())).prop_map(|(boot, start, end)| {
            Anchor { boot: BootId(boot), start: Mono(start), end: end.map(Mono) }
        });
    (any::<i64>(), option::of(any::<i64>()), option::of(anchor))
        .prop_map(|(start, end, anchor)| Times { start: Wall(start), end: end.map(Wall), anchor })
}

fn ban() -> impl Strategy<Value = StoredBan> {
    let subject = (any::<IpAddr>(), 0..=128_u8)
        .prop_map(|(addr, len)| Prefix::new(addr, len).unwrap_or(Prefix::host(addr)));
    let origin = prop_oneof![
        cause().prop_map(Origin::Scan),
        any::<String>().prop_map(Origin::Operator),
        Just(Origin::Operator("a\0b\n'; DROP TABLE ban; --".into())),
    ];
    let numbers = (any::<u32>(), any::<u64>());
    (subject, any::<IpAddr>(), origin, times(), vec(evidence(), 0..4), numbers).prop_map(
        |(subject, source, origin, times, evidence, (level, not_kept))| StoredBan {
            subject,
            source,
            level,
            origin,
            times,
            evidence,
            not_kept,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(bans_in in vec(ban(), 1..12), how in 0..Ending::ALL.len()) {
        let folder = Folder::new();
        let mut store = open(&folder).store;
        let records: Vec<_> = bans_in.iter().cloned().map(Record::Banned).collect();
        store.write(&records).unwrap();
        // One subject, one ban: the last one.
        let last: BTreeMap<_, _> = bans_in.iter().map(|ban| (ban.subject, ban)).collect();
        drop(store);
        let opened = open(&folder);
        prop_assert_eq!(opened.loaded.unreadable, 0);
        prop_assert_eq!(opened.loaded.bans.len() + opened.loaded.over.len(), last.len());
        for found in bans(&opened.loaded.bans) {
            prop_assert_eq!(&found, &bare(last[&found.subject]));
        }
        let mut store = opened.store;
        for ban in last.values() {
            let (evidence, not_kept) = store.evidence(&ban.subject).unwrap().unwrap();
            prop_assert_eq!((&evidence, not_kept), (&ban.evidence, ban.not_kept));
        }
        let ended: Vec<_> = last
            .keys()
            .map(|subject| Record::Ended {
                subject: *subject,
                at: Wall(i64::MAX),
                how: Ending::ALL[how],
            })
            .collect();
        store.write(&ended).unwrap();
        prop_assert_eq!(store.load(&NOW).unwrap().bans.len(), 0);
        for ban in last.values() {
            let past = store.history(Some(&ban.subject), 1).unwrap();
            prop_assert_eq!(&past[0].ban, &bare(ban));
            prop_assert_eq!((past[0].ended_at, past[0].how), (Wall(i64::MAX), Ending::ALL[how]));
            prop_assert_eq!(&store.evidence(&ban.subject).unwrap().unwrap().0, &ban.evidence);
        }
        store.check().unwrap();
    }

    #[test]
    fn boot_ids_are_read_as_the_kernel_writes_them(id in any::<u128>()) {
        prop_assert_eq!(BootId(id).to_string().parse(), Ok(BootId(id)));
        prop_assert_eq!(format!("{}\n", BootId(id)).parse(), Ok(BootId(id)));
    }
}

#[test]
fn strategies_reach_every_variant() {
    let mut runner = TestRunner::deterministic();
    let drawn: Vec<_> = (0..1_000)
        .map(|_| {
            let cause = cause().new_tree(&mut runner).unwrap().current();
            let meaning = meaning().new_tree(&mut runner).unwrap().current();
            index(cause, meaning)
        })
        .collect();
    let causes: BTreeSet<u8> = drawn.iter().map(|(cause, _)| *cause).collect();
    let meanings: BTreeSet<u8> = drawn.iter().map(|(_, meaning)| *meaning).collect();
    assert!(causes.into_iter().eq(0..7));
    assert!(meanings.into_iter().eq(0..8));
}

#[test]
fn a_boot_id_has_one_spelling() {
    assert_eq!(store_sample::BOOT.to_string(), "01234567-89ab-cdef-0123-456789abcdef");
    for bad in [
        "",
        "01234567-89ab-cdef-0123-456789abcde",
        "01234567-89AB-cdef-0123-456789abcdef",
        "0123456789ab-cdef-0123-456789abcdef-",
        "é1234567-89ab-cdef-0123-456789abcde",
    ] {
        assert!(bad.parse::<BootId>().is_err(), "{bad}");
    }
}

/// The words that people and later versions find in the file.
#[test]
fn words_are_as_documented() {
    let folder = Folder::new();
    let mut store = open(&folder).store;
    let mut one = store_sample::ban_with(1, 1);
    one.origin = Origin::Scan(Cause::ImpossibleFlags(TcpFlags(0x29)));
    one.evidence[0].flags = TcpFlags(0x12);
    let mut six = store_sample::ban(2);
    six.subject = "2001:db8::/64".parse().unwrap();
    six.source = "2001:db8::5".parse().unwrap();
    six.origin = Origin::Operator("noisy".into());
    six.times.end = None;
    store.write(&[Record::Banned(one), Record::Banned(six)]).unwrap();
    let db = rusqlite::Connection::open(folder.db()).unwrap();
    // The views of the page are what people paste.
    let page = include_str!("../../../docs/development/store.md");
    let (_, views) = page.split_once("```sql views\n").unwrap();
    db.execute_batch(views.split_once("```").unwrap().0).unwrap();
    let lines = |sql: &str| {
        let mut statement = db.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells = (0..columns).map(|at| row.get(at).unwrap());
            Ok(cells.map(|cell: Option<String>| cell.unwrap_or_default()).collect::<Vec<_>>())
        });
        rows.unwrap().map(|row| row.unwrap().join("|")).collect::<Vec<_>>()
    };
    assert_eq!(
        lines("SELECT subject, source, origin, why, starts, ends FROM bans"),
        [
            "10.0.0.1/32|10.0.0.1|scan|impossible-flags FIN+PSH+URG|2026-11-21T12:00:00.001Z|\
             2026-11-21T13:00:00.001Z",
            "2001:0db8:0000:0000:0000:0000:0000:0000/64|2001:0db8:0000:0000:0000:0000:0000:0005|\
             operator|noisy|2026-11-21T12:00:00.002Z|",
        ]
    );
    assert_eq!(
        lines("SELECT source, destination, port, flags, meaning FROM packets"),
        ["10.0.0.1|198.51.100.1|tcp/1|SYN+ACK|closed-port 1"]
    );
}
