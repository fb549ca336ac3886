//! The chains that count probes and make suspects.

use vauban_engine::policy::Policy;

use super::declarations::COPIES_LIMIT;
use super::lane::Lane;
use super::writer::Writer;
use super::{claim_set, counter, decoys, log, plays_decoys, port_set, prefix, slot_set, verdict};

pub(super) fn probes(w: &mut Writer, policy: &Policy) {
    w.note("Nobody serves it. Multicast, broadcast and other hosts' packets are no probes.");
    for (chain, target) in [("probe", "probe"), ("impossible", "impossible")] {
        w.block(&format!("chain {chain}"), |w| {
            w.line("fib daddr type != local accept");
            w.line("meta pkttype != host accept");
            excluded(w, policy);
            w.line(&format!("counter name {}", counter::PROBES));
            w.line(&format!("ip6 saddr @exact6 goto {target}6x"));
            w.line(&format!("meta nfproto ipv6 goto {target}6"));
            w.line(&format!("goto {target}4"));
        });
    }
    w.note("Below the trigger: one copy, and the host answers as always.");
    w.block("chain below", |w| {
        copy(w, policy, prefix::BELOW);
        w.line("accept");
    });
    if !plays_decoys(policy) {
        w.note("No room to remember it: closed for probes. Ports with a listener never come here.");
        w.block("chain full", |w| {
            copy(w, policy, prefix::FULL);
            w.line(&format!("counter name {} {}", counter::FULL, verdict(policy)));
        });
    }
}

/// Where a probe goes for which there is no room in a slot.
fn full(policy: &Policy, lane: Lane) -> String {
    if plays_decoys(policy) { format!("full{}", lane.suffix()) } else { "full".to_owned() }
}

/// Lets what no decoy is played for go on to the host.
pub(super) fn excluded(w: &mut Writer, policy: &Policy) {
    let exclude = &policy.decoy.exclude;
    if !exclude.ports.is_empty() {
        w.line("meta l4proto . th dport @excluded_ports accept");
    }
    if exclude.sources.iter().any(|source| source.addr().is_ipv4()) {
        w.line("ip saddr @excluded4 accept");
    }
    if exclude.sources.iter().any(|source| source.addr().is_ipv6()) {
        w.line("ip6 saddr @excluded6 accept");
    }
}

/// A copy for the record, if there have not been too many.
fn copy(w: &mut Writer, policy: &Policy, prefix: &str) {
    w.line(&format!(
        "limit name {COPIES_LIMIT} counter name {} {}",
        counter::COPIES,
        log(policy, prefix)
    ));
}

pub(super) fn lane_chains(w: &mut Writer, policy: &Policy, lane: Lane) {
    let (s, key) = (lane.suffix(), lane.key());
    let tried = format!("{key} . meta l4proto . th dport");
    let full = full(policy, lane);
    w.note(&format!("Sources known by {key}."));
    w.block(&format!("chain impossible{s}"), |w| {
        w.line(&format!("{key} @suspect{s} goto suspect{s}"));
        w.line(&format!("goto trigger{s}"));
    });
    let slots = policy.trigger.slots();
    w.block(&format!("chain probe{s}"), |w| {
        w.line(&format!("{key} @suspect{s} goto suspect{s}"));
        w.line(&format!("meta l4proto . th dport @traps goto trigger{s}"));
        w.line("udp dport @answers goto below");
        w.line("# a port in one of the slots is kept there; another one takes a free slot");
        for slot in 1..=slots {
            w.line(&format!("{tried} @{} goto keep{slot}_{s}", port_set(slot, lane)));
        }
        for slot in 1..=slots {
            let holders = slot_set(slot, lane);
            w.line(&format!("{key} != @{holders} jump take{slot}_{s}"));
            // No room, or it is being taken by a packet on another processor.
            w.line(&format!("{key} != @{holders} goto {full}"));
        }
        w.line("# or finds all of them its own");
        w.line(&format!("goto trigger{s}"));
    });
    w.note("Two processors may see the same slot free: the first packet gets it.");
    for slot in 1..=slots {
        w.block(&format!("chain take{slot}_{s}"), |w| {
            w.line(&format!(
                "update @{} {{ {key} limit rate 1/week burst 1 packets }} goto keep{slot}_{s}",
                claim_set(slot, lane)
            ));
        });
    }
    for slot in 1..=slots {
        let (holder, port) = (slot_set(slot, lane), port_set(slot, lane));
        w.block(&format!("chain keep{slot}_{s}"), |w| {
            w.line(&format!(
                "update @{holder} {{ {key} }} update @{port} {{ {tried} }} goto below"
            ));
            w.line(&format!("goto {full}"));
        });
    }
    let mut stages = vec![
        ("trigger", prefix::TRIGGER, prefix::TRIGGER_DECOY, counter::TRIGGERS),
        ("suspect", prefix::SUSPECT, prefix::SUSPECT_DECOY, counter::SUSPECT),
    ];
    if plays_decoys(policy) {
        // No room to count: closed for probes, by making a suspect of whoever sends one.
        stages.push(("full", prefix::FULL, prefix::FULL_DECOY, counter::FULL));
    }
    for (chain, text, decoy, count) in stages {
        w.block(&format!("chain {chain}{s}"), |w| {
            // `add` never shortens what a ban has put there.
            w.line(&format!("update @suspect{s} {{ {key} }} add @known{s} {{ {key} }}"));
            w.line(&format!("counter name {count}"));
            if plays_decoys(policy) {
                w.line(&format!("{} meta ipsec missing jump pace{s}", decoys::SYN));
                decoys::answered_copy(w, policy, decoy, counter::DECOYS);
                w.line(&format!("{} meta ipsec missing goto overload{s}", decoys::SYN));
            }
            copy(w, policy, text);
            w.line(verdict(policy));
        });
    }
    if plays_decoys(policy) {
        decoys::lane_chains(w, policy, lane);
    }
}
