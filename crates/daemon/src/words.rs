//! Sentences for people: one wording for the log, `explain` and the demo.

use std::fmt::Write as _;
use std::time::Duration;

use vauban_config::duration;
use vauban_engine::evidence::{Cause, Evidence, Excuse, Meaning};
use vauban_engine::grants::MOST_GRANTS;
use vauban_engine::ledger::{Ban, Origin};
use vauban_engine::net::Port;
use vauban_engine::output::Refusal;
use vauban_engine::policy::{Enforcement, Policy, Unproven};
use vauban_engine::zone::ZoneName;
use vauban_engine::{Class, Protocol};

use vauban_sys::sandbox::Entered;

use crate::clock::Step;
use crate::control::view;
use crate::store::Ending;

/// Ports named in one sentence at most; the rest is a number.
const MOST_PORTS_NAMED: usize = 8;

/// Why somebody is banned whom only the kernel knows of: nobody can say any more who made the ban.
pub const ADOPTED: &str = "held by the kernel when the store was lost";

/// First bytes shown in one line at most: a request line. `--json` has all that is kept.
const MOST_BYTES_SHOWN: usize = 80;

/// What made a source a suspect, or a suspect's address a proven one.
#[must_use]
pub fn cause(cause: &Cause, policy: &Policy) -> String {
    let trigger = &policy.trigger;
    match cause {
        Cause::DistinctPorts(count) => format!(
            "{count} distinct closed ports (the trigger is {} within {})",
            trigger.ports,
            duration::format(trigger.window)
        ),
        Cause::TrapPort(port) => format!("trap port {port}, which nobody serves here"),
        Cause::ImpossibleFlags(flags) => match flags.scan_name() {
            Some(name) => format!("{name} segment (flags {flags}), which no TCP stack sends"),
            None => format!("a segment with flags {flags}, which no TCP stack sends"),
        },
        Cause::GoesOn => "a suspect that goes on probing".into(),
        Cause::KernelCount => "the kernel's own count of its probes".into(),
        Cause::ProvenPorts(count) => format!(
            "completed handshakes with {count} distinct decoys ({} within {} make a ban)",
            policy.decoy.ports,
            duration::format(policy.decoy.window)
        ),
        Cause::ProvenTrap(port) => {
            format!("completed the handshake with trap port {port}'s decoy")
        }
    }
}

/// Which files a configuration is from: the main one, if there is one, and how many beside it.
#[must_use]
pub fn configured(file: &str, drop_ins: u32) -> String {
    let more = match drop_ins {
        0 => {
            return if file.is_empty() {
                "no configuration file, defaults".into()
            } else {
                format!("configured by {file}")
            };
        }
        1 => "1 drop-in".to_owned(),
        more => format!("{more} drop-ins"),
    };
    if file.is_empty() {
        format!("configured by {more}")
    } else {
        format!("configured by {file} and {more}")
    }
}

/// That something was seen in a zone that is only watched.
#[must_use]
pub fn only_watched(zone: &ZoneName) -> String {
    format!("seen in zone {zone}, which is only watched")
}

/// Why somebody is a suspect; and that nothing is done about it, where he was seen in `zone`, which is
/// only watched.
#[must_use]
pub fn suspicion(why: &Cause, zone: Option<&ZoneName>, policy: &Policy) -> String {
    let why = cause(why, policy);
    zone.map_or_else(|| why.clone(), |zone| format!("{why}; {}", only_watched(zone)))
}

/// What is missing to a ban of who was seen in a zone that is only watched: nothing leads to one.
#[must_use]
pub fn missing_where_watched(zone: &ZoneName) -> String {
    format!("{}: no ban", only_watched(zone))
}

/// What a process may not do any more.
#[must_use]
pub fn sandbox(entered: &Entered) -> String {
    let landlock = entered.landlock.map(|version| format!("landlock (version {version})"));
    let seccomp = entered.seccomp.then(|| "seccomp".to_owned());
    let parts: Vec<String> = landlock.into_iter().chain(seccomp).collect();
    if parts.is_empty() { "none: this kernel has neither".into() } else { parts.join(", ") }
}

/// That the wall clock has been set, or the host has slept.
#[must_use]
pub fn clock_step(step: &Step) -> String {
    let ahead = if step.forward { "forward" } else { "back" };
    let by = span(step.by);
    if step.asleep >= Duration::from_secs(1) {
        let slept = span(step.asleep);
        format!("Clock: the host has slept for {slept}; bans last as long as it is awake")
    } else {
        format!("Clock: the wall clock was set {ahead} by {by}; no ban is shorter or longer for it")
    }
}

/// Why a ban was made.
#[must_use]
pub fn reason(ban: &Ban, policy: &Policy) -> String {
    match &ban.origin {
        Origin::Operator(text) if text == ADOPTED => ADOPTED.into(),
        Origin::Operator(text) if text.is_empty() => "banned by the operator".into(),
        Origin::Operator(text) => format!("banned by the operator: {text}"),
        Origin::Scan(why) => {
            format!("{}: {}", scan_kind(&ban.evidence), cause(why, policy))
        }
    }
}

/// What the packets that counted look like: a SYN scan, an XMAS scan, a UDP scan …
#[must_use]
pub fn scan_kind<'a>(evidence: impl IntoIterator<Item = &'a Evidence>) -> String {
    let mut names: Vec<String> = Vec::new();
    for item in evidence {
        let name = match Class::of_evidence(item) {
            Class::Connect => "connect".to_owned(),
            Class::Udp => "UDP".to_owned(),
            Class::Syn
            | Class::Fin
            | Class::Null
            | Class::Xmas
            | Class::OddFlags
            | Class::Mixed => item
                .flags
                .scan_name()
                .map_or_else(|| format!("odd-flag ({})", item.flags), str::to_owned),
        };
        if !names.contains(&name) && names.len() < 3 {
            names.push(name);
        }
    }
    if names.is_empty() { "port scan".into() } else { format!("{} scan", names.join(", ")) }
}

/// The distinct ports of some evidence, as `tcp/22, tcp/23 and 4 more`.
#[must_use]
pub fn ports<'a>(evidence: impl IntoIterator<Item = &'a Evidence>) -> String {
    let mut ports: Vec<Port> = Vec::new();
    for item in evidence {
        if !ports.contains(&item.port) {
            ports.push(item.port);
        }
    }
    let mut text = String::new();
    for (index, port) in ports.iter().take(MOST_PORTS_NAMED).enumerate() {
        let _ = write!(text, "{}{port}", if index == 0 { "" } else { ", " });
    }
    if ports.len() > MOST_PORTS_NAMED {
        let _ = write!(text, " and {} more", ports.len() - MOST_PORTS_NAMED);
    }
    text
}

/// What one packet was, and why it counts.
#[must_use]
pub fn evidence(item: &Evidence, policy: &Policy) -> String {
    let trigger = &policy.trigger;
    let what = match item.port.protocol {
        Protocol::Udp => "UDP packet".to_owned(),
        Protocol::Tcp => match item.flags.scan_name() {
            Some(name) => format!("TCP {name}"),
            None => format!("TCP {}", item.flags),
        },
    };
    let why = match item.meaning {
        Meaning::ClosedPort { count } => format!(
            "nobody serves it; distinct closed port {count} of {} within {}",
            trigger.ports,
            duration::format(trigger.window)
        ),
        Meaning::TrapPort => "a trap port that nobody serves; one hit is the trigger".to_owned(),
        Meaning::ImpossibleFlags => {
            format!("flags {} are sent by no TCP stack; one such packet is the trigger", item.flags)
        }
        Meaning::OfSuspect => of_suspect(item, policy).to_owned(),
        Meaning::Proven { count } => format!(
            "completed a decoy's handshake, so the address is its own; proven port {count} ({} within \
             {} make a ban)",
            policy.decoy.ports,
            duration::format(policy.decoy.window)
        ),
        Meaning::ProvenTrap => {
            "completed the handshake of a trap port's decoy; one is a ban".to_owned()
        }
        Meaning::Excused(Excuse::Browser) => {
            "completed a decoy's handshake, but is no evidence: a browser that a page of another \
             site has sent"
                .to_owned()
        }
        Meaning::Excused(Excuse::MailClient) => {
            "completed a decoy's handshake, but is no more evidence: a mail client tries several \
             ports, which count as one"
                .to_owned()
        }
    };
    let said = said(&item.said);
    format!("{what} to {}: {why}{said}", item.port)
}

/// The same for a packet that came in by a zone that is only watched.
#[must_use]
pub fn watched_evidence(item: &Evidence, zone: &ZoneName, policy: &Policy) -> String {
    let text = if item.meaning == Meaning::OfSuspect {
        let what = item.flags.scan_name().map_or_else(|| item.flags.to_string(), str::to_owned);
        let what = match item.port.protocol {
            Protocol::Udp => "UDP packet".to_owned(),
            Protocol::Tcp => format!("TCP {what}"),
        };
        format!("{what} to {}: nobody serves it; another one", item.port)
    } else {
        evidence(item, policy)
    };
    format!("{text} (zone {zone})")
}

/// What a further probe of a suspect met.
fn of_suspect(item: &Evidence, policy: &Policy) -> &'static str {
    match (policy.enforcement, item.decoy) {
        (Enforcement::Enforce, true) => {
            "nobody serves it; from a suspect, told by a decoy that it is open"
        }
        (Enforcement::DryRun, true) => {
            "nobody serves it; from a suspect, would be told by a decoy that it is open"
        }
        (Enforcement::Enforce, false) => "nobody serves it; from a suspect, dropped in the kernel",
        (Enforcement::DryRun, false) => "nobody serves it; from a suspect, would be dropped",
    }
}

/// The first bytes of a contact, in quotes and with escapes, or nothing.
fn said(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let shown = bytes.get(..MOST_BYTES_SHOWN).unwrap_or(bytes);
    let more = if shown.len() < bytes.len() { " …" } else { "" };
    format!("; said \"{}\"{more}", shown.escape_ascii())
}

/// What is missing to a ban, in a sentence; `proven` are the ports that count so far.
#[must_use]
pub fn missing(proven: usize, policy: &Policy) -> String {
    let wanted = usize::try_from(policy.decoy.ports).unwrap_or(usize::MAX);
    match (policy.unproven, policy.enforcement) {
        (Unproven::Ban, _) => "nothing: the trigger is a ban (unproven = \"ban\")".into(),
        (Unproven::Drop, _) => {
            "without decoys nobody can prove an address (unproven = \"drop\"): no ban".into()
        }
        (Unproven::Decoy, Enforcement::DryRun) => {
            "in a dry run nobody is answered, so it cannot prove its address: no ban".into()
        }
        (Unproven::Decoy, Enforcement::Enforce) if proven == 0 => {
            format!("completed handshakes with {wanted} distinct decoys, or with one trap port's")
        }
        (Unproven::Decoy, Enforcement::Enforce) => format!(
            "completed handshakes with {} more of {wanted} distinct decoys, or with one trap port's",
            wanted.saturating_sub(proven)
        ),
    }
}

/// Why a ban was not made.
#[must_use]
pub fn refusal(why: &Refusal) -> String {
    match why {
        Refusal::Never(member) => {
            format!("{} is never banned: {}", member.prefix, member.because)
        }
        Refusal::LedgerFull => {
            "as many bans as kernel.bans allows are in force; raise it, or unban some".into()
        }
        Refusal::TooManyAllowed => format!(
            "{MOST_GRANTS} addresses and prefixes are allowed already; disallow some, or write them into \
             allow in the configuration"
        ),
        Refusal::TooWide => "it is more than one source: ban an address, or the /64 of an IPv6 \
                             address that is not on a link of this host"
            .into(),
    }
}

/// How a ban ended, as `The ban …` goes on.
#[must_use]
pub const fn ending(how: Ending) -> &'static str {
    match how {
        Ending::Expired => "ran out",
        Ending::Unbanned => "was ended by the operator",
        Ending::NeverBan => "was ended because its subject is never banned any more",
        Ending::PushedOut => "was pushed out: the ledger was full",
        Ending::Replaced => "was replaced by another one",
        Ending::Unrecorded => "ended while nothing could be recorded",
    }
}

/// The how-manieth: `first`, `2nd`, `3rd`, `4th`.
#[must_use]
pub fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    if number == 1 { "first".into() } else { format!("{number}{suffix}") }
}

/// A span as people want it: whole seconds.
#[must_use]
pub fn span(span: Duration) -> String {
    duration::format(Duration::from_secs(view::seconds(span)))
}
