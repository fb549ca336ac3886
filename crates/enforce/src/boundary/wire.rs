//! The messages as bytes.
//!
//! A frame is its length (four bytes, not counting themselves), [`VERSION`](super::VERSION), one
//! byte for the kind of message, and the message's fields in the order of their declaration.
//! Integers are little-endian; an address is its family's length (4 or 16) and its bytes; a list is its length
//! in four bytes and its items; a span is nanoseconds in eight bytes.
//!
//! Reading trusts nothing: every length is compared with what is there before anything is
//! allocated, an unknown kind is an error, and so is a byte too many.

use std::io::{self, Read};

use vauban_engine::output::Batch;

pub use super::bytes::Malformed;
use super::bytes::{Frame, Reader};
use super::{Answer, Ask, Begin, Configuration, Said, Tell};
use crate::message::Counter;

/// The longest frame, in bytes: two million blocks and their opposites. A longer batch is sent in
/// parts.
pub const LONGEST: usize = 64 << 20;

/// Operations per batch, at most. So many fit a frame for certain: the longest takes 28 bytes. The
/// shortest takes one, and forty times that in memory: without this limit a single frame of a child in
/// a stranger's hands would take gigabytes.
pub const MOST_OPS: usize = LONGEST / 32;

/// How many operations one batch may have where there are so many bans at most: each of them made
/// another one, and room to spare. The child sends no more, and the parent reads no more.
#[must_use]
pub fn most_ops(bans: u32) -> usize {
    const SPARE: usize = 4_096;
    let bans = usize::try_from(bans).unwrap_or(usize::MAX);
    bans.saturating_mul(2).saturating_add(SPARE).min(MOST_OPS)
}

/// Reads one frame, without its length; `None` at the end of the stream.
///
/// # Errors
/// `InvalidData`: longer than [`LONGEST`]; `UnexpectedEof`: cut off; those of the stream.
pub fn read_frame(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    read_frame_up_to(stream, LONGEST)
}

/// The same for a question with so many operations at most.
///
/// # Errors
/// Those of [`read_frame`].
pub fn read_question(stream: &mut impl Read, most_ops: usize) -> io::Result<Option<Vec<u8>>> {
    /// Bytes of the longest operation, and of what stands before the first one.
    const EACH: usize = 28;
    const BEFORE: usize = 64;
    read_frame_up_to(stream, most_ops.saturating_mul(EACH).saturating_add(BEFORE).min(LONGEST))
}

fn read_frame_up_to(stream: &mut impl Read, longest: usize) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    // A signal is no end, and the kernel does not begin again where a socket has a timeout.
    let some = loop {
        match stream.read(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    match some {
        0 => return Ok(None),
        4 => {}
        some => stream.read_exact(length.get_mut(some..).unwrap_or_default())?,
    }
    let length = u32::from_le_bytes(length);
    if length as usize > longest {
        return Err(Malformed("it is too long").into());
    }
    // Grows with what comes, not with what was announced.
    let mut frame = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut frame)?;
    if frame.len() < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(frame))
}

impl Ask {
    /// As a frame.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut frame = Frame::new(match self {
            Self::Apply(_) => 0,
            Self::Answering(_) => 1,
            Self::List => 2,
            Self::Suspects => 3,
            Self::Count => 4,
            Self::Facts => 5,
            Self::Reload => 6,
            Self::Ready => 7,
            Self::Allow(_) => 8,
        });
        match self {
            Self::Apply(batch) => frame.list(&batch.ops, Frame::op),
            Self::Answering(hold) => frame.span(*hold),
            Self::Allow(granted) => frame.list(granted, Frame::prefix),
            Self::List
            | Self::Suspects
            | Self::Count
            | Self::Facts
            | Self::Reload
            | Self::Ready => {}
        }
        frame.finish()
    }

    /// From a frame without its length.
    ///
    /// # Errors
    /// It is no such message.
    pub fn read(frame: &[u8]) -> Result<Self, Malformed> {
        Self::read_up_to(frame, MOST_OPS)
    }

    /// The same where a batch may have so many operations at most.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn read_up_to(frame: &[u8], most_ops: usize) -> Result<Self, Malformed> {
        let (kind, mut r) = Reader::new(frame)?;
        let ask = match kind {
            0 => Self::Apply(Batch { ops: r.ops(most_ops)? }),
            1 => Self::Answering(r.span()?),
            2 => Self::List,
            3 => Self::Suspects,
            4 => Self::Count,
            5 => Self::Facts,
            6 => Self::Reload,
            7 => Self::Ready,
            8 => Self::Allow(r.granted()?),
            _ => return Err(Malformed("a question of no kind")),
        };
        r.finish(ask)
    }
}

fn write_configuration(frame: &mut Frame, configuration: &Configuration) {
    frame.text(&configuration.text);
    frame.text(&configuration.file);
    frame.u32(configuration.drop_ins);
}

fn read_configuration(r: &mut Reader<'_>) -> Result<Configuration, Malformed> {
    Ok(Configuration { text: r.text()?, file: r.text()?, drop_ins: r.u32()? })
}

impl Said {
    /// As a frame.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut frame = Frame::new(match self {
            Self::Answer(Answer::Done) => 0,
            Self::Answer(Answer::Guarded(_)) => 1,
            Self::Answer(Answer::Held(_)) => 2,
            Self::Answer(Answer::Suspects(_)) => 3,
            Self::Answer(Answer::Counted(_)) => 4,
            Self::Answer(Answer::Facts(_)) => 5,
            Self::Answer(Answer::Lost) => 6,
            Self::Answer(Answer::Failed(_)) => 7,
            Self::Answer(Answer::Refused(_)) => 8,
            Self::Tell(Tell::Begin(_)) => 128,
            Self::Tell(Tell::Facts(_)) => 129,
            Self::Tell(Tell::Loaded) => 130,
            Self::Tell(Tell::Changed) => 131,
            Self::Tell(Tell::Configuration(_)) => 132,
            Self::Tell(Tell::Stop) => 133,
        });
        match self {
            Self::Answer(answer) => match answer {
                Answer::Done | Answer::Lost => {}
                Answer::Guarded(subjects) => frame.list(subjects, Frame::prefix),
                Answer::Held(blocks) | Answer::Suspects(blocks) => {
                    frame.list(blocks, Frame::block);
                }
                Answer::Counted(counters) => frame.list(counters, |frame, counter| {
                    frame.text(&counter.name);
                    frame.u64(counter.packets);
                    frame.u64(counter.bytes);
                }),
                Answer::Facts(facts) => frame.facts(facts),
                Answer::Failed(text) | Answer::Refused(text) => frame.text(text),
            },
            Self::Tell(tell) => match tell {
                Tell::Begin(begin) => {
                    frame.u32(begin.uid);
                    frame.u32(begin.gid);
                    write_configuration(&mut frame, &begin.configuration);
                    frame.byte(u8::from(begin.dry_run));
                    frame.text(&begin.store);
                    frame.facts(&begin.facts);
                }
                Tell::Facts(facts) => frame.facts(facts),
                Tell::Configuration(configuration) => {
                    write_configuration(&mut frame, configuration);
                }
                Tell::Loaded | Tell::Changed | Tell::Stop => {}
            },
        }
        frame.finish()
    }

    /// From a frame without its length.
    ///
    /// # Errors
    /// It is no such message.
    pub fn read(frame: &[u8]) -> Result<Self, Malformed> {
        let (kind, mut r) = Reader::new(frame)?;
        let said =
            match kind {
                0 => Self::Answer(Answer::Done),
                1 => Self::Answer(Answer::Guarded(r.list(Reader::prefix)?)),
                2 => Self::Answer(Answer::Held(r.list(Reader::block)?)),
                3 => Self::Answer(Answer::Suspects(r.list(Reader::block)?)),
                4 => Self::Answer(Answer::Counted(r.list(|r| {
                    Ok(Counter { name: r.text()?, packets: r.u64()?, bytes: r.u64()? })
                })?)),
                5 => Self::Answer(Answer::Facts(r.facts()?)),
                6 => Self::Answer(Answer::Lost),
                7 => Self::Answer(Answer::Failed(r.text()?)),
                8 => Self::Answer(Answer::Refused(r.text()?)),
                128 => Self::Tell(Tell::Begin(Box::new(Begin {
                    uid: r.u32()?,
                    gid: r.u32()?,
                    configuration: read_configuration(&mut r)?,
                    dry_run: r.flag()?,
                    store: r.text()?,
                    facts: r.facts()?,
                }))),
                129 => Self::Tell(Tell::Facts(r.facts()?)),
                130 => Self::Tell(Tell::Loaded),
                131 => Self::Tell(Tell::Changed),
                132 => Self::Tell(Tell::Configuration(read_configuration(&mut r)?)),
                133 => Self::Tell(Tell::Stop),
                _ => return Err(Malformed("a word of no kind")),
            };
        r.finish(said)
    }
}
