//! Which zone a packet came in by, and what becomes of it where that is only watched or ignored.
//!
//! Without zones, or where all of them are protected, nothing of this is in the program. With them, established packets of unknown
//! sources pay nothing: the zone is asked for known sources (before the bans), and after the rule
//! that lets established TCP go.
//!
//! Names are compared as they are when a packet comes in: interfaces may come later, or change
//! theirs.

use vauban_engine::policy::Policy;
use vauban_engine::zone::{Mode, Zone, ZoneName, Zones};

use super::declarations::WATCHED_LIMIT;
use super::writer::Writer;
use super::{counter, hooks, log, prefix, probes};

/// What a rule says that is for a zone; `None` where the program goes on as always.
type Verdict = fn(&Zone) -> Option<String>;

/// The chain that packets of a watched zone go to.
fn watch_chain(name: &ZoneName) -> String {
    format!("watch_{name}")
}

/// Whether the zone of a packet matters.
pub(super) fn are_there(policy: &Policy) -> bool {
    policy.zones.0.iter().any(|zone| zone.mode != Mode::Protect)
}

/// Where a banned source's packet goes on its way through this host.
pub(super) fn through(policy: &Policy) -> &'static str {
    if are_there(policy) { "through" } else { "banned" }
}

/// Where an opened connection goes on its way through this host.
pub(super) fn crossing(policy: &Policy) -> &'static str {
    if are_there(policy) { "crossing" } else { "passing" }
}

/// Asks for the zone in the chain `input`, or in one that it jumps to.
pub(super) fn ask(w: &mut Writer, policy: &Policy) {
    if are_there(policy) {
        w.line("jump by_zone");
    }
}

/// Ends a packet's way out by an interface where nothing is done.
pub(super) fn ask_leaving(w: &mut Writer, policy: &Policy) {
    if are_there(policy) {
        w.line("jump spared_out");
    }
}

/// The chains.
pub(super) fn zones(w: &mut Writer, policy: &Policy) {
    if !are_there(policy) {
        return;
    }
    let verdict: Verdict = |zone| match zone.mode {
        Mode::Protect => None,
        Mode::Watch => Some(format!("goto {}", watch_chain(&zone.name))),
        Mode::Ignore => Some("accept".to_owned()),
    };
    w.note("Whole names first, then what begins alike, the longest first; then all others.");
    dispatch(w, "by_zone", "iifname", &policy.zones, verdict);
    for zone in policy.zones.0.iter().filter(|zone| zone.mode == Mode::Watch) {
        w.block(&format!("chain {}", watch_chain(&zone.name)), |w| {
            w.line("jump watched");
            w.line(&format!(
                "limit name {WATCHED_LIMIT} counter name {} {}",
                counter::COPIES,
                log(policy, &format!("{}{}", prefix::WATCH, zone.name))
            ));
            w.line("accept");
        });
    }
    if policy.zones.0.iter().any(|zone| zone.mode == Mode::Watch) {
        watched(w, policy);
    }
    spared(w, policy);
    w.note("The same for what this host tells suspects of other zones.");
    dispatch(w, "spared_out", "oifname", &policy.zones, spare);
}

/// The chains that keep packets of other zones from bans on their way through this host.
pub(super) fn spared(w: &mut Writer, policy: &Policy) {
    if !are_there(policy) {
        return;
    }
    w.note("Bans and suspicions end nothing that comes in where nothing is done.");
    dispatch(w, "spared", "iifname", &policy.zones, spare);
    w.block("chain through", |w| {
        w.line("jump spared");
        w.line("goto banned");
    });
}

/// The same for suspects.
pub(super) fn crossings(w: &mut Writer, policy: &Policy) {
    if are_there(policy) {
        w.block("chain crossing", |w| {
            w.line("jump spared");
            w.line("goto passing");
        });
    }
}

fn spare(zone: &Zone) -> Option<String> {
    (zone.mode != Mode::Protect).then(|| "accept".to_owned())
}

/// A chain that does for each interface what its zone asks for, and returns where that is nothing.
fn dispatch(w: &mut Writer, chain: &str, name: &str, zones: &Zones, verdict: Verdict) {
    let all = zones.by_pattern();
    let said = |zone: &Zone| verdict(zone).unwrap_or_else(|| "return".to_owned());
    let exact: Vec<String> = all
        .iter()
        .filter(|(pattern, _)| pattern.beginning().is_none())
        .map(|(pattern, zone)| format!("\"{pattern}\" : {}", said(zone)))
        .collect();
    let elsewhere = zones.get(vauban_engine::zone::WAN).and_then(verdict);
    w.block(&format!("chain {chain}"), |w| {
        if !exact.is_empty() {
            w.line(&format!("{name} vmap {{ {} }}", exact.join(", ")));
        }
        // One by one: not every nft takes them in a set.
        for (pattern, zone) in all.iter().filter(|(pattern, _)| pattern.beginning().is_some()) {
            w.line(&format!("{name} \"{pattern}\" {}", said(zone)));
        }
        if let Some(elsewhere) = &elsewhere {
            w.line(elsewhere);
        }
    });
}

/// What of a watched zone is a probe comes back from here; all else is accepted. As in the chains for
/// what is protected, but nothing is counted and nobody is held.
fn watched(w: &mut Writer, policy: &Policy) {
    w.note("Only watched: a probe gets one copy, and user space counts. Nothing is dropped.");
    w.block("chain watched", |w| {
        w.line("tcp flags & (syn | ack) == ack accept");
        w.line("frag frag-off != 0 accept");
        w.line("meta l4proto != { tcp, udp } accept");
        w.line("ip saddr @never4 accept");
        w.line("ip6 saddr @never6 accept");
        w.line("tcp flags & (fin | syn | rst | ack) == syn goto watched_opening");
        w.line("meta l4proto udp goto watched_datagram");
        w.line("tcp flags & (fin | syn | rst | ack) == syn | ack accept");
        w.line("tcp flags & (syn | rst) == rst accept");
        w.line("goto watched_probe");
    });
    w.block("chain watched_opening", |w| {
        w.line("socket transparent { 0, 1 } accept");
        w.line("meta l4proto . th dport @served accept");
        hooks::recent(w);
        w.line("goto watched_probe");
    });
    w.block("chain watched_datagram", |w| {
        w.line("ip saddr . udp sport . udp dport @asked4 accept");
        w.line("ip6 saddr . udp sport . udp dport @asked6 accept");
        w.line("goto watched_opening");
    });
    w.block("chain watched_probe", |w| {
        w.line("fib daddr type != local accept");
        w.line("meta pkttype != host accept");
        probes::excluded(w, policy);
        w.line(&format!("counter name {}", counter::PROBES));
    });
}
