//! What a broken-in process may send. Each frame is an error, or a message that is written in
//! exactly these bytes; no frame makes the reader panic, or take much more memory than it is long.

use std::fs;
use std::process::Command;
use std::time::Duration;

use proptest::prelude::*;
use vauban_enforce::boundary::wire::{LONGEST, MOST_OPS, most_ops, read_frame, read_question};
use vauban_enforce::boundary::{Ask, Said, VERSION};
use vauban_engine::Prefix;
use vauban_engine::grants::MOST_GRANTS;
use vauban_engine::output::{Batch, Block, BlockOp};

use super::values::{ask, asks, frames, said, saids};

/// Reads a frame both ways; each is an error or canonical.
fn try_both(frame: &[u8]) {
    if let Ok(ask) = Ask::read(frame) {
        assert_eq!(&ask.write()[4..], frame, "{ask:?}");
    }
    if let Ok(said) = Said::read(frame) {
        assert_eq!(&said.write()[4..], frame, "{said:?}");
    }
}

/// Numbers that look random, without a dependency: xorshift64 (Marsaglia 2003).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// Small numbers more often than others: most bytes of a frame are counts, kinds and lengths.
    fn byte(&mut self) -> u8 {
        let [value, choice, ..] = self.next().to_le_bytes();
        match choice % 4 {
            0 => value,
            1 => value % 6,
            2 => [4, 16, 32, 64, 128, VERSION][usize::from(value % 6)],
            _ => 0,
        }
    }
}

/// Whether a frame is a message of the side that `frame` is from, which its sample says.
fn is_message(of: &str, frame: &[u8]) -> bool {
    if of.starts_with("ask") { Ask::read(frame).is_ok() } else { Said::read(frame).is_ok() }
}

#[test]
fn every_mutation_of_every_frame() {
    for (name, sent) in frames() {
        let frame = &sent[4..];
        for end in 0..frame.len() {
            assert!(!is_message(name, &frame[..end]), "{name}, cut off at {end}");
            try_both(&frame[..end]);
        }
        for at in 0..frame.len() {
            let mut changed = frame.to_vec();
            for value in 0..=u8::MAX {
                changed[at] = value;
                try_both(&changed);
            }
            // The four bytes of a count or a length.
            for four in [0_u32, 1, 2, 0x100, 0xffff, 1 << 31, u32::MAX] {
                let mut changed = frame.to_vec();
                for (place, byte) in changed.iter_mut().skip(at).zip(four.to_le_bytes()) {
                    *place = byte;
                }
                try_both(&changed);
            }
            let mut changed = frame.to_vec();
            changed.remove(at);
            try_both(&changed);
            changed.insert(at, frame[at]);
            changed.insert(at, frame[at]);
            try_both(&changed);
        }
        for more in [&[0][..], &[VERSION], &[0; 64], frame] {
            let longer = [frame, more].concat();
            assert!(!is_message(name, &longer), "{name} and {} bytes", more.len());
            try_both(&longer);
        }
    }
}

#[test]
fn hundreds_of_thousands_of_random_frames() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let kinds: Vec<u8> = frames().into_iter().map(|(_, sent)| sent[5]).collect();
    let mut read = 0;
    for _ in 0..400_000 {
        let length = chance.below(64);
        let mut frame = vec![VERSION, kinds[chance.below(kinds.len())]];
        frame.extend((0..length).map(|_| chance.byte()));
        read += usize::from(Ask::read(&frame).is_ok() || Said::read(&frame).is_ok());
        try_both(&frame);
        // As a stream, too: its length is whatever the first bytes say.
        let mut stream = frame.as_slice();
        while let Ok(Some(frame)) = read_frame(&mut stream) {
            try_both(&frame);
        }
    }
    // Otherwise the reader was not reached.
    assert!(read > 1_000, "only {read} were messages");
}

proptest! {
    #[test]
    fn several_mutations_of_any_message(
        ask in ask(),
        said in said(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        for mut frame in [ask.write().split_off(4), said.write().split_off(4)] {
            for (at, value) in &changes {
                let at = at.index(frame.len());
                frame[at] = *value;
            }
            try_both(&frame);
        }
    }
}

#[test]
fn another_version_and_an_unknown_kind_are_refused() {
    for (name, sent) in frames() {
        for version in (0..=u8::MAX).filter(|version| *version != VERSION) {
            let mut frame = sent[4..].to_vec();
            frame[0] = version;
            let texts = [Ask::read(&frame).err(), Said::read(&frame).err()];
            assert!(
                texts.iter().flatten().filter(|e| e.to_string().contains("version")).count() == 2,
                "{name}, version {version}: {texts:?}"
            );
        }
    }
    // A question is no answer, and the other way round, but for those that are a kind alone.
    for ask in asks().iter().filter(|ask| ask.write().len() > 6) {
        assert!(Said::read(&ask.write()[4..]).is_err(), "{ask:?}");
    }
    for said in saids().iter().filter(|said| said.write()[5] >= 128) {
        assert!(Ask::read(&said.write()[4..]).is_err(), "{said:?}");
    }
}

/// Whom operators allow: as many as the engine keeps are read, and one more is refused unread.
#[test]
fn no_more_are_allowed_than_the_engine_keeps() {
    let granted: Vec<_> = (0..=u32::try_from(MOST_GRANTS).unwrap())
        .map(|n| Prefix::host(std::net::Ipv4Addr::from(0x0a00_0000 + n).into()))
        .collect();
    let most = Ask::Allow(granted[..MOST_GRANTS].to_vec()).write();
    assert!(matches!(Ask::read(&most[4..]), Ok(Ask::Allow(read)) if read.len() == MOST_GRANTS));
    // It fits a question, however few bans there may be.
    assert!(read_question(&mut most.as_slice(), most_ops(0)).unwrap().is_some());
    let more = Ask::Allow(granted).write();
    let error = Ask::read(&more[4..]).unwrap_err().to_string();
    assert!(error.contains("too many"), "{error}");
}

/// A batch that the child sends always fits, and is always taken.
#[test]
fn the_largest_batch_is_read() {
    let remaining = Some(Duration::MAX);
    let longest = BlockOp::Block(Block { subject: "2001:db8::1".parse().unwrap(), remaining });
    let sent = Ask::Apply(Batch { ops: vec![longest; MOST_OPS] }).write();
    assert!(sent.len() <= LONGEST, "{}", sent.len());
    assert!(matches!(Ask::read(&sent[4..]), Ok(Ask::Apply(batch)) if batch.ops.len() == MOST_OPS));
}

/// Set in the process of its own that [`no_frame_takes_much_more_memory_than_it_is_long`] measures.
const APART: &str = "VAUBAN_BOUNDARY_APART";

/// The most address space that this process has ever taken, in bytes (`VmPeak`, proc_pid_status(5)):
/// memory that was asked for counts, touched or not.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// A frame of this kind whose first list announces `count` items, with `rest` behind.
fn list(kind: u8, count: u32, rest: &[u8]) -> Vec<u8> {
    [&[VERSION, kind][..], &count.to_le_bytes(), rest].concat()
}

/// Short frames may announce what they like: nothing but what they bring is asked for.
fn short_liars() {
    let before = peak();
    for count in [1, 8, 60, 64, 1 << 16, 1 << 24, u32::MAX >> 1, u32::MAX] {
        for kind in 0..=u8::MAX {
            for rest in [&[][..], &[0; 60], &[4; 60], &[16; 60], &[0xff; 60]] {
                try_both(&list(kind, count, rest));
            }
        }
        let mut stream = count.to_le_bytes().to_vec();
        stream.extend([VERSION, 0]);
        let _ = read_frame(&mut stream.as_slice());
    }
    let taken = peak() - before;
    assert!(taken <= 1 << 20, "short frames took {taken} bytes");
}

/// As many of an item as `bytes` have room for, as a frame.
fn full(kind: u8, item: &[u8], bytes: usize) -> Vec<u8> {
    let count = (bytes - 6) / item.len();
    let mut frame = Vec::with_capacity(bytes);
    frame.extend(list(kind, u32::try_from(count).unwrap(), &[]));
    frame.extend(item.iter().cycle().take(count * item.len()));
    frame
}

/// The items that take most memory for the bytes that they are, as often as there is room. The
/// frame itself is counted in.
fn long_frames() {
    const PARDON_ALL: [u8; 1] = [4];
    const UNBLOCK: [u8; 7] = [1, 4, 0, 0, 0, 0, 0];
    const BLOCK: [u8; 7] = [4, 0, 0, 0, 0, 0, 0];
    let before = peak();
    let taken = || peak() - before;
    // More operations than a child may send are refused unread.
    assert!(Ask::read(&full(0, &PARDON_ALL, LONGEST)).is_err());
    assert!(Ask::read(&full(0, &UNBLOCK, LONGEST)).is_err());
    assert!(taken() <= 2 * LONGEST, "refused ones took {} bytes", taken());
    // As many as it may send are taken.
    for item in [&PARDON_ALL[..], &UNBLOCK] {
        assert!(Ask::read(&full(0, item, MOST_OPS * item.len() + 6)).is_ok());
        assert!(taken() <= 4 * LONGEST, "batches took {} bytes", taken());
    }
    // What the parent says is no stranger's word, and no longer than what the kernel holds.
    let bytes = LONGEST / 4;
    assert!(Said::read(&full(2, &BLOCK, bytes)).is_ok());
    assert!(taken() <= 4 * LONGEST + 20 * bytes, "a list took {} bytes", taken());
}

#[test]
fn no_frame_takes_much_more_memory_than_it_is_long() {
    if std::env::var_os(APART).is_some() {
        short_liars();
        long_frames();
        return;
    }
    // In a process of its own: other tests take memory meanwhile.
    let name = "hostile::no_frame_takes_much_more_memory_than_it_is_long";
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(APART, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complained}");
}
