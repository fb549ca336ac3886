//! A window onto the bytes of a stream, moved on as they are used up.

use std::io::{ErrorKind, Read};

use super::{Damaged, Defect};

/// How much is asked for in one go: few system calls, and nothing that counts in memory.
const CHUNK: usize = 64 * 1024;

/// The window.
pub struct Input<R> {
    inner: R,
    bytes: Vec<u8>,
    /// Where in `bytes` the window begins.
    start: usize,
    /// Where in the stream that is.
    offset: u64,
    over: bool,
}

impl<R: Read> Input<R> {
    /// A window at the stream's start.
    pub fn new(inner: R) -> Self {
        Self { inner, bytes: Vec::new(), start: 0, offset: 0, over: false }
    }

    /// This defect, where the window begins.
    pub fn damage(&self, defect: Defect) -> Damaged {
        Damaged { offset: self.offset, defect }
    }

    /// Widens the window to `length` bytes; false if the stream ends before.
    pub fn reach(&mut self, length: usize) -> Result<bool, Damaged> {
        while self.bytes.len() - self.start < length {
            if self.over {
                return Ok(false);
            }
            self.bytes.drain(..self.start);
            self.start = 0;
            let had = self.bytes.len();
            self.bytes.resize(length.max(had + CHUNK), 0);
            let read = self.inner.read(self.bytes.get_mut(had..).unwrap_or_default());
            let count = match read {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    self.bytes.truncate(had);
                    continue;
                }
                Err(error) => {
                    self.bytes.truncate(had);
                    return Err(self.damage(Defect::Read(error.to_string())));
                }
            };
            self.bytes.truncate(had + count);
            self.over = count == 0;
        }
        Ok(true)
    }

    /// Whether the stream ends here.
    pub fn is_over(&mut self) -> Result<bool, Damaged> {
        Ok(!self.reach(1)?)
    }

    /// The first bytes; `None` if the stream ends before.
    pub fn peek<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Damaged> {
        self.reach(N)?;
        Ok(self.window().first_chunk().copied())
    }

    /// All that is in the window.
    pub fn window(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Moves the window on by `length` bytes that are in it, and shows them.
    pub fn take(&mut self, length: usize) -> &[u8] {
        let from = self.start;
        let to = (from + length).min(self.bytes.len());
        self.start = to;
        self.offset += u64::try_from(to - from).unwrap_or_default();
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// Passes over `length` bytes without holding them; false if the stream ends before.
    pub fn skip(&mut self, mut length: u64) -> Result<bool, Damaged> {
        while length > 0 {
            let step = usize::try_from(length.min(CHUNK as u64)).unwrap_or(CHUNK);
            if !self.reach(step)? {
                return Ok(false);
            }
            self.take(step);
            length -= step as u64;
        }
        Ok(true)
    }
}
