//! The first part of a capture, kept until it is known whose capture it is.

use std::net::IpAddr;
use std::time::Duration;

use vauban_engine::Timestamp;
use vauban_packet::{LinkType, headers, network_layer, sides};

use crate::capture::Frame;
use crate::fragments::{Fragments, Whole};
use crate::home::{Election, Home};

/// Frames that vote: some seconds of a host with nothing to do, and enough answered calls on a busy
/// one.
const ENOUGH_FRAMES: usize = 2_048;

/// Bytes that are kept meanwhile.
const ENOUGH_BYTES: usize = 2 * 1024 * 1024;

/// Capture time that votes: whoever pipes a live capture in wants to hear something soon.
const ENOUGH_TIME: Duration = Duration::from_secs(60);

/// The first part.
#[derive(Debug, Default)]
pub struct Held {
    frames: Vec<Kept>,
    bytes: usize,
    election: Election,
    fragments: Fragments,
}

/// A frame that owns its bytes.
#[derive(Debug)]
struct Kept {
    at: Timestamp,
    link: LinkType,
    original_len: u32,
    outbound: Option<bool>,
    interface: Option<Box<str>>,
    bytes: Vec<u8>,
}

impl Held {
    /// Keeps a frame and counts its vote.
    pub fn keep(&mut self, frame: &Frame<'_>) {
        let mut sides = sides(frame.link, frame.bytes);
        sides.outbound = sides.outbound.or(frame.outbound);
        if let Some(packet) = network_layer(frame.link, frame.bytes) {
            // The answers to a scan in fragments would have no calls otherwise.
            let headers = match self.fragments.take(frame.at, packet) {
                Whole::AsIs => headers(packet).ok(),
                Whole::Together(packet) => headers(&packet).ok(),
                Whole::Waits => None,
            };
            if let Some(headers) = headers {
                self.election.count(&sides, &headers);
            }
        }
        self.bytes += frame.bytes.len() + frame.interface.map_or(0, str::len);
        let Frame { at, link, original_len, outbound, .. } = *frame;
        self.frames.push(Kept {
            at,
            link,
            original_len,
            outbound,
            interface: frame.interface.map(Box::from),
            bytes: frame.bytes.to_vec(),
        });
    }

    /// Whether that was enough.
    pub fn is_enough(&self) -> bool {
        let span = self.frames.first().zip(self.frames.last());
        let span = span.map(|(first, last)| last.at.since(first.at)).unwrap_or_default();
        self.frames.len() >= ENOUGH_FRAMES || self.bytes >= ENOUGH_BYTES || span >= ENOUGH_TIME
    }

    /// Whether there was nothing yet.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Who won.
    pub fn winner(&self) -> Option<Home> {
        self.election.winner()
    }

    /// Whom the user may mean, at most this many.
    pub fn candidates(&self, most: usize) -> Vec<IpAddr> {
        self.election.candidates(most)
    }

    /// Gives the frames back, in their order.
    pub fn each(&self, mut each: impl FnMut(&Frame<'_>)) {
        for kept in &self.frames {
            each(&Frame {
                at: kept.at,
                link: kept.link,
                original_len: kept.original_len,
                bytes: &kept.bytes,
                outbound: kept.outbound,
                interface: kept.interface.as_deref(),
                comment: &[],
            });
        }
    }
}
