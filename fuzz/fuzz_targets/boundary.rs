//! What the two processes say to each other, from a process that was broken into: any bytes are an
//! error, or a message that is written in exactly these bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vauban_enforce::boundary::wire::read_frame;
use vauban_enforce::boundary::{Ask, Said};

fn read(frame: &[u8]) {
    if let Ok(ask) = Ask::read(frame) {
        assert_eq!(ask.write().get(4..), Some(frame), "{ask:?}");
        let _ = ask.into_request();
    }
    if let Ok(said) = Said::read(frame) {
        assert_eq!(said.write().get(4..), Some(frame), "{said:?}");
    }
}

fuzz_target!(|bytes: &[u8]| {
    // As one frame, and as a stream of them.
    read(bytes);
    let mut stream = bytes;
    while let Ok(Some(frame)) = read_frame(&mut stream) {
        read(&frame);
    }
});
