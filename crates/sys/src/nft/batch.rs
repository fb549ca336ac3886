//! Writing set operations as one `nf_tables` batch.
//!
//! Neighbours of the same kind in the same set share a message, which saves the kernel a look-up
//! each; the order of operations is kept.
//!
//! What it does not do: send, or read answers.

use std::io;

use super::{SetOp, timeout_millis, uapi};
use crate::netlink::{ACK, Builder, CREATE, REQUEST, Socket, netfilter_header};

/// Elements that share a message: enough to make its own cost vanish.
const MESSAGE_ELEMENTS: usize = 1000;

/// The elements of a message are one attribute, whose length has 16 bits. What stays free below
/// 64 KiB is more than any one element needs, so that an estimate is enough.
const MESSAGE_BYTES: usize = 60 * 1024;

/// What an element takes beside its key: its own header, the two around the key, the padding of
/// the key, flags or timeout.
const ELEMENT_OVERHEAD: usize = 4 + 4 + 4 + 3 + 12;

/// What a message takes beside its elements: headers, and two names of at most 255 bytes.
const MESSAGE_OVERHEAD: usize = 16 + 4 + 3 * 4 + 2 * 256;

/// A batch that was written.
pub(super) struct Batch {
    /// The number of its opening message.
    pub begin: u32,
    /// The number of its last operation, the one that asks for an acknowledgement.
    pub last: u32,
    /// How many operations it carries.
    pub taken: usize,
}

/// Replaces what is in `request` by a batch with as many of `ops` as fit `limit` bytes, at least
/// one message.
pub(super) fn write(
    request: &mut Builder,
    numbers: &mut Socket,
    table: &str,
    ops: &[SetOp<'_>],
    limit: usize,
) -> io::Result<Batch> {
    request.clear();
    let begin = numbers.next_sequence();
    let header = netfilter_header(0, uapi::BATCH_RESOURCE);
    request.message(uapi::BATCH_BEGIN, REQUEST, begin, &header, |_| Ok(()))?;
    let mut taken = 0;
    let mut last = begin;
    let mut next = next_run(ops);
    while let Some(run) = next {
        taken += run.ops.len();
        next = next_run(ops.get(taken..).unwrap_or_default());
        // The last message asks for the acknowledgement, hence the look ahead.
        let is_last = next.as_ref().is_none_or(|next| {
            request.bytes().len() + run.bytes + next.bytes + 3 * MESSAGE_OVERHEAD > limit
        });
        last = numbers.next_sequence();
        write_run(request, last, is_last, table, run.ops)?;
        if is_last {
            break;
        }
    }
    request.message(uapi::BATCH_END, REQUEST, numbers.next_sequence(), &header, |_| Ok(()))?;
    Ok(Batch { begin, last, taken })
}

/// Replaces what is in `request` by a batch that deletes a table of family `inet`.
pub(super) fn write_delete_table(
    request: &mut Builder,
    numbers: &mut Socket,
    table: &str,
) -> io::Result<Batch> {
    request.clear();
    let (begin, last) = (numbers.next_sequence(), numbers.next_sequence());
    let header = netfilter_header(0, uapi::BATCH_RESOURCE);
    request.message(uapi::BATCH_BEGIN, REQUEST, begin, &header, |_| Ok(()))?;
    let family = netfilter_header(uapi::FAMILY_INET, 0);
    request.message(uapi::DELETE_TABLE, REQUEST | ACK, last, &family, |b| {
        b.string(uapi::table::NAME, table)
    })?;
    request.message(uapi::BATCH_END, REQUEST, numbers.next_sequence(), &header, |_| Ok(()))?;
    Ok(Batch { begin, last, taken: 1 })
}

/// Operations that share a message, and about how long its elements are together.
struct Run<'r, 'a> {
    ops: &'r [SetOp<'a>],
    bytes: usize,
}

fn next_run<'r, 'a>(ops: &'r [SetOp<'a>]) -> Option<Run<'r, 'a>> {
    let first = ops.first()?;
    let most = match first {
        SetOp::AddInterval { .. } => MESSAGE_ELEMENTS / 2, // an interval is two elements
        _ => MESSAGE_ELEMENTS,
    };
    let mut bytes = 0;
    let mut length = 0;
    for op in ops.iter().take(most).take_while(|op| shares_message(first, op)) {
        let more = element_bytes(op);
        if length > 0 && bytes + more > MESSAGE_BYTES {
            break;
        }
        bytes += more;
        length += 1;
    }
    Some(Run { ops: ops.get(..length)?, bytes })
}

fn shares_message(one: &SetOp<'_>, other: &SetOp<'_>) -> bool {
    match (one, other) {
        (SetOp::Add { set: a, .. }, SetOp::Add { set: b, .. })
        | (SetOp::Delete { set: a, .. }, SetOp::Delete { set: b, .. })
        | (SetOp::AddInterval { set: a, .. }, SetOp::AddInterval { set: b, .. }) => a == b,
        // A flush is the absence of elements. The first operation shares a message with itself.
        (SetOp::Flush { .. }, SetOp::Flush { .. }) => std::ptr::eq(one, other),
        _ => false,
    }
}

fn element_bytes(op: &SetOp<'_>) -> usize {
    match op {
        SetOp::Add { key, .. } | SetOp::Delete { key, .. } => key.len() + ELEMENT_OVERHEAD,
        SetOp::AddInterval { first, last, .. } => first.len() + last.len() + 2 * ELEMENT_OVERHEAD,
        SetOp::Flush { .. } => 0,
    }
}

fn write_run(
    request: &mut Builder,
    sequence: u32,
    is_last: bool,
    table: &str,
    ops: &[SetOp<'_>],
) -> io::Result<()> {
    let Some(first) = ops.first() else { return Ok(()) };
    let (kind, flags, set) = match first {
        SetOp::Add { set, .. } | SetOp::AddInterval { set, .. } => {
            (uapi::NEW_ELEMENT, REQUEST | CREATE, set)
        }
        SetOp::Delete { set, .. } | SetOp::Flush { set } => (uapi::DELETE_ELEMENT, REQUEST, set),
    };
    let flags = if is_last { flags | ACK } else { flags };
    let header = netfilter_header(uapi::FAMILY_INET, 0);
    request.message(kind, flags, sequence, &header, |b| {
        b.string(uapi::list::TABLE, table)?;
        b.string(uapi::list::SET, set)?;
        if matches!(first, SetOp::Flush { .. }) {
            return Ok(()); // deleting no elements in particular deletes all
        }
        b.nest(uapi::list::ELEMENTS, |b| ops.iter().try_for_each(|op| write_elements(b, op)))
    })
}

fn write_elements(b: &mut Builder, op: &SetOp<'_>) -> io::Result<()> {
    match op {
        SetOp::Flush { .. } => Ok(()),
        SetOp::Delete { key, .. } | SetOp::Add { key, timeout: None, .. } => {
            b.nest(uapi::list::ENTRY, |b| write_key(b, key))
        }
        SetOp::Add { key, timeout: Some(timeout), .. } => b.nest(uapi::list::ENTRY, |b| {
            write_key(b, key)?;
            b.be64(uapi::element::TIMEOUT, timeout_millis(*timeout))
        }),
        SetOp::AddInterval { first, last, .. } => {
            if first.len() != last.len() || first > last {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "an interval with ends of different length or in the wrong order",
                ));
            }
            b.nest(uapi::list::ENTRY, |b| write_key(b, first))?;
            // Intervals are half open in the kernel. One up to the last key of all has no end.
            let Some(end) = successor(last) else { return Ok(()) };
            b.nest(uapi::list::ENTRY, |b| {
                write_key(b, &end)?;
                b.be32(uapi::element::FLAGS, uapi::element::INTERVAL_END)
            })
        }
    }
}

fn write_key(b: &mut Builder, key: &[u8]) -> io::Result<()> {
    b.nest(uapi::element::KEY, |b| b.attribute(uapi::element::VALUE, key))
}

/// The key after this one, as a big-endian number; `None` after the last.
fn successor(key: &[u8]) -> Option<Vec<u8>> {
    let mut next = key.to_vec();
    for byte in next.iter_mut().rev() {
        let (sum, carry) = byte.overflowing_add(1);
        *byte = sum;
        if !carry {
            return Some(next);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::netlink::{Message, Messages};

    fn add(set: &str, key: impl Into<Vec<u8>>) -> SetOp<'_> {
        SetOp::Add { set, key: key.into(), timeout: Some(Duration::from_secs(60)) }
    }

    fn delete(set: &str, key: impl Into<Vec<u8>>) -> SetOp<'_> {
        SetOp::Delete { set, key: key.into() }
    }

    fn written(ops: &[SetOp<'_>], limit: usize) -> io::Result<(Builder, Batch)> {
        let mut request = Builder::new();
        let mut numbers = Socket::open(libc::NETLINK_NETFILTER)?;
        let batch = write(&mut request, &mut numbers, "t", ops, limit)?;
        Ok((request, batch))
    }

    fn elements_in(message: &Message<'_>) -> usize {
        message.attributes(4).get(uapi::list::ELEMENTS).map_or(0, |list| list.nested().count())
    }

    /// Type and number of elements of every operation's message.
    fn shape(ops: &[SetOp<'_>]) -> Vec<(u16, usize)> {
        let (request, batch) = written(ops, usize::MAX).unwrap();
        assert_eq!(batch.taken, ops.len());
        let messages: Vec<_> = Messages::new(request.bytes()).collect();
        assert_eq!(messages.first().unwrap().kind, uapi::BATCH_BEGIN);
        assert_eq!(messages.last().unwrap().kind, uapi::BATCH_END);
        let middle = &messages[1..messages.len() - 1];
        let wants_answer = |message: &Message<'_>| message.flags & ACK != 0;
        assert_eq!(messages.iter().filter(|m| wants_answer(m)).count(), 1);
        assert!(wants_answer(middle.last().unwrap()));
        assert_eq!(middle.last().unwrap().sequence, batch.last);
        middle.iter().map(|message| (message.kind, elements_in(message))).collect()
    }

    #[test]
    fn neighbours_share_a_message_and_order_is_kept() {
        let ops = [
            add("a", [1]),
            add("a", [2]),
            add("b", [3]),
            add("a", [4]),
            delete("a", [1]),
            delete("a", [2]),
            SetOp::Flush { set: "a" },
            SetOp::Flush { set: "a" },
            add("a", [5]),
        ];
        let (new, gone) = (uapi::NEW_ELEMENT, uapi::DELETE_ELEMENT);
        assert_eq!(
            shape(&ops),
            [(new, 2), (new, 1), (new, 1), (gone, 2), (gone, 0), (gone, 0), (new, 1)]
        );
    }

    #[test]
    fn messages_stay_below_a_thousand_elements_and_64_kib() {
        let small: Vec<_> = (0..2001u32).map(|i| add("a", i.to_be_bytes())).collect();
        assert_eq!(shape(&small).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1000, 1000, 1]);
        // The longest key nf_tables knows (NFT_DATA_VALUE_MAXLEN).
        let large: Vec<_> = (0..2000).map(|_| add("a", [7; 64])).collect();
        assert!(shape(&large).iter().all(|(_, n)| *n <= 1000));
        let intervals: Vec<_> = (0..1001u32)
            .map(|i| SetOp::AddInterval {
                set: "a",
                first: (2 * i).to_be_bytes().into(),
                last: (2 * i).to_be_bytes().into(),
            })
            .collect();
        assert_eq!(shape(&intervals).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1000, 1000, 2]);
    }

    #[test]
    fn what_one_send_cannot_carry_is_left_for_the_next() {
        let ops: Vec<_> = (0..5000u32).map(|i| add("a", i.to_be_bytes())).collect();
        let limit = 70_000;
        let mut rest = &ops[..];
        let mut batches = 0;
        while !rest.is_empty() {
            let (request, batch) = written(rest, limit).unwrap();
            assert!(request.bytes().len() <= limit);
            assert!(batch.taken > 0);
            rest = &rest[batch.taken..];
            batches += 1;
        }
        assert_eq!(batches, 3);
        // A limit that nothing fits still makes progress; the kernel may then refuse.
        assert_eq!(written(&ops, 0).unwrap().1.taken, 1000);
    }

    #[test]
    fn an_interval_ends_one_after_its_last_key() {
        assert_eq!(successor(&[10, 0, 0, 9]), Some(vec![10, 0, 0, 10]));
        assert_eq!(successor(&[10, 0, 255, 255]), Some(vec![10, 1, 0, 0]));
        assert_eq!(successor(&[255; 16]), None);
        assert_eq!(successor(&[]), None);
        let to_the_end = SetOp::AddInterval { set: "a", first: vec![0; 4], last: vec![255; 4] };
        assert_eq!(shape(&[to_the_end]), [(uapi::NEW_ELEMENT, 1)]);
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let interval = |first: &[u8], last: &[u8]| SetOp::AddInterval {
            set: "a",
            first: first.into(),
            last: last.into(),
        };
        for op in [
            interval(&[2], &[1]),
            interval(&[1], &[1, 2]),
            add("a\0b", [1]),
            add("a", vec![0; 70_000]),
        ] {
            let error = written(&[op], usize::MAX).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
