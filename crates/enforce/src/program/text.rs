//! The program's text.

use std::fmt::Write as _;
use std::time::Duration;

use vauban_engine::net::Port;
use vauban_engine::policy::{Enforcement, Policy, Unproven};
use vauban_engine::trigger::FIRST_USER_PORT;

use super::lane::Lane;
use super::ranges::Range;
use super::sets::SetContents;
use super::span::span;
use super::{TABLE, claim_set, counter, port_set, prefix, slot_set};

/// Bytes of a packet that a copy carries: a whole one on any common link, so that its checksum can
/// be verified. Longer ones (reassembled fragments) are cut and count for nothing.
const COPIED_BYTES: u32 = 2048;

/// Room in the ban sets beyond the bans in force: for blocks that have run out and that the kernel
/// has not swept away yet, and for exchanging one.
const SPARE: u32 = 1024;

/// Questions remembered at a time. When more are asked, late answers to further ones count as
/// probes; only servers that answer from a port above 1023 can be made to fill it.
const ASKED: u32 = 65_536;

/// How late an answer may be: resolvers give up after some ten seconds, and conntrack forgets an
/// unanswered question after thirty.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// The limit that all rules which make copies share.
const COPIES_LIMIT: &str = "copies_per_second";

/// Within what time two processors may take the same slot for the same source: microseconds. A
/// second leaves room, and is over long before the slot is.
const CLAIMED_FOR: Duration = Duration::from_secs(1);

/// Writes indented lines.
struct Writer {
    out: String,
    /// Whether the last line was a note, which belongs to what follows it.
    noted: bool,
}

impl Writer {
    fn line(&mut self, text: &str) {
        let indent = if text.is_empty() { "" } else { "\t\t" };
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "{indent}{text}");
    }

    fn block(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        self.gap();
        let _ = writeln!(self.out, "\t{head} {{");
        body(self);
        self.out.push_str("\t}\n");
    }

    fn note(&mut self, text: &str) {
        self.gap();
        self.noted = true;
        let _ = writeln!(self.out, "\t# {text}");
    }

    /// An empty line, but not after a note.
    fn gap(&mut self) {
        if !std::mem::take(&mut self.noted) {
            self.out.push('\n');
        }
    }
}

/// The whole program.
pub fn program(policy: &Policy, contents: &SetContents) -> String {
    let mut w = Writer { out: String::new(), noted: false };
    let mode = match policy.enforcement {
        Enforcement::Enforce => "",
        Enforcement::DryRun => "# Dry run: every rule that would drop counts and accepts.\n",
    };
    let _ = write!(
        w.out,
        "# Vauban's kernel program. Nothing outside this table is ever touched.\n\
         {mode}\
         # The first two lines replace what an earlier run may have left.\n\
         table inet {TABLE}\n\
         delete table inet {TABLE}\n\
         table inet {TABLE} {{\n"
    );
    for name in counter::ALL {
        let _ = writeln!(w.out, "\tcounter {name} {{\n\t}}");
    }
    let rate = policy.kernel.copies_per_second;
    let _ = writeln!(
        w.out,
        "\tlimit {COPIES_LIMIT} {{\n\t\trate {rate}/second burst {rate} packets\n\t}}"
    );
    sets(&mut w, policy, contents);
    hooks(&mut w, policy);
    opening(&mut w, policy);
    probes(&mut w, policy);
    for lane in Lane::ALL {
        lane_chains(&mut w, policy, lane);
    }
    w.out.push_str("}\n");
    w.out
}

/// What a rule that drops ends in: nothing is dropped in a dry run.
fn verdict(policy: &Policy) -> &'static str {
    match policy.enforcement {
        Enforcement::Enforce => "drop",
        Enforcement::DryRun => "accept",
    }
}

fn sets(w: &mut Writer, policy: &Policy, contents: &SetContents) {
    w.note("From the configuration and from what this host is like.");
    for (name, ranges) in contents.named() {
        let kind = match name {
            "never4" => "ipv4_addr",
            "answers" => "inet_service",
            _ => "ipv6_addr",
        };
        w.block(&format!("set {name}"), |w| {
            w.line(&format!("type {kind}"));
            w.line("flags interval");
            elements(w, ranges.iter().map(Range::text));
        });
    }
    for (name, ports) in [("traps", &policy.traps), ("served", &policy.served)] {
        w.block(&format!("set {name}"), |w| {
            w.line("type inet_proto . inet_service");
            let text = |port: &Port| format!("{} . {}", port.protocol.name(), port.number);
            elements(w, ports.iter().map(text));
        });
    }
    w.note("UDP that left this host or passed it: to whom, to which port, from which port.");
    for (name, kind) in [("asked4", "ipv4_addr"), ("asked6", "ipv6_addr")] {
        let kind = format!("{kind} . inet_service . inet_service");
        bounded(w, name, &kind, "dynamic,timeout", ASKED, Some(&span(ANSWERED_WITHIN)));
    }
    let trigger = &policy.trigger;
    let kernel = &policy.kernel;
    let (suspects, window) = (span(trigger.suspect), span(trigger.window));
    for lane in Lane::ALL {
        let (suffix, kind) = (lane.suffix(), lane.key_type());
        w.note(&format!("Sources known by {}.", lane.key()));
        let most = kernel.bans.saturating_add(SPARE);
        bounded(w, &format!("banned{suffix}"), kind, "timeout", most, None);
        let dynamic = "dynamic,timeout";
        let size = kernel.sources;
        bounded(w, &format!("suspect{suffix}"), kind, dynamic, size, Some(&suspects));
        for slot in 1..=trigger.slots() {
            let claimed = span(CLAIMED_FOR.min(trigger.window / 2));
            let most = size.saturating_mul(2);
            bounded(w, &claim_set(slot, lane), kind, dynamic, most, Some(&claimed));
            bounded(w, &slot_set(slot, lane), kind, dynamic, size, Some(&window));
            let tried = format!("{kind} . inet_proto . inet_service");
            bounded(w, &port_set(slot, lane), &tried, dynamic, size, Some(&window));
        }
    }
}

fn bounded(w: &mut Writer, name: &str, kind: &str, flags: &str, size: u32, timeout: Option<&str>) {
    w.block(&format!("set {name}"), |w| {
        w.line(&format!("type {kind}"));
        w.line(&format!("size {size}"));
        w.line(&format!("flags {flags}"));
        if let Some(timeout) = timeout {
            w.line(&format!("timeout {timeout}"));
        }
    });
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

fn hooks(w: &mut Writer, policy: &Policy) {
    w.note("Every packet to this host. All established TCP leaves at the fourth rule.");
    w.block("chain input", |w| {
        w.line("type filter hook input priority filter - 10; policy accept;");
        banned_jumps(w);
        w.line("tcp flags & (syn | ack) == ack accept");
        w.line("iif lo accept");
        w.line("exthdr frag exists jump fragment");
        w.line("meta l4proto != { tcp, udp } accept");
        w.line("ip saddr @never4 accept");
        w.line("ip6 saddr @never6 accept");
        w.line("tcp flags & (fin | syn | rst | ack) == syn goto opening");
        w.line("meta l4proto udp goto datagram");
        w.line("# answers: backscatter, or to connections that this host opened");
        w.line("tcp flags & (fin | syn | rst | ack) == syn | ack accept");
        w.line("tcp flags & (syn | rst) == rst accept");
        w.line("# what is left is what no stack sends: NULL, FIN, XMAS, SYN+FIN, SYN+RST");
        w.line("tcp flags & (syn | rst | ack) == 0 goto impossible");
        w.line("tcp flags & (syn | fin) == syn | fin goto impossible");
        w.line("tcp flags & (syn | rst) == syn | rst goto impossible");
    });
    w.note("IPv6 comes here before it is reassembled (unless the host tracks connections). Later");
    w.note("fragments carry no ports; the first one is judged for all. It has to have all headers");
    w.note("up to the ports (RFC 7112); one that hides them would get a probe past us.");
    w.block("chain fragment", |w| {
        w.line("ip6 saddr @never6 accept");
        w.line("frag frag-off != 0 accept");
        w.line("meta l4proto != 255 return");
        w.line(&format!("counter name {} {}", counter::HIDDEN, verdict(policy)));
    });
    w.note("Every packet through this host: to containers, to machines behind it.");
    w.block("chain forward", |w| {
        w.line("type filter hook forward priority filter - 10; policy accept;");
        banned_jumps(w);
        match policy.unproven {
            Unproven::Drop => {
                w.line("tcp flags & (fin | syn | rst | ack) == syn goto passing");
            }
        }
    });
    match policy.unproven {
        Unproven::Drop => {
            w.block("chain passing", |w| {
                for lane in Lane::ALL {
                    w.line(&format!("{} @suspect{} goto refuse", lane.key(), lane.suffix()));
                }
            });
        }
    }
    w.note("What is asked by UDP, so that late answers are known as such: after source address");
    w.note("translation, so for hosts behind this one too. From well-known ports servers answer.");
    w.block("chain asked", |w| {
        w.line("type filter hook postrouting priority srcnat + 10; policy accept;");
        w.line("meta l4proto != udp accept");
        w.line(&format!("udp sport < {FIRST_USER_PORT} accept"));
        w.line("update @asked4 { ip daddr . udp dport . udp sport }");
        w.line("update @asked6 { ip6 daddr . udp dport . udp sport }");
    });
    w.note("The never-ban set stands before the drop, and neighbour discovery (RFC 4861) too.");
    w.block("chain banned", |w| {
        w.line("iif lo accept");
        w.line("ip saddr @never4 accept");
        w.line("ip6 saddr @never6 accept");
        w.line(
            "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, \
             nd-neighbor-advert, nd-redirect } accept",
        );
        w.line(&format!("counter name {} {}", counter::BANNED, verdict(policy)));
    });
}

fn banned_jumps(w: &mut Writer) {
    for lane in Lane::ALL {
        w.line(&format!("{} @banned{} goto banned", lane.key(), lane.suffix()));
    }
}

fn opening(w: &mut Writer, policy: &Policy) {
    w.note("A SYN alone. `socket` is the kernel's own word on whether anyone is there for it;");
    w.note("`transparent { 0, 1 }` holds for every socket there is, in TIME_WAIT too.");
    w.block("chain opening", |w| {
        w.line("socket transparent { 0, 1 } goto owned");
        w.line("meta l4proto . th dport @served goto owned");
        w.line("goto probe");
    });
    w.block("chain datagram", |w| {
        w.line("ip saddr . udp sport . udp dport @asked4 accept");
        w.line("ip6 saddr . udp sport . udp dport @asked6 accept");
        w.line("goto opening");
    });
    match policy.unproven {
        Unproven::Drop => {
            w.note("Served. A suspect opens no new connection while it is one.");
            w.block("chain owned", |w| {
                for lane in Lane::ALL {
                    w.line(&format!("{} @suspect{} goto refuse", lane.key(), lane.suffix()));
                }
                w.line("accept");
            });
            w.block("chain refuse", |w| {
                w.line("fib daddr type { broadcast, anycast, multicast } accept");
                w.line(&format!("counter name {} {}", counter::REFUSED, verdict(policy)));
            });
        }
    }
}

fn probes(w: &mut Writer, policy: &Policy) {
    w.note("Nobody serves it. Multicast, broadcast and other hosts' packets are no probes.");
    for (chain, target) in [("probe", "probe"), ("impossible", "impossible")] {
        w.block(&format!("chain {chain}"), |w| {
            w.line("fib daddr type != local accept");
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
    w.note("No room to remember it: closed for probes. Ports with a listener never come here.");
    w.block("chain full", |w| {
        copy(w, policy, prefix::FULL);
        w.line(&format!("counter name {} {}", counter::FULL, verdict(policy)));
    });
}

fn copy(w: &mut Writer, policy: &Policy, prefix: &str) {
    w.line(&format!(
        "limit name {COPIES_LIMIT} counter name {} log prefix \"{prefix}\" group {} \
         snaplen {COPIED_BYTES} queue-threshold 1",
        counter::COPIES,
        policy.kernel.group,
    ));
}

fn lane_chains(w: &mut Writer, policy: &Policy, lane: Lane) {
    let (s, key) = (lane.suffix(), lane.key());
    let tried = format!("{key} . meta l4proto . th dport");
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
            w.line(&format!("{key} != @{holders} goto full"));
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
            w.line("goto full");
        });
    }
    w.block(&format!("chain trigger{s}"), |w| {
        w.line(&format!("update @suspect{s} {{ {key} }}"));
        copy(w, policy, prefix::TRIGGER);
        w.line(&format!("counter name {} {}", counter::TRIGGERS, verdict(policy)));
    });
    w.block(&format!("chain suspect{s}"), |w| {
        w.line(&format!("update @suspect{s} {{ {key} }}"));
        copy(w, policy, prefix::SUSPECT);
        w.line(&format!("counter name {} {}", counter::SUSPECT, verdict(policy)));
    });
}
