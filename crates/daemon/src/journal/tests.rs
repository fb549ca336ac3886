//! A journal of our own at the other end.

use std::io::Write as _;
use std::net::Shutdown;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, proptest};
use proptest::sample::Index;

use super::*;
use crate::entry::About;

fn ban() -> Entry {
    Entry {
        at: "2026-11-21T12:00:00.000Z".into(),
        kind: Kind::Ban,
        about: Some(About {
            subject: "192.0.2.7".into(),
            zone: None,
            class: Some("connect".into()),
            ports: vec!["tcp/23".into(), "tcp/81".into()],
            port_count: 2,
            proven: true,
            reason: "a reason".into(),
            dry_run: false,
            level: Some(2),
            until: Some("2026-11-21T13:00:00.000Z".into()),
        }),
        message: "Ban 192.0.2.7 for 1h (2nd ban): a reason [tcp/23, tcp/81]".into(),
    }
}

/// A socket's path that nobody else has.
fn place(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("vauban-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn received(journal: &UnixDatagram) -> String {
    let mut bytes = vec![0; 65_536];
    let length = journal.recv(&mut bytes).unwrap();
    String::from_utf8(bytes.get(..length).unwrap().to_vec()).unwrap()
}

#[test]
fn an_entry_keeps_its_fields() {
    let path = place("fields");
    let listening = UnixDatagram::bind(&path).unwrap();
    let mut journal = Journal::open(&path).unwrap();
    assert_eq!(journal.send(&ban()), Sent::Yes);
    let wanted = "MESSAGE=Ban 192.0.2.7 for 1h (2nd ban): a reason [tcp/23, tcp/81]\nPRIORITY=5\n\
         SYSLOG_IDENTIFIER=vauban\nMESSAGE_ID=ead2790653d5407b98d9676fde068dcf\nVAUBAN_KIND=ban\n\
         VAUBAN_AT=2026-11-21T12:00:00.000Z\nVAUBAN_SUBJECT=192.0.2.7\nVAUBAN_CLASS=connect\n\
         VAUBAN_PORTS=tcp/23 tcp/81\nVAUBAN_PORT_COUNT=2\nVAUBAN_PROVEN=true\n\
         VAUBAN_REASON=a reason\nVAUBAN_DRY_RUN=false\nVAUBAN_LEVEL=2\n\
         VAUBAN_UNTIL=2026-11-21T13:00:00.000Z\n";
    assert_eq!(received(&listening), wanted);
    let own = Entry { about: None, kind: Kind::Trouble, ..ban() };
    assert_eq!(journal.send(&own), Sent::Yes);
    let text = received(&listening);
    assert!(text.contains("PRIORITY=3\n") && !text.contains("SUBJECT"), "{text}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn where_somebody_is_only_watched_is_a_field() {
    let path = place("zone");
    let listening = UnixDatagram::bind(&path).unwrap();
    let mut journal = Journal::open(&path).unwrap();
    let mut watched = ban();
    watched.about.as_mut().unwrap().zone = Some("lan".into());
    assert_eq!(journal.send(&watched), Sent::Yes);
    let text = received(&listening);
    assert!(text.contains("VAUBAN_SUBJECT=192.0.2.7\nVAUBAN_ZONE=lan\n"), "{text}");
    // Nobody but this daemon names a zone, and still what a process says of one is cleaned.
    watched.about.as_mut().unwrap().zone = Some("l\u{1b}[2J".into());
    let (entries, _) = relayed((watched.json() + "\n").as_bytes());
    assert!(entries.iter().all(is_clean) && entries.len() == 1, "{entries:?}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_full_journal_is_not_waited_for_and_what_it_lost_is_said() {
    let path = place("full");
    let listening = UnixDatagram::bind(&path).unwrap();
    let mut journal = Journal::open(&path).unwrap();
    // The kernel's own bound on what may wait (net.unix.max_dgram_qlen) is far below this.
    let lost = (0..100_000).take_while(|_| journal.send(&ban()) == Sent::Yes).count();
    assert!(lost < 100_000, "nothing was ever full");
    assert_eq!(journal.send(&ban()), Sent::Lost);
    for _ in 0..lost {
        received(&listening);
    }
    assert_eq!(journal.send(&ban()), Sent::Yes);
    let text = received(&listening);
    assert!(text.starts_with("MESSAGE=Trouble: 2 entries were lost"), "{text}");
    assert!(received(&listening).starts_with("MESSAGE=Ban 192.0.2.7"));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_journal_that_was_started_again_is_found_again_and_one_that_is_gone_is_said() {
    let path = place("again");
    let first = UnixDatagram::bind(&path).unwrap();
    let mut journal = Journal::open(&path).unwrap();
    assert_eq!(journal.send(&ban()), Sent::Yes);
    drop(first);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(journal.send(&ban()), Sent::No);
    let second = UnixDatagram::bind(&path).unwrap();
    assert_eq!(journal.send(&ban()), Sent::Yes);
    assert!(received(&second).contains("VAUBAN_KIND=ban"));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn only_what_systemd_names_is_the_journal() {
    assert!(is_stream("9:12345", 9, 12_345));
    assert!(!is_stream("9:1234", 9, 12_345));
    assert!(!is_stream("9:12345 ", 9, 12_345));
    assert!(!is_stream("", 0, 0));
}

#[test]
fn every_kind_has_an_id_of_its_own() {
    let mut ids: Vec<_> = Kind::ALL.iter().map(|kind| kind.message_id()).collect();
    assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), Kind::ALL.len());
}

/// What comes through when the other process says these bytes and ends.
fn relayed(bytes: &[u8]) -> (Vec<Entry>, bool) {
    let (mut child, parent) = UnixStream::pair().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || {
        // A reader that has had enough is no failure of ours.
        let _ = child.write_all(&bytes);
        let _ = child.shutdown(Shutdown::Both);
    });
    let mut entries = Vec::new();
    let well = relay(&parent, |entry| entries.push(entry)).is_ok();
    drop(parent);
    writer.join().unwrap();
    (entries, well)
}

#[test]
fn entries_of_the_other_process_come_through_cleaned() {
    let mut hostile = ban();
    hostile.message = "Ban \x1b[2J\nVAUBAN_KIND=trouble".into();
    let bytes = format!("{}\n{}\n", ban().json(), hostile.json());
    let (entries, well) = relayed(bytes.as_bytes());
    assert!(well);
    let [first, second] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(first, &ban());
    assert_eq!(second.message, "Ban \\u{1b}[2J\\u{a}VAUBAN_KIND=trouble");
}

/// An entry has nothing in it that a line must not have.
fn is_clean(entry: &Entry) -> bool {
    !entry.line().contains(char::is_control) && !fields(entry).contains(&0x1b)
}

proptest! {
    #[test]
    fn no_bytes_make_the_relay_panic(bytes in vec(any::<u8>(), 0..2_000)) {
        prop_assert!(relayed(&bytes).0.iter().all(is_clean));
    }

    #[test]
    fn entries_with_bytes_changed_are_clean_or_the_end(
        changes in vec((any::<Index>(), any::<u8>()), 1..6)
    ) {
        let mut bytes = (ban().json() + "\n").into_bytes();
        for (index, byte) in changes {
            *index.get_mut(&mut bytes) = byte;
        }
        prop_assert!(relayed(&bytes).0.iter().all(is_clean));
    }
}

#[test]
fn anything_else_ends_the_relay() {
    assert_eq!(relayed(b"{}\n"), (vec![], false));
    assert_eq!(relayed(b"\xff\xfe\n"), (vec![], false));
    assert_eq!(relayed(&vec![b'['; 100_000]), (vec![], false));
    let whole = ban().json() + "\n";
    let broken = whole.clone() + "{\"at\":";
    assert_eq!(relayed(broken.as_bytes()), (vec![ban()], false));
    let unknown = whole.replace("\"ban\"", "\"crash\"");
    assert_eq!(relayed(unknown.as_bytes()), (vec![], false));
}
