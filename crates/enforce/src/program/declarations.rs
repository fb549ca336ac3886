//! The program's counters, limits and sets.

use std::time::Duration;

use vauban_engine::net::Port;
use vauban_engine::policy::Policy;
use vauban_engine::program::{ALL_PORTS, ANSWERED_WITHIN, MOST_ASKED, RECENT};

use super::lane::Lane;
use super::ranges::Range;
use super::sets::SetContents;
use super::span::span;
use super::writer::{Declared, Writer};
use super::{ANSWERING_SETS, claim_set, counter, plays_decoys, port_set, slot_set, zones};

/// Room in the ban sets beyond the bans in force: for blocks that have run out and that the kernel
/// has not swept away yet, and for exchanging one.
const SPARE: u32 = 1024;

/// Within what time two processors may take the same slot for the same source: microseconds. A
/// second leaves room, and is over long before the slot is.
const CLAIMED_FOR: Duration = Duration::from_secs(1);

/// How long a source that is too fast meets silence after its last packet too many. Its rate must
/// have fallen for so long.
const STRAINED: Duration = Duration::from_secs(2);

/// How long a source's rate is remembered: limits fill up again within a second.
const PACE: Duration = Duration::from_secs(5);

/// How long a source's wrong acknowledgements are remembered.
const GUESSES: Duration = Duration::from_secs(60);

/// How long a suspect's packet is remembered that goes on to a port with a listener: the host's own
/// filter refuses it within microseconds, on the same processor.
const VISIT: Duration = Duration::from_millis(100);

/// How many of them. When there is no room, they are dropped.
const VISITS: u32 = 16_384;

/// The limit that all rules share which make copies for the record.
pub(super) const COPIES_LIMIT: &str = "copies_per_second";

/// The limit on copies from zones that are only watched: a noisy one takes nothing from the record of
/// what is done elsewhere.
pub(super) const WATCHED_LIMIT: &str = "watched_per_second";

/// The limit on copies that are answered.
pub(super) const DECOYS_LIMIT: &str = "decoys_per_second";

/// The limit on what may be a proof, for all sources together.
pub(super) const CONTACTS_LIMIT: &str = "contacts_per_second";

/// Candidates for a proof per second, from all sources. Each costs user space a keyed hash, some
/// five microseconds with its way there; what is beyond gets the host's own RST.
const CONTACTS_PER_SECOND: u32 = 20_000;

pub(super) fn counters(w: &mut Writer, policy: &Policy) {
    for name in counter::ALL {
        w.raw(&format!("\tcounter {name} {{\n\t}}\n"));
    }
    limit(w, COPIES_LIMIT, policy.kernel.copies_per_second);
    if zones::are_there(policy) {
        limit(w, WATCHED_LIMIT, policy.kernel.copies_per_second);
    }
    if plays_decoys(policy) {
        limit(w, DECOYS_LIMIT, policy.decoy.per_second);
        limit(w, CONTACTS_LIMIT, CONTACTS_PER_SECOND);
    }
}

fn limit(w: &mut Writer, name: &str, rate: u32) {
    w.raw(&format!("\tlimit {name} {{\n\t\trate {rate}/second burst {rate} packets\n\t}}\n"));
}

pub(super) fn sets(w: &mut Writer, policy: &Policy, contents: &SetContents) {
    w.note("From the configuration and from what this host is like.");
    filled(w, contents, |_| true);
    ports(w, policy);
    dynamic(w, policy);
}

/// The sets that bans alone need.
pub(super) fn of_bans_alone(w: &mut Writer, policy: &Policy, contents: &SetContents) {
    filled(w, contents, |name| name.starts_with("never"));
    for lane in Lane::ALL {
        banned(w, policy, lane);
    }
}

fn filled(w: &mut Writer, contents: &SetContents, wanted: impl Fn(&str) -> bool) {
    for (name, ranges) in contents.named().into_iter().filter(|(name, _)| wanted(name)) {
        let kind = match name {
            "never4" | "excluded4" => "ipv4_addr",
            "answers" => "inet_service",
            _ => "ipv6_addr",
        };
        w.block(&format!("set {name}"), |w| {
            w.line(&format!("type {kind}"));
            w.line("flags interval");
            elements(w, ranges.iter().map(Range::text));
        });
    }
}

fn ports(w: &mut Writer, policy: &Policy) {
    let lists = [
        ("traps", &policy.traps),
        ("served", &policy.served),
        ("excluded_ports", &policy.decoy.exclude.ports),
    ];
    for (name, ports) in lists {
        w.block(&format!("set {name}"), |w| {
            w.line("type inet_proto . inet_service");
            let text = |port: &Port| format!("{} . {}", port.protocol.name(), port.number);
            elements(w, ports.iter().map(text));
        });
    }
}

/// The sets that packets fill, and those that hold bans.
fn dynamic(w: &mut Writer, policy: &Policy) {
    w.note(
        "Ports that had a listener minutes ago (a service that restarts): on all addresses, as the",
    );
    w.note("daemon says, or on one of this host's, as it says or as was found here.");
    let kind = "inet_proto . inet_service";
    bounded(w, "recent", kind, "timeout", ALL_PORTS, Some(RECENT));
    for (name, address) in [("recent4", "ipv4_addr"), ("recent6", "ipv6_addr")] {
        let kind = format!("{address} . {kind}");
        bounded(w, name, &kind, "dynamic,timeout", ALL_PORTS, Some(RECENT));
    }
    w.note("UDP that left this host or passed it: to whom, to which port, from which port.");
    for (name, kind) in [("asked4", "ipv4_addr"), ("asked6", "ipv6_addr")] {
        let kind = format!("{kind} . inet_service . inet_service");
        bounded(w, name, &kind, "dynamic,timeout", MOST_ASKED, Some(ANSWERED_WITHIN));
    }
    if plays_decoys(policy) {
        w.note("Holds tcp as long as user space answers for ports that nobody serves.");
        w.note("Two in turn: what is in force is never taken out to be put in again.");
        for set in ANSWERING_SETS {
            bounded(w, set, "inet_proto", "timeout", 16, None);
        }
        w.note("Suspects on their way to ports with a listener: what refuses them is withheld.");
        for (family, kind) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
            let (dynamic, timeout) = ("dynamic,timeout", Some(VISIT));
            let call = format!("{kind} . inet_service . inet_service");
            bounded(w, &format!("visit{family}"), &call, dynamic, VISITS, timeout);
            bounded(w, &format!("visitor{family}"), kind, dynamic, VISITS, timeout);
        }
    }
    for lane in Lane::ALL {
        of_lane(w, policy, lane);
    }
}

fn banned(w: &mut Writer, policy: &Policy, lane: Lane) {
    let bans = policy.kernel.bans.saturating_add(SPARE);
    bounded(w, &format!("banned{}", lane.suffix()), lane.key_type(), "timeout", bans, None);
}

fn of_lane(w: &mut Writer, policy: &Policy, lane: Lane) {
    let trigger = &policy.trigger;
    let (suffix, kind) = (lane.suffix(), lane.key_type());
    let (dynamic, size) = ("dynamic,timeout", policy.kernel.sources);
    w.note(&format!("Sources known by {}.", lane.key()));
    let bans = policy.kernel.bans.saturating_add(SPARE);
    // Whoever is in one of the next two: established connections are looked up once only.
    let known = bans.saturating_add(size).saturating_add(SPARE);
    bounded(w, &format!("known{suffix}"), kind, dynamic, known, Some(trigger.suspect));
    banned(w, policy, lane);
    bounded(w, &format!("suspect{suffix}"), kind, dynamic, size, Some(trigger.suspect));
    for slot in 1..=trigger.slots() {
        let claimed = CLAIMED_FOR.min(trigger.window / 2);
        let most = size.saturating_mul(2);
        bounded(w, &claim_set(slot, lane), kind, dynamic, most, Some(claimed));
        bounded(w, &slot_set(slot, lane), kind, dynamic, size, Some(trigger.window));
        let tried = format!("{kind} . inet_proto . inet_service");
        bounded(w, &port_set(slot, lane), &tried, dynamic, size, Some(trigger.window));
    }
    if plays_decoys(policy) {
        for (set, timeout) in
            [("pace", PACE), ("network", PACE), ("strained", STRAINED), ("guess", GUESSES)]
        {
            bounded(w, &format!("{set}{suffix}"), kind, dynamic, size, Some(timeout));
        }
    }
}

fn bounded(
    w: &mut Writer,
    name: &str,
    kind: &str,
    flags: &str,
    size: u32,
    timeout: Option<Duration>,
) {
    w.block(&format!("set {name}"), |w| {
        w.line(&format!("type {kind}"));
        w.line(&format!("size {size}"));
        w.line(&format!("flags {flags}"));
        if let Some(timeout) = timeout {
            w.line(&format!("timeout {}", span(timeout)));
        }
    });
    let (name, kind, flags) = (name.to_owned(), kind.to_owned(), flags.to_owned());
    w.declare(Declared { name, kind, size, flags, timeout });
}

fn elements(w: &mut Writer, items: impl Iterator<Item = String>) {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return;
    }
    w.line("elements = {");
    for item in items {
        w.line(&format!("\t{item},"));
    }
    w.line("}");
}
