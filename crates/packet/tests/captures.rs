//! Real captures, and what is read in them.
//!
//! Each directory in `captures/` has `input.pcap`, `expected.txt` and a `README.md` that says where
//! the capture comes from. To accept a change, run with `BLESS=1` and review the diff.
//!
//! `expected.txt` has a line for each probe,
//! `FRAME SOURCE:PORT > DESTINATION PROTOCOL/PORT CONTROL-BITS CHECKSUM BYTES-KEPT`, then a line for
//! each reason why other frames had none.

#![expect(clippy::unwrap_used, reason = "tests may fail")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use vauban_engine::event::{Checksum, Probe};
use vauban_engine::flags::Shape;
use vauban_packet::{network_layer, probe};
use vauban_replay::capture::Reader;

/// Every frame of a capture file, and the probe or the reason why there is none.
fn read(directory: &Path) -> Vec<Result<Probe, String>> {
    let file = fs::read(directory.join("input.pcap")).unwrap();
    let mut reader = Reader::new(file.as_slice()).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = reader.frame().unwrap() {
        let packet = network_layer(frame.link, frame.bytes).ok_or("not IP".to_owned());
        frames.push(packet.and_then(|packet| probe(packet, None).map_err(|why| why.to_string())));
    }
    frames
}

fn describe(frames: &[Result<Probe, String>]) -> String {
    let mut text = String::new();
    let mut reasons = BTreeMap::<_, usize>::new();
    for (number, frame) in (1..).zip(frames) {
        match frame {
            Ok(probe) => {
                let source = SocketAddr::new(probe.source, probe.source_port);
                let (destination, port, flags) = (probe.destination, probe.port, probe.flags);
                let (checksum, kept) = (probe.checksum, probe.bytes.len());
                writeln!(
                    text,
                    "{number} {source} > {destination} {port} {flags} {checksum:?} {kept}"
                )
                .unwrap();
            }
            Err(reason) => *reasons.entry(reason).or_default() += 1,
        }
    }
    for (reason, count) in reasons {
        writeln!(text, "unreadable: {count} x {reason}").unwrap();
    }
    text
}

#[test]
fn captures_are_read_as_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let bless = std::env::var_os("BLESS").is_some();
    let mut seen = 0;
    for entry in fs::read_dir(root).unwrap() {
        let directory = entry.unwrap().path();
        let name = directory.file_name().unwrap().to_str().unwrap();
        let frames = read(&directory);
        let text = describe(&frames);
        let expected = directory.join("expected.txt");
        if bless {
            fs::write(&expected, &text).unwrap();
        }
        assert!(directory.join("README.md").exists(), "{name} has no README.md");
        assert_eq!(fs::read_to_string(&expected).unwrap(), text, "{name}");

        // What no blessing may change.
        for probe in frames.iter().flatten() {
            let expected = match name {
                "a14_badsum" => Checksum::Bad,
                // Its SYNs are first fragments; answers and the scanner's RSTs are whole.
                "a13_ff" if probe.flags.shape() == Shape::Open => Checksum::Unknown,
                _ => Checksum::Good,
            };
            assert_eq!(probe.checksum, expected, "{name}: {probe:?}");
        }
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} captures found");
}
