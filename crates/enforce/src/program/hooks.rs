//! The chains that hang on the kernel's hooks, and those that end a packet's way.

use vauban_engine::policy::{Policy, Unproven};
use vauban_engine::trigger::FIRST_USER_PORT;

use super::lane::Lane;
use super::writer::Writer;
use super::{counter, decoys, plays_decoys, verdict, zones};

pub(super) fn hooks(w: &mut Writer, policy: &Policy) {
    input(w, policy);
    w.note("IPv6 comes here before it is reassembled (unless the host tracks connections). Later");
    w.note("fragments carry no ports; the first one is judged for all. It has to have all headers");
    w.note("up to the ports (RFC 7112); one that hides them would get a probe past us.");
    w.block("chain fragment", |w| {
        w.line("ip6 saddr @never6 accept");
        w.line("frag frag-off != 0 accept");
        w.line("meta l4proto != 255 return");
        w.line(&format!("counter name {} {}", counter::HIDDEN, verdict(policy)));
    });
    forward(w, policy);
    leaving(w, policy);
    banned(w, policy);
}

/// What is left when nobody watches any more: bans, until they run out.
pub(super) fn bans_alone(w: &mut Writer, policy: &Policy) {
    for hook in ["input", "forward"] {
        w.block(&format!("chain {hook}"), |w| {
            w.line(&format!("type filter hook {hook} priority filter - 10; policy accept;"));
            let through = zones::through(policy);
            for lane in Lane::ALL {
                w.line(&format!("{} @banned{} goto {through}", lane.key(), lane.suffix()));
            }
        });
    }
    banned(w, policy);
}

fn banned(w: &mut Writer, policy: &Policy) {
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

fn input(w: &mut Writer, policy: &Policy) {
    w.note("Every packet to this host. All established TCP leaves at the fourth rule.");
    w.block("chain input", |w| {
        w.line("type filter hook input priority filter - 10; policy accept;");
        for lane in Lane::ALL {
            let s = lane.suffix();
            w.line(&format!("{} @known{s} jump known{s}", lane.key()));
        }
        w.line("tcp flags & (syn | ack) == ack accept");
        w.line("iif lo accept");
        zones::ask(w, policy);
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
    w.note("Banned, or a suspect.");
    for lane in Lane::ALL {
        let (s, key) = (lane.suffix(), lane.key());
        w.block(&format!("chain known{s}"), |w| {
            zones::ask(w, policy);
            w.line(&format!("{key} @banned{s} goto banned"));
            if decoys::sends_decoys(policy) {
                w.line(&format!("tcp flags & (rst | ack) == ack goto contact{s}"));
            }
        });
    }
}

fn forward(w: &mut Writer, policy: &Policy) {
    w.note("Every packet through this host: to containers, to machines behind it.");
    w.block("chain forward", |w| {
        w.line("type filter hook forward priority filter - 10; policy accept;");
        for lane in Lane::ALL {
            let s = lane.suffix();
            w.line(&format!("{} @banned{s} goto {}", lane.key(), zones::through(policy)));
        }
        let crossing = zones::crossing(policy);
        w.line(&format!("tcp flags & (fin | syn | rst | ack) == syn goto {crossing}"));
    });
    w.block("chain passing", |w| {
        for lane in Lane::ALL {
            let (s, key) = (lane.suffix(), lane.key());
            match policy.unproven {
                // Only where decoys fail: otherwise what is served behind this host would stand out.
                Unproven::Decoy => w.line(&format!("{key} @strained{s} goto refuse")),
                Unproven::Drop | Unproven::Ban => {
                    w.line(&format!("{key} @suspect{s} goto refuse"));
                }
            }
        }
    });
}

fn leaving(w: &mut Writer, policy: &Policy) {
    w.note("What is asked by UDP, so that late answers are known as such: after source address");
    w.note("translation, so for hosts behind this one too. From well-known ports servers answer.");
    if decoys::sends_decoys(policy) {
        w.note("And what suspects are told: what lets hidden listeners stand out.");
    }
    w.block("chain leaving", |w| {
        w.line("type filter hook postrouting priority srcnat + 10; policy accept;");
        if decoys::sends_decoys(policy) {
            w.line("tcp flags & (syn | rst) == 0 accept");
            w.line("meta l4proto udp goto asked");
            for lane in Lane::ALL {
                w.line(&format!("{} @suspect{} goto told", lane.peer(), lane.suffix()));
            }
        } else {
            w.line("meta l4proto udp goto asked");
        }
    });
    w.block("chain asked", |w| {
        w.line(&format!("udp sport < {FIRST_USER_PORT} accept"));
        w.line("update @asked4 { ip daddr . udp dport . udp sport }");
        w.line("update @asked6 { ip6 daddr . udp dport . udp sport }");
    });
}

pub(super) fn opening(w: &mut Writer, policy: &Policy) {
    w.note("A SYN alone. `socket` is the kernel's own word on whether anyone is there for it;");
    w.note("`transparent { 0, 1 }` holds for every socket there is, in TIME_WAIT too.");
    w.block("chain opening", |w| {
        w.line("socket transparent { 0, 1 } goto owned");
        w.line("meta l4proto . th dport @served goto served");
        w.line("# a service that restarts must look down");
        recent(w);
        w.line("goto probe");
    });
    w.block("chain datagram", |w| {
        w.line("ip saddr . udp sport . udp dport @asked4 accept");
        w.line("ip6 saddr . udp sport . udp dport @asked6 accept");
        w.line("goto opening");
    });
    w.block("chain owned", |w| {
        w.line("meta l4proto tcp update @recent4 { ip daddr . meta l4proto . th dport }");
        w.line("meta l4proto tcp update @recent6 { ip6 daddr . meta l4proto . th dport }");
        if plays_decoys(policy) {
            for lane in Lane::ALL {
                let s = lane.suffix();
                w.line(&format!("{} @suspect{s} goto visit{s}", lane.key()));
            }
            w.line("accept");
        } else {
            w.line("goto served");
        }
    });
    match policy.unproven {
        Unproven::Decoy => {
            w.note("Served without a socket. Suspects reach it too, unless decoys fail.");
        }
        Unproven::Drop | Unproven::Ban => {
            w.note("Served. A suspect opens no new connection while it is one.");
        }
    }
    w.block("chain served", |w| {
        w.line("jump passing");
        w.line("accept");
    });
    w.block("chain refuse", |w| {
        w.line("fib daddr type { broadcast, anycast, multicast } accept");
        w.line(&format!("counter name {} {}", counter::REFUSED, verdict(policy)));
    });
}

/// Lets a packet to a port go on that had a listener minutes ago.
pub(super) fn recent(w: &mut Writer) {
    w.line("meta l4proto . th dport @recent accept");
    w.line("ip daddr . meta l4proto . th dport @recent4 accept");
    w.line("ip6 daddr . meta l4proto . th dport @recent6 accept");
}
