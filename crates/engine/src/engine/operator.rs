//! The operator's commands. They pass the never-ban set like everything else, and need no proof;
//! connections that exist are left alone.

use alloc::vec;
use alloc::vec::Vec;

use super::Engine;
use crate::event::Command;
use crate::grants::Grant;
use crate::ledger::{Ban, Origin};
use crate::net::Prefix;
use crate::output::{BlockOp, Notice, Refusal, Release};
use crate::policy::Length;
use crate::time::Timestamp;

impl Engine {
    pub(super) fn command(&mut self, at: Timestamp, command: &Command) {
        match command {
            Command::Ban { subject, length, reason } => {
                self.ban_by_operator(at, *subject, *length, reason);
            }
            Command::Unban(addr) => {
                let subject =
                    self.ban_of(*addr).map_or(self.keying.subject(*addr), |ban| ban.subject);
                self.unban(at, subject, Release::Operator);
            }
            Command::UnbanAll => self.unban_all(at),
            Command::Allow { prefix, length, comment } => {
                let (prefix, comment) = (*prefix, comment.clone());
                let end = length.map(|length| at.plus(length));
                self.allow(at, Grant { prefix, comment, start: at, end });
            }
            Command::Disallow(prefix) => self.disallow(at, prefix),
        }
    }

    /// In one batch, however many they are.
    fn unban_all(&mut self, at: Timestamp) {
        let mut subjects: Vec<Prefix> = self.ledger.bans().map(|ban| ban.subject).collect();
        // Also those that only the kernel knows of.
        self.apply(vec![BlockOp::Clear]);
        for detector in &mut self.detectors {
            subjects.extend(detector.suspects(at));
            detector.forget(None);
        }
        subjects.sort_unstable();
        subjects.dedup();
        for subject in subjects {
            let was_banned = self.ledger.lift(at, &subject, false).is_some();
            let by = Release::Operator;
            self.announce(Notice::Unbanned { at, subject, was_banned, by });
        }
    }

    /// Whom a ban of `asked` would cover.
    ///
    /// # Errors
    /// Why there can be none, whatever room there is.
    pub fn could_ban(&self, asked: &Prefix) -> Result<Prefix, Refusal> {
        let subject = self.keying.subject(asked.addr());
        if !subject.covers(asked) {
            return Err(Refusal::TooWide);
        }
        match self.never.hit(&subject) {
            Some(member) => Err(Refusal::Never(member.clone())),
            None => Ok(subject),
        }
    }

    fn ban_by_operator(
        &mut self,
        at: Timestamp,
        asked: Prefix,
        length: Option<Length>,
        reason: &str,
    ) {
        let subject = match self.could_ban(&asked) {
            Ok(subject) => subject,
            Err(why) => {
                let whom = match &why {
                    Refusal::Never(_) => self.keying.subject(asked.addr()),
                    _ => asked,
                };
                self.refuse(at, whom, why);
                return;
            }
        };
        if self.ledger.get(&subject).is_none() && !self.make_room(at) {
            self.refuse(at, subject, Refusal::LedgerFull);
            return;
        }
        let (level, end) = self.ledger.sentence(at, &subject, &self.policy.ban);
        let (evidence, not_kept) = self.held_against(&subject);
        self.ban(Ban {
            subject,
            source: asked.addr(),
            start: at,
            end: length.map_or(end, |length| length.end(at)),
            level,
            origin: Origin::Operator(reason.into()),
            evidence,
            not_kept,
        });
    }
}
