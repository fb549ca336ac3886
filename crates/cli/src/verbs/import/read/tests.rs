//! Lists in all their forms.

use std::fmt::Write as _;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_795_262_400); // 2026-11-21T12:00:00Z

fn subjects(found: &Found) -> Vec<(usize, &str)> {
    found.entries.iter().map(|entry| (entry.line, entry.subject.as_str())).collect()
}

#[test]
fn lines() {
    let text = "# a list\r\n203.0.113.9\r\n\n  2001:db8::/64  ; why\n203.0.113.10 # who\nnobody\n\
                10.0.0.0/8\n; 1.2.3.4\n203.0.113.9/33";
    let found = parse(text, NOW).unwrap();
    let expected =
        [(2, "203.0.113.9"), (4, "2001:db8::/64"), (5, "203.0.113.10"), (7, "10.0.0.0/8")];
    assert_eq!(subjects(&found), expected);
    let wrong: Vec<usize> = found.wrong.iter().map(|(line, _)| *line).collect();
    assert_eq!(wrong, [6, 9]);
    assert!(found.wrong[0].1.contains("\"nobody\" is no address"), "{:?}", found.wrong);
    assert_eq!(parse("", NOW), Ok(Found::default()));
}

#[test]
fn what_is_wrong_is_not_repeated_at_length_nor_raw() {
    let found = parse(&format!("\u{1b}[31m{}\n", "x".repeat(100_000)), NOW).unwrap();
    let (_, why) = &found.wrong[0];
    assert!(why.len() < 300 && !why.contains('\u{1b}'), "{why}");
}

const BANS: &str = r#"{"format":"vauban-bans","version":1,"dry_run":false,"stored":true,"bans":[
{"subject":"203.0.113.9","end":"2026-11-21T12:03:00.000Z","reason":"SYN scan: 3 distinct closed ports"},
{"subject":"203.0.113.10","end":"2026-11-21T11:59:59.000Z","reason":"banned by the operator"},
{"subject":"203.0.113.11","end":null,"reason":"banned by the operator: noisy"},
{"subject":"203.0.113.12","end":"soon","reason":""},
{"subject":"nobody","end":null,"reason":""},
{"subject":"203.0.113.13","end":"2026-11-21T13:00:00.000Z","reason":"","in_force":false,"ended":"2026-11-21T11:00:00.000Z"}
]}"#;

#[test]
fn exports_keep_reason_and_what_is_left() {
    let found = parse(BANS, NOW).unwrap();
    assert_eq!(subjects(&found), [(1, "203.0.113.9"), (3, "203.0.113.11")]);
    let first = &found.entries[0];
    assert_eq!(first.left, Some(Duration::from_secs(180).into()));
    assert_eq!(first.reason.as_deref(), Some("SYN scan: 3 distinct closed ports"));
    let second = &found.entries[1];
    assert_eq!((second.left, second.reason.as_deref()), (Some(Length::Forever), Some("noisy")));
    assert_eq!(found.expired, 2);
    let wrong: Vec<usize> = found.wrong.iter().map(|(line, _)| *line).collect();
    assert_eq!(wrong, [4, 5]);
}

#[test]
fn what_is_longer_than_anything_of_ours_is_wrong() {
    let long = "0".repeat(100_000);
    let found = parse(&format!("192.0.2.1/{long}24\n"), NOW).unwrap();
    assert_eq!((found.entries.len(), found.wrong.len()), (0, 1));
    let text = format!(r#"{{"bans":[{{"subject":"192.0.2.1","end":null,"reason":"{long}"}}]}}"#);
    let found = parse(&text, NOW).unwrap();
    assert_eq!((found.entries.len(), found.wrong.len()), (0, 1));
    assert!(found.wrong[0].1.contains("--reason"), "{:?}", found.wrong);
}

#[test]
fn csv_of_an_export() {
    let text = "subject,source,end,reason\r\n\
                203.0.113.9,203.0.113.9,2026-11-21T12:03:00.000Z,\"said \"\"hello\"\",\r\ntwice\"\r\n\
                203.0.113.10,203.0.113.10,2026-11-21T11:00:00.000Z,\r\n\
                203.0.113.11,2\r\n\
                203.0.113.12,203.0.113.12,,'=1+1\r\n";
    let found = parse(text, NOW).unwrap();
    assert_eq!(subjects(&found), [(2, "203.0.113.9"), (6, "203.0.113.12")]);
    assert_eq!(found.entries[0].reason.as_deref(), Some("said \"hello\",\r\ntwice"));
    assert_eq!(found.entries[1].reason.as_deref(), Some("=1+1"));
    assert_eq!((found.expired, found.wrong[0].0), (1, 5));
}

#[test]
fn what_is_no_list_is_said_as_a_whole() {
    for (text, says) in [
        ("{\"bans\":", "is none"),
        ("{}", "no export of bans"),
        ("{\"format\":\"other\",\"bans\":[]}", "no export of bans"),
        ("{\"format\":\"vauban-bans\",\"version\":2,\"bans\":[]}", "version 2"),
        ("subject,at\r\n", "the column end is missing"),
    ] {
        let error = parse(text, NOW).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}

/// A quote that never ends takes one look at each character, and no more for each line behind it.
#[test]
fn a_quote_that_never_ends_is_one_record() {
    let mut text = String::from("subject,end,reason\r\n192.0.2.1,,\"x\r\n");
    for n in 0..20_000_u32 {
        write!(text, "10.{}.{}.1,,x\r\n", n / 250, n % 250).unwrap();
    }
    let found = parse(&text, NOW).unwrap();
    assert_eq!((found.entries.len(), found.wrong.len()), (0, 1));
}
