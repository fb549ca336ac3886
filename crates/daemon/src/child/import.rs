//! Lists to be banned, part by part: each entry passes what a single ban passes, and all blocks of a
//! part go to the kernel in one step.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use vauban_enforce::boundary::Ask;
use vauban_engine::event::{Command, Event, EventKind};
use vauban_engine::ledger::Ban;
use vauban_engine::policy::Length;
use vauban_engine::{Notice, Prefix};

use super::answer::{Answered, check_words, length, ok};
use super::core::Core;
use super::link::Orphaned;
use crate::control::protocol::{Imported, LONGEST_REASON, MOST_IMPORTED, Reply};
use crate::words;

/// What became of one entry.
#[derive(Debug, Serialize)]
struct Outcome {
    /// Whom it covers; as it was written, if nobody can say.
    subject: String,
    /// `banned`, `already`, `refused` or `invalid`.
    #[serde(rename = "outcome")]
    kind: &'static str,
    /// Why not; empty if it was banned.
    why: String,
}

/// A ban that would end this much later is as long as the one that there is: the same line twice, the
/// same list a moment later.
const AS_LONG: Duration = Duration::from_secs(60);

impl Core {
    /// Bans a part of a list; in the order of its entries, says what became of each.
    pub(super) fn import(
        &mut self,
        entries: Vec<Imported>,
        dry_run: bool,
    ) -> Result<Answered, Orphaned> {
        if entries.len() > MOST_IMPORTED {
            let text =
                format!("more than {MOST_IMPORTED} entries in one request; send it in parts");
            return Ok(Reply::Invalid(text));
        }
        // An address that has just become a gateway must not be banned.
        self.ask(&Ask::Facts)?;
        self.hear()?;
        let mut outcomes = Vec::with_capacity(entries.len());
        for entry in entries {
            outcomes.push(self.import_one(entry, dry_run));
        }
        let mut refused: BTreeMap<Prefix, String> = BTreeMap::new();
        for notice in self.drain_together()? {
            if let Notice::Refused { subject, why, .. } = notice {
                refused.insert(subject, words::refusal(&why));
            }
        }
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.kind == "banned") {
            let why = outcome.subject.parse().ok().and_then(|subject| refused.remove(&subject));
            if let Some(why) = why {
                outcome.kind = "refused";
                outcome.why = why;
            }
        }
        Ok(ok(json!({
            "dry_run": dry_run || self.is_dry_run(),
            "stored": true,
            "results": outcomes,
        })))
    }

    fn import_one(&mut self, entry: Imported, dry_run: bool) -> Outcome {
        let Imported { subject: text, for_ms, forever, reason } = entry;
        let not = |subject: String, kind, why| Outcome { subject, kind, why };
        let asked: Prefix = match text.parse() {
            Ok(prefix) => prefix,
            Err(error) => {
                let why = format!("{text:?}: {error}");
                return not(text, "invalid", why);
            }
        };
        let checked = check_words("reason", &reason, LONGEST_REASON)
            .and_then(|()| length("ban", for_ms, forever));
        let length = match checked {
            Ok(length) => length,
            Err(why) => return not(text, "invalid", why),
        };
        let subject = match self.engine.could_ban(&asked) {
            Ok(subject) => subject,
            Err(why) => return not(asked.to_string(), "refused", words::refusal(&why)),
        };
        let now = self.clock.now();
        let shorter = |ban: &Ban| {
            let left = ban.remaining(now).map_or(Length::Forever, Length::Span);
            match (length, left) {
                (Some(Length::Span(length)), Length::Span(left)) => length > left + AS_LONG,
                (length, left) => length.is_some_and(|length| length > left),
            }
        };
        if self.engine.ban_of(subject.addr()).is_some_and(|ban| !shorter(ban)) {
            return not(subject.to_string(), "already", "it is banned already".into());
        }
        if !dry_run {
            let command = Command::Ban { subject: asked, length, reason };
            self.engine.handle(Event { at: self.clock.now(), kind: EventKind::Command(command) });
        }
        Outcome { subject: subject.to_string(), kind: "banned", why: String::new() }
    }
}
