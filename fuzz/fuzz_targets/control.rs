//! What comes through the control socket: any line is an error in words that are safe for a terminal,
//! or a request that is read back from what is written of it; so are the addresses in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vauban_daemon::control::protocol::{LONGEST_REQUEST, Request};
use vauban_engine::Prefix;

fn harmless(text: &str) {
    let odd = text.chars().find(|c| c.is_control());
    assert_eq!(odd, None, "{text:?}");
}

fn address(text: &str) {
    match text.parse::<Prefix>() {
        Ok(prefix) => assert_eq!(prefix.to_string().parse::<Prefix>(), Ok(prefix), "{text:?}"),
        Err(error) => harmless(&error.to_string()),
    }
}

fuzz_target!(|bytes: &[u8]| {
    // As the server reads: one line of text, no longer than that.
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_REQUEST) {
        return;
    }
    let Ok(line) = std::str::from_utf8(bytes) else { return };
    let request = match Request::read(line) {
        Ok(request) => request,
        Err(text) => return harmless(&text),
    };
    let written = serde_json::to_string(&request).expect("a request is written");
    assert!(!written.contains('\n'), "{written}");
    assert_eq!(Request::read(&written), Ok(request.clone()), "{written}");
    match request {
        Request::Ban { subject: text, .. }
        | Request::Unban { address: Some(text) }
        | Request::Explain { address: text } => address(&text),
        _ => {}
    }
});
