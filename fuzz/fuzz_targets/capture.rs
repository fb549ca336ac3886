//! A capture file from anybody: any bytes are an error, or records that lie in the file one after the
//! other, and reading comes to an end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vauban_packet::{network_layer, probe};
// The one line that changes when another reader takes this one's place.
use vauban_packet::pcap::Reader;

/// Bytes before each frame in a file of the classic format; no record has fewer.
const RECORD_HEADER: usize = 16;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::new(bytes) else { return };
    let link = reader.link();
    let (mut used, mut ended) = (0, false);
    for record in reader.by_ref() {
        assert!(!ended, "nothing comes after damage");
        let record = match record {
            Ok(record) => record,
            Err(damaged) => {
                assert!(damaged.offset <= bytes.len(), "{damaged:?}");
                assert!(!damaged.to_string().is_empty());
                ended = true;
                continue;
            }
        };
        used += RECORD_HEADER + record.frame.len();
        assert!(used <= bytes.len(), "more than the file has");
        if let Some(packet) = network_layer(link, record.frame) {
            let _ = probe(packet, None);
        }
    }
    assert!(reader.next().is_none(), "it stays at its end");
});
