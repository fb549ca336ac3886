//! The engine: events in, outputs out, and views for those who ask.
//!
//! It does not weigh evidence (the detectors do), nor judge by policy who may be banned (the gate
//! does).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::detect::{self, Decision, Detector, DetectorKind};
use crate::event::{Checksum, Event, EventKind, Facts, Restored};
use crate::evidence::Evidence;
use crate::gate::{self, Passage};
use crate::grants::Grants;
use crate::key::Keying;
use crate::ledger::{Ban, Ledger, Origin};
use crate::net::Prefix;
use crate::never::{Member, NeverSet};
use crate::output::{Batch, Block, BlockOp, Notice, Output, Refusal, Release};
use crate::plan;
use crate::policy::{Enforcement, Policy};
use crate::time::Timestamp;

mod grant;
mod operator;
mod views;

/// How much went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Probes that came in.
    pub probes: u64,
    /// Of them, those with a wrong checksum or cut off: never counted.
    pub uncountable: u64,
    /// Of the probes, those that a decoy answered.
    pub decoys: u64,
    /// Contacts with decoys.
    pub contacts: u64,
    /// Wrong acknowledgements.
    pub guesses: u64,
    /// Sources that became suspects.
    pub suspected: u64,
    /// Sources that would have, in zones that are only watched.
    pub watched: u64,
    /// Bans that were made.
    pub banned: u64,
    /// Bans that were refused.
    pub refused: u64,
}

/// The judge and its memory. One owner, no locks, no clock.
pub struct Engine {
    policy: Policy,
    facts: Facts,
    never: NeverSet,
    keying: Keying,
    detectors: Vec<Box<dyn Detector>>,
    ledger: Ledger,
    grants: Grants,
    outputs: VecDeque<Output>,
    tally: Tally,
    now: Timestamp,
}

impl Engine {
    /// One that has seen nothing and knows nothing of its host yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let facts = Facts::default();
        let never = NeverSet::new(&policy.allow, &facts);
        Self {
            keying: Keying::new(&facts, &never),
            never,
            facts,
            detectors: DetectorKind::ALL.map(|kind| detect::build(kind, &policy)).into(),
            ledger: Ledger::default(),
            grants: Grants::default(),
            outputs: VecDeque::new(),
            tally: Tally::default(),
            now: Timestamp::default(),
            policy,
        }
    }

    /// Takes an event. Time never runs backwards: an earlier time stamp is taken as now.
    pub fn handle(&mut self, mut event: Event) {
        event.at = event.at.max(self.now);
        self.handle_timeout(event.at);
        match &event.kind {
            EventKind::Probe(probe) => {
                self.tally.probes += 1;
                if probe.checksum != Checksum::Good {
                    self.tally.uncountable += 1;
                }
                self.tally.decoys += u64::from(probe.decoy);
                self.judge(&event, probe.source);
            }
            EventKind::Contact(contact) => {
                self.tally.contacts += 1;
                self.judge(&event, contact.source);
            }
            EventKind::Guess(guess) => {
                self.tally.guesses += 1;
                self.judge(&event, guess.source);
            }
            EventKind::Command(command) => self.command(event.at, command),
            EventKind::Facts(facts) => {
                self.facts.clone_from(facts);
                self.learn(event.at);
            }
            EventKind::Held(held) => self.heal(event.at, held),
            EventKind::Restored(restored) => self.restore(event.at, restored),
            EventKind::Policy(policy) => self.judge_by(event.at, policy),
        }
    }

    /// Lets time pass up to `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.grants_run_out(self.now);
        while let Some(subject) = self.ledger.run_out(self.now) {
            self.ledger.lift(self.now, &subject, true);
            let mut ops = vec![BlockOp::Unblock(subject)];
            // A ban shorter than the suspicion that led to it ends both.
            if self.is_suspect(&subject) {
                ops.push(BlockOp::Pardon(subject));
                for detector in &mut self.detectors {
                    detector.forget(Some(subject));
                }
            }
            for detector in &mut self.detectors {
                detector.on_ban_end(&subject);
            }
            self.apply(ops);
            self.announce(Notice::Expired { at: self.now, subject });
        }
        let (now, keying) = (self.now, &self.keying);
        let decisions: Vec<Decision> = self
            .detectors
            .iter_mut()
            .flat_map(|detector| detector.on_timeout(now))
            // What waited while its source's key changed must not cover what that key no longer
            // means.
            .filter(|decision| keying.subject(decision.source) == decision.subject)
            .collect();
        for decision in decisions {
            self.decide(&decision);
        }
    }

    /// When [`Engine::handle_timeout`] is next worth calling.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let detectors = self.detectors.iter().filter_map(|detector| detector.next_timeout());
        detectors.chain(self.ledger.next_end()).chain(self.grants.next_end()).min()
    }

    /// The next thing that must happen outside, if there is one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Shows an event about a source to every detector.
    fn judge(&mut self, event: &Event, source: IpAddr) {
        let subject = self.keying.subject(source);
        let decisions: Vec<Decision> = self
            .detectors
            .iter_mut()
            .filter_map(|detector| detector.on_event(event, subject))
            .collect();
        for decision in decisions {
            self.decide(&decision);
        }
    }

    fn decide(&mut self, decision: &Decision) {
        let Decision { at, source, subject, cause, fresh, .. } = *decision;
        let passage = gate::ask(decision, &self.never, self.policy.unproven);
        if let Passage::Watched(zone) = passage {
            if fresh {
                self.tally.watched += 1;
                self.announce(Notice::Suspected { at, subject, source, cause, zone: Some(zone) });
            }
            return;
        }
        if let Passage::Never(member) = passage {
            if fresh {
                self.refuse(at, subject, Refusal::Never(member));
            }
            return;
        }
        // A proof makes no suspect: only suspects meet decoys.
        if fresh && !cause.is_proof() {
            self.tally.suspected += 1;
            self.announce(Notice::Suspected { at, subject, source, cause, zone: None });
        }
        if passage == Passage::Unproven || self.ledger.get(&subject).is_some() {
            // A ban there already: a dry run, packets that were on their way when it was made, or
            // one by the operator, whose word stands.
            return;
        }
        if !self.make_room(at) {
            if fresh {
                self.refuse(at, subject, Refusal::LedgerFull);
            }
            return;
        }
        let (level, end) = self.ledger.sentence(at, &subject, &self.policy.ban);
        let (evidence, not_kept) = self.held_against(&subject);
        self.ban(Ban {
            subject,
            source,
            start: at,
            end,
            level,
            origin: Origin::Scan(cause),
            evidence,
            not_kept,
        });
    }

    /// What a ban of `subject` made now rests on, and how many packets more.
    fn held_against(&self, subject: &Prefix) -> (Vec<Evidence>, u64) {
        let Some(dossier) = self.dossier(subject) else { return (Vec::new(), 0) };
        (dossier.evidence.into_iter().cloned().collect(), dossier.not_kept)
    }

    fn ban(&mut self, ban: Ban) {
        self.tally.banned += 1;
        let block = Block { subject: ban.subject, remaining: ban.remaining(ban.start) };
        let mut ops = match self.ledger.get(&ban.subject) {
            None => vec![BlockOp::Block(block)],
            Some(_) => vec![BlockOp::Unblock(ban.subject), BlockOp::Block(block)],
        };
        // Only a proven address is cut off from what it already holds open: in another's name,
        // a scan would be enough to end his connections.
        if ban.is_proven() && self.policy.enforcement == Enforcement::Enforce {
            ops.push(BlockOp::Sever(ban.subject));
        }
        self.apply(ops);
        self.ledger.record(ban.clone());
        self.announce(Notice::Banned(ban));
    }

    fn unban(&mut self, at: Timestamp, subject: Prefix, by: Release) {
        let was_banned = self.ledger.lift(at, &subject, false).is_some();
        for detector in &mut self.detectors {
            detector.forget(Some(subject));
        }
        self.apply(vec![BlockOp::Unblock(subject), BlockOp::Pardon(subject)]);
        self.announce(Notice::Unbanned { at, subject, was_banned, by });
    }

    /// New facts: whoever has become a member of the never-ban set is let go at once.
    fn learn(&mut self, at: Timestamp) {
        let granted = self.grants.iter().map(|grant| (grant.prefix, grant.comment.clone()));
        self.never = NeverSet::new(&self.policy.allow, &self.facts).with_granted(granted);
        self.keying = Keying::new(&self.facts, &self.never);
        for detector in &mut self.detectors {
            detector.on_facts(&self.facts);
        }
        let wrong: Vec<(Ban, Member)> = self
            .ledger
            .bans()
            .filter_map(|ban| Some((ban.clone(), self.never.hit(&ban.subject)?.clone())))
            .collect();
        for (ban, member) in wrong {
            self.unban(at, ban.subject, Release::Never(member));
            self.ban_alone(at, ban);
        }
    }

    /// Of a /64 that was let go because somebody in it is never banned, keeps the one out that the ban
    /// was about: addresses there stand for themselves from now on.
    fn ban_alone(&mut self, at: Timestamp, ban: Ban) {
        let alone = Prefix::host(ban.source);
        // Who was banned as a /64 by name has no address of his own.
        let is_named = ban.source == ban.subject.addr();
        if is_named || !ban.subject.covers(&alone) || self.never.hit(&alone).is_some() {
            return;
        }
        self.ban(Ban { subject: alone, start: at, ..ban });
    }

    /// A ledger of before. What has become a member of the never-ban set since is let go.
    fn restore(&mut self, at: Timestamp, restored: &Restored) {
        for (subject, past) in &restored.past {
            self.ledger.remember(*subject, *past);
        }
        for ban in &restored.bans {
            self.ledger.record(ban.clone());
        }
        self.shrink(at);
        self.restore_grants(restored);
        self.learn(at);
    }

    /// Another policy: who has become allowed is let go, and so are the bans that find no room any
    /// more.
    fn judge_by(&mut self, at: Timestamp, policy: &Policy) {
        self.policy = policy.clone();
        for detector in &mut self.detectors {
            detector.on_policy(policy);
        }
        self.shrink(at);
        self.learn(at);
    }

    /// Lets those go whose bans end first, until there are no more than the policy has room for.
    fn shrink(&mut self, at: Timestamp) {
        let most = usize::try_from(self.policy.kernel.bans).unwrap_or(usize::MAX);
        while self.ledger.count() > most
            && let Some(first) = self.ledger.next_to_go()
        {
            self.push_out(at, first);
        }
    }

    fn push_out(&mut self, at: Timestamp, subject: Prefix) {
        self.ledger.lift(at, &subject, true);
        self.apply(vec![BlockOp::Unblock(subject)]);
        self.announce(Notice::PushedOut { at, subject });
    }

    fn heal(&mut self, at: Timestamp, held: &[Block]) {
        let plan = plan::heal(at, &self.ledger, held);
        if !plan.batch.ops.is_empty() {
            self.outputs.push_back(Output::Apply(plan.batch));
            let (missing, surplus) = (plan.missing, plan.surplus);
            self.announce(Notice::Healed { at, missing, surplus });
        }
    }

    fn is_suspect(&self, subject: &Prefix) -> bool {
        self.dossier(subject).is_some_and(|dossier| dossier.suspect_until.is_some())
    }

    /// In a full ledger, lets the scanner go whose ban ends first: the kernel's trigger holds it
    /// all the same. False if the ledger is full of what operators banned.
    fn make_room(&mut self, at: Timestamp) -> bool {
        if !self.is_full() {
            return true;
        }
        let Some(first) = self.ledger.first_to_end() else { return false };
        self.push_out(at, first);
        true
    }

    fn is_full(&self) -> bool {
        let most = usize::try_from(self.policy.kernel.bans).unwrap_or(usize::MAX);
        self.ledger.count() >= most
    }

    fn refuse(&mut self, at: Timestamp, subject: Prefix, why: Refusal) {
        self.tally.refused += 1;
        self.announce(Notice::Refused { at, subject, why });
    }

    fn apply(&mut self, ops: Vec<BlockOp>) {
        self.outputs.push_back(Output::Apply(Batch { ops }));
    }

    fn announce(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Announce(notice));
    }
}
