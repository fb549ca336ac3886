//! Whom operators allow while the daemon runs.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use vauban_engine::event::Command;
use vauban_engine::grants::Grant;
use vauban_engine::{Notice, Prefix, Timestamp};

use super::answer::{Answered, check_words, length, ok};
use super::core::Core;
use super::link::Orphaned;
use crate::clock::Dates;
use crate::control::protocol::{LONGEST_COMMENT, Reply};
use crate::control::view;
use crate::words;

/// The shortest prefixes that are allowed without a further word: what is wider is more than any
/// one network has, and most likely a typing error. IPv4, IPv6.
const WIDEST: (u8, u8) = (8, 16);

impl Core {
    /// Allows somebody, and lets him go.
    pub(super) fn allow_by_operator(
        &mut self,
        prefix: &str,
        for_ms: Option<u64>,
        comment: String,
        force: bool,
    ) -> Result<Answered, Orphaned> {
        let checked = read(prefix).and_then(|prefix| {
            check_words("comment", &comment, LONGEST_COMMENT)?;
            length("permission", for_ms, false)?;
            Ok(prefix)
        });
        let prefix = match checked {
            Ok(prefix) => prefix,
            Err(text) => return Ok(Reply::Invalid(text)),
        };
        let least = if prefix.addr().is_ipv4() { WIDEST.0 } else { WIDEST.1 };
        if prefix.len() == 0 {
            return Ok(Reply::Invalid(format!(
                "{prefix} is everybody; to watch without blocking, there is dry_run in the configuration"
            )));
        }
        if prefix.len() < least && !force {
            return Ok(Reply::Invalid(format!(
                "{prefix} is a sizeable part of all addresses (wider than a /{least}), and nobody in it \
                 would be banned any more; if that is meant, say --force"
            )));
        }
        let length = for_ms.map(Duration::from_millis);
        let mut unbanned = Vec::new();
        let mut allowed = None;
        for notice in self.command(Command::Allow { prefix, length, comment })? {
            match notice {
                Notice::Allowed(grant) => {
                    allowed = Some(grant_view(&grant, self.clock.now(), &self.dates));
                }
                Notice::Unbanned { subject, was_banned, .. } => {
                    let subject = subject.to_string();
                    unbanned.push(json!({ "subject": subject, "was_banned": was_banned }));
                }
                Notice::Refused { why, .. } => return Ok(Reply::No(words::refusal(&why))),
                _ => {}
            }
        }
        Ok(match allowed {
            Some(allowed) => {
                ok(json!({ "stored": true, "allowed": allowed, "unbanned": unbanned }))
            }
            None => Reply::Failed("the engine said nothing about it".into()),
        })
    }

    /// Takes back what was allowed.
    pub(super) fn disallow_by_operator(&mut self, text: &str) -> Result<Answered, Orphaned> {
        let prefix = match read(text) {
            Ok(prefix) => prefix,
            Err(text) => return Ok(Reply::Invalid(text)),
        };
        let allow = &self.engine.policy().allow;
        let configured = allow.iter().find(|allowed| allowed.prefix.covers(&prefix));
        let configured = configured.map(|allowed| {
            let file = self.file().unwrap_or("/etc/vauban/vauban.toml");
            format!(
                "{} is allowed by the configuration: take it out of allow in {file}, or where else \
                 `vauban config` says that it stands, then vauban reload",
                allowed.prefix
            )
        });
        let granted = self.engine.grants().any(|grant| grant.prefix == prefix);
        if !granted {
            let wider = self.engine.grants().find(|grant| grant.prefix.covers(&prefix));
            let wider = wider.map(|grant| {
                format!("{prefix} is allowed as a part of {0}: vauban disallow {0}", grant.prefix)
            });
            let no = configured.or(wider).unwrap_or_else(|| format!("{prefix} is not allowed"));
            return Ok(Reply::No(no));
        }
        self.command(Command::Disallow(prefix))?;
        Ok(ok(json!({
            "stored": true,
            "disallowed": prefix.to_string(),
            "still": configured,
        })))
    }

    /// Who is allowed.
    pub(super) fn allowed(&self) -> Value {
        let now = self.clock.now();
        let of_configuration = self.engine.policy().allow.iter().map(|allowed| {
            json!({
                "prefix": allowed.prefix.to_string(),
                "origin": "configuration",
                "comment": allowed.comment.as_deref().unwrap_or_default(),
                "start": null,
                "end": null,
                "remaining": null,
            })
        });
        let of_operators = self.engine.grants().map(|grant| grant_view(grant, now, &self.dates));
        let all: Vec<Value> = of_configuration.chain(of_operators).collect();
        json!({ "stored": true, "allowed": all })
    }
}

fn read(text: &str) -> Result<Prefix, String> {
    let prefix: Prefix = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
    let written = text.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
    match written {
        // As in the configuration: whoever writes an address does not mean a million of them.
        Some(address)
            if address.is_ipv4() == prefix.addr().is_ipv4() && address != prefix.addr() =>
        {
            let len = prefix.len();
            Err(format!("{text:?} has bits set after its first {len}; write {prefix} or {address}"))
        }
        _ => Ok(prefix),
    }
}

/// The view of a grant: times as everywhere, `end` and `remaining` null for ever.
pub(super) fn grant_view(grant: &Grant, now: Timestamp, dates: &Dates) -> Value {
    json!({
        "prefix": grant.prefix.to_string(),
        "origin": "operator",
        "comment": grant.comment,
        "start": view::time(dates.wall(grant.start)),
        "end": grant.end.map(|end| view::time(dates.wall(end))),
        "remaining": grant.remaining(now).map(view::seconds),
    })
}
