//! What a replay has seen, in numbers.

use std::collections::BTreeSet;
use std::time::Duration;

use vauban_engine::engine::Tally;
use vauban_engine::net::Prefix;
use vauban_engine::{Notice, Port, Timestamp};

use crate::capture::Frame;

/// Subjects told apart at most; beyond, suspicions are counted one by one.
const MOST_SUBJECTS: usize = 65_536;

/// Frames of several processors and queues may be so much out of order, and it changes nothing.
pub const DISORDER: Duration = Duration::from_secs(1);

/// The numbers.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Frames of the capture.
    pub frames: u64,
    /// Of them, those that are not all there: cut off when they were captured.
    pub cut: u64,
    /// Of the probes, those that could not count for that reason.
    pub unverified: u64,
    /// Packets to the protected host that were left out: they came in by a zone that is ignored.
    pub ignored: u64,
    /// Whether a packet did not say by which interface it came in, and that would have mattered.
    pub guessed: bool,
    /// Frames that are older than one before them by more than `DISORDER`.
    pub backwards: u64,
    /// Whether a packet was to or from the protected host.
    pub met_home: bool,
    /// The time of the first frame, and the latest one.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The protected host's addresses.
    pub home: Vec<Prefix>,
    /// The ports that have shown to have a listener.
    pub listeners: Vec<Port>,
    /// What the engine has counted.
    pub tally: Tally,
    unproven: BTreeSet<Prefix>,
}

impl Summary {
    /// How many suspects have not proven their addresses.
    #[must_use]
    pub fn unproven(&self) -> usize {
        self.unproven.len()
    }

    /// Counts a frame.
    pub(crate) fn see(&mut self, frame: &Frame<'_>) {
        self.frames += 1;
        if u64::from(frame.original_len) > frame.bytes.len() as u64 {
            self.cut += 1;
        }
        let (first, last) = self.span.unwrap_or((frame.at, frame.at));
        self.backwards += u64::from(last.since(frame.at) > DISORDER);
        self.span = Some((first, last.max(frame.at)));
    }

    /// Counts a notice.
    pub(crate) fn notice(&mut self, notice: &Notice) {
        match notice {
            // In a zone that is only watched, nobody asks for a proof.
            Notice::Suspected { zone: Some(_), .. } => {}
            Notice::Suspected { subject, .. } if self.unproven.len() < MOST_SUBJECTS => {
                self.unproven.insert(*subject);
            }
            Notice::Banned(ban) if ban.is_proven() => {
                self.unproven.remove(&ban.subject);
            }
            _ => {}
        }
    }
}
