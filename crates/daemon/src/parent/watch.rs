//! What this host and its kernel are like, looked at again and again: the never-ban set follows the
//! host, and a kernel program that somebody took away or changed is loaded again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vauban_enforce::boundary::{Answer, Tell};
use vauban_enforce::{Listener, Reply, Request};
use vauban_sys::memory;
use vauban_sys::nft::watch::Seen;

use super::Parent;
use crate::child::ANSWERING;
use crate::host;

/// How often the host is asked what it is like, unless asking takes long: a new gateway must not
/// be open to a ban for longer.
const ASK_HOST: Duration = Duration::from_secs(1);

/// At most this part of the time is spent on asking: a router with a million routes is asked less
/// often.
const ASK_SHARE: u32 = 100;

/// How often a listener is told again. The kernel program remembers it for ten minutes.
const TELL_AGAIN: Duration = Duration::from_secs(5 * 60);

/// How long others' commits are left to gather before the kernel is looked at: a firewall that
/// reloads commits several times.
const GATHER: Duration = Duration::from_millis(50);

/// How long the kernel is not looked at again after a look because of others' commits: somebody who
/// commits all the time, as a host of containers does, must not keep us looking all the time.
const REST: Duration = Duration::from_millis(400);

/// When what is due, and what was told.
pub(super) struct Watching {
    ask_host: Instant,
    /// When to look at the kernel because somebody has committed.
    look: Option<Instant>,
    last_look: Instant,
    /// Ports with a listener, and when the enforcer was told.
    listeners: BTreeMap<Listener, Instant>,
    /// What was last said about a program that cannot be loaded.
    trouble: String,
}

impl Watching {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ask_host: now + ASK_HOST,
            look: None,
            last_look: now,
            listeners: BTreeMap::new(),
            trouble: String::new(),
        }
    }
}

impl Parent {
    /// When something is due next.
    pub(super) fn next_duty(&self) -> Instant {
        let due = self.watching.ask_host.min(self.watchdog.next_beat());
        self.watching.look.map_or(due, |look| look.min(due))
    }

    /// Does what is due.
    pub(super) fn duties(&mut self, now: Instant) {
        if now >= self.watching.ask_host {
            self.ask_host();
            self.tell_listeners(now);
            let took = now.elapsed();
            self.watching.ask_host = now + ASK_HOST.max(took.saturating_mul(ASK_SHARE));
        }
        if self.watching.look.is_some_and(|look| now >= look) {
            self.watching.look = None;
            self.watching.last_look = now;
            // It asks for a list, finds out what is missing, and has that put right.
            self.tell(Tell::Changed);
        }
        // Somebody who is stuck is no sign of life.
        if self.heard.elapsed() < super::SILENT_FOR / 2 {
            self.watchdog.beat(now);
        }
    }

    /// Somebody has committed to nf_tables; if it was not us, it may have been our table.
    pub(super) fn see_commits(&mut self) {
        loop {
            let foreign = match self.commits.wait(Duration::ZERO) {
                Ok(Seen::Idle) | Err(_) => return,
                Ok(Seen::Commit(commit)) => commit.port != self.port,
                Ok(Seen::Overrun) => true,
            };
            if foreign && self.watching.look.is_none() {
                let now = Instant::now();
                let rested = self.watching.last_look + REST;
                self.watching.look = Some((now + GATHER).max(rested));
            }
        }
    }

    /// Has a large batch done while nobody is told of its elements. If somebody else has committed in
    /// that time, it is looked what.
    pub(super) fn unwatched(&mut self, request: Request) -> Reply {
        let before = self.commit_count();
        let paused = self.commits.pause().is_ok();
        let reply = self.service.handle(request);
        memory::give_back();
        if paused && let Err(error) = self.commits.listen() {
            self.print(&format!("Trouble: changes by others are found after ten seconds: {error}"));
        }
        // One of them was ours.
        let alone = before.is_some_and(|count| self.commit_count() == Some(count.wrapping_add(1)));
        if !alone {
            let rested = self.watching.last_look + REST;
            self.watching.look = Some((Instant::now() + GATHER).max(rested));
        }
        reply
    }

    /// How many commits nf_tables has seen, by anybody.
    fn commit_count(&mut self) -> Option<u32> {
        self.counter.generation().ok()?
    }

    /// Asks what the host is like, and tells enforcer and child when that has changed.
    pub(super) fn ask_host(&mut self) {
        let facts = match host::facts() {
            Ok(facts) if facts == self.facts => return,
            Ok(facts) => facts,
            Err(error) => {
                return self.print(&format!("Trouble: cannot ask for addresses: {error}"));
            }
        };
        match self.enforce(Request::Learn(facts.clone())) {
            Answer::Done => {
                self.facts = facts.clone();
                self.tell(Tell::Facts(facts));
            }
            // Tried again at the next time of asking.
            Answer::Failed(text) => self.print(&format!("Trouble: {text}")),
            _ => {}
        }
    }

    /// Ports that have a listener are told while they have one: a service that is gone, if only for
    /// the moment of a restart, must look down at once.
    fn tell_listeners(&mut self, now: Instant) {
        let listeners = match host::listeners(&self.facts.ephemeral) {
            Ok(listeners) => listeners,
            Err(error) => return self.print(&format!("Trouble: cannot ask for sockets: {error}")),
        };
        let told = &mut self.watching.listeners;
        told.retain(|served, told| listeners.contains(served) && now < *told + TELL_AGAIN);
        let news: Vec<Listener> =
            listeners.into_iter().filter(|served| !told.contains_key(served)).collect();
        if news.is_empty() {
            return;
        }
        match self.service.handle(Request::Served(news.clone())) {
            Reply::Done => {
                self.watching.listeners.extend(news.into_iter().map(|served| (served, now)));
            }
            Reply::Failed(text) => self.print(&format!("Trouble: {text}")),
            // That the program is gone is noticed, and said, when the kernel is looked at.
            _ => {}
        }
    }

    /// Somebody took our table away or changed it: load it again, and let the child say which
    /// blocks it misses.
    pub(super) fn heal(&mut self) {
        let policy = Box::new(self.configured.config.policy.clone());
        match self.service.handle(Request::Load(policy, self.facts.clone())) {
            Reply::Done => {
                self.print("Healed: the table inet vauban was gone or changed; it is loaded again");
                self.watching.trouble.clear();
                self.service.handle(Request::Answering(ANSWERING));
                self.watching.listeners.clear();
                self.watching.ask_host = Instant::now();
                self.tell(Tell::Loaded);
            }
            Reply::Failed(text) => self.not_healed(text),
            other => self.not_healed(format!("{other:?}")),
        }
    }

    /// It is tried again whenever somebody looks, and said once.
    fn not_healed(&mut self, text: String) {
        if text != self.watching.trouble {
            self.print(&format!(
                "Trouble: the table inet vauban is gone or changed, and cannot be loaded again: {text}"
            ));
            self.watching.trouble = text;
        }
    }
}
