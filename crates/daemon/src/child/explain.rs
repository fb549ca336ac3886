//! What is known of an address, and what is missing to its ban.
//!
//! It judges nothing: it says what engine, kernel and store say.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use vauban_config::duration;
use vauban_engine::Prefix;
use vauban_engine::detect::{Dossier, Sighting};
use vauban_engine::grants::Grant;
use vauban_engine::ledger::{Ban, Origin};
use vauban_engine::never::{Because, Member};
use vauban_engine::policy::{Enforcement, Policy, Unproven};

use super::core::Core;
use super::grants::grant_view;
use super::link::Orphaned;
use crate::control::view;
use crate::store::{Entry, Query};
use crate::words::{self, span};

/// Trap ports named in one sentence.
const MOST_TRAPS: usize = 6;

/// What a look at an address has found.
struct Found<'a> {
    address: IpAddr,
    state: &'static str,
    ban: Option<&'a Ban>,
    never: Option<&'a Member>,
    suspect_for: Option<Duration>,
    dossier: Option<&'a Dossier<'a>>,
    last: Option<&'a Entry>,
}

/// One reason why there is no ban, or one thing that is missing to it.
struct Reason {
    what: &'static str,
    text: String,
}

impl Reason {
    fn new(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, text: text.into() }
    }

    fn view(self) -> Value {
        json!({ "what": self.what, "text": self.text })
    }
}

impl Core {
    /// Everything known of an address. One view for `explain` and `why-not`, so that the two cannot
    /// contradict each other.
    pub(super) fn explain(&mut self, address: IpAddr) -> Result<Value, Orphaned> {
        let suspicions = self.suspicions()?;
        // What the ledger does not keep any more, the store may.
        let mut complete = self.engine.ban_of(address).cloned();
        if let Some(ban) = &mut complete
            && (ban.not_kept > 0
                || (ban.evidence.is_empty() && matches!(ban.origin, Origin::Scan(_))))
            && let Some((kept, more)) = self.records.evidence(ban.subject)
            && kept.len() > ban.evidence.len()
        {
            (ban.evidence, ban.not_kept) = (kept, more);
        }
        let last = self.last_ban(address);
        let now = self.clock.now();
        let policy = self.engine.policy();
        let trigger = &policy.trigger;
        let subject = self.engine.keying().subject(address);
        let ban = complete.as_ref();
        let dossier = self.engine.dossier(&subject);
        let never = self.engine.never().hit(&Prefix::host(address));
        let suspect_for = suspicions.get(&subject).copied();
        let state = if ban.is_some() {
            "banned"
        } else if never.is_some() {
            "never-banned"
        } else if suspect_for.is_some() {
            "suspect"
        } else if dossier.as_ref().is_some_and(Dossier::is_of_protected) {
            "watched"
        } else if dossier.is_some() {
            "only-watched"
        } else {
            "unknown"
        };
        // What came after the ban is in the dossier, if anything did; what it rests on is in the
        // ban, also when the dossier has been forgotten since.
        let of_ban = ban.map(|ban| (ban.evidence.iter().collect::<Vec<_>>(), ban.not_kept));
        let of_dossier =
            dossier.as_ref().map(|dossier| (dossier.evidence.clone(), dossier.not_kept));
        let longer =
            |a: &(Vec<_>, u64), b: &(Vec<_>, u64)| a.0.len() as u64 + a.1 < b.0.len() as u64 + b.1;
        let (evidence, not_kept) = match (of_ban, of_dossier) {
            (Some(ban), Some(dossier)) if longer(&ban, &dossier) => dossier,
            (Some(ban), _) => ban,
            (None, Some(dossier)) => dossier,
            (None, None) => (Vec::new(), 0),
        };
        let evidence: Vec<_> =
            evidence.iter().map(|item| view::evidence(item, &self.dates, policy)).collect();
        let proven = dossier.as_ref().map_or(&[][..], |dossier| dossier.proven.as_slice());
        let sightings = dossier.as_ref().map_or(&[][..], |dossier| dossier.sightings.as_slice());
        let missing = match (state, sightings) {
            ("banned", _) => String::new(),
            ("only-watched", [seen, ..]) => words::missing_where_watched(seen.zone),
            _ => words::missing(proven.len(), policy),
        };
        let seen_in: Vec<_> = sightings.iter().map(|seen| self.sighting(seen)).collect();
        let suspended = dossier.as_ref().and_then(|dossier| dossier.proof_suspended_until);
        let found = Found {
            address,
            state,
            ban,
            never,
            suspect_for,
            dossier: dossier.as_ref(),
            last: last.as_ref(),
        };
        let why_not: Vec<_> = self.why_not(&found).into_iter().map(Reason::view).collect();
        let live = dossier.as_ref().map_or(&[][..], |dossier| dossier.live.as_slice());
        Ok(json!({
            "dry_run": policy.enforcement == Enforcement::DryRun,
            "stored": true,
            "address": address.to_string(),
            "subject": ban.map_or(subject, |ban| ban.subject).to_string(),
            "state": state,
            "never": never.map(|member| json!({
                "prefix": member.prefix.to_string(),
                "because": member.because.to_string(),
            })),
            "suspect_for": suspect_for.map(view::seconds),
            "distinct_ports": dossier.as_ref().map_or(0, |dossier| dossier.distinct_ports),
            "trigger_ports": trigger.ports,
            "ban": ban.map(|ban| view::ban(ban, now, &self.dates, policy)),
            "evidence": evidence,
            "not_kept": not_kept,
            "uncountable": dossier.as_ref().map_or(0, |dossier| dossier.uncountable),
            "decoys": dossier.as_ref().map_or(0, |dossier| dossier.decoys),
            "proven": proven.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "missing": missing,
            "seen_in": seen_in,
            "why_not": why_not,
            "live_ports": live.iter().map(|(port, until)| json!({
                "port": port.to_string(),
                "until": view::time(self.dates.wall(*until)),
            })).collect::<Vec<_>>(),
            "allowed": self.grant_of(address).map(|grant| grant_view(grant, now, &self.dates)),
            "last_ban": last.as_ref().map(last_view),
            "guesses": dossier.as_ref().map_or(0, |dossier| dossier.guesses),
            "excused": dossier.as_ref().map_or(0, |dossier| dossier.excused),
            "proof_suspended_for": suspended.map(|until| view::seconds(until.since(now))),
        }))
    }

    /// What was seen in a zone that is only watched, with its packets.
    fn sighting(&self, seen: &Sighting<'_>) -> Value {
        let left = seen.suspect_until.map(|until| until.since(self.clock.now()));
        let policy = self.engine.policy();
        let evidence: Vec<_> = seen
            .evidence
            .iter()
            .map(|item| view::watched_evidence(item, seen.zone, &self.dates, policy))
            .collect();
        let mut view = json!(view::sighting(None, seen, left));
        if let Some(object) = view.as_object_mut() {
            // How far it is from a suspicion; of one who is a suspect it says nothing, so that the list of
            // them does without.
            object.insert("distinct_ports".into(), json!(seen.distinct_ports));
            object.insert("evidence".into(), json!(evidence));
        }
        view
    }

    /// The last ban of an address that is over, as the store has it.
    fn last_ban(&mut self, address: IpAddr) -> Option<Entry> {
        let query = Query { subjects: subjects_of(address), limit: 2, ..Query::default() };
        let page = self.records.page(query)?;
        page.entries.into_iter().find(|entry| entry.ended.is_some())
    }

    /// The grant that an address is allowed by.
    fn grant_of(&self, address: IpAddr) -> Option<&Grant> {
        self.engine.grants().find(|grant| grant.prefix.contains(address))
    }

    /// Why an address is not banned, and what is missing to it: what weighs most first.
    fn why_not(&self, found: &Found<'_>) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if let Some(ban) = found.ban {
            let left = ban.remaining(self.clock.now());
            let left = left.map_or_else(|| "ever".into(), span);
            let text = if self.is_dry_run() {
                format!("it would be banned for {left} more, if this were no dry run")
            } else {
                format!("it is banned for {left} more")
            };
            return vec![Reason::new("banned", text)];
        }
        if let Some(member) = found.never {
            reasons.push(self.never_banned(member));
        } else {
            reasons.extend(self.missing_to_ban(found));
        }
        if let Some(Entry { ban, ended: Some((at, how)) }) = found.last {
            reasons.push(Reason::new(
                "was-banned",
                format!(
                    "its {} ban, from {} to {}, {}",
                    words::ordinal(ban.level),
                    view::time(ban.times.start.timestamp()),
                    view::time(at.timestamp()),
                    words::ending(*how),
                ),
            ));
        }
        reasons
    }

    fn never_banned(&self, member: &Member) -> Reason {
        let Member { prefix, because } = member;
        let granted = self.engine.grants().find(|grant| grant.prefix == *prefix);
        match (because, granted) {
            (Because::Granted(_), Some(grant)) => {
                let until = grant
                    .remaining(self.clock.now())
                    .map_or_else(String::new, |left| format!(" for {} more", span(left)));
                let comment = if grant.comment.is_empty() { "" } else { ": " };
                let text = format!(
                    "{prefix} is allowed by the operator{until}{comment}{}; vauban disallow {prefix} takes \
                     that back",
                    grant.comment
                );
                Reason::new("allowed", text)
            }
            (Because::Allowed(_), _) => {
                let file = self.file().unwrap_or_default();
                Reason::new("never-banned", format!("{prefix} is {because} (allow in {file})"))
            }
            _ => Reason::new("never-banned", format!("{prefix} is never banned: {because}")),
        }
    }

    fn missing_to_ban(&self, found: &Found<'_>) -> Vec<Reason> {
        let policy = self.engine.policy();
        let mut reasons = Vec::new();
        let excluded = policy.decoy.exclude.sources.iter().find(|s| s.contains(found.address));
        if let Some(prefix) = excluded {
            reasons.push(Reason::new(
                "excluded",
                format!("decoy_exclude names {prefix}: its packets are no probes, and it meets no decoys"),
            ));
        }
        match (policy.enforcement, policy.unproven) {
            (_, Unproven::Drop) => reasons.push(Reason::new(
                "unproven-drop",
                "unproven = \"drop\": without decoys nobody can prove an address, so no scan is a ban",
            )),
            (Enforcement::DryRun, Unproven::Decoy) => reasons.push(Reason::new(
                "dry-run",
                "a dry run: no decoy answers, so nobody can prove an address, and nothing is dropped",
            )),
            (Enforcement::DryRun, Unproven::Ban) => {
                reasons.push(Reason::new("dry-run", "a dry run: nothing is dropped"));
            }
            (Enforcement::Enforce, _) => {}
        }
        reasons.push(self.standing(found));
        let Some(dossier) = found.dossier else { return reasons };
        if dossier.excused > 0 {
            reasons.push(Reason::new(
                "excused",
                format!(
                    "{} of its contacts with decoys do not count: a browser that another site's page \
                     has sent, or a mail client that tries several ports",
                    dossier.excused
                ),
            ));
        }
        if let Some(until) = dossier.proof_suspended_until {
            reasons.push(Reason::new(
                "guesses",
                format!(
                    "{} wrong acknowledgements came in its name: a trap port alone is no proof for {} \
                     more",
                    dossier.guesses,
                    span(until.since(self.clock.now()))
                ),
            ));
        }
        if dossier.uncountable > 0 {
            reasons.push(Reason::new(
                "uncountable",
                format!(
                    "{} of its packets do not count: their checksum is wrong, or they are too long to \
                     verify it",
                    dossier.uncountable
                ),
            ));
        }
        if self.engine.has_no_room() {
            reasons.push(Reason::new(
                "no-room",
                format!(
                    "the ledger is full of bans by operators (kernel.bans is {}): raise it, or unban \
                     some",
                    policy.kernel.bans
                ),
            ));
        }
        reasons
    }

    /// How far it is on the way to a ban.
    fn standing(&self, found: &Found<'_>) -> Reason {
        let policy = self.engine.policy();
        let trigger = &policy.trigger;
        let window = duration::format(trigger.window);
        let dossier = found.dossier;
        if found.state == "suspect" {
            let left = span(found.suspect_for.unwrap_or_default());
            let proven = dossier.map_or(&[][..], |dossier| dossier.proven.as_slice());
            let so_far = match proven {
                [] => "no decoy's handshake completed".to_owned(),
                ports => {
                    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
                    format!("{} proven: {}", ports.len(), ports.join(", "))
                }
            };
            let missing = words::missing(proven.len(), policy);
            let text = format!("a suspect for {left} more; {so_far}; missing: {missing}");
            return Reason::new("suspect", text);
        }
        if let Some(seen) = dossier.and_then(|dossier| dossier.sightings.first())
            && found.state == "only-watched"
        {
            let text =
                format!("{}: whatever it does there, no ban", words::only_watched(seen.zone));
            return Reason::new("only-watched", text);
        }
        let live = dossier.map_or(&[][..], |dossier| dossier.live.as_slice());
        if live.is_empty() {
            let text = if dossier.is_some() {
                format!("nothing that it did counts any more; {}", becomes_suspect(policy))
            } else {
                format!("nothing has been seen of it; {}", becomes_suspect(policy))
            };
            return Reason::new(if dossier.is_some() { "watched" } else { "unknown" }, text);
        }
        let ports: Vec<String> = live
            .iter()
            .map(|(port, until)| {
                format!("{port} (counts for {} more)", span(until.since(self.clock.now())))
            })
            .collect();
        let more = usize::try_from(trigger.ports).unwrap_or(usize::MAX).saturating_sub(live.len());
        Reason::new(
            "watched",
            format!(
                "{} of {} distinct closed ports within {window}: {}; {more} more make it a suspect{}",
                live.len(),
                trigger.ports,
                ports.join(", "),
                then(policy),
            ),
        )
    }
}

/// What makes a suspect of somebody who is none.
fn becomes_suspect(policy: &Policy) -> String {
    let trigger = &policy.trigger;
    let traps: Vec<String> =
        policy.traps.iter().take(MOST_TRAPS).map(ToString::to_string).collect();
    let traps = match (traps.is_empty(), policy.traps.len().saturating_sub(MOST_TRAPS)) {
        (true, _) => String::new(),
        (false, 0) => format!(", one trap port ({})", traps.join(", ")),
        (false, more) => format!(", one trap port ({} and {more} more)", traps.join(", ")),
    };
    format!(
        "{} distinct closed ports within {}{traps}, or a packet that no TCP stack sends make it a \
         suspect{}",
        trigger.ports,
        duration::format(trigger.window),
        then(policy),
    )
}

/// What comes after that.
fn then(policy: &Policy) -> String {
    match policy.unproven {
        Unproven::Ban => ", which is a ban".into(),
        Unproven::Drop => String::new(),
        Unproven::Decoy => {
            format!("; then the handshakes of {} distinct decoys make a ban", policy.decoy.needed())
        }
    }
}

/// What a ban of an address may be kept by.
pub(super) fn subjects_of(address: IpAddr) -> Vec<Prefix> {
    let host = Prefix::host(address);
    let network = Prefix::new(address, 64).filter(|prefix| prefix.addr().is_ipv6());
    [Some(host), network].into_iter().flatten().collect()
}

fn last_view(entry: &Entry) -> Value {
    let Entry { ban, ended } = entry;
    json!({
        "subject": ban.subject.to_string(),
        "level": ban.level,
        "start": view::time(ban.times.start.timestamp()),
        "ended": ended.map(|(at, _)| view::time(at.timestamp())),
        "how": ended.map(|(_, how)| how.name()),
    })
}
