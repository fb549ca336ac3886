//! Bans of the past, and what is held against suspects: answers in pages.

use vauban_engine::Prefix;
use vauban_engine::evidence::Evidence;

use super::answer::Answered;
use super::core::Core;
use super::explain::subjects_of;
use super::link::Orphaned;
use super::{Caller, ledger};
use crate::control::pages::{self, Dossiers, read_place};
use crate::control::protocol::{History, MOST_HISTORY, Reply};
use crate::control::view::{self, View};
use crate::store::{Page, Query, Wall};

/// Bans of one answer that come with their evidence, by which an answer grows tenfold.
const MOST_WITH_EVIDENCE: u32 = MOST_HISTORY / 10;

impl Core {
    /// Has the store answer with a page of the history.
    pub(super) fn history(&mut self, asked: &History, caller: Caller) -> Result<(), Orphaned> {
        self.engine.handle_timeout(self.clock.now());
        self.drain()?;
        let query = match query(asked) {
            Ok(query) => query,
            Err(text) => {
                self.records.reply(Reply::Invalid(text), caller);
                return Ok(());
            }
        };
        let view = pages::History {
            dry_run: self.is_dry_run(),
            stored: true,
            page: Page::default(),
            evidence: asked.evidence,
            now: ledger::now(self.clock, self.clock.now(), self.boot),
            dates: self.dates.clone(),
            policy: self.engine.policy().clone(),
        };
        self.records.history(query, view, caller);
        Ok(())
    }

    /// What is held against suspects.
    pub(super) fn dossiers(&mut self, address: Option<&str>) -> Result<Answered, Orphaned> {
        let only = match address.map(|text| self.address(text)) {
            None => None,
            Some(Ok(address)) => Some(self.engine.keying().subject(address)),
            Some(Err(reply)) => return Ok(reply),
        };
        let suspicions = self.suspicions()?;
        let policy = self.engine.policy();
        let of = |subject: &Prefix| {
            let dossier = self.engine.dossier(subject)?;
            Some(dossier.evidence.into_iter().cloned().collect::<Vec<Evidence>>())
        };
        let suspects = suspicions
            .iter()
            .filter(|(subject, _)| only.is_none_or(|only| only == **subject))
            .map(|(subject, left)| {
                let banned = self.engine.ban_of(subject.addr()).is_some();
                let dossier = self.engine.dossier(subject);
                let view = view::suspect(subject, *left, dossier.as_ref(), banned, policy);
                (view, of(subject).unwrap_or_default())
            })
            .collect();
        let (at, dates) = (self.clock.now(), self.dates.clone());
        let policy = policy.clone();
        Ok(Reply::Ok(View::Dossiers(Box::new(Dossiers { suspects, at, dates, policy }))))
    }
}

/// The query that was meant.
fn query(asked: &History) -> Result<Query, String> {
    let subjects = match &asked.address {
        None => Vec::new(),
        Some(text) => {
            let prefix: Prefix = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
            if prefix.is_host() {
                subjects_of(prefix.addr())
            } else if prefix.addr().is_ipv6() && prefix.len() >= 64 {
                vec![prefix]
            } else {
                return Err(format!(
                    "{prefix} is more than one source; name an address, or a subject as history lists it"
                ));
            }
        }
    };
    let after = match &asked.after {
        None => None,
        Some(text) => {
            Some(read_place(text).ok_or_else(|| format!("{text:?} is no place to go on"))?)
        }
    };
    let most = if asked.evidence { MOST_WITH_EVIDENCE } else { MOST_HISTORY };
    let limit = asked.limit.unwrap_or(most).min(most);
    Ok(Query {
        subjects,
        since: asked.since_ms.map(|ms| Wall(i64::try_from(ms).unwrap_or(i64::MAX))),
        in_force: asked.in_force,
        after,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    })
}
