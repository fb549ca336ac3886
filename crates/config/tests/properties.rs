//! What holds for any text and any configuration.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use vauban_config::{
    AtStop, Config, Sensitivity, duration, effective, example, load_text, parse, show,
};
use vauban_engine::policy::{
    Afterwards, Allowed, BanTimes, Decoy, Enforcement, Exclude, Length, Trigger, Unproven,
};
use vauban_engine::zone::{Mode, Pattern, Zone, ZoneName, Zones};
use vauban_engine::{Port, Prefix};

/// Reads the text and looks at everything that comes of it.
fn exercise(text: &str) {
    let read = parse(text, "any");
    let is_toml = text.parse::<toml::Table>().is_ok();
    assert!(is_toml || read.is_err(), "{text:?} is accepted");
    if let Err(diagnostics) = read {
        assert!(!diagnostics.is_empty());
        let lines = text.split('\n').count();
        for found in diagnostics {
            assert!((1..=lines).contains(&found.line), "{text:?}: {found:?}");
            assert!(found.column >= 1 && !found.marked.is_empty(), "{text:?}: {found:?}");
            assert!(!found.message.is_empty() && !found.remedy.is_empty(), "{text:?}: {found:?}");
            let shown = found.to_string();
            assert!(!shown.contains('\u{1b}'), "{text:?}: {shown:?}");
        }
    }
}

/// Pieces that configurations and their mistakes are made of.
fn piece() -> impl Strategy<Value = String> {
    const PIECES: [&str; 68] = [
        "sensitivity",
        "zone",
        "zone.lan",
        "interfaces",
        "mode",
        "\"watch\"",
        "[\"eth1\"]",
        "[\"lo\", \"*\", 3]",
        "wan",
        "\"forever\"",
        "\"high\"",
        "dry_run",
        "allow",
        "served",
        "trap_ports",
        "unproven",
        "decoy_exclude",
        "trigger",
        "decoy",
        "ban",
        "kernel",
        "control",
        "ports",
        "window",
        "first",
        "limit",
        "bans",
        "afterwards",
        "per_source",
        "per_second",
        "traceroute",
        "socket",
        "nflog_group",
        "address",
        "comment",
        "portz",
        "=",
        " = ",
        ".",
        ",",
        "\n",
        "\r\n",
        "\r",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "\"",
        "'",
        "\"\"\"",
        "'''",
        "#",
        "\\",
        "\u{feff}",
        "\u{1b}",
        "\t",
        "true",
        "60",
        "\"60s\"",
        "\"tcp/23\"",
        "\"10.0.0.5/8\"",
        "\"::/0\"",
        "1e400",
        "0x",
        "ü",
        "1979-05-27",
    ];
    prop_oneof![
        8 => proptest::sample::select(PIECES.as_slice()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

/// The example with every key in force.
fn live_example() -> String {
    example().replace("\n#", "\n").replace("\n ", "\n# ")
}

fn prefix() -> impl Strategy<Value = Prefix> {
    let prefix = prop_oneof![
        (any::<[u8; 4]>(), 1u8..=32).prop_filter_map("", |(a, n)| Prefix::new(a.into(), n)),
        (any::<[u8; 16]>(), 1u8..=128).prop_filter_map("", |(a, n)| Prefix::new(a.into(), n)),
    ];
    // A mapped ::ffff:0:0/96 is the whole of IPv4, which is refused.
    prefix.prop_filter("", |p| p.len() > 0)
}

fn allowed() -> impl Strategy<Value = Allowed> {
    (prefix(), proptest::option::of("\\PC{0,12}"))
        .prop_map(|(prefix, comment)| Allowed { prefix, comment })
}

fn ports() -> impl Strategy<Value = Vec<Port>> {
    proptest::collection::vec(
        (any::<bool>(), any::<u16>())
            .prop_map(|(tcp, n)| if tcp { Port::tcp(n) } else { Port::udp(n) }),
        0..6,
    )
}

/// In milliseconds.
const DAY: u64 = 86_400_000;

fn decoy() -> impl Strategy<Value = Decoy> {
    let window = (1000..=DAY).prop_map(Duration::from_millis);
    let afterwards = proptest::sample::select(vec![Afterwards::Silence, Afterwards::Reset]);
    let exclude = (ports(), proptest::collection::vec(prefix(), 0..4));
    let rates = proptest::array::uniform3(1u32..=1_000_000);
    (1u32..=16, window, afterwards, exclude, rates).prop_map(
        |(count, window, afterwards, (ports, sources), mut rates)| {
            rates.sort_unstable();
            let [per_source, per_network, per_second] = rates;
            let exclude = Exclude { ports, sources };
            Decoy { ports: count, window, afterwards, exclude, per_second, per_network, per_source }
        },
    )
}

/// Any zones, no interface in two of them.
fn zones() -> impl Strategy<Value = Zones> {
    let zone = (
        "[a-z0-9_-]{1,16}",
        proptest::sample::select(vec![Mode::Protect, Mode::Watch, Mode::Ignore]),
        proptest::collection::vec("[a-kA-Z0-9.+@_-]{1,14}[a-z*]", 1..4),
        proptest::option::of("\\PC{0,12}"),
    );
    proptest::collection::vec(zone, 0..4).prop_map(|all| {
        let mut zones: Vec<Zone> = Vec::new();
        for (name, mode, names, comment) in all {
            let Ok(name) = name.parse::<ZoneName>() else { continue };
            let taken =
                |pattern: &Pattern| zones.iter().any(|zone| zone.interfaces.contains(pattern));
            let mut interfaces: Vec<Pattern> =
                names.iter().filter_map(|n| n.parse().ok()).collect();
            interfaces.retain(|pattern| pattern.as_str() != "lo" && !taken(pattern));
            interfaces.sort();
            interfaces.dedup();
            if interfaces.is_empty() || zones.iter().any(|zone| zone.name == name) {
                continue;
            }
            zones.push(Zone { name, mode, interfaces, comment });
        }
        zones.sort_by(|a, b| a.name.cmp(&b.name));
        Zones(zones)
    })
}

/// Any configuration that a file can say.
fn config() -> impl Strategy<Value = Config> {
    let millis = |from: u64, to: u64| (from..=to).prop_map(Duration::from_millis);
    let trigger = (2..=Trigger::MOST_PORTS, millis(100, DAY), millis(1000, DAY));
    let length = || {
        prop_oneof![
            4 => millis(1000, 365 * DAY).prop_map(Length::Span),
            1 => Just(Length::Forever),
        ]
    };
    let ban = ((length(), length()), 1u32..=100, millis(0, 365 * DAY));
    let presets = vec![Sensitivity::Low, Sensitivity::Normal, Sensitivity::High];
    let more = (proptest::sample::select(presets), zones());
    let kernel =
        (1u16.., 1u32..=1_000_000, 16u32..=1_048_576, 16u32..=4_194_304, any::<(u16, u16)>());
    let lists = (proptest::collection::vec(allowed(), 0..4), ports(), ports());
    let words = vec![Unproven::Decoy, Unproven::Drop, Unproven::Ban];
    let unproven = (proptest::sample::select(words), decoy());
    let path = || "/[a-zü\"\\\\ ]{1,40}";
    let at_stop = proptest::sample::select(vec![AtStop::Remove, AtStop::Leave]);
    let store = (path(), millis(DAY, 3650 * DAY), 16u32..=65_536, at_stop);
    (any::<bool>(), lists, unproven, trigger, (ban, more), kernel, path(), store).prop_map(
        |(dry, (allow, served, traps), unproven, trigger, (ban, more), kernel, socket, store)| {
            let mut config = Config::default();
            let policy = &mut config.policy;
            policy.enforcement = if dry { Enforcement::DryRun } else { Enforcement::Enforce };
            (policy.allow, policy.served, policy.traps) = (allow, served, traps);
            (policy.unproven, policy.decoy) = unproven;
            policy.trigger = Trigger { ports: trigger.0, window: trigger.1, suspect: trigger.2 };
            policy.ban = BanTimes {
                first: ban.0.0.min(ban.0.1),
                factor: ban.1,
                limit: ban.0.0.max(ban.0.1),
                memory: ban.2,
            };
            (config.sensitivity, policy.zones) = more;
            policy.kernel.group = kernel.0;
            policy.kernel.copies_per_second = kernel.1;
            policy.kernel.sources = kernel.2;
            policy.kernel.bans = kernel.3;
            policy.kernel.traceroute = kernel.4.0.min(kernel.4.1)..=kernel.4.0.max(kernel.4.1);
            config.control.socket = PathBuf::from(socket);
            config.store.path = PathBuf::from(store.0);
            config.store.history = store.1;
            config.store.megabytes = store.2;
            config.at_stop = store.3;
            config
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        exercise(&text);
    }

    #[test]
    fn any_bytes_that_are_text_are_read_or_refused(text in any::<String>()) {
        exercise(&text);
    }

    #[test]
    fn any_heap_of_pieces_is_read_or_refused(pieces in proptest::collection::vec(piece(), 0..40)) {
        exercise(&pieces.concat());
    }

    #[test]
    fn any_damage_to_a_good_file_is_read_or_refused(
        at in any::<proptest::sample::Index>(),
        removed in 0usize..30,
        inserted in proptest::collection::vec(piece(), 0..3),
    ) {
        let good: Vec<char> = live_example().chars().collect();
        let at = at.index(good.len());
        let text: String = good.iter().take(at).copied()
            .chain(inserted.concat().chars())
            .chain(good.iter().skip(at + removed).copied())
            .collect();
        exercise(&text);
    }

    #[test]
    fn what_is_shown_is_read_back(config in config()) {
        let loaded = load_text(&show(&config), "shown").unwrap();
        prop_assert_eq!(&loaded.config, &config);
        // And what `config --effective` makes of it.
        prop_assert_eq!(parse(&effective(&loaded.settings), "again"), Ok(config));
    }

    #[test]
    fn spans_are_written_as_they_are_read(millis in any::<u64>()) {
        let span = Duration::from_millis(millis);
        prop_assert_eq!(duration::parse(&duration::format(span)), Ok(span));
    }

    #[test]
    fn what_a_span_should_have_been_is_one(text in "[0-9]{0,3} ?(w|d|h|m|s|ms|min|Hours|M|x)?[0-9]{0,2}(s|d)?") {
        if let Err(refusal) = duration::parse(&text)
            && let Some(instead) = refusal.instead
        {
            prop_assert!(duration::parse(&instead).is_ok(), "{instead}");
        }
    }
}

#[test]
fn the_damaged_file_was_good() {
    assert_eq!(parse(&live_example(), "example"), Ok(Config::default()));
}
