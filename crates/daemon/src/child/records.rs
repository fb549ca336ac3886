//! The store, on a thread of its own: a disk that takes its time must not keep anybody from being
//! judged.
//!
//! What is to be written waits in a queue, and everything that waits goes into one transaction. Who
//! wants to show a ban first waits until it is on the disk ([`Records::settled`]). When the disk is
//! full or fails, or the queue overflows, bans stay in force in memory and in the kernel; from then
//! on the whole ledger is offered again and again, until the store holds what the ledger holds.
//!
//! What it does not do: say how much of a ban is left, or know SQL: see [`crate::store`].

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use vauban_engine::Prefix;
use vauban_engine::evidence::Evidence;

use super::Caller;
use crate::control::pages::History;
use crate::control::protocol::Reply;
use crate::control::view::View;
use crate::store::{
    Limits, Loaded, Now, OpenError, Opened, Page, Query, Record, Size, Store, StoredBan,
    StoredGrant, What,
};

/// Changes that may wait for the disk. At some 3 KiB each with their evidence, 12 MiB in the worst
/// case; beyond it the ledger as a whole is written when there is time.
const WAITING: usize = 4_096;

/// Changes per transaction: enough to make the disk's own time a small part of it.
const TOGETHER: usize = 1_024;

/// How often the store is looked over for what is too old or too much: a look costs some
/// milliseconds.
const PRUNE: Duration = Duration::from_secs(10);

/// How long somebody waits for the disk before he is answered without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the child of another daemon that was killed may hold the store: until it is gone.
const HELD_FOR: Duration = Duration::from_secs(1);

/// How often it is looked whether it is gone.
const LOOK: Duration = Duration::from_millis(10);

/// What the thread is asked for.
enum Work {
    Write(Box<Record>),
    /// An answer, to be given when everything before this is on the disk, or has failed.
    Reply(Reply<View>, Caller),
    /// Says when everything before this is on the disk, or has failed.
    Settled(SyncSender<()>),
    Evidence(Prefix, SyncSender<Kept>),
    /// The whole ledger, after something could not be written.
    Ledger(Vec<StoredBan>, Vec<StoredGrant>, Now),
    /// Bans of the past and the present, for the engine's own use.
    Page(Query, SyncSender<Option<Page>>),
    /// The same as an answer: what it is to hold, but for the bans.
    History(Query, Box<History>, Caller),
    Limits(Limits),
    /// Close the database, so that it is one file; says when that is done.
    Close(SyncSender<()>),
    /// Prune by this time, and tell how large it is.
    Prune(Now),
}

/// The packets of a ban, and how many more counted.
type Kept = Option<(Vec<Evidence>, u64)>;

/// How the store does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What keeps it from writing; empty if nothing does.
    pub trouble: String,
    /// How large it is, as of the last look.
    pub size: Option<Size>,
}

/// The way to the thread.
pub struct Records {
    sender: SyncSender<Work>,
    health: Arc<Mutex<Health>>,
    /// Changes that are not on the disk yet, nor given up.
    open: Arc<AtomicUsize>,
    late: Arc<Mutex<Option<Late>>>,
    /// Something was not handed over: the queue was full.
    missed: bool,
    prune_at: Instant,
}

impl Records {
    /// Starts the thread, with an open store or with what keeps it from being opened: then it is tried
    /// again whenever the ledger is offered. `behind`: the store may lack bans that are in force.
    pub fn start(
        path: PathBuf,
        limits: Limits,
        store: Result<Store, String>,
        now: Now,
        behind: bool,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::sync_channel(WAITING);
        let (store, trouble) = match store {
            Ok(store) => (Some(store), String::new()),
            Err(text) => (None, text),
        };
        let health = Arc::new(Mutex::new(Health { trouble, size: None }));
        let open = Arc::new(AtomicUsize::new(0));
        let late = Arc::default();
        let file = identity(&path);
        let mut keeper = Keeper {
            path,
            limits,
            store,
            file,
            health: Arc::clone(&health),
            open: Arc::clone(&open),
            late: Arc::clone(&late),
        };
        std::thread::Builder::new().name("store".into()).spawn(move || {
            keeper.settle(&now);
            keeper.serve(&receiver);
        })?;
        Ok(Self { sender, health, open, late, missed: behind, prune_at: Instant::now() })
    }

    /// Has something written down. Does not wait.
    pub fn write(&mut self, record: Record) {
        self.open.fetch_add(1, Ordering::AcqRel);
        if !self.hand_over(Work::Write(Box::new(record))) {
            self.open.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn hand_over(&mut self, work: Work) -> bool {
        let taken = self.sender.try_send(work).is_ok();
        self.missed |= !taken;
        taken
    }

    /// Has an answer given once everything so far is on the disk. If that is not to be had, it is
    /// given without, and says so. Does not wait.
    pub fn reply(&mut self, reply: Reply<View>, caller: Caller) {
        if self.open.load(Ordering::Acquire) == 0 {
            return give(reply, &caller, !self.is_behind());
        }
        match self.sender.try_send(Work::Reply(reply, caller)) {
            Ok(()) => {}
            Err(TrySendError::Full(work) | TrySendError::Disconnected(work)) => {
                if let Work::Reply(reply, caller) = work {
                    give(reply, &caller, false);
                }
            }
        }
    }

    /// Waits until everything so far is on the disk; false if it is not.
    pub fn settled(&mut self) -> bool {
        let (sender, receiver) = mpsc::sync_channel(1);
        if self.missed || self.sender.try_send(Work::Settled(sender)).is_err() {
            return false;
        }
        receiver.recv_timeout(PATIENCE).is_ok() && self.health().trouble.is_empty()
    }

    /// Closes the database, which writes its log back, and waits for that. Nothing is written from
    /// here on.
    pub fn close(&mut self) {
        let (sender, receiver) = mpsc::sync_channel(1);
        if self.sender.send(Work::Close(sender)).is_ok() {
            let _ = receiver.recv_timeout(PATIENCE);
        }
    }

    /// What a ban rests on, from the disk.
    pub fn evidence(&mut self, subject: Prefix) -> Kept {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.sender.try_send(Work::Evidence(subject, sender)).ok()?;
        receiver.recv_timeout(PATIENCE).ok()?
    }

    /// Bans of the past and the present, for the engine's own use; `None` if that takes too long or
    /// the store cannot be read.
    pub fn page(&mut self, query: Query) -> Option<Page> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.sender.try_send(Work::Page(query, sender)).ok()?;
        receiver.recv_timeout(PATIENCE).ok()?
    }

    /// Has a page of the history given to a caller, when everything so far is on the disk. Does not
    /// wait.
    pub fn history(&mut self, query: Query, mut view: History, caller: Caller) {
        view.stored = !self.missed;
        match self.sender.try_send(Work::History(query, Box::new(view), caller)) {
            Ok(()) => {}
            Err(TrySendError::Full(work) | TrySendError::Disconnected(work)) => {
                if let Work::History(_, _, caller) = work {
                    let text = "the store has too much to write at the moment; ask again";
                    give(Reply::Failed(text.into()), &caller, false);
                }
            }
        }
    }

    /// How the store does.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a store held that could only be opened after the start, once. Until the ledger is
    /// offered, it still holds that.
    pub fn opened_late(&mut self) -> Option<Late> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the store holds less than the ledger, so that the ledger is to be offered.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.missed || !self.health().trouble.is_empty()
    }

    /// Offers the whole ledger.
    pub fn offer(&mut self, ledger: Vec<StoredBan>, grants: Vec<StoredGrant>, now: Now) {
        if self.sender.try_send(Work::Ledger(ledger, grants, now)).is_ok() {
            self.missed = false;
        }
    }

    /// How much may be kept from now on.
    pub fn limit(&mut self, limits: Limits) {
        self.hand_over(Work::Limits(limits));
    }

    /// Looks the store over, if that is due.
    pub fn prune(&mut self, now: &Now) {
        if Instant::now() >= self.prune_at && self.sender.try_send(Work::Prune(*now)).is_ok() {
            self.prune_at = Instant::now() + PRUNE;
        }
    }
}

/// A store that could be opened in the end: what was found, and what it holds.
pub type Late = (What, Loaded);

/// Which file is at a path, by device and number; `None` if there is none.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// The thread's own.
struct Keeper {
    path: PathBuf,
    limits: Limits,
    store: Option<Store>,
    /// The file that is open.
    file: Option<(u64, u64)>,
    health: Arc<Mutex<Health>>,
    open: Arc<AtomicUsize>,
    late: Arc<Mutex<Option<Late>>>,
}

impl Keeper {
    fn serve(&mut self, work: &Receiver<Work>) {
        let mut records = Vec::new();
        let mut replies = Vec::new();
        while let Ok(first) = work.recv() {
            // What waits is written together.
            let mut next = Some(first);
            while let Some(work_now) = next {
                match work_now {
                    Work::Write(record) => records.push(*record),
                    Work::Reply(reply, caller) => replies.push((reply, caller)),
                    other => {
                        self.write(&mut records, &mut replies);
                        self.do_now(other);
                    }
                }
                next = if records.len() < TOGETHER { work.try_recv().ok() } else { None };
            }
            self.write(&mut records, &mut replies);
        }
    }

    fn do_now(&mut self, work: Work) {
        match work {
            // Gathered, see above.
            Work::Write(_) | Work::Reply(..) => {}
            Work::Settled(asker) => {
                let _ = asker.try_send(());
            }
            Work::Evidence(subject, asker) => {
                let kept = self.store.as_ref().and_then(|store| store.evidence(&subject).ok());
                let _ = asker.try_send(kept.flatten());
            }
            Work::Close(asker) => {
                self.store = None;
                let _ = asker.try_send(());
            }
            Work::Page(query, asker) => {
                let page = self.store.as_ref().and_then(|store| store.page(&query).ok());
                let _ = asker.try_send(page);
            }
            Work::History(query, view, caller) => self.history(&query, view, &caller),
            Work::Ledger(ledger, grants, now) => self.catch_up(&ledger, &grants, &now),
            Work::Limits(limits) => {
                self.limits = limits;
                if let Some(store) = &mut self.store {
                    store.limit(limits);
                }
            }
            Work::Prune(now) => self.prune(&now),
        }
    }

    /// Writes what was gathered, and then gives the answers that waited for it.
    fn write(&mut self, records: &mut Vec<Record>, replies: &mut Vec<(Reply<View>, Caller)>) {
        self.look_for_file();
        if let Some(store) = &mut self.store
            && let Err(error) = store.write(records)
        {
            store.mark(true);
            self.troubled(error.to_string());
        }
        self.open.fetch_sub(records.len(), Ordering::AcqRel);
        records.clear();
        let sound = self.health.lock().unwrap_or_else(PoisonError::into_inner).trouble.is_empty();
        for (reply, caller) in replies.drain(..) {
            give(reply, &caller, sound);
        }
    }

    /// What is written to a file that somebody has deleted is gone with the process.
    fn look_for_file(&mut self) {
        if self.store.is_some() && identity(&self.path) != self.file {
            self.store = None;
            let path = self.path.display();
            self.troubled(format!("{path} was deleted or replaced; a new one is being made"));
        }
    }

    /// What another boot has left is made this one's.
    fn settle(&mut self, now: &Now) {
        if let Some(store) = &mut self.store
            && let Err(error) = store.settle(now)
        {
            self.troubled(error.to_string());
        }
        self.prune(now);
    }

    /// Answers with a page of the history.
    fn history(&self, query: &Query, mut view: Box<History>, caller: &Caller) {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let page = match &self.store {
            Some(store) => store.page(query).map_err(|error| error.to_string()),
            None => Err(health.trouble.clone()),
        };
        let reply = match page {
            Ok(page) => {
                view.page = page;
                Reply::Ok(View::History(view))
            }
            Err(text) => Reply::Failed(format!(
                "the store cannot be read: {text}; vauban bans lists what is in force"
            )),
        };
        give(reply, caller, health.trouble.is_empty());
    }

    fn catch_up(&mut self, ledger: &[StoredBan], grants: &[StoredGrant], now: &Now) {
        if self.store.is_none() {
            match Store::open(&self.path, self.limits, now) {
                // The ledger comes again, with what is found here.
                Ok(Opened { store, what, loaded }) => {
                    self.store = Some(store);
                    self.file = identity(&self.path);
                    *self.late.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some((what, loaded));
                }
                Err(error) => self.troubled(error.to_string()),
            }
            return;
        }
        if let Some(store) = &mut self.store {
            let caught_up =
                store.replace_in_force(ledger, now).and_then(|()| store.replace_grants(grants));
            match caught_up {
                Ok(()) => {
                    store.mark(false);
                    self.troubled(String::new());
                }
                Err(error) => {
                    store.mark(true);
                    self.troubled(error.to_string());
                }
            }
        }
    }

    fn prune(&mut self, now: &Now) {
        self.look_for_file();
        let Some(store) = &mut self.store else { return };
        let mut outcome = store.prune(now.wall);
        // A piece at a time; what is left after these waits for the next look.
        for _ in 0..16 {
            if !matches!(&outcome, Ok(pruned) if pruned.more) {
                break;
            }
            outcome = store.prune(now.wall);
        }
        let size = store.size().ok();
        self.change(|health| health.size = size);
        if let Err(error) = outcome {
            self.troubled(error.to_string());
        }
    }

    fn troubled(&self, text: String) {
        self.change(|health| health.trouble = text);
    }

    fn change(&self, change: impl FnOnce(&mut Health)) {
        change(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Gives an answer. A caller that has hung up does not want it any more.
fn give(mut reply: Reply<View>, caller: &Caller, stored: bool) {
    if let (Reply::Ok(view), false) = (&mut reply, stored) {
        view.unstored();
    }
    let _ = caller.try_send(reply);
}

/// Opens the store, as far as that is possible now. `Err` is for what only people can put right:
/// without that, nothing must start.
pub fn open(path: &Path, limits: Limits, now: &Now) -> Result<Found, String> {
    let until = Instant::now() + HELD_FOR;
    let mut opened = Store::open(path, limits, now);
    while matches!(opened, Err(OpenError::Held { .. })) && Instant::now() < until {
        std::thread::sleep(LOOK);
        opened = Store::open(path, limits, now);
    }
    match opened {
        Ok(Opened { store, what, loaded }) => {
            Ok(Found { store: Ok(store), what: Some(what), loaded })
        }
        Err(error) if error.may_pass() => {
            Ok(Found { store: Err(error.to_string()), what: None, loaded: Loaded::default() })
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What opening gave.
pub struct Found {
    /// The store, or why it cannot be used at the moment.
    pub store: Result<Store, String>,
    /// What was found in its place.
    pub what: Option<What>,
    /// What it holds.
    pub loaded: Loaded,
}
