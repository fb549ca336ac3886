//! Answers to what comes through the control socket.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, Value, json};
use vauban_enforce::boundary::{Answer, Ask};
use vauban_engine::detect::Dossier;
use vauban_engine::event::{Command, Event, EventKind};
use vauban_engine::policy::{Enforcement, Length, Unproven};
use vauban_engine::{Block, Notice, Prefix};

use super::core::Core;
use super::link::Orphaned;
use crate::clean::is_unclean;
use crate::control::protocol::{LONGEST_REASON, Reply, Request};
use crate::control::view::{self, Bans, View};
use crate::words;

/// The longest ban that an operator can ask for: ten years, in milliseconds. Longer ones are
/// typing errors.
pub(super) const LONGEST_BAN_MS: u64 = 3650 * 24 * 60 * 60 * 1000;

/// Looks whether an operator's words are fit to be shown again.
pub(super) fn check_words(what: &str, words: &str, longest: usize) -> Result<(), String> {
    if words.len() > longest {
        return Err(format!("the {what} is longer than {longest} bytes"));
    }
    if words.chars().any(is_unclean) {
        return Err(format!("the {what} contains control characters"));
    }
    Ok(())
}

/// The length that an operator gives to `what`; `None` when he gives none.
pub(super) fn length(
    what: &str,
    for_ms: Option<u64>,
    forever: bool,
) -> Result<Option<Length>, String> {
    match (for_ms, forever) {
        (None, forever) => Ok(forever.then_some(Length::Forever)),
        (Some(ms), false) if (1..=LONGEST_BAN_MS).contains(&ms) => {
            Ok(Some(Duration::from_millis(ms).into()))
        }
        (Some(_), false) => Err(format!("a {what} lasts from 1ms to 3650d, or forever")),
        (Some(_), true) => Err(format!("a {what} lasts for a time or forever, not both")),
    }
}

/// An answer. Where it says `stored`, it is given once that is true, or says that it is not.
pub(super) type Answered = Reply<View>;

pub(super) fn ok(value: Value) -> Answered {
    Reply::Ok(View::Value(value))
}

impl Core {
    /// The answer to a request; what it changes is done when it returns.
    pub(super) fn answer(&mut self, request: Request) -> Result<Answered, Orphaned> {
        self.engine.handle_timeout(self.clock.now());
        self.drain()?;
        Ok(match request {
            Request::Status => ok(self.status()?),
            Request::Suspects => ok(self.suspects()?),
            Request::Top { most } => ok(self.top(most)?),
            Request::Bans { brief } => Reply::Ok(View::Bans(Box::new(self.bans(brief)))),
            Request::Ban { subject, for_ms, forever, reason } => {
                match length("ban", for_ms, forever) {
                    Ok(length) => self.ban(&subject, length, reason)?,
                    Err(text) => Reply::Invalid(text),
                }
            }
            Request::Unban { address: None } => self.unban(None)?,
            Request::Unban { address: Some(text) } => match self.address(&text) {
                Ok(address) => self.unban(Some(address))?,
                Err(reply) => reply,
            },
            Request::Explain { address } => match self.address(&address) {
                Ok(address) => ok(self.explain(address)?),
                Err(reply) => reply,
            },
            Request::Reload => self.reload()?,
            // Given by the store, see `Core::history`.
            Request::History(_) => Reply::Failed("the history is the store's to tell".into()),
            Request::Dossiers { address } => self.dossiers(address.as_deref())?,
            Request::Allow { prefix, for_ms, comment, force } => {
                self.allow_by_operator(&prefix, for_ms, comment, force)?
            }
            Request::Disallow { prefix } => self.disallow_by_operator(&prefix)?,
            Request::Allowed => ok(self.allowed()),
            Request::Import { entries, dry_run } => self.import(entries, dry_run)?,
        })
    }

    /// Another configuration; it holds when this returns.
    fn reload(&mut self) -> Result<Answered, Orphaned> {
        Ok(match self.ask(&Ask::Reload)? {
            Answer::Done => {
                // What the parent has told before it answered.
                self.hear()?;
                ok(json!({
                    "configuration": self.file(),
                    "drop_ins": self.begin.configuration.drop_ins,
                    "next_start": self.put_off,
                }))
            }
            Answer::Refused(text) => Reply::Refused(text),
            other => Reply::Failed(format!("the privileged process answers {other:?}")),
        })
    }

    pub(super) fn file(&self) -> Option<&str> {
        Some(self.begin.configuration.file.as_str()).filter(|file| !file.is_empty())
    }

    /// The address that a text means: itself, or the first one of a subject as we list it.
    pub(super) fn address(&self, text: &str) -> Result<IpAddr, Answered> {
        let prefix: Prefix =
            text.parse().map_err(|error| Reply::Invalid(format!("{text:?}: {error}")))?;
        let subject = self.engine.keying().subject(prefix.addr());
        if prefix.is_host() || prefix == subject || self.engine.ban_of(prefix.addr()).is_some() {
            Ok(prefix.addr())
        } else {
            Err(Reply::Invalid(format!(
                "{prefix} is more than one source; name an address, or a subject as bans lists it"
            )))
        }
    }

    pub(super) fn is_dry_run(&self) -> bool {
        self.engine.policy().enforcement == Enforcement::DryRun
    }

    pub(super) fn command(&mut self, command: Command) -> Result<Vec<Notice>, Orphaned> {
        self.engine.handle(Event { at: self.clock.now(), kind: EventKind::Command(command) });
        self.drain()
    }

    /// The same without a word in the log.
    fn command_unsaid(&mut self, command: Command) -> Result<(), Orphaned> {
        self.engine.handle(Event { at: self.clock.now(), kind: EventKind::Command(command) });
        self.drain_unsaid()
    }

    fn status(&mut self) -> Result<Value, Orphaned> {
        let suspects = self.suspicions()?.len();
        let counted = self.ask(&Ask::Count)?;
        let mut counters = Map::new();
        let kernel = match counted {
            Answer::Counted(list) => {
                for counter in list {
                    let count = json!({ "packets": counter.packets, "bytes": counter.bytes });
                    counters.insert(counter.name, count);
                }
                "loaded".to_owned()
            }
            Answer::Lost => "missing".to_owned(),
            other => format!("unknown: {other:?}"),
        };
        let policy = self.engine.policy();
        let tally = self.engine.tally();
        let counts = &self.watched.counts;
        let loss = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let health = self.records.health();
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "mode": match policy.enforcement {
                Enforcement::Enforce => "enforce",
                Enforcement::DryRun => "dry-run",
            },
            "configuration": self.file(),
            "drop_ins": self.begin.configuration.drop_ins,
            "zones": view::zones(&policy.zones),
            "started": view::time(self.dates.wall(self.clock.started())),
            "uptime": self.clock.now().since(self.clock.started()).as_secs(),
            "trigger": {
                "ports": policy.trigger.ports,
                "window": policy.trigger.window.as_secs_f64(),
                "suspect": policy.trigger.suspect.as_secs_f64(),
            },
            "kernel": { "program": kernel, "counters": counters },
            "unproven": match policy.unproven {
                Unproven::Decoy => "decoy",
                Unproven::Drop => "drop",
                Unproven::Ban => "ban",
            },
            "decoys": {
                "answering": self.watched.pulse.answers(self.clock.now()),
                "told": loss(&counts.decoys),
                "hidden_listeners": loss(&counts.hidden),
                "unanswered": loss(&counts.unanswered),
                "handshakes": loss(&counts.handshakes),
                "contacts": tally.contacts,
                "guesses": tally.guesses,
                "resets": loss(&counts.resets),
            },
            "suspects": suspects,
            "bans": self.engine.bans().count(),
            "never": self.engine.never().members().len(),
            "allowed": self.engine.grants().count(),
            "probes": {
                "seen": tally.probes,
                "uncountable": tally.uncountable,
                "unreadable": loss(&self.watched.losses.unreadable),
                "queue_full": loss(&self.watched.losses.queue_full),
                "overruns": loss(&self.watched.losses.overruns),
            },
            "decisions": {
                "suspected": tally.suspected,
                "watched": tally.watched,
                "banned": tally.banned,
                "refused": tally.refused,
            },
            "store": {
                "path": self.begin.store,
                "trouble": health.trouble,
                "bytes": health.size.map(|size| size.bytes),
                "bans": health.size.map(|size| size.in_force),
                "history": health.size.map(|size| size.ended),
            },
            "process": {
                "user": self.begin.uid,
                "sandbox": self.sandbox,
            },
        }))
    }

    /// The suspects and how long they are that, as the kernel has it; as the engine has it if the
    /// kernel cannot be asked.
    pub(super) fn suspicions(&mut self) -> Result<BTreeMap<Prefix, Duration>, Orphaned> {
        if let Answer::Suspects(held) = self.ask(&Ask::Suspects)? {
            let left = |block: Block| (block.subject, block.remaining.unwrap_or_default());
            return Ok(held.into_iter().map(left).collect());
        }
        let now = self.clock.now();
        let left = |dossier: &Dossier<'_>| dossier.suspect_until.map(|until| until.since(now));
        let suspects = self.engine.suspects();
        Ok(suspects.iter().filter_map(|(s, dossier)| Some((*s, left(dossier)?))).collect())
    }

    fn suspects(&mut self) -> Result<Value, Orphaned> {
        let suspicions = self.suspicions()?;
        let policy = self.engine.policy();
        let views: Vec<_> = suspicions
            .iter()
            .map(|(subject, left)| {
                let banned = self.engine.ban_of(subject.addr()).is_some();
                let dossier = self.engine.dossier(subject);
                view::suspect(subject, *left, dossier.as_ref(), banned, policy)
            })
            .collect();
        let now = self.clock.now();
        let sighted = self.engine.sighted();
        let watched: Vec<_> = sighted
            .iter()
            .flat_map(|(subject, dossier)| {
                dossier.sightings.iter().map(move |seen| (subject, seen))
            })
            .filter_map(|(subject, seen)| {
                let left = seen.suspect_until?.since(now);
                Some(view::sighting(Some(subject), seen, Some(left)))
            })
            .collect();
        Ok(json!({ "dry_run": self.is_dry_run(), "suspects": views, "watched": watched }))
    }

    fn bans(&self, brief: bool) -> Bans {
        Bans {
            brief,
            dry_run: self.is_dry_run(),
            stored: true,
            bans: self.engine.bans().cloned().collect(),
            now: self.clock.now(),
            dates: self.dates.clone(),
            policy: self.engine.policy().clone(),
        }
    }

    fn ban(
        &mut self,
        subject: &str,
        length: Option<Length>,
        reason: String,
    ) -> Result<Answered, Orphaned> {
        let subject: Prefix = match subject.parse() {
            Ok(subject) => subject,
            Err(error) => return Ok(Reply::Invalid(format!("{subject:?}: {error}"))),
        };
        if let Err(text) = check_words("reason", &reason, LONGEST_REASON) {
            return Ok(Reply::Invalid(text));
        }
        // An address that has just become a gateway must not be banned.
        self.ask(&Ask::Facts)?;
        self.hear()?;
        let length = length.or_else(|| self.longer_already(&subject));
        for notice in self.command(Command::Ban { subject, length, reason })? {
            match notice {
                Notice::Banned(ban) => {
                    let (now, policy) = (self.clock.now(), self.engine.policy());
                    let ban = view::ban(&ban, now, &self.dates, policy);
                    let dry_run = self.is_dry_run();
                    let view = json!({ "dry_run": dry_run, "stored": true, "ban": ban });
                    return Ok(ok(view));
                }
                Notice::Refused { why, .. } => return Ok(Reply::No(words::refusal(&why))),
                _ => {}
            }
        }
        Ok(Reply::Failed("the engine said nothing about it".into()))
    }

    /// What is left of a ban of `asked` that there is, if it lasts longer than its next one would by
    /// itself: who bans somebody again without saying for how long does not mean to let him go
    /// earlier.
    fn longer_already(&self, asked: &Prefix) -> Option<Length> {
        let subject = self.engine.could_ban(asked).ok()?;
        let ban = self.engine.ban_of(subject.addr())?;
        let left = ban.remaining(self.clock.now()).map_or(Length::Forever, Length::Span);
        let next = self.engine.policy().ban.length(ban.level.saturating_add(1));
        (left > next).then_some(left)
    }

    fn unban(&mut self, address: Option<IpAddr>) -> Result<Answered, Orphaned> {
        let command = address.map_or(Command::UnbanAll, Command::Unban);
        let known = match address {
            None => true,
            Some(address) => {
                let subject = self.engine.keying().subject(address);
                self.engine.ban_of(address).is_some()
                    || self.engine.dossier(&subject).is_some()
                    || self.suspicions()?.contains_key(&subject)
            }
        };
        if let Some(address) = address.filter(|_| !known) {
            // Whatever else the kernel may hold against it goes, too; but nothing that was said has ended.
            self.command_unsaid(command)?;
            return Ok(Reply::No(format!("{address} is neither banned nor a suspect")));
        }
        let notices = self.command(command)?;
        let unbanned: Vec<_> = notices
            .into_iter()
            .filter_map(|notice| match notice {
                Notice::Unbanned { subject, was_banned, .. } => {
                    Some(json!({ "subject": subject.to_string(), "was_banned": was_banned }))
                }
                _ => None,
            })
            .collect();
        Ok(ok(json!({ "unbanned": unbanned })))
    }
}
