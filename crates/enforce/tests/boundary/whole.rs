//! What is written is read, and nothing but whole frames is.

use std::io::{self, Cursor, ErrorKind, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;

use proptest::prelude::*;
use vauban_enforce::Request;
use vauban_enforce::boundary::wire::{LONGEST, read_frame};
use vauban_enforce::boundary::{Ask, LONGEST_ANSWERING, Said};

use super::values::{ask, frames, said};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_question_arrives_as_it_was_asked(ask in ask()) {
        let sent = ask.write();
        let frame = read_frame(&mut sent.as_slice()).unwrap().unwrap();
        prop_assert_eq!(Ask::read(&frame), Ok(ask));
    }

    #[test]
    fn everything_said_arrives_as_it_was_said(said in said()) {
        let sent = said.write();
        let frame = read_frame(&mut sent.as_slice()).unwrap().unwrap();
        prop_assert_eq!(Said::read(&frame), Ok(said));
    }

    #[test]
    fn frames_in_a_row_are_kept_apart(asks in proptest::collection::vec(ask(), 0..8)) {
        let mut sent = Cursor::new(asks.iter().flat_map(Ask::write).collect::<Vec<u8>>());
        let mut arrived = Vec::new();
        while let Some(frame) = read_frame(&mut sent).unwrap() {
            arrived.push(Ask::read(&frame).unwrap());
        }
        prop_assert_eq!(arrived, asks);
    }

    #[test]
    fn nobody_promises_answers_for_long(ask in ask()) {
        if let Ok(Request::Answering(hold)) = ask.into_request() {
            prop_assert!(hold <= LONGEST_ANSWERING);
        }
    }
}

/// Every byte comes alone, and before each the reader is interrupted by a signal (signal(7): reads
/// of a socket with a timeout are not taken up again by the kernel).
struct Drops<'a> {
    bytes: &'a [u8],
    interrupted: bool,
}

impl Read for Drops<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(ErrorKind::Interrupted.into());
        }
        self.bytes.read(&mut into[..1])
    }
}

#[test]
fn a_frame_that_comes_in_drops_between_signals_is_read_whole() {
    for (name, sent) in frames() {
        let mut drops = Drops { bytes: &sent, interrupted: false };
        assert_eq!(read_frame(&mut drops).unwrap().unwrap(), sent[4..], "{name}");
        assert!(read_frame(&mut drops).unwrap().is_none(), "{name}");
    }
}

#[test]
fn a_slow_writer_is_read_whole() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let writer = thread::spawn(move || {
        for byte in frames().into_iter().flat_map(|(_, sent)| sent) {
            far.write_all(&[byte]).unwrap();
        }
    });
    for (name, sent) in frames() {
        assert_eq!(read_frame(&mut near).unwrap().unwrap(), sent[4..], "{name}");
    }
    assert!(read_frame(&mut near).unwrap().is_none());
    writer.join().unwrap();
}

#[test]
fn a_stream_that_ends_within_a_frame_is_cut_off() {
    for (name, sent) in frames() {
        assert!(read_frame(&mut &sent[..0]).unwrap().is_none(), "{name}");
        for end in 1..sent.len() {
            let error = read_frame(&mut &sent[..end]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{name}, {end} bytes");
        }
    }
}

#[test]
fn what_announces_too_much_is_refused_before_it_is_read() {
    for length in [LONGEST + 1, u32::MAX as usize] {
        let mut sent = Cursor::new([u32::try_from(length).unwrap().to_le_bytes(), [0; 4]].concat());
        let error = read_frame(&mut sent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{length}");
        assert_eq!(sent.position(), 4, "{length}");
    }
    // The longest is only cut off.
    let mut sent = u32::try_from(LONGEST).unwrap().to_le_bytes().to_vec();
    sent.push(1);
    assert_eq!(read_frame(&mut sent.as_slice()).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

/// The requests that no child can make: those that take away, load, or change what the host is
/// taken for.
#[test]
fn no_question_becomes_a_request_of_the_parents_own() {
    for ask in super::values::asks() {
        let request: Option<Request> = ask.into_request().ok();
        assert!(!matches!(
            request,
            Some(
                Request::Load(..)
                    | Request::Learn(_)
                    | Request::Served(_)
                    | Request::Retire(_)
                    | Request::Unload
            )
        ));
    }
}
