//! A capture or an export from anybody: any bytes are an error, or frames that lie in the file one after
//! the other; reading and judging come to an end, and what is said of the bytes is fit for a terminal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vauban_daemon::clean::is_unclean;
use vauban_packet::{network_layer, probe};
use vauban_replay::capture::Reader;
use vauban_replay::source::{Failure, replay};
use vauban_replay::{Replay, Settings};

fuzz_target!(|bytes: &[u8]| {
    frames(bytes);
    judged(bytes);
});

/// Reads frame after frame, of either format.
fn frames(bytes: &[u8]) {
    let Ok(mut reader) = Reader::new(bytes) else { return };
    let mut used = 0;
    loop {
        match reader.frame() {
            Ok(Some(frame)) => {
                used += frame.bytes.len();
                assert!(used <= bytes.len(), "more than the file has");
                if let Some(packet) = network_layer(frame.link, frame.bytes) {
                    let _ = probe(packet, None);
                }
            }
            Ok(None) => break,
            Err(damaged) => {
                assert!(damaged.offset <= bytes.len() as u64, "{damaged:?}");
                break;
            }
        }
    }
    assert!(matches!(reader.frame(), Ok(None)), "nothing comes after the end, nor after damage");
}

/// Replays whatever it is: a capture of either format, or an export of evidence as JSON or as a capture.
fn judged(bytes: &[u8]) {
    let home = ["192.0.2.1", "2001:db8::1"].map(|home| home.parse().expect("an address"));
    let mut replaying = Replay::new(Settings { home: home.into(), ..Settings::default() });
    let outcome = replay(bytes, &mut replaying, &mut |_, _| {});
    if let Err(Failure::Data(text) | Failure::Usage(text)) = outcome {
        assert!(!text.is_empty() && !text.contains(is_unclean), "{text:?}");
    }
    let _ = replaying.summary();
}
