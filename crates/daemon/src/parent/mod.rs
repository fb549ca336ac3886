//! `vauban run`: the process that keeps its privileges.
//!
//! It reads the configuration, opens what needs privilege, loads the kernel program, starts the
//! child and hands it the sockets. From then on it does what the child asks within
//! [`vauban_enforce::boundary`], keeps the never-ban set true to what this host is, and the kernel
//! program whole. It never sees a byte that a stranger has sent, but in the words of that boundary.
//!
//! One thread, one loop. What it does not do: judge, or remember bans.
//!
//! | file | what |
//! |---|---|
//! | `start` | everything up to the loop |
//! | `offspring` | the child as a process: started, greeted, ended |
//! | `folder` | the store's directory, made for the child |
//! | `watch` | what this host and its kernel are like, looked at again and again |
//! | `reload` | another configuration |
//! | `manager` | the service manager's wishes |

use std::io::ErrorKind;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use vauban_config::AtStop;
use vauban_enforce::boundary::{Answer, Ask, ParentsOwn, Said, Tell};
use vauban_enforce::{Reply, Request, Service};
use vauban_engine::event::Facts;
use vauban_sys::nft::Nft;
use vauban_sys::nft::watch::Watch;
use vauban_sys::poll;

use self::manager::Watchdog;
use self::offspring::Offspring;
use self::watch::Watching;
use crate::clock;
use crate::control::server::Address;
use crate::entry::Entry;
use crate::lines::{Lines, Relay};
use crate::only::Only;
use crate::run::{Configured, Options, RunError};

mod folder;
mod manager;
mod offspring;
mod reload;
mod start;
mod watch;

pub use start::run;

/// How long the child may take to restore its ledger and take commands.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long it may be silent from then on. It says every two seconds that decoys are answered, but a
/// disk may keep it.
const SILENT_FOR: Duration = Duration::from_secs(60);

/// How long it may take to end in good order: the last bans have to reach a slow disk.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Operations in a batch from which on it pays not to be told of each.
const LARGE: usize = 256;

/// Refused blocks that are named for one batch.
const MOST_GUARDED: usize = 10;

/// The signals we listen for, each on a socket of its own.
struct Signals {
    stop: UnixStream,
    hangup: UnixStream,
}

/// The parent's state.
struct Parent {
    options: Options,
    configured: Configured,
    service: Service,
    /// The netlink port of the service's commits.
    port: u32,
    commits: Watch,
    /// Counts commits, by anybody.
    counter: Nft,
    facts: Facts,
    child: Offspring,
    signals: Signals,
    watching: Watching,
    watchdog: Watchdog,
    lines: Lines,
    /// What brings the child's entries to the journal, where that is in use.
    _relay: Option<Relay>,
    on_terminal: bool,
    /// Whether a program stood in the kernel before this one.
    had_table: bool,
    /// Whether the child has said that it protects.
    ready: bool,
    /// How many operations it may ask for at once.
    most_ops: usize,
    /// When it was heard last.
    heard: Instant,
    _only: Only,
    _address: Address,
}

/// Why the loop ends.
enum End {
    /// As it was told, with the child.
    Stop,
    /// The child has ended, or does what no child does; the text says so.
    Childless(String),
}

impl Parent {
    /// Does what is asked until told to stop.
    fn turn(mut self) -> Result<(), RunError> {
        let end = loop {
            let now = Instant::now();
            if let Some(end) = self.overdue(now) {
                break end;
            }
            self.duties(now);
            let wait = self.next_duty().saturating_duration_since(Instant::now());
            let descriptors = [
                self.child.stream().as_fd(),
                self.signals.stop.as_fd(),
                self.signals.hangup.as_fd(),
                self.commits.as_fd(),
            ];
            let ready = match poll::readable(&descriptors, Some(wait)) {
                Ok(ready) => ready,
                Err(error) => break End::Childless(format!("cannot wait: {error}")),
            };
            let is_ready = |index: usize| ready.get(index).copied().unwrap_or_default();
            if is_ready(1) {
                break End::Stop;
            }
            if is_ready(2) && self.hangup() {
                break End::Stop;
            }
            if is_ready(3) {
                self.see_commits();
            }
            if is_ready(0)
                && let Err(text) = self.serve()
            {
                break End::Childless(text);
            }
        };
        self.end(end)
    }

    /// Answers one question.
    fn serve(&mut self) -> Result<(), String> {
        let frame = match self.child.read(self.most_ops) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err(self.child.obituary()),
            // It ended without having read all that it was told.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Err(self.child.obituary());
            }
            Err(error) => return Err(format!("the child cannot be understood: {error}")),
        };
        self.do_asked(&frame)
    }

    fn do_asked(&mut self, frame: &[u8]) -> Result<(), String> {
        let ask = Ask::read_up_to(frame, self.most_ops).map_err(|error| error.to_string())?;
        self.heard = Instant::now();
        let answer = match ask.into_request() {
            Ok(request) => self.enforce(request),
            Err(ParentsOwn::Facts) => {
                self.ask_host();
                Answer::Facts(self.facts.clone())
            }
            Err(ParentsOwn::Reload) => match self.reload() {
                Ok(()) => Answer::Done,
                Err(text) => Answer::Refused(text),
            },
            Err(ParentsOwn::Ready) => {
                self.become_ready();
                Answer::Done
            }
        };
        self.say(&Said::Answer(answer))
    }

    /// What the enforcer says to a request of the child's.
    fn enforce(&mut self, request: Request) -> Answer {
        let large = matches!(&request, Request::Apply(batch) if batch.ops.len() > LARGE);
        let reply = if large { self.unwatched(request) } else { self.service.handle(request) };
        match reply {
            Reply::Done => Answer::Done,
            Reply::Guarded(refused) => {
                let subjects = refused.iter().filter_map(|(op, _)| op.subject()).collect();
                let more = refused.len().saturating_sub(MOST_GUARDED);
                for (op, member) in refused.into_iter().take(MOST_GUARDED) {
                    let subject = op.subject().map_or_else(String::new, |s| s.to_string());
                    self.print(&format!(
                        "Guard: the enforcer refused to block {subject}: {} is never banned: {}",
                        member.prefix, member.because
                    ));
                }
                if more > 0 {
                    self.print(&format!("Guard: and {more} more"));
                }
                Answer::Guarded(subjects)
            }
            Reply::Held(blocks) => Answer::Held(blocks),
            Reply::Suspects(blocks) => Answer::Suspects(blocks),
            Reply::Counted(counters) => Answer::Counted(counters),
            Reply::Lost => {
                self.heal();
                Answer::Lost
            }
            Reply::Failed(text) => Answer::Failed(text),
        }
    }

    fn say(&mut self, said: &Said) -> Result<(), String> {
        self.child.write(&said.write()).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => self.child.obituary(),
            _ => format!("the child does not listen: {error}"),
        })
    }

    /// Tells the child something it has not asked for. One that is gone is noticed when it is
    /// listened to.
    fn tell(&mut self, tell: Tell) {
        let _ = self.say(&Said::Tell(tell));
    }

    fn become_ready(&mut self) {
        if !std::mem::replace(&mut self.ready, true) {
            manager::ready();
        }
    }

    /// What is to be done about a child that is late.
    fn overdue(&self, now: Instant) -> Option<End> {
        let limit = if self.ready { SILENT_FOR } else { READY_WITHIN };
        (now.duration_since(self.heard) > limit)
            .then(|| End::Childless(format!("the child has been silent for {limit:?}")))
    }

    /// SIGHUP: another configuration; where there was a terminal, the end. Says whether to stop.
    fn hangup(&mut self) -> bool {
        if self.on_terminal {
            self.print("Hangup: the terminal is gone");
            return true;
        }
        start::drain(&self.signals.hangup);
        if let Err(text) = self.reload() {
            // The log has its first line.
            eprintln!("vauban: the configuration stays as it was:\n{text}");
        }
        false
    }

    /// Ends both processes.
    fn end(mut self, end: End) -> Result<(), RunError> {
        match end {
            End::Stop => {
                manager::stopping();
                self.tell(Tell::Stop);
                let well = self.see_off();
                self.leave()?;
                well.map_err(RunError::Failed)
            }
            End::Childless(text) => {
                // A crash may be an attacker's doing: what it has earned stays in the kernel.
                self.child.kill();
                if !self.ready && !self.had_table {
                    // It never served what was loaded a moment ago, and nothing stood there before.
                    self.service.handle(Request::Unload);
                    return Err(RunError::Failed(text));
                }
                Err(RunError::Failed(format!(
                    "{text}. Bans stay in the kernel until they run out; start again: vauban run"
                )))
            }
        }
    }

    /// Waits for the child's end, and goes on answering until then: it may be in the middle of
    /// something.
    fn see_off(&mut self) -> Result<(), String> {
        let until = Instant::now() + END_WITHIN;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let ready = poll::readable(&[self.child.stream().as_fd()], Some(left));
            if !ready.is_ok_and(|ready| ready.contains(&true)) {
                return self.child.finish(left);
            }
            match self.child.read(self.most_ops) {
                // An answer that it does not want any more is no trouble.
                Ok(Some(frame)) => drop(self.do_asked(&frame)),
                Ok(None) | Err(_) => return self.child.finish(left),
            }
        }
    }

    /// Leaves the kernel as the configuration wants it.
    fn leave(&mut self) -> Result<(), RunError> {
        let (said, request) = match self.configured.config.at_stop {
            AtStop::Remove => (
                "Stopping: the table inet vauban is taken away, and all bans with it",
                Request::Unload,
            ),
            AtStop::Leave => (
                "Stopping: bans stay in the table inet vauban until they run out",
                Request::Retire(self.facts.clone()),
            ),
        };
        self.print(said);
        match self.service.handle(request) {
            Reply::Failed(text) => {
                Err(RunError::Failed(format!("cannot leave the kernel in order: {text}")))
            }
            _ => Ok(()),
        }
    }

    /// A line of the daemon's own.
    fn print(&mut self, text: &str) {
        self.lines.print(Entry::own(clock::wall(), text));
    }
}
