//! The part of the program that decoys need: copies that user space answers, what they may cost,
//! and the answers of a suspect that may be a proof.

use vauban_engine::policy::{Enforcement, Policy};

use super::declarations::{CONTACTS_LIMIT, DECOYS_LIMIT};
use super::lane::Lane;
use super::writer::Writer;
use super::{ANSWERING_SETS, counter, hooks, log, log_whole, plays_decoys, prefix, verdict, zones};

/// What a decoy can answer.
pub(super) const SYN: &str = "tcp flags & (fin | syn | rst | ack) == syn";

/// Candidates for a proof per second from one source; what is beyond gets the host's own RST. A
/// ban needs three of them.
const CONTACTS_EACH: u32 = 64;

/// How many more may come at once: a connect scan's first moments.
const CONTACTS_BURST: u32 = 256;

/// Whether decoys are really sent: in a dry run nobody is told anything that he could acknowledge,
/// or among which a hidden listener would stand out.
pub(super) fn sends_decoys(policy: &Policy) -> bool {
    plays_decoys(policy) && policy.enforcement == Enforcement::Enforce
}

/// A SYN's copy that user space answers; the packet's way ends here. Without effect on other
/// packets, on what came through IPsec (whose sender is known by other means than a decoy's), and
/// beyond the limit.
pub(super) fn answered_copy(w: &mut Writer, policy: &Policy, prefix: &str, count: &str) {
    w.line(&format!(
        "{SYN} meta ipsec missing limit name {DECOYS_LIMIT} counter name {count} {} {}",
        log_whole(policy, prefix),
        verdict(policy)
    ));
}

pub(super) fn lane_chains(w: &mut Writer, policy: &Policy, lane: Lane) {
    let (s, key) = (lane.suffix(), lane.key());
    let decoy = &policy.decoy;
    let over = |rate: u32| format!("limit rate over {rate}/second burst {rate} packets");
    w.note("Faster than it is answered: neither decoys nor listeners, until its rate falls.");
    w.block(&format!("chain pace{s}"), |w| {
        let [one, other] = ANSWERING_SETS;
        w.line(&format!(
            "meta l4proto != @{one} meta l4proto != @{other} counter name {} {}",
            counter::STRAINED,
            verdict(policy)
        ));
        w.line(&format!("update @pace{s} {{ {key} {} }} goto overload{s}", over(decoy.per_source)));
        w.line(&format!(
            "update @network{s} {{ {} {} }} goto overload{s}",
            lane.network(),
            over(decoy.per_network)
        ));
        w.line(&format!(
            "{key} @strained{s} counter name {} {}",
            counter::STRAINED,
            verdict(policy)
        ));
    });
    w.block(&format!("chain overload{s}"), |w| {
        w.line(&format!("update @strained{s} {{ {key} }}"));
        w.line(&format!("counter name {} {}", counter::STRAINED, verdict(policy)));
    });
    w.note("A suspect at a port with a listener. The copy tells user space to watch for the");
    w.note("answer: if there is none, the host's own filter hides that port, and a decoy must.");
    w.block(&format!("chain visit{s}"), |w| {
        if sends_decoys(policy) {
            w.line("# what decoys do not answer, as it is not known what a listener would");
            w.line(match lane {
                Lane::V4 => "meta l4proto tcp ip hdrlength != 5 goto refuse",
                Lane::V6 | Lane::V6Exact => "meta l4proto tcp ip6 nexthdr != tcp goto refuse",
            });
            let visitor = format!("update @visitor{} {{ {} }}", lane.family(), lane.source());
            w.line(&format!("meta l4proto udp {visitor} accept"));
            w.line("meta l4proto udp accept");
            let [one, other] = ANSWERING_SETS;
            w.line(&format!("meta l4proto != @{one} meta l4proto != @{other} goto refuse"));
            w.line(&format!("jump pace{s}"));
            let (family, source) = (lane.family(), lane.source());
            w.line(&format!(
                "limit name {DECOYS_LIMIT} update @visit{family} {{ {source} . tcp sport . tcp dport }} \
                 update @visitor{family} {{ {source} }} counter name {} {} accept",
                counter::VISITS,
                log_whole(policy, prefix::VISIT)
            ));
            w.line(&format!("goto overload{s}"));
        } else {
            w.line("accept");
        }
    });
    if sends_decoys(policy) {
        w.note("A suspect acknowledges something. What no socket owns may answer a decoy.");
        let guess = format!(
            "update @guess{s} {{ {key} limit rate over {CONTACTS_EACH}/second burst \
             {CONTACTS_BURST} packets }} accept"
        );
        w.block(&format!("chain contact{s}"), |w| {
            w.line("# a listener on all addresses, and no connection");
            w.line(&format!("socket wildcard 1 goto stray{s}"));
            w.line("socket transparent { 0, 1 } accept");
            w.line("fib daddr type != local accept");
            w.line("meta l4proto . th dport @served accept");
            hooks::recent(w);
            w.line("meta ipsec exists accept");
            w.line(&guess);
            w.line(&format!(
                "limit name {CONTACTS_LIMIT} counter name {} {} drop",
                counter::CONTACTS,
                log_whole(policy, prefix::CONTACT)
            ));
        });
        w.note(
            "It goes on (a SYN cookie may be acknowledged), but what refuses it is withheld: user",
        );
        w.note("space refuses it instead, as it does for ports that nobody serves.");
        w.block(&format!("chain stray{s}"), |w| {
            let (family, source) = (lane.family(), lane.source());
            w.line("fib daddr type != local accept");
            w.line("meta ipsec exists accept");
            w.line(&guess);
            w.line(&format!(
                "limit name {CONTACTS_LIMIT} update @visit{family} {{ {source} . tcp sport . tcp dport }} \
                 update @visitor{family} {{ {source} }} {}",
                log_whole(policy, prefix::STRAY)
            ));
            w.line("accept");
        });
    }
}

/// What suspects are told by others than us.
pub(super) fn told(w: &mut Writer, policy: &Policy) {
    if !sends_decoys(policy) {
        return;
    }
    w.note(
        "A listener's answer to a suspect. A refusal instead is the host's own filter's, and would",
    );
    w.note("tell that there is something.");
    w.block("chain told", |w| {
        zones::ask_leaving(w, policy);
        w.line("fib saddr type != local accept");
        w.line(&format!(
            "tcp flags & (syn | ack) == syn | ack {} accept",
            log(policy, prefix::PASSED)
        ));
        let withheld = format!("counter name {} drop", counter::WITHHELD);
        for (family, peer) in [("4", "ip daddr"), ("6", "ip6 daddr")] {
            w.line(&format!(
                "tcp flags & (rst | ack) == rst | ack tcp sequence 0 {peer} . tcp dport . tcp sport \
                 @visit{family} {withheld}"
            ));
            w.line(&format!(
                "tcp flags & (rst | ack) == rst {peer} . tcp dport . tcp sport @visit{family} {withheld}"
            ));
        }
        w.line(&format!(
            "icmp type destination-unreachable icmp code != 4 ip daddr @visitor4 {withheld}"
        ));
        w.line(&format!("icmpv6 type destination-unreachable ip6 daddr @visitor6 {withheld}"));
    });
}
