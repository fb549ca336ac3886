//! The loop: one owner of engine and ledger, one queue in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use vauban_config::{Config, duration};
use vauban_enforce::boundary::{Answer, Ask, Begin, Configuration, Tell, wire};
use vauban_engine::event::EventKind;
use vauban_engine::policy::{Enforcement, Policy};
use vauban_engine::{Batch, Block, Engine, Event, Notice, Output, Prefix, Timestamp};

use super::ledger::Opened;
use super::link::{Link, Orphaned};
use super::recent::Recent;
use super::records::Records;
use super::{ANSWERING, Incoming, begin, ledger};
use crate::clock::{Clock, Dates};
use crate::control::protocol::Request;
use crate::decoys::Counts;
use crate::decoys::pulse::Pulse;
use crate::entry::Entry;
use crate::lines::Lines;
use crate::run::RunError;
use crate::sources::Losses;
use crate::store::BootId;
use crate::words;

/// How often the kernel is asked what it holds, unless that takes long.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// At most this part of the time is spent on that: to list a hundred thousand bans takes the kernel
/// most of a second.
const LOOK_SHARE: u32 = 50;

/// How often a store that holds less than the ledger is offered the ledger.
const OFFER_AGAIN: Duration = Duration::from_secs(5);

/// Whom operators let go that are remembered until the store can be read: nobody unbans more by hand,
/// and it is 1 MiB.
const MOST_LET_GO: usize = 16_384;

/// How often the small things are looked after: the wall clock, the store.
const TICK: Duration = Duration::from_secs(1);

/// What other threads count, and this one shows.
pub struct Watched {
    /// What did not reach the engine.
    pub losses: Arc<Losses>,
    /// What the responder has done.
    pub counts: Arc<Counts>,
    /// Whether it is alive.
    pub pulse: Arc<Pulse>,
    /// Where it is told of another policy.
    pub policies: Sender<Policy>,
}

/// What the child was handed, as far as it is shown and used here.
pub struct Handed {
    pub begin: Begin,
    pub boot: BootId,
    /// The sandbox, in words.
    pub sandbox: String,
}

/// Engine, ledger and store, and what moves between them and the parent.
pub struct Core {
    pub(super) engine: Engine,
    pub(super) link: Link,
    pub(super) records: Records,
    pub(super) clock: Clock,
    pub(super) dates: Dates,
    pub(super) watched: Watched,
    pub(super) begin: Begin,
    pub(super) boot: BootId,
    /// What keeps this process from doing more than its job, in words.
    pub(super) sandbox: String,
    lines: Lines,
    /// What was decided last.
    pub(super) recent: Recent,
    look_again: Timestamp,
    say_alive: Timestamp,
    tick: Timestamp,
    pub(super) offer_again: Timestamp,
    /// The configuration at the start, by which was opened what cannot be opened again.
    opened_by: String,
    /// Keys of the last configuration that hold with the next start only.
    pub(super) put_off: Vec<&'static str>,
    /// What was last said about the store.
    trouble: String,
    /// That the kernel lacks the bans of the store is no news.
    pub(super) restoring: bool,
    /// The store may have lost bans that the kernel holds.
    pub(super) lost: bool,
    /// As long as the store has not been read: whom an operator has let go, whatever it says.
    pub(super) let_go: Option<BTreeSet<Prefix>>,
    /// The parent could not do what operators have allowed: it is told again.
    allow_again: bool,
}

impl Core {
    pub fn new(
        handed: Handed,
        config: &Config,
        link: Link,
        clock: Clock,
        watched: Watched,
        lines: Lines,
    ) -> Result<Self, RunError> {
        let Handed { begin, boot, sandbox } = handed;
        let mut engine = Engine::new(config.policy.clone());
        let facts = begin.facts.clone();
        let opened_by = begin.configuration.text.clone();
        engine.handle(Event { at: clock.now(), kind: EventKind::Facts(facts) });
        let dates = Dates::new();
        let Opened { records, restored, said, lost, unread } = ledger::open(config, clock, boot)?;
        let now = clock.now();
        let mut core = Self {
            engine,
            link,
            records,
            clock,
            dates,
            watched,
            begin,
            boot,
            sandbox,
            lines,
            recent: Recent::default(),
            look_again: now,
            say_alive: now,
            tick: now,
            offer_again: now,
            opened_by,
            put_off: Vec::new(),
            trouble: String::new(),
            restoring: false,
            lost,
            let_go: unread.then(BTreeSet::new),
            allow_again: false,
        };
        for line in said {
            core.say(&line);
        }
        core.engine.handle(Event { at: now, kind: EventKind::Restored(restored) });
        Ok(core)
    }

    /// Moves events until told to stop.
    pub fn turn(&mut self, queue: &Receiver<Incoming>) -> Result<(), RunError> {
        loop {
            match self.step(queue) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Err(orphaned(error)),
            }
        }
        // What is in the ledger is on the disk before we go.
        if self.records.settled() {
            self.records.close();
            return Ok(());
        }
        let trouble = self.records.health().trouble;
        Err(RunError::Failed(format!("the last bans could not be stored: {trouble}")))
    }

    /// One thing that came, or what is due. False: it is time to stop.
    fn step(&mut self, queue: &Receiver<Incoming>) -> Result<bool, Orphaned> {
        let now = self.clock.now();
        if now >= self.look_again {
            self.look()?;
        }
        if now >= self.say_alive {
            self.say_alive(now)?;
        }
        if now >= self.tick {
            self.tick(now)?;
        }
        let own = self.look_again.min(self.say_alive).min(self.tick);
        let until = self.engine.next_timeout().map_or(own, |at| at.min(own));
        match queue.recv_timeout(until.since(now)) {
            Ok(Incoming::Event(event)) => {
                self.engine.handle(event);
                self.drain()?;
            }
            Ok(Incoming::Strained) => self.say_alive(self.clock.now())?,
            Ok(Incoming::Told) => {}
            Ok(Incoming::Request(Request::History(asked), caller)) => {
                self.history(&asked, caller)?;
            }
            Ok(Incoming::Request(request, caller)) => {
                let reply = self.answer(request)?;
                self.records.reply(reply, caller);
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
            Err(RecvTimeoutError::Timeout) => {
                self.engine.handle_timeout(self.clock.now());
                self.drain()?;
            }
        }
        self.hear()
    }

    /// What the parent has told. False: to stop.
    pub(super) fn hear(&mut self) -> Result<bool, Orphaned> {
        while let Some(tell) = self.link.told()? {
            let at = self.clock.now();
            match tell {
                Tell::Stop => return Ok(false),
                Tell::Facts(facts) => {
                    self.engine.handle(Event { at, kind: EventKind::Facts(facts) });
                }
                Tell::Loaded | Tell::Changed => self.look()?,
                Tell::Configuration(configuration) => self.configure(configuration),
                // Said once, before everything else.
                Tell::Begin(_) => {}
            }
            self.drain()?;
        }
        Ok(true)
    }

    /// Another configuration. The parent has read it and found nothing wrong.
    fn configure(&mut self, configuration: Configuration) {
        let mut begin = self.begin.clone();
        begin.configuration = configuration;
        match begin::read_configuration(&begin) {
            Ok(config) => {
                self.put_off = put_off(&self.opened_by, &begin.configuration.text);
                self.begin = begin;
                self.records.limit(ledger::limits(&config));
                // Its thread ends with the process only.
                let _ = self.watched.policies.send(config.policy.clone());
                let kind = EventKind::Policy(Box::new(config.policy));
                self.engine.handle(Event { at: self.clock.now(), kind });
                let dry = if self.is_dry_run() { "a dry run, nothing is dropped; " } else { "" };
                self.say(&format!("Reloaded: {dry}{}", self.terms()));
            }
            Err(error) => self.say(&format!("Trouble: another configuration: {error}")),
        }
    }

    /// Compares what the kernel holds with the ledger, and puts right what differs.
    pub(super) fn look(&mut self) -> Result<(), Orphaned> {
        let now = self.clock.now();
        if std::mem::take(&mut self.allow_again) {
            let granted = self.engine.grants().map(|grant| grant.prefix).collect();
            self.allow(granted)?;
        }
        let mut answer = self.ask(&Ask::List)?;
        if let Answer::Held(held) = &answer
            && self.misses(held)
        {
            // The kernel lists large sets while they change, and leaves some out then (see
            // `Nft::dump`): only what is missing twice is missing.
            let first = held.clone();
            answer = self.ask(&Ask::List)?;
            if let Answer::Held(held) = &mut answer {
                let seen: BTreeSet<Prefix> = held.iter().map(|block| block.subject).collect();
                held.extend(first.into_iter().filter(|block| !seen.contains(&block.subject)));
            }
        }
        self.check(answer);
        self.drain()?;
        let took = self.clock.now().since(now);
        self.look_again = now.plus(LOOK_AGAIN.max(took.saturating_mul(LOOK_SHARE)));
        Ok(())
    }

    /// Whether a ban is not among these blocks.
    fn misses(&self, held: &[Block]) -> bool {
        let held: BTreeSet<Prefix> = held.iter().map(|block| block.subject).collect();
        self.engine.bans().any(|ban| !held.contains(&ban.subject))
    }

    /// Carries out what the engine wants, says what it announces, and returns that.
    pub(super) fn drain(&mut self) -> Result<Vec<Notice>, Orphaned> {
        let mut notices = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Apply(batch) => self.apply(batch)?,
                Output::Allow(granted) => self.allow(granted)?,
                Output::Announce(notice) => {
                    self.note(&notice);
                    notices.push(notice);
                }
            }
        }
        Ok(notices)
    }

    /// Carries out what the engine wants, and passes over what it announces.
    pub(super) fn drain_unsaid(&mut self) -> Result<(), Orphaned> {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Apply(batch) => self.apply(batch)?,
                Output::Allow(granted) => self.allow(granted)?,
                Output::Announce(_) => {}
            }
        }
        Ok(())
    }

    /// Carries out what the engine wants after many events, all changes of blocks in one step.
    pub(super) fn drain_together(&mut self) -> Result<Vec<Notice>, Orphaned> {
        let mut all = Batch::default();
        let mut notices = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Apply(batch) => all.ops.extend(batch.ops),
                Output::Allow(granted) => {
                    self.apply(std::mem::take(&mut all))?;
                    self.allow(granted)?;
                }
                Output::Announce(notice) => {
                    self.note(&notice);
                    notices.push(notice);
                }
            }
        }
        self.apply(all)?;
        // What an answer of the parent has led to.
        notices.extend(self.drain()?);
        Ok(notices)
    }

    fn apply(&mut self, batch: Batch) -> Result<(), Orphaned> {
        if !batch.ops.is_empty() {
            let most_ops = wire::most_ops(self.engine.policy().kernel.bans);
            let answer = self.link.apply(batch, most_ops)?;
            self.check(answer);
        }
        Ok(())
    }

    /// Tells the parent whom operators have allowed.
    fn allow(&mut self, granted: Vec<Prefix>) -> Result<(), Orphaned> {
        let answer = self.ask(&Ask::Allow(granted))?;
        // A program that was lost is loaded again with them.
        self.allow_again |= matches!(answer, Answer::Failed(_));
        self.check(answer);
        Ok(())
    }

    /// Writes a notice down and says it.
    fn note(&mut self, notice: &Notice) {
        if let Some(record) = ledger::record(notice, self.clock, &self.dates, self.boot) {
            self.records.write(record);
        }
        if let (Some(let_go), Notice::Unbanned { subject, .. }) = (&mut self.let_go, notice)
            && let_go.len() < MOST_LET_GO
        {
            let_go.insert(*subject);
        }
        let known = self.restoring && matches!(notice, Notice::Healed { .. });
        if !known {
            self.announce(notice);
        }
    }

    /// Asks the parent.
    pub(super) fn ask(&mut self, ask: &Ask) -> Result<Answer, Orphaned> {
        self.link.ask(ask)
    }

    /// Tells the parent whether decoys are answered.
    fn say_alive(&mut self, now: Timestamp) -> Result<(), Orphaned> {
        let answers = self.watched.pulse.answers(now);
        let said = if answers { ANSWERING } else { Duration::ZERO };
        // A responder that comes round again is trusted again soon.
        self.say_alive = now.plus(if answers { ANSWERING / 2 } else { ANSWERING / 16 });
        let answer = self.ask(&Ask::Answering(said))?;
        self.check(answer);
        Ok(())
    }

    /// The wall clock, and the store.
    fn tick(&mut self, now: Timestamp) -> Result<(), Orphaned> {
        self.tick = now.plus(TICK);
        if let Some(step) = self.dates.look(now) {
            self.say(&words::clock_step(&step));
        }
        let moment = ledger::now(self.clock, now, self.boot);
        self.records.prune(&moment);
        if let Some((what, loaded)) = self.records.opened_late() {
            self.restore_late(now, what, loaded)?;
        }
        if self.records.is_behind() && now >= self.offer_again {
            self.offer_again = now.plus(OFFER_AGAIN);
            let all = self.engine.bans();
            let all = all.map(|ban| ledger::stored(ban, self.clock, &self.dates, self.boot));
            let all = all.collect();
            let grants = self.engine.grants();
            let grants =
                grants.map(|grant| ledger::stored_grant(grant, self.clock, &self.dates, self.boot));
            self.records.offer(all, grants.collect(), moment);
        }
        let trouble = self.records.health().trouble;
        if trouble != self.trouble {
            if trouble.is_empty() {
                self.say("Healed: the store is written again, and holds every ban in force");
            } else if self.trouble.is_empty() {
                self.say(&format!("Trouble: bans are not stored: {trouble}"));
            }
            self.trouble = trouble;
        }
        Ok(())
    }

    /// What an answer of the parent means. What the engine then wants is left to [`Self::drain`].
    fn check(&mut self, answer: Answer) {
        match answer {
            Answer::Held(held) => {
                self.engine.handle(Event { at: self.clock.now(), kind: EventKind::Held(held) });
            }
            Answer::Facts(facts) => {
                self.engine.handle(Event { at: self.clock.now(), kind: EventKind::Facts(facts) });
            }
            Answer::Failed(text) => self.say(&format!("Trouble: {text}")),
            // Said by the parent; for what was lost, it tells when to look again.
            Answer::Done
            | Answer::Guarded(_)
            | Answer::Lost
            | Answer::Counted(_)
            | Answer::Suspects(_)
            | Answer::Refused(_) => {}
        }
    }

    pub(super) fn greet(&mut self) {
        let dry = self.engine.policy().enforcement == Enforcement::DryRun;
        let Configuration { file, drop_ins, .. } = &self.begin.configuration;
        let config = words::configured(file, *drop_ins);
        let dry = if dry { "dry run, " } else { "" };
        self.say(&format!("Watching ({dry}{config}): {}; ctrl-C stops", self.terms()));
    }

    /// The trigger, in words.
    fn terms(&self) -> String {
        let trigger = &self.engine.policy().trigger;
        format!(
            "{} distinct closed ports within {} make a suspect for {}",
            trigger.ports,
            duration::format(trigger.window),
            duration::format(trigger.suspect),
        )
    }

    /// Logs a notice, and keeps it for those who ask what was decided last.
    fn announce(&mut self, notice: &Notice) {
        let (subject, zone) = match notice {
            Notice::Suspected { subject, zone, .. } => (Some(subject), zone.as_ref()),
            Notice::Refused { subject, .. } => (Some(subject), None),
            _ => (None, None),
        };
        let dossier = subject.and_then(|subject| self.engine.dossier(subject));
        let known = dossier.as_ref().map_or(&[][..], |dossier| dossier.evidence_in(zone));
        let policy = self.engine.policy();
        let Some(entry) = Entry::of(notice, known, &self.dates, policy) else { return };
        self.recent.push(entry.clone());
        self.lines.print(entry);
    }

    /// A line of the daemon's own.
    pub(super) fn say(&mut self, text: &str) {
        let now = self.dates.wall(self.clock.now());
        self.lines.print(Entry::own(now, text));
    }
}

/// Keys that differ between two configurations and that the parent cannot change while it runs.
fn put_off(old: &str, new: &str) -> Vec<&'static str> {
    let (Ok(old), Ok(new)) = (vauban_config::parse(old, ""), vauban_config::parse(new, "")) else {
        return Vec::new();
    };
    let differ = [
        ("kernel.nflog_group", old.policy.kernel.group != new.policy.kernel.group),
        ("control.socket", old.control != new.control),
        ("store.path", old.store.path != new.store.path),
        ("log.format", old.log.format != new.log.format),
        ("log.journal", old.log.journal != new.log.journal),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

pub(super) fn orphaned(_: Orphaned) -> RunError {
    RunError::Failed(
        "the privileged process is gone or does not answer, so this one ends too; bans stay in \
         the kernel until they run out"
            .into(),
    )
}
