//! The engine: events in, outputs out, and views for those who ask.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::detect::{self, Bound, Decision, Detector, DetectorKind, Dossier};
use crate::event::{Checksum, Command, Event, EventKind, Facts};
use crate::gate::{self, Passage};
use crate::key::Keying;
use crate::ledger::{Ban, Ledger, Origin};
use crate::net::Prefix;
use crate::never::{Member, NeverSet};
use crate::output::{Batch, Block, BlockOp, Notice, Output, Refusal, Release};
use crate::plan;
use crate::policy::Policy;
use crate::time::Timestamp;

/// How much went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Probes that came in.
    pub probes: u64,
    /// Of them, those with a wrong checksum or cut off: never counted.
    pub uncountable: u64,
    /// Sources that became suspects.
    pub suspected: u64,
    /// Bans that were made.
    pub banned: u64,
    /// Bans that were refused.
    pub refused: u64,
}

/// The judge and its memory. One owner, no locks, no clock.
pub struct Engine {
    policy: Policy,
    never: NeverSet,
    keying: Keying,
    detectors: Vec<Box<dyn Detector>>,
    ledger: Ledger,
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
            detectors: DetectorKind::ALL.map(|kind| detect::build(kind, &policy)).into(),
            ledger: Ledger::default(),
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
                let subject = self.keying.subject(probe.source);
                let decisions: Vec<Decision> = self
                    .detectors
                    .iter_mut()
                    .filter_map(|detector| detector.on_event(&event, subject))
                    .collect();
                for decision in decisions {
                    self.decide(&decision);
                }
            }
            EventKind::Command(command) => self.command(event.at, command),
            EventKind::Facts(facts) => self.learn(event.at, facts),
            EventKind::Held(held) => self.heal(event.at, held),
        }
    }

    /// Lets time pass up to `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
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
            self.apply(ops);
            self.announce(Notice::Expired { at: self.now, subject });
        }
        for detector in &mut self.detectors {
            detector.on_timeout(self.now);
        }
    }

    /// When [`Engine::handle_timeout`] is next worth calling.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let detectors = self.detectors.iter().filter_map(|detector| detector.next_timeout());
        detectors.chain(self.ledger.next_end()).min()
    }

    /// The next thing that must happen outside, if there is one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn decide(&mut self, decision: &Decision) {
        let Decision { at, source, subject, cause, fresh } = *decision;
        let member = match gate::ask(decision, &self.never, self.policy.unproven) {
            Passage::Never(member) => Some(member),
            Passage::Ban => None,
        };
        if let Some(member) = member {
            if fresh {
                self.refuse(at, subject, Refusal::Never(member));
            }
            return;
        }
        if fresh {
            self.tally.suspected += 1;
            self.announce(Notice::Suspected { at, subject, source, cause });
        }
        if self.ledger.get(&subject).is_some() {
            // Dry run, or packets that were on their way when the ban was made.
            return;
        }
        if !self.make_room(at) {
            if fresh {
                self.refuse(at, subject, Refusal::LedgerFull);
            }
            return;
        }
        let (level, end) = self.ledger.sentence(at, &subject, &self.policy.ban);
        let dossier = self.dossier(&subject);
        let (evidence, not_kept) = dossier
            .map_or((Vec::new(), 0), |dossier| (dossier.evidence.to_vec(), dossier.not_kept));
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

    fn command(&mut self, at: Timestamp, command: &Command) {
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
        }
    }

    /// In one batch, however many they are.
    fn unban_all(&mut self, at: Timestamp) {
        let mut subjects: Vec<Prefix> = self.ledger.bans().map(|ban| ban.subject).collect();
        let mut ops: Vec<BlockOp> = subjects.iter().copied().map(BlockOp::Unblock).collect();
        // Also those that only the kernel knows of.
        ops.push(BlockOp::PardonAll);
        self.apply(ops);
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

    fn ban_by_operator(
        &mut self,
        at: Timestamp,
        asked: Prefix,
        length: Option<core::time::Duration>,
        reason: &str,
    ) {
        let subject = self.keying.subject(asked.addr());
        if !subject.covers(&asked) {
            self.refuse(at, asked, Refusal::TooWide);
            return;
        }
        if let Some(member) = self.never.hit(&subject).cloned() {
            self.refuse(at, subject, Refusal::Never(member));
            return;
        }
        if self.ledger.get(&subject).is_none() && !self.make_room(at) {
            self.refuse(at, subject, Refusal::LedgerFull);
            return;
        }
        let (level, end) = self.ledger.sentence(at, &subject, &self.policy.ban);
        let (evidence, not_kept) = self
            .dossier(&subject)
            .map_or((Vec::new(), 0), |dossier| (dossier.evidence.to_vec(), dossier.not_kept));
        self.ban(Ban {
            subject,
            source: asked.addr(),
            start: at,
            end: length.map_or(end, |length| Some(at.plus(length))),
            level,
            origin: Origin::Operator(reason.into()),
            evidence,
            not_kept,
        });
    }

    fn ban(&mut self, ban: Ban) {
        self.tally.banned += 1;
        let block = Block { subject: ban.subject, remaining: ban.remaining(ban.start) };
        self.apply(match self.ledger.get(&ban.subject) {
            None => vec![BlockOp::Block(block)],
            Some(_) => vec![BlockOp::Unblock(ban.subject), BlockOp::Block(block)],
        });
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
    fn learn(&mut self, at: Timestamp, facts: &Facts) {
        self.never = NeverSet::new(&self.policy.allow, facts);
        self.keying = Keying::new(facts, &self.never);
        for detector in &mut self.detectors {
            detector.on_facts(facts);
        }
        let wrong: Vec<(Prefix, Member)> = self
            .ledger
            .bans()
            .filter_map(|ban| Some((ban.subject, self.never.hit(&ban.subject)?.clone())))
            .collect();
        for (subject, member) in wrong {
            self.unban(at, subject, Release::Never(member));
        }
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
        self.ledger.lift(at, &first, true);
        self.apply(vec![BlockOp::Unblock(first)]);
        self.announce(Notice::Expired { at, subject: first });
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

/// Views, for those who ask.
impl Engine {
    /// The policy it judges by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The never-ban set as known now.
    #[must_use]
    pub fn never(&self) -> &NeverSet {
        &self.never
    }

    /// By what sources are known.
    #[must_use]
    pub fn keying(&self) -> &Keying {
        &self.keying
    }

    /// Every ban in force.
    pub fn bans(&self) -> impl Iterator<Item = &Ban> {
        self.ledger.bans()
    }

    /// The ban that covers `addr`.
    #[must_use]
    pub fn ban_of(&self, addr: IpAddr) -> Option<&Ban> {
        self.ledger.get(&self.keying.subject(addr)).or_else(|| self.ledger.covering(addr))
    }

    /// The suspects, with what is known of each.
    #[must_use]
    pub fn suspects(&self) -> Vec<(Prefix, Dossier<'_>)> {
        self.detectors
            .iter()
            .flat_map(|detector| {
                detector
                    .suspects(self.now)
                    .into_iter()
                    .filter_map(|subject| Some((subject, detector.dossier(self.now, &subject)?)))
            })
            .collect()
    }

    /// What is known of a subject.
    #[must_use]
    pub fn dossier(&self, subject: &Prefix) -> Option<Dossier<'_>> {
        self.detectors.iter().find_map(|detector| detector.dossier(self.now, subject))
    }

    /// How much went through.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// What the detectors remember, and the most that attackers can make them remember.
    #[must_use]
    pub fn memory(&self) -> Vec<(Bound, Bound)> {
        self.detectors.iter().map(|detector| (detector.remembers(), detector.bound())).collect()
    }

    /// How many subjects are remembered for past bans, and how many can be.
    #[must_use]
    pub fn past_bans(&self) -> (usize, usize) {
        self.ledger.past_count()
    }

    /// The time it has been told.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }
}
