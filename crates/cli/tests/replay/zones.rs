//! Zones: what the policy has done about packets, by the interface that they came in by.

use std::fs;
use std::path::Path;

use crate::command::{Outcome, objects, replay_from};
use crate::input::{as_pcapng, capture};

/// Nobody would be banned without a proof, if zones were not heeded.
const EAGER: &str = "unproven = \"ban\"\n";

const GUEST: &str = "[zone.guest]\nmode = \"ignore\"\ninterfaces = [\"eth1\", \"br-*\"]\n";

/// A replay of one scan, recorded at this interface, under this configuration.
fn scan(test: &str, zones: &str, interface: &str, options: &[&str]) -> Outcome {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("replay-{test}.toml"));
    fs::write(&path, format!("{EAGER}{zones}")).unwrap();
    let config = ["--config", path.to_str().unwrap()];
    let capture = as_pcapng(&capture("a02_sT"), 1, false, interface);
    let outcome = replay_from(&[&config, options, &["-"]].concat(), &capture);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    outcome
}

fn kinds(outcome: &Outcome) -> Vec<String> {
    let objects = objects(&outcome.out);
    objects.iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn nobody_is_banned_where_a_zone_is_only_watched() {
    let watched =
        "[zone.wan]\nmode = \"watch\"\n[zone.up]\nmode = \"protect\"\ninterfaces = [\"ppp0\"]\n";
    let outcome = scan("watched", watched, "", &["--json"]);
    assert_eq!(kinds(&outcome), ["suspect"], "{}", outcome.out);
    let suspect = &objects(&outcome.out)[0];
    let reason = suspect["reason"].as_str().unwrap();
    assert!(reason.ends_with("; seen in zone wan, which is only watched"), "{reason}");
    assert_eq!((suspect["class"].as_str(), suspect["port_count"].as_u64()), (Some("syn"), Some(3)));
    assert!(outcome.err.contains("taken for those of zone wan"), "{}", outcome.err);
    let words = scan("watched-words", watched, "eth0", &[]);
    assert!(words.out.contains("seen in zone wan"), "{}", words.out);
    assert!(words.err.contains("0 suspects, 0 bans\n1 suspect in zones that are only watched\n"));
    assert!(!words.err.contains("--interface"), "{}", words.err);
    for (interface, options) in
        [("ppp0", &["--json"][..]), ("", &["--json", "--interface", "ppp0"])]
    {
        let protected = scan("protected", watched, interface, options);
        assert_eq!(kinds(&protected), ["suspect", "ban"], "{}", protected.out);
        assert!(!protected.err.contains("--interface"), "{}", protected.err);
    }
}

#[test]
fn what_came_in_by_an_ignored_zone_is_left_out_and_said() {
    for (interface, options) in [
        ("eth1", &["--json"][..]),
        ("br-7", &["--json"]),
        // A packet's own word is better than the user's.
        ("eth1", &["--json", "--interface", "eth0"]),
        ("", &["--json", "--interface", "eth1"]),
        ("any", &["--json", "--interface", "eth1"]),
    ] {
        let outcome = scan("ignored", GUEST, interface, options);
        assert_eq!(outcome.out, "", "{interface} {options:?}");
        assert!(outcome.err.contains("left out, as they came in by a zone that is ignored"));
    }
    for (interface, options) in [
        ("eth10", &["--json"][..]),
        ("eth1", &["--json", "--home", "10.77.9.9"]),
        ("any", &["--json"]),
        ("", &["--json", "--interface", "eth0"]),
    ] {
        let outcome = scan("heeded", GUEST, interface, options);
        let foreign = options.contains(&"--home");
        assert_eq!(kinds(&outcome).is_empty(), foreign, "{interface} {options:?}");
        assert!(!outcome.err.contains("left out"), "{}", outcome.err);
    }
}

#[test]
fn an_interface_is_named_as_zones_name_it() {
    for wrong in ["", "eth*", "eth0:1", "longer-than-fifteen"] {
        let outcome = replay_from(&["--interface", wrong, "-"], b"");
        assert_eq!(outcome.code, 2, "{wrong}");
        assert!(outcome.err.contains("no interface's name"), "{}", outcome.err);
    }
}
