//! The loop: one owner of engine and enforcer, one queue in.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use vauban_config::{Config, duration};
use vauban_enforce::{Listener, Reply, Request, Service};
use vauban_engine::event::{EventKind, Facts};
use vauban_engine::policy::Enforcement;
use vauban_engine::{Engine, Event, Notice, Output, Timestamp};

use super::{Incoming, RunError};
use crate::announce;
use crate::clock::Clock;
use crate::control::view::time;
use crate::decoys::Counts;
use crate::decoys::pulse::Pulse;
use crate::host;
use crate::lines::Lines;
use crate::sources::Losses;

/// How often the kernel is asked what it holds.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// How often the host is asked what it is like, unless asking takes long: a new gateway must not
/// be open to a ban for longer.
const ASK_HOST: Duration = Duration::from_secs(1);

/// At most this part of the time is spent on asking: a router with a million routes is asked less
/// often.
const ASK_SHARE: u32 = 100;

/// How often a listener is told again. The kernel program remembers it for ten minutes.
const TELL_AGAIN: Duration = Duration::from_secs(5 * 60);

/// For how long user space's word holds that it answers for decoys: a daemon that dies leaves nobody
/// a chance to tell listeners from what it answered for. Said twice in that time, which is one small
/// commit in two seconds.
pub const ANSWERING: Duration = Duration::from_secs(4);

/// What other threads count, and this one shows.
pub struct Watched {
    /// What did not reach the engine.
    pub losses: Arc<Losses>,
    /// What the responder has done.
    pub counts: Arc<Counts>,
    /// Whether it is alive.
    pub pulse: Arc<Pulse>,
}

/// Engine and enforcer, and what moves between them.
pub struct Core {
    pub(super) engine: Engine,
    pub(super) service: Service,
    pub(super) clock: Clock,
    pub(super) watched: Watched,
    pub(super) file: Option<PathBuf>,
    lines: Lines,
    facts: Facts,
    look_again: Timestamp,
    ask_host: Timestamp,
    say_alive: Timestamp,
    /// Ports with a listener, and when the enforcer was told.
    listeners: BTreeMap<Listener, Timestamp>,
    on_terminal: bool,
}

impl Core {
    pub fn new(
        config: &Config,
        file: Option<PathBuf>,
        facts: Facts,
        service: Service,
        clock: Clock,
        watched: Watched,
        lines: Lines,
    ) -> Self {
        let mut engine = Engine::new(config.policy.clone());
        engine.handle(Event { at: clock.now(), kind: EventKind::Facts(facts.clone()) });
        let look_again = clock.now().plus(LOOK_AGAIN);
        let ask_host = clock.now().plus(ASK_HOST);
        let on_terminal = std::io::stdout().is_terminal();
        Self {
            engine,
            service,
            clock,
            watched,
            file,
            lines,
            facts,
            look_again,
            ask_host,
            say_alive: Timestamp::default(),
            listeners: BTreeMap::new(),
            on_terminal,
        }
    }

    /// Moves events until told to stop; then takes the kernel program away.
    pub fn turn(&mut self, queue: &Receiver<Incoming>) -> Result<(), RunError> {
        self.greet();
        loop {
            let now = self.clock.now();
            if now >= self.ask_host {
                self.ask(now);
                self.tell_listeners(now);
                let took = self.clock.now().since(now);
                self.ask_host = now.plus(ASK_HOST.max(took.saturating_mul(ASK_SHARE)));
            }
            if now >= self.look_again {
                self.look_again = now.plus(LOOK_AGAIN);
                let reply = self.service.handle(Request::List);
                self.check(reply, &mut true);
                self.drain();
            }
            if now >= self.say_alive {
                self.say_alive(now);
            }
            let own = self.look_again.min(self.ask_host).min(self.say_alive);
            let until = self.engine.next_timeout().map_or(own, |at| at.min(own));
            match queue.recv_timeout(until.since(now)) {
                Ok(Incoming::Event(event)) => {
                    self.engine.handle(event);
                    self.drain();
                }
                Ok(Incoming::Strained) => {
                    let now = self.clock.now();
                    self.say_alive(now);
                }
                Ok(Incoming::Request(request, caller)) => {
                    let reply = self.answer(request);
                    // A caller that has hung up does not want it any more.
                    let _ = caller.try_send(reply);
                }
                Ok(Incoming::Hangup) if self.on_terminal => {
                    self.say("Hangup: the terminal is gone");
                    break;
                }
                Ok(Incoming::Hangup) => {
                    self.say(
                        "Hangup: the configuration is read at start only; restart to change it",
                    );
                }
                Ok(Incoming::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.engine.handle_timeout(self.clock.now());
                    self.drain();
                }
            }
        }
        self.say("Stopping: the table inet vauban is taken away, and all bans with it");
        match self.service.handle(Request::Unload) {
            Reply::Failed(text) => Err(RunError::Failed(format!("cannot take it away: {text}"))),
            _ => Ok(()),
        }
    }

    /// Carries out what the engine wants, says what it announces, and returns that.
    pub(super) fn drain(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        // A table that is gone again right after it was loaded is tried again later.
        let mut may_load = true;
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Apply(batch) => {
                    let reply = self.service.handle(Request::Apply(batch));
                    self.check(reply, &mut may_load);
                }
                Output::Announce(notice) => {
                    if let Some(line) = announce::line(&notice, self.engine.policy()) {
                        self.lines.print(line);
                    }
                    notices.push(notice);
                }
            }
        }
        notices
    }

    /// Asks what the host is like, and tells enforcer and engine when that has changed.
    pub(super) fn ask(&mut self, now: Timestamp) {
        let facts = match host::facts() {
            Ok(facts) if facts == self.facts => return,
            Ok(facts) => facts,
            Err(error) => {
                return self.say(&format!("Trouble: cannot ask for addresses: {error}"));
            }
        };
        self.engine.handle(Event { at: now, kind: EventKind::Facts(facts.clone()) });
        let reply = self.service.handle(Request::Learn(facts.clone()));
        if reply == Reply::Done {
            // Otherwise it is tried again at the next time of asking.
            self.facts = facts;
        }
        self.check(reply, &mut true);
        self.drain();
    }

    /// Tells the enforcer whether decoys are answered.
    fn say_alive(&mut self, now: Timestamp) {
        let answers = self.watched.pulse.answers(now);
        let said = if answers { ANSWERING } else { Duration::ZERO };
        // A responder that comes round again is trusted again soon.
        self.say_alive = now.plus(if answers { ANSWERING / 2 } else { ANSWERING / 16 });
        let reply = self.service.handle(Request::Answering(said));
        if reply != Reply::Lost {
            // That the program is gone is noticed, and said, when the kernel is looked at.
            self.check(reply, &mut false);
        }
    }

    /// Ports that have a listener are told while they have one: a service that is gone, if only for
    /// the moment of a restart, must look down at once.
    fn tell_listeners(&mut self, now: Timestamp) {
        let listeners = match host::listeners(&self.facts.ephemeral) {
            Ok(listeners) => listeners,
            Err(error) => return self.say(&format!("Trouble: cannot ask for sockets: {error}")),
        };
        self.listeners
            .retain(|served, told| listeners.contains(served) && now < told.plus(TELL_AGAIN));
        let news = listeners.into_iter().filter(|served| !self.listeners.contains_key(served));
        let news: Vec<Listener> = news.collect();
        if news.is_empty() {
            return;
        }
        let reply = self.service.handle(Request::Served(news.clone()));
        if reply == Reply::Done {
            self.listeners.extend(news.into_iter().map(|served| (served, now)));
        } else if reply != Reply::Lost {
            // That the program is gone is noticed, and said, when the kernel is looked at.
            self.check(reply, &mut false);
        }
    }

    /// What an answer of the enforcer means. What the engine then wants is left to [`Self::drain`].
    fn check(&mut self, reply: Reply, may_load: &mut bool) {
        match reply {
            Reply::Done | Reply::Counted(_) | Reply::Suspects(_) => {}
            Reply::Held(held) => {
                self.engine.handle(Event { at: self.clock.now(), kind: EventKind::Held(held) });
            }
            Reply::Guarded(refused) => {
                for (op, member) in refused {
                    let subject = op.subject().map_or_else(String::new, |s| s.to_string());
                    self.say(&format!(
                        "Guard: the enforcer refused to block {subject}: {} is never banned: {}",
                        member.prefix, member.because
                    ));
                }
            }
            Reply::Lost if *may_load => {
                *may_load = false;
                self.reload();
            }
            Reply::Lost => self.say("Trouble: the table inet vauban is gone again"),
            Reply::Failed(text) => self.say(&format!("Trouble: {text}")),
        }
    }

    /// Somebody took our table away or changed it: load it again, and let the engine say which
    /// blocks it misses.
    fn reload(&mut self) {
        self.say("Healed: the table inet vauban was gone or changed; it is loaded again");
        let policy = Box::new(self.engine.policy().clone());
        match self.service.handle(Request::Load(policy, self.facts.clone())) {
            Reply::Done => {
                self.say_alive(self.clock.now());
                self.listeners.clear();
                let held = Vec::new(); // what was just loaded holds none
                self.engine.handle(Event { at: self.clock.now(), kind: EventKind::Held(held) });
            }
            other => self.say(&format!("Trouble: cannot load it again: {other:?}")),
        }
    }

    fn greet(&mut self) {
        let policy = self.engine.policy();
        let dry = policy.enforcement == Enforcement::DryRun;
        let config = self.file.as_ref().map_or_else(
            || "no configuration file, defaults".into(),
            |file| format!("configured by {}", file.display()),
        );
        self.say(&format!(
            "Watching ({}{config}): {} distinct closed ports within {} make a suspect for {}; \
             ctrl-C stops",
            if dry { "dry run, " } else { "" },
            policy.trigger.ports,
            duration::format(policy.trigger.window),
            duration::format(policy.trigger.suspect),
        ));
    }

    /// A line of the daemon's own.
    pub(super) fn say(&mut self, text: &str) {
        self.lines.print(format!("{} {text}", time(self.clock.now())));
    }
}
