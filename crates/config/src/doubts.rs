//! What is legal and probably not meant.
//!
//! It knows the host only by what it is told of it.

use vauban_engine::policy::Unproven;
use vauban_engine::zone::Mode;

use crate::{Config, Setting};

/// Something that is legal and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The key that it is about, with its table.
    pub key: String,
    /// Where that key's value is from.
    pub origin: String,
    /// What is dubious, and what comes of it.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// Networks wider than this are half the world: nobody means so many.
const WIDE4: u8 = 8;
/// The same for IPv6: wider than what one registry hands out.
const WIDE6: u8 = 16;

/// What is dubious about a configuration on a host with these interfaces; `None` where they are not
/// known.
#[must_use]
pub fn doubts(config: &Config, settings: &[Setting], interfaces: Option<&[String]>) -> Vec<Doubt> {
    let mut found = Vec::new();
    let mut doubt = |key: &str, message: String, remedy: &str| {
        let setting = settings.iter().find(|setting| setting.path() == key);
        let origin = setting.map_or_else(String::new, |setting| setting.origin.to_string());
        found.push(Doubt { key: key.to_owned(), origin, message, remedy: remedy.to_owned() });
    };
    let policy = &config.policy;
    for allowed in &policy.allow {
        let wide = if allowed.prefix.addr().is_ipv4() { WIDE4 } else { WIDE6 };
        if allowed.prefix.len() < wide {
            doubt(
                "allow",
                format!(
                    "{} is a large part of all addresses: nobody in it is ever banned",
                    allowed.prefix
                ),
                "name the networks that are yours, or use `dry_run = true` to ban nobody",
            );
        }
    }
    for source in &policy.decoy.exclude.sources {
        let wide = if source.addr().is_ipv4() { WIDE4 } else { WIDE6 };
        if source.len() < wide {
            doubt(
                "decoy_exclude",
                format!("{source} is a large part of all addresses: no scan from it is ever seen"),
                "name the networks that are yours",
            );
        }
    }
    for trap in &policy.traps {
        if policy.served.contains(trap) {
            doubt(
                "served",
                format!("`{trap}` is in `trap_ports` and in `served`, so it is no trap"),
                "remove it from one of the two",
            );
        }
        if policy.decoy.exclude.ports.contains(trap) {
            doubt(
                "decoy_exclude",
                format!("`{trap}` is in `trap_ports` and in `decoy_exclude`, so it is no trap"),
                "remove it from one of the two",
            );
        }
    }
    if policy.unproven == Unproven::Ban {
        doubt(
            "unproven",
            "whoever forges an address gets it banned".to_owned(),
            "leave it at `unproven = \"decoy\"`, where a ban needs proof, or list in `allow` whom you \
             cannot do without",
        );
    }
    for zone in &policy.zones.0 {
        for pattern in &zone.interfaces {
            let missing = |all: &&[String]| !all.iter().any(|name| pattern.matches(name));
            if pattern.beginning().is_none() && interfaces.as_ref().is_some_and(missing) {
                doubt(
                    &format!("zone.{}.interfaces", zone.name),
                    format!("this host has no interface `{pattern}` now"),
                    "compare with `ip link`; if it comes later, all is well",
                );
            }
        }
    }
    let zones = &policy.zones;
    let protects =
        zones.elsewhere() == Mode::Protect || zones.0.iter().any(|zone| zone.mode == Mode::Protect);
    if !protects {
        doubt(
            "zone.wan.mode",
            "no zone is protected: nobody is ever banned, and bans apply nowhere".to_owned(),
            "protect at least one zone, or use `dry_run = true` to see what would be done",
        );
    }
    found
}
