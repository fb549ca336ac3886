//! One entry of the log, with the fields that programs read: what is printed as a line, as JSON, or
//! given to the journal with its fields.
//!
//! Names and words are stable; docs/reference/log.md is their reference. Nothing in an entry carries a
//! control character.
//!
//! What it does not do: write anything anywhere ([`crate::lines`], [`crate::journal`]).

use serde::{Deserialize, Serialize};
use vauban_engine::evidence::Evidence;
use vauban_engine::ledger::{Ban, Origin};
use vauban_engine::net::Port;
use vauban_engine::output::{Notice, Release};
use vauban_engine::policy::{Enforcement, Policy};
use vauban_engine::{Class, Prefix, Timestamp};

use crate::announce;
use crate::clean::clean;
use crate::clock::Dates;
use crate::control::view::time;
use crate::words;

/// Ports that one entry names: the evidence that is kept of one source has no more.
pub const MOST_PORTS: usize = 16;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A source became a suspect.
    Suspect,
    /// A ban; in a dry run, what would be one.
    Ban,
    /// The end of a ban or of a suspicion.
    Unban,
    /// Somebody is never banned from here on, because an operator said so.
    Allow,
    /// That is over.
    Disallow,
    /// A ban that was not made.
    Refused,
    /// Something was put right that somebody else had changed.
    Healed,
    /// The privileged process refused a block.
    Guard,
    /// Something does not work.
    Trouble,
    /// Anything else.
    Notice,
}

impl Kind {
    /// All of them, in the order of the reference.
    pub const ALL: [Self; 10] = [
        Self::Suspect,
        Self::Ban,
        Self::Unban,
        Self::Allow,
        Self::Disallow,
        Self::Refused,
        Self::Healed,
        Self::Guard,
        Self::Trouble,
        Self::Notice,
    ];

    /// Its word, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suspect => "suspect",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Allow => "allow",
            Self::Disallow => "disallow",
            Self::Refused => "refused",
            Self::Healed => "healed",
            Self::Guard => "guard",
            Self::Trouble => "trouble",
            Self::Notice => "notice",
        }
    }

    /// The kind of one of the daemon's own lines, by the word it begins with.
    #[must_use]
    pub fn of_own(message: &str) -> Self {
        match message.split_once(':') {
            Some(("Trouble", _)) => Self::Trouble,
            Some(("Healed", _)) => Self::Healed,
            Some(("Guard", _)) => Self::Guard,
            _ => Self::Notice,
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, by the wall clock: RFC 3339 in UTC.
    pub at: String,
    /// What it is about.
    pub kind: Kind,
    /// Whom it is about, and why.
    #[serde(flatten)]
    pub about: Option<About>,
    /// The line, without its time.
    pub message: String,
}

/// Whom an entry is about, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Whom: an address or a prefix.
    pub subject: String,
    /// The zone that it was seen in, if that is only watched: nothing is done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What kind of scan: a word of [`Class`]; null where nothing shows it.
    pub class: Option<String>,
    /// The distinct ports of what it rests on, in order, at most [`MOST_PORTS`].
    pub ports: Vec<String>,
    /// How many there are.
    pub port_count: usize,
    /// Whether the address is proven to be the sender's own.
    pub proven: bool,
    /// Why, in a sentence.
    pub reason: String,
    /// Whether it is only said, and not done.
    pub dry_run: bool,
    /// Of a ban: the how-manieth of this subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
    /// Of a ban, and of who is allowed: when it ends; left out when never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl Entry {
    /// One of the daemon's own, dated by the wall clock.
    #[must_use]
    pub fn own(at: Timestamp, message: &str) -> Self {
        let message = clean(message).into_owned();
        Self { at: time(at), kind: Kind::of_own(&message), about: None, message }
    }

    /// The entry for a notice; `known` is what is held against its subject, of a suspicion in a zone
    /// that is only watched the evidence of that zone. None for what only repeats another one.
    #[must_use]
    pub fn of(
        notice: &Notice,
        known: &[&Evidence],
        dates: &Dates,
        policy: &Policy,
    ) -> Option<Self> {
        let line = announce::line(notice, dates, policy)?;
        let (at, message) = line.split_once(' ')?;
        let about = |subject: &Prefix, rests_on: &[&Evidence], reason: String| {
            let (ports, port_count) = ports(rests_on);
            About {
                subject: subject.to_string(),
                zone: None,
                class: Class::of(rests_on.iter().copied()).map(|class| class.as_str().to_owned()),
                ports,
                port_count,
                proven: false,
                reason: clean(&reason).into_owned(),
                dry_run: policy.enforcement == Enforcement::DryRun,
                level: None,
                until: None,
            }
        };
        let (kind, about) = match notice {
            Notice::Suspected { subject, cause, zone, .. } => {
                let why = words::suspicion(cause, zone.as_ref(), policy);
                let mut about = about(subject, known, why);
                about.zone = zone.as_ref().map(ToString::to_string);
                let by_cause = || Class::of_cause(cause).map(|class| class.as_str().to_owned());
                about.class = about.class.or_else(by_cause);
                (Kind::Suspect, Some(about))
            }
            Notice::Banned(ban) => {
                let rests_on: Vec<&Evidence> = rests_on(ban).collect();
                let mut about = about(&ban.subject, &rests_on, words::reason(ban, policy));
                if let Origin::Scan(cause) = &ban.origin {
                    let by_cause = || Class::of_cause(cause).map(|class| class.as_str().to_owned());
                    about.class = about.class.or_else(by_cause);
                }
                about.proven = ban.is_proven();
                about.level = Some(ban.level);
                about.until = ban.end.map(|end| time(dates.wall(end)));
                (Kind::Ban, Some(about))
            }
            Notice::Expired { subject, .. } => {
                (Kind::Unban, Some(about(subject, &[], "the ban is over".into())))
            }
            Notice::PushedOut { subject, .. } => {
                (Kind::Unban, Some(about(subject, &[], "the ledger is full".into())))
            }
            Notice::Unbanned { subject, by, .. } => {
                let reason = match by {
                    Release::Operator => "by the operator".into(),
                    Release::Never(member) => {
                        format!("{} is never banned: {}", member.prefix, member.because)
                    }
                };
                (Kind::Unban, Some(about(subject, &[], reason)))
            }
            Notice::Refused { subject, why, .. } => {
                (Kind::Refused, Some(about(subject, known, words::refusal(why))))
            }
            Notice::Allowed(grant) => {
                let mut about = about(&grant.prefix, &[], grant.comment.clone());
                about.until = grant.end.map(|end| time(dates.wall(end)));
                (Kind::Allow, Some(about))
            }
            Notice::Disallowed { prefix, ran_out, .. } => {
                let reason = if *ran_out { "its time is up" } else { "by the operator" };
                (Kind::Disallow, Some(about(prefix, &[], reason.into())))
            }
            Notice::Healed { .. } => (Kind::Healed, None),
        };
        Some(Self { at: at.to_owned(), kind, about, message: clean(message).into_owned() })
    }

    /// The line: its time and its words.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.at, self.message)
    }

    /// The same as one object of JSON, on one line.
    #[must_use]
    pub fn json(&self) -> String {
        // Texts and numbers alone: nothing that JSON can't say.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The entry without anything in it that a line must not have, for one that came from elsewhere.
    #[must_use]
    pub fn cleaned(mut self) -> Self {
        let wash = |text: &mut String| *text = clean(text).into_owned();
        wash(&mut self.at);
        wash(&mut self.message);
        if let Some(about) = &mut self.about {
            wash(&mut about.subject);
            wash(&mut about.reason);
            about.zone.iter_mut().for_each(wash);
            about.ports.truncate(MOST_PORTS);
            about.ports.iter_mut().for_each(wash);
            about.class.iter_mut().for_each(wash);
            about.until.iter_mut().for_each(wash);
        }
        self
    }
}

/// What a ban rests on: of a proven one, the contacts; what was only scanned is not it.
pub fn rests_on(ban: &Ban) -> impl Iterator<Item = &Evidence> {
    ban.evidence.iter().filter(|item| !ban.is_proven() || item.is_proof())
}

/// The distinct ports in order, the first [`MOST_PORTS`], and how many there are.
fn ports(evidence: &[&Evidence]) -> (Vec<String>, usize) {
    let mut ports: Vec<Port> = evidence.iter().map(|item| item.port).collect();
    ports.sort_unstable();
    ports.dedup();
    (ports.iter().take(MOST_PORTS).map(ToString::to_string).collect(), ports.len())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vauban_engine::event::{Checksum, Event, EventKind, Probe};
    use vauban_engine::flags::TcpFlags;
    use vauban_engine::zone::{Mode, Zone, ZoneName, Zones};
    use vauban_engine::{Engine, Output, Protocol};

    use super::*;

    fn probe(number: u16, zone: Option<&ZoneName>) -> EventKind {
        EventKind::Probe(Probe {
            source: "198.51.100.2".parse().unwrap(),
            destination: "198.51.100.1".parse().unwrap(),
            source_port: 40_000,
            port: Port { protocol: Protocol::Tcp, number },
            flags: TcpFlags::SYN,
            checksum: Checksum::Good,
            stage: None,
            decoy: false,
            zone: zone.cloned(),
            bytes: Vec::new(),
        })
    }

    #[test]
    fn a_suspicion_in_a_watched_zone_rests_on_what_was_seen_there() {
        let lan: ZoneName = "lan".parse().unwrap();
        let zone =
            Zone { name: lan.clone(), mode: Mode::Watch, interfaces: Vec::new(), comment: None };
        let policy = Policy { zones: Zones(vec![zone]), ..Policy::default() };
        let mut engine = Engine::new(policy.clone());
        // Two by the Internet, which are no suspicion, and three by the LAN.
        let seen = [(101, None), (102, None)].into_iter();
        let seen = seen.chain([111, 112, 113].map(|port| (port, Some(&lan))));
        for (number, (port, zone)) in (1..).zip(seen) {
            let at = Timestamp(0).plus(Duration::from_secs(number));
            engine.handle(Event { at, kind: probe(port, zone) });
        }
        let mut told = Vec::new();
        while let Some(output) = engine.poll_output() {
            if let Output::Announce(notice) = output {
                told.push(notice);
            }
        }
        let [notice @ Notice::Suspected { subject, zone, .. }] = told.as_slice() else {
            panic!("{told:?}");
        };
        let dossier = engine.dossier(subject).unwrap();
        assert_eq!(dossier.evidence_in(None).len(), 2);
        let known = dossier.evidence_in(zone.as_ref());
        let entry = Entry::of(notice, known, &Dates::new(), &policy).unwrap();
        let about = entry.about.clone().unwrap();
        assert_eq!(about.zone.as_deref(), Some("lan"));
        assert_eq!(about.class.as_deref(), Some("syn"));
        assert_eq!(about.ports, ["tcp/111", "tcp/112", "tcp/113"]);
        assert_eq!(about.port_count, 3);
        let said = "; seen in zone lan, which is only watched";
        assert!(about.reason.ends_with(said), "{about:?}");
        assert_eq!(entry.message, format!("Suspect 198.51.100.2: {}", about.reason));
        // It comes back as it was, and without a zone there is no such field.
        assert_eq!(serde_json::from_str::<Entry>(&entry.json()).unwrap(), entry);
        let mut elsewhere = entry;
        elsewhere.about.as_mut().unwrap().zone = None;
        assert!(!elsewhere.json().contains("zone\":"), "{}", elsewhere.json());
    }
}
