//! Exports of evidence: what was decided live is decided again.

use serde_json::{Value, json};

use crate::command::{objects, replay_from};

const SUBJECT: &str = "203.0.113.9";

/// A packet that counted, at a time in seconds and milliseconds.
fn item(at: &str, port: u16, meaning: &str, flags: &str) -> Value {
    json!({
        "at": format!("2026-11-21T15:{at}Z"), "source": SUBJECT, "source_port": 4000,
        "destination": "192.0.2.1", "port": format!("tcp/{port}"), "flags": flags,
        "meaning": meaning, "text": "in words", "said": "", "bytes": "4500",
    })
}

fn export() -> Value {
    let probes = [
        item("00:01.100", 81, "closed-port", "SYN"),
        item("00:01.200", 82, "closed-port", "SYN"),
        item("00:01.300", 83, "closed-port", "SYN"),
    ];
    let contacts = [
        item("00:02.100", 84, "proven", "ACK"),
        item("00:02.200", 85, "proven", "ACK"),
        item("00:02.300", 86, "proven", "ACK"),
        item("00:02.400", 87, "excused", "ACK"),
    ];
    let all = [&probes[..], &contacts].concat();
    let ban = json!({
        "subject": SUBJECT, "source": SUBJECT, "start": "2026-11-21T15:00:03.300Z", "end": null,
        "level": 1, "origin": "scan", "reason": "…", "evidence": all,
    });
    let other = json!({
        "subject": "2001:db8::9", "evidence": [{
            "at": "2026-11-21T15:00:01.250Z", "source": "2001:db8::9", "source_port": 9,
            "destination": "2001:db8::1", "port": "tcp/81", "flags": "FIN+PSH+URG",
            "meaning": "impossible-flags",
        }],
    });
    json!({
        "format": "vauban-evidence", "version": 1, "exported": "2026-11-21T16:00:00Z", "policy": {},
        // The banned one is a suspect still: its packets stand here once more.
        "bans": [ban], "suspects": [{"subject": SUBJECT, "evidence": probes}, other],
    })
}

fn decided(text: &str) -> Vec<String> {
    let word = |object: &Value, key: &str| object[key].as_str().unwrap_or("null").to_owned();
    let all = ["at", "kind", "subject", "class"];
    let line = |object: &Value| all.map(|key| word(object, key)).join(" ");
    objects(text).iter().map(line).collect()
}

const EXPECTED: [&str; 3] = [
    "2026-11-21T15:00:01.250Z suspect 2001:db8::9 xmas",
    "2026-11-21T15:00:01.300Z suspect 203.0.113.9 syn",
    // The last one has waited a second for what it says.
    "2026-11-21T15:00:03.300Z ban 203.0.113.9 connect",
];

#[test]
fn json_gives_the_decisions_again() {
    let text = export().to_string();
    let outcome = replay_from(&["--json", "-"], text.as_bytes());
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    let decided = decided(&outcome.out);
    assert_eq!(decided[..2], EXPECTED[..2]);
    assert!(decided[2].contains("ban 203.0.113.9 connect"), "{decided:?}");
    assert_eq!(decided.len(), 3);
    assert_eq!(objects(&outcome.out)[2]["proven"], true);
    assert_eq!(objects(&outcome.out)[2]["ports"], json!(["tcp/84", "tcp/85", "tcp/86"]));
}

#[test]
fn wrong_items_are_named_by_their_place() {
    for (pointer, wrong, said) in [
        ("/version", json!(2), "version 2"),
        ("/format", json!("pcap\u{1b}[2J"), "not an export of evidence, but `pcap\\u{1b}[2J`"),
        ("/bans/0/evidence/3/at", json!("yesterday"), "bans[0].evidence[3]: not a time"),
        ("/bans/0/evidence/1/port", json!("81"), "bans[0].evidence[1]: not a port"),
        ("/bans/0/evidence/1/flags", json!("SYN+X"), "not TCP flags"),
        ("/bans/0/evidence/1/meaning", json!("guilty"), "not a meaning that is known"),
        ("/bans/0/evidence/1/bytes", json!("0"), "not hexadecimal"),
        ("/suspects/0/subject", json!("host"), "suspects[0].evidence[0]: not a subject"),
        ("/suspects/0/evidence", json!(7), "line 1 column"),
    ] {
        let mut export = export();
        *export.pointer_mut(pointer).unwrap() = wrong;
        let outcome = replay_from(&["--json", "-"], export.to_string().as_bytes());
        assert_eq!((outcome.code, outcome.out.as_str()), (65, ""), "{pointer}: {}", outcome.err);
        assert!(outcome.err.contains(said), "{pointer}: {}", outcome.err);
        assert!(!outcome.err.contains('\u{1b}'));
    }
}

/// A block of pcapng.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &body, &length].concat()
}

fn option(code: u16, value: &str) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    let mut option = [&code.to_le_bytes()[..], &length.to_le_bytes(), value.as_bytes()].concat();
    option.resize(option.len().next_multiple_of(4), 0);
    option
}

fn capture(remark: impl Fn(&str) -> String) -> Vec<u8> {
    let head = [&[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0][..], &[0xff; 8]].concat();
    let end = option(0, "");
    let mut file = block(0x0a0d_0d0a, &[head, option(4, "vauban 0.1.0"), end.clone()].concat());
    file.extend(block(1, &[101, 0, 0, 0, 0, 0, 0, 0]));
    // Not in the order of their times: one subject after the other.
    for (millis, port, flags, meaning) in [
        (2_100_u64, 84_u16, 0x10, "proven"),
        (2_200, 85, 0x10, "proven"),
        (2_300, 86, 0x10, "proven"),
        (1_100, 81, 0x02, "closed-port"),
        (1_200, 82, 0x02, "closed-port"),
        (1_300, 83, 0x02, "closed-port"),
    ] {
        let mut packet = vec![0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 6, 0, 0];
        packet.extend([203, 0, 113, 9, 192, 0, 2, 1, 0x0f, 0xa0]);
        packet.extend(port.to_be_bytes());
        packet.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 4, 0, 9, 9, 0, 0]);
        let micros = 1_795_273_200_000_000 + millis * 1_000;
        let number = |number: u64| u32::try_from(number).unwrap().to_le_bytes();
        let kept = number(packet.len() as u64);
        let stamp = [number(micros >> 32), number(micros & 0xffff_ffff)].concat();
        let remark = option(1, &remark(meaning));
        let body = [&number(0)[..], &stamp, &kept, &number(60), &packet, &remark, &end].concat();
        file.extend(block(6, &body));
    }
    file
}

#[test]
fn a_capture_of_evidence_gives_the_decisions_again() {
    let file = capture(|meaning| format!("vauban: {meaning} subject={SUBJECT}"));
    let outcome = replay_from(&["--json", "-"], &file);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    let decided = decided(&outcome.out);
    assert_eq!(decided[0], EXPECTED[1]);
    assert!(decided[1].contains("ban 203.0.113.9 connect"), "{decided:?}");
    assert_eq!(decided.len(), 2);
    for remark in ["", "vauban: guilty subject=203.0.113.9", "vauban: proven subject=\u{1b}[2J"] {
        let outcome = replay_from(&["--json", "-"], &capture(|_| remark.to_owned()));
        assert_eq!(outcome.code, 65, "{remark}");
        assert!(outcome.err.contains("packet 1 of the export"), "{}", outcome.err);
        assert!(!outcome.err.contains('\u{1b}'));
    }
}
