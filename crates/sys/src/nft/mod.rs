//! Elements of `nf_tables` sets in tables of family `inet`, by netlink: no C library, no child
//! process. One commit of one element takes a few microseconds, a forked `nft` milliseconds.
//!
//! [`Nft::commit`] changes sets, [`Nft::dump`], [`Nft::counters`], [`Nft::chains`],
//! [`Nft::sets`], [`Nft::rules`] and [`Nft::table_exists`] look.
//! [`watch`] tells of commits by anybody.
//! Everything needs `CAP_NET_ADMIN` in the user namespace that owns the network namespace.
//!
//! What it does not do: create tables, sets, chains or rules (they are text, and `nft` reads it),
//! serve other families, maps, or sets that are both intervals and concatenations.
//!
//! # Keys
//! The bytes of a key are what the kernel compares: an address or a port in network order, 4 or
//! 16 or 2 bytes. The fields of a concatenation each begin at a multiple of four, so
//! `ipv4_addr . inet_service` is four bytes, two bytes and two zero bytes.

mod batch;
mod inventory;
mod operation;
mod read;
mod uapi;
pub mod watch;

use std::fmt;
use std::io;
use std::time::Duration;

pub use inventory::SetInfo;
pub use operation::SetOp;
pub use read::{Counter, Element};

use crate::netlink::{self, Builder, Dump, Messages, Socket};

/// `struct nfgenmsg` before the attributes of every message.
const HEADER: usize = 4;

/// What the send buffer is asked for: one atomic batch of about 700,000 IPv6 elements. The kernel
/// doubles the figure for its own bookkeeping, so the limit of a batch is about twice this.
const SEND_BUFFER: i32 = 16 << 20;

/// Room for the refusals of one batch (below 1 KiB each, one for each message of a batch).
const RECEIVE_BUFFER: i32 = 4 << 20;

/// How often a list is read again because the rule set changed meanwhile. Any commit by anyone in
/// the network namespace counts as a change, so this is a matter of luck on a busy host, and
/// after this many failures in a row it is the caller's turn to wait.
const DUMP_ATTEMPTS: usize = 8;

/// A connection to `nf_tables`.
///
/// It belongs to the network namespace of the thread that opened it.
pub struct Nft {
    socket: Socket,
    request: Builder,
    /// The longest batch that one system call can carry, in bytes.
    batch_limit: usize,
}

impl Nft {
    /// Opens the connection.
    ///
    /// Needs no privilege itself. Without `CAP_NET_ADMIN` in the initial user namespace the
    /// socket's buffers stay within `net.core.wmem_max`, and large commits are split (see
    /// [`commit`](Self::commit)).
    pub fn open() -> io::Result<Self> {
        let socket = Socket::open(libc::NETLINK_NETFILTER)?;
        let batch_limit = socket.grow_send_buffer(SEND_BUFFER)?;
        socket.grow_receive_buffer(RECEIVE_BUFFER)?;
        Ok(Self { socket, request: Builder::new(), batch_limit })
    }

    /// Applies the operations in their order as one transaction: all of them or none.
    ///
    /// No operations are no transaction, and always succeed. The one exception to "all or none"
    /// is a commit longer than a single sendmsg(2) can carry: about 32 MiB, which is more than a
    /// million IPv4 elements with a timeout (28 bytes each) or 800,000 IPv6 elements (40 bytes
    /// each); far less where the send buffer could not be forced (see [`open`](Self::open)). It
    /// is split into several transactions, each all or none, and the first that fails ends it.
    ///
    /// # Errors
    /// Those of the kernel, for the first operation it refused, as
    /// [`raw_os_error`](io::Error::raw_os_error); nothing of the transaction was applied:
    /// - `ENOENT`: no such table or set, or the element of a [`SetOp::Delete`] is absent;
    /// - `ENFILE`: the set is full (`ENOSPC` from some kernels);
    /// - `EEXIST`, `ENOTEMPTY`: a [`SetOp::AddInterval`] overlaps an interval of the set;
    /// - `EINVAL`: a key of the wrong length, a timeout for a set without timeouts, …;
    /// - `ERANGE`: a timeout of several centuries (the kernel counts nanoseconds);
    /// - `EPERM`: no `CAP_NET_ADMIN`.
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) without a number: an operation that cannot
    /// be written down (a zero byte in a name, an interval whose ends are of different length or
    /// in the wrong order). It is found while its transaction is written, so nothing of that
    /// transaction was sent.
    ///
    /// `ETIMEDOUT` and `ENOBUFS`: the answer was lost, and whether the transaction was applied is
    /// unknown.
    pub fn commit(&mut self, table: &str, ops: &[SetOp<'_>]) -> io::Result<()> {
        let mut rest = ops;
        while !rest.is_empty() {
            let batch =
                batch::write(&mut self.request, &mut self.socket, table, rest, self.batch_limit)?;
            self.socket.send(self.request.bytes())?;
            self.settle(batch.begin, batch.last)?;
            rest = rest.get(batch.taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Deletes a table of family `inet` with all that is in it.
    ///
    /// # Errors
    /// `ENOENT`: there is none of that name.
    pub fn delete_table(&mut self, table: &str) -> io::Result<()> {
        let batch = batch::write_delete_table(&mut self.request, &mut self.socket, table)?;
        self.socket.send(self.request.bytes())?;
        self.settle(batch.begin, batch.last)
    }

    /// The elements of a set that have not expired, in no particular order.
    ///
    /// No commit fell into the reading. Elements that packets add and the clock removes are no
    /// commits: while those come and go, an element that stays may be missing from the list or
    /// stand in it twice, and no flag says so (the kernel starts each datagram of a list by
    /// counting from the beginning of its hash table). So an absence here is a hint, and for sets
    /// that packets fill no more than that.
    ///
    /// For the same reason the time grows with the square of the size: 0.2 s for 100,000
    /// elements, 1.5 s for 200,000 (kernel 6.18).
    ///
    /// # Errors
    /// `ENOENT`: no such table or set.
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy): each of several readings was disturbed by
    /// somebody's commit in this network namespace.
    pub fn dump(&mut self, table: &str, set: &str) -> io::Result<Vec<Element>> {
        let mut elements = Vec::new();
        self.list(
            |request, sequence| read::request_elements(request, sequence, table, set),
            &mut elements,
            read::elements,
        )?;
        Ok(elements)
    }

    /// The named counters of a table.
    ///
    /// # Errors
    /// `ENOENT`: no such table. [`ResourceBusy`](io::ErrorKind::ResourceBusy): as
    /// [`dump`](Self::dump).
    pub fn counters(&mut self, table: &str) -> io::Result<Vec<Counter>> {
        let mut counters = Vec::new();
        self.list(
            |request, sequence| read::request_counters(request, sequence, table),
            &mut counters,
            read::counter,
        )?;
        // The kernel answers for a table that is not there with an empty list.
        if counters.is_empty() && !self.table_exists(table)? {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        Ok(counters)
    }

    /// The handles of a table's rules, in the order of its chains: the kernel gives each rule that
    /// is made a new one, so the same list means the same rules. Empty without such a table.
    ///
    /// # Errors
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy): as [`dump`](Self::dump).
    pub fn rules(&mut self, table: &str) -> io::Result<Vec<u64>> {
        let mut handles = Vec::new();
        self.list(
            |request, sequence| read::request_rules(request, sequence, table),
            &mut handles,
            read::rule,
        )?;
        Ok(handles)
    }

    /// The names of a table's chains. Empty without such a table.
    ///
    /// # Errors
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy): as [`dump`](Self::dump).
    pub fn chains(&mut self, table: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        self.list(
            |request, sequence| inventory::request_chains(request, sequence, table),
            &mut names,
            |message, names| inventory::chain(message, table, names),
        )?;
        Ok(names)
    }

    /// A table's sets and maps, without those that are written inside rules and have no name.
    /// Empty without such a table.
    ///
    /// # Errors
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy): as [`dump`](Self::dump).
    pub fn sets(&mut self, table: &str) -> io::Result<Vec<SetInfo>> {
        let mut sets = Vec::new();
        let listed = self.list(
            |request, sequence| inventory::request_sets(request, sequence, table),
            &mut sets,
            |message, sets| inventory::set(message, table, sets),
        );
        match listed {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(Vec::new()),
            listed => listed.map(|()| sets),
        }
    }

    /// The netlink port of this connection, by which [`watch`] says whose a commit was.
    ///
    /// # Errors
    /// Those of getsockname(2), none of which is expected.
    pub fn port(&self) -> io::Result<u32> {
        self.socket.port()
    }

    /// Whether there is a table of this name in family `inet`.
    pub fn table_exists(&mut self, table: &str) -> io::Result<bool> {
        let sequence = self.socket.next_sequence();
        self.request.clear();
        read::request_table(&mut self.request, sequence, table)?;
        let mut found = false;
        match self.socket.request(self.request.bytes(), sequence, |message| {
            found |= message.kind == uapi::NEW_TABLE;
        }) {
            Ok(()) => Ok(found),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many commits the network namespace has seen, by anyone (modulo 2^32).
    ///
    /// # Errors
    /// None is expected.
    pub fn generation(&mut self) -> io::Result<Option<u32>> {
        let sequence = self.socket.next_sequence();
        self.request.clear();
        read::request_generation(&mut self.request, sequence)?;
        let mut found = None;
        self.socket.request(self.request.bytes(), sequence, |message| {
            found = found.or(read::generation(message));
        })?;
        Ok(found)
    }

    /// Reads a list until one reading was not disturbed.
    ///
    /// `NLM_F_DUMP_INTR` alone does not tell: kernel 6.18 never sets it on lists of elements.
    fn list<T>(
        &mut self,
        write: impl Fn(&mut Builder, u32) -> io::Result<()>,
        items: &mut Vec<T>,
        read: impl Fn(netlink::Message<'_>, &mut Vec<T>),
    ) -> io::Result<()> {
        for _ in 0..DUMP_ATTEMPTS {
            let before = self.generation()?;
            let sequence = self.socket.next_sequence();
            self.request.clear();
            write(&mut self.request, sequence)?;
            items.clear();
            match self.socket.dump(self.request.bytes(), sequence, |message| read(message, items)) {
                Ok(Dump::Consistent) if self.generation()? == before => return Ok(()),
                Ok(Dump::Consistent | Dump::Interrupted) => {}
                // Another way of saying "interrupted".
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "the nf_tables rule set kept changing while it was read",
        ))
    }

    /// Reads the answers to a batch whose messages are numbered from `begin` to `last`.
    ///
    /// The kernel (`nfnetlink_rcv_batch()` in net/netfilter/nfnetlink.c) tries every message even
    /// after one was refused, then answers in their order: the refused ones, and `last`, which
    /// alone asks for an acknowledgement. What concerns the batch as a whole (no permission, no
    /// memory, a commit that failed) carries the number of its first message.
    ///
    /// All of that is done when `send` returns. So after a refusal, which decides the outcome, and
    /// after a loss (many refusals fill the receive buffer), what is there is read and nothing
    /// more waited for.
    fn settle(&mut self, begin: u32, last: u32) -> io::Result<()> {
        let span = last.wrapping_sub(begin);
        let mut refusal = None;
        let mut loss = None;
        let mut answered = false;
        while !answered {
            let answers = if refusal.is_none() && loss.is_none() {
                self.socket.receive().map(Some)
            } else {
                self.socket.receive_now()
            };
            let answers = match answers {
                Ok(Some(answers)) => answers,
                Ok(None) => break,
                Err(error) => {
                    let more_may_be_there = error.raw_os_error() == Some(libc::ENOBUFS);
                    loss = Some(error);
                    if more_may_be_there {
                        continue;
                    }
                    break;
                }
            };
            for message in Messages::new(answers) {
                let place = message.sequence.wrapping_sub(begin);
                if message.kind != netlink::ERROR || place > span {
                    continue; // not an answer, or to an earlier batch
                }
                let code = message.error().unwrap_or(libc::EPROTO);
                if code != 0 && refusal.is_none() {
                    refusal = Some(code);
                }
                answered |= place == span;
            }
        }
        if answered {
            self.socket.settle();
        }
        refusal.map(io::Error::from_raw_os_error).or(loss).map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Nft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the request: it may be megabytes.
        f.debug_struct("Nft").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// `NFTA_SET_ELEM_TIMEOUT`, in milliseconds.
///
/// Never less than 10: kernels until 2024 round down to whole jiffies, of which the longest
/// (`CONFIG_HZ=100`) is that long, and take the zero that comes out for "never expires"
/// ("netfilter: `nf_tables`: elements with timeout below `CONFIG_HZ` never expire", 6.12).
fn timeout_millis(timeout: Duration) -> u64 {
    const LONGEST_JIFFY: u128 = 10;
    let millis = timeout.as_nanos().div_ceil(1_000_000).max(LONGEST_JIFFY);
    u64::try_from(millis).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_timeout_becomes_zero() {
        assert_eq!(timeout_millis(Duration::ZERO), 10);
        assert_eq!(timeout_millis(Duration::from_nanos(1)), 10);
        assert_eq!(timeout_millis(Duration::from_nanos(20_000_001)), 21);
        assert_eq!(timeout_millis(Duration::from_secs(60)), 60_000);
        assert_eq!(timeout_millis(Duration::MAX), u64::MAX);
    }
}
