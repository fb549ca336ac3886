//! Frames from answers, and pictures of them in several sizes: `BLESS=1 cargo test -p vauban-cli` writes
//! what is expected.

use std::path::PathBuf;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

use super::frame::{Frame, Row, brief, brief_within, short};
use super::screen;
use super::state::{Key, Order, Pane, State, Wish};

const SIZES: [(u16, u16); 5] = [(20, 5), (40, 10), (80, 24), (120, 40), (200, 60)];

const SECOND: Duration = Duration::from_secs(1);

fn suspect(
    subject: &str,
    class: Option<&str>,
    packets: u64,
    decoys: u64,
    proven: &[&str],
) -> Value {
    let ports: Vec<String> = (0..packets.min(16)).map(|n| format!("tcp/{}", 20 + n * 97)).collect();
    json!({
        "subject": subject, "class": class, "remaining": 58, "banned": false, "ports": ports,
        "packets": packets, "uncountable": 0, "decoys": decoys, "proven": proven,
        "missing": match 3 - proven.len() {
            3 => "completed handshakes with 3 distinct decoys, or with one trap port's".to_owned(),
            left => format!(
                "completed handshakes with {left} more of 3 distinct decoys, or with one trap port's"
            ),
        },
    })
}

/// An answer `second` seconds after the first.
fn answer(second: u64) -> Value {
    let entry = |at: &str, kind: &str, message: &str| json!({ "at": format!("2026-11-21T{at}Z"), "kind": kind, "message": message });
    let mut banned = suspect("203.0.113.9", Some("connect"), 12, 9, &[]);
    banned["banned"] = json!(true);
    banned["missing"] = json!("");
    json!({
        "version": "0.1.0", "at": format!("2026-11-21T12:00:{second:02}.000Z"), "mode": "enforce",
        "unproven": "decoy", "started": "2026-11-18T08:00:00.000Z", "uptime": 273_600 + second,
        "program": "loaded", "answering": true, "store_trouble": "",
        "totals": {
            "probes": 5_000 + second * 1_420, "decoys": 900 + second * 1_210, "handshakes": 3 + second,
            "dropped_banned": 77 + second * 40, "dropped_suspects": second * 2,
            "suspected": 12 + second, "banned": 2, "refused": 0, "not_judged": 0,
        },
        "bans": 2, "suspects": 300, "wanted": 3,
        "shown": [
            suspect("192.0.2.7", Some("syn"), 40 + second * 1_380, 1_300 * second, &[]),
            suspect("198.51.100.23", Some("connect"), 9 + second * 4, 5, &["tcp/20", "tcp/117"]),
            suspect("2001:db8:1234:5678::/64", Some("udp"), 6 + second, 0, &[]),
            suspect("198.51.100.99", Some("odd-flags"), 1, 0, &[]),
            banned,
        ],
        "decisions": [
            entry("12:00:01.250", "ban", "Ban 203.0.113.9 for 3m (first ban): SYN, connect scan: completed handshakes with 3 distinct decoys (3 within 1h make a ban) [tcp/21, tcp/23, tcp/81]"),
            entry("11:59:58.000", "suspect", "Suspect 192.0.2.7: 3 distinct closed ports (the trigger is 3 within 1m)"),
            entry("11:58:03.000", "unban", "Unban 192.0.2.200: the ban is over"),
            entry("11:50:00.000", "healed", "Healed: the table inet vauban was gone or changed; it is loaded again"),
        ],
    })
}

fn frame() -> Frame {
    let mut frame = Frame::default();
    frame.take(&answer(0), SECOND);
    frame.take(&answer(1), SECOND);
    frame.take(&answer(2), SECOND);
    frame
}

fn drawn(frame: &Frame, state: &State, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|area| screen::draw(area, frame, state)).unwrap();
    screen::text(terminal.backend().buffer())
}

/// Compares with `tests/top/NAME.txt`, or writes it.
fn compare(name: &str, picture: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/top").join(name);
    let picture = format!("{picture}\n");
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &picture).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(picture, wanted, "{}", path.display());
}

#[test]
fn pictures_in_all_sizes() {
    let frame = frame();
    for size in SIZES {
        let picture = drawn(&frame, &State::for_terminal(true), size);
        compare(&format!("busy-{}x{}.txt", size.0, size.1), &picture);
    }
    compare("printed-100.txt", &super::plain(&frame, 100));
}

#[test]
fn pictures_of_other_states() {
    let size = (80, 24);
    let mut quiet = Frame::default();
    compare("asking-80x24.txt", &drawn(&quiet, &State::for_terminal(false), size));
    let mut nobody = answer(0);
    for (name, value) in
        [("shown", json!([])), ("suspects", json!(0)), ("bans", json!(0)), ("decisions", json!([]))]
    {
        nobody[name] = value;
    }
    quiet.take(&nobody, SECOND);
    compare("quiet-80x24.txt", &drawn(&quiet, &State::for_terminal(true), size));
    quiet.miss("no daemon answers at /run/vauban/control.sock; start one: sudo vauban run");
    compare("gone-80x24.txt", &drawn(&quiet, &State::for_terminal(true), size));

    let mut dry = answer(1);
    dry["mode"] = json!("dry-run");
    dry["program"] = json!("missing");
    dry["store_trouble"] = json!("the disk is full");
    let mut frame = frame();
    frame.take(&dry, SECOND);
    compare("dry-run-80x24.txt", &drawn(&frame, &State::for_terminal(true), size));

    let mut state = State::for_terminal(true);
    assert_eq!(state.press(Key::Char('?'), &frame), Wish::Draw);
    compare("help-80x24.txt", &drawn(&frame, &state, size));
    let lines = (1..=40).map(|n| format!("line {n}")).collect();
    state.pane = Pane::Explain("192.0.2.7".into(), lines, 0);
    state.press(Key::End, &frame);
    compare("explain-80x24.txt", &drawn(&frame, &state, size));
}

/// An answer with one in the LAN who is nobody elsewhere, and one who is a suspect and was seen there.
fn with_watched(second: u64) -> Value {
    let mut both = answer(second);
    let seen = |subject: &str, packets: u64| {
        let mut row = suspect(subject, Some("syn"), packets, 0, &[]);
        row["zone"] = json!("lan");
        row["remaining"] = json!(598);
        row["missing"] = json!("seen in zone lan, which is only watched: no ban");
        row
    };
    let rows = both["shown"].as_array_mut().unwrap();
    rows.extend([seen("198.51.100.2", 11), seen("198.51.100.23", 6 + second * 30)]);
    both["watched"] = json!(2);
    both["totals"]["watched"] = json!(second);
    both
}

#[test]
fn who_is_only_watched_is_listed_and_said_to_be_that() {
    let mut frame = Frame::default();
    for second in 0..3 {
        frame.take(&with_watched(second), SECOND);
    }
    for size in [(80, 24), (200, 60)] {
        let picture = drawn(&frame, &State::for_terminal(true), size);
        compare(&format!("watched-{}x{}.txt", size.0, size.1), &picture);
    }
    let shown = frame.json();
    assert_eq!((&shown["suspects"], &shown["watched"]), (&json!(300), &json!(2)));
    let zones: Vec<&Value> =
        shown["shown"].as_array().unwrap().iter().map(|row| &row["zone"]).collect();
    assert_eq!(zones.iter().filter(|zone| zone.is_null()).count(), 5, "{shown:#}");
    assert_eq!(zones.iter().filter(|zone| **zone == "lan").count(), 2, "{shown:#}");

    // One subject in two rows: each has a rate of its own, and the mark goes from one to the other.
    let rate = |zone: Option<&str>| {
        let of = |row: &&Row| row.subject == "198.51.100.23" && row.zone.as_deref() == zone;
        frame.rows.iter().find(of).unwrap().rate
    };
    assert!((rate(None) - 4.0).abs() < 0.01 && (rate(Some("lan")) - 30.0).abs() < 0.01);
    let mut state = State::for_terminal(true);
    for place in 0..7 {
        state.press(Key::Down, &frame);
        assert_eq!(state.place(&state.sorted(&frame)), Some(place));
    }

    // Nobody else is there.
    let mut alone = with_watched(2);
    alone["shown"].as_array_mut().unwrap().drain(..5);
    alone["suspects"] = json!(0);
    let mut frame = Frame::default();
    frame.take(&alone, SECOND);
    compare("watched-alone-100.txt", &super::plain(&frame, 100));
}

#[test]
fn a_ban_elsewhere_drops_nothing_where_it_is_only_watched() {
    let mut answer = with_watched(0);
    answer["shown"][5]["banned"] = json!(true);
    let mut frame = Frame::default();
    frame.take(&answer, SECOND);
    let row = frame.rows.iter().find(|row| row.subject == "198.51.100.2").unwrap();
    assert!(row.banned && row.told == "only watched (lan)", "{row:?}");
}

#[test]
fn every_size_is_drawn_and_no_cell_is_outside() {
    let frame = frame();
    let mut state = State::for_terminal(true);
    state.press(Key::End, &frame);
    let panes =
        [Pane::None, Pane::Help, Pane::Explain("x".into(), vec!["a \u{2026} b".into(); 70], 69)];
    for pane in panes {
        state.pane = pane;
        for height in 1..30 {
            for width in 1..130 {
                let picture = drawn(&frame, &state, (width, height));
                assert!(picture.lines().count() <= usize::from(height));
                let fits = |line: &str| line.chars().count() <= usize::from(width);
                assert!(picture.lines().all(fits), "{width}x{height}:\n{picture}");
            }
        }
    }
    drawn(&frame, &State::for_terminal(true), (500, 1));
    drawn(&frame, &State::for_terminal(true), (1, 500));
}

#[test]
fn the_address_and_the_rate_are_there_however_narrow() {
    let picture = drawn(&frame(), &State::for_terminal(true), (24, 12));
    assert!(picture.contains("192.0.2.7") && !picture.contains("KIND"), "{picture}");
}

#[test]
fn rates_are_differences_and_a_new_daemon_begins_anew() {
    let mut frame = Frame::default();
    frame.take(&answer(0), SECOND);
    assert!(frame.rates.values().all(|rate| *rate == 0.0), "{:?}", frame.rates);
    frame.take(&answer(2), SECOND * 2);
    assert!((frame.rate("probes") - 1_420.0).abs() < 0.01);
    let busiest = frame.rows.first().unwrap();
    assert!((busiest.rate - 1_380.0).abs() < 0.01, "{busiest:?}");
    assert_eq!(frame.history.len(), 1);
    // Counters of the kernel begin anew with the program: never below nothing.
    frame.take(&answer(1), SECOND);
    assert!(frame.rates.values().all(|rate| *rate >= 0.0));
    let mut other = answer(0);
    other["started"] = json!("2026-11-21T13:00:00.000Z");
    frame.take(&other, SECOND);
    assert!(frame.rates.values().all(|rate| *rate == 0.0) && frame.history.is_empty());
}

/// In a flood, not all suspects are shown each time: who was not has no rate until he is shown twice.
#[test]
fn whoever_was_not_shown_before_is_not_fast_for_it() {
    let shown = |names: &[&str], packets: u64| {
        let mut answer = answer(0);
        let row = answer["shown"][0].clone();
        let rows = names.iter().map(|name| {
            let mut row = row.clone();
            row["subject"] = json!(name);
            row["packets"] = json!(packets);
            row
        });
        answer["shown"] = rows.collect();
        answer["suspects"] = json!(1_500);
        answer
    };
    let mut frame = Frame::default();
    frame.take(&shown(&["192.0.2.1", "192.0.2.2"], 4), SECOND);
    frame.take(&shown(&["192.0.2.3", "192.0.2.4"], 4), SECOND);
    assert!(frame.rows.iter().all(|row| row.rate == 0.0), "{:?}", frame.rows);
    frame.take(&shown(&["192.0.2.1", "192.0.2.3"], 4), SECOND);
    assert!(frame.rows.iter().all(|row| row.rate == 0.0), "{:?}", frame.rows);
    frame.take(&shown(&["192.0.2.1"], 9), SECOND);
    assert!((frame.rows.first().unwrap().rate - 5.0).abs() < 0.01, "{:?}", frame.rows);
}

#[test]
fn an_answer_of_another_shape_is_nothing_to_fear() {
    let mut frame = Frame::default();
    for answer in [json!(null), json!([]), json!({ "shown": [null, 3, {}], "totals": "x" })] {
        frame.take(&answer, Duration::ZERO);
        drawn(&frame, &State::for_terminal(true), (80, 24));
    }
}

#[test]
fn what_a_stranger_wrote_commands_no_terminal() {
    let mut hostile = answer(1);
    hostile["decisions"][0]["message"] = json!("Ban \u{1b}[2J\u{202e}\nx");
    hostile["shown"][0]["subject"] = json!("\u{1b}]0;x\u{7}");
    hostile["shown"][1]["zone"] = json!("\u{1b}]0;x\u{7}");
    hostile["store_trouble"] = json!("\u{9b}31m");
    let mut frame = Frame::default();
    frame.take(&hostile, SECOND);
    for size in SIZES {
        let picture = drawn(&frame, &State::for_terminal(true), size);
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!picture.contains(bad), "{picture:?}");
    }
}

#[test]
fn keys() {
    let frame = frame();
    let mut state = State::for_terminal(true);
    let first = |state: &State| state.sorted(&frame).first().unwrap().subject.clone();
    assert_eq!(first(&state), "192.0.2.7");
    state.press(Key::Char('s'), &frame);
    assert_eq!(state.order, Order::Packets);
    state.press(Key::Char('s'), &frame);
    assert_eq!((state.order, first(&state).as_str()), (Order::Proven, "198.51.100.23"));
    state.press(Key::Char('s'), &frame);
    assert_eq!((state.order, first(&state).as_str()), (Order::Subject, "192.0.2.7"));
    state.press(Key::Char('s'), &frame);

    state.press(Key::Down, &frame);
    state.press(Key::Down, &frame);
    assert_eq!(state.selected.as_deref(), Some("198.51.100.23"));
    assert_eq!(state.press(Key::Enter, &frame), Wish::Explain("198.51.100.23".into()));
    state.press(Key::End, &frame);
    state.press(Key::Down, &frame);
    assert_eq!(state.place(&state.sorted(&frame)), Some(4));
    state.press(Key::PageUp, &frame);
    assert_eq!(state.place(&state.sorted(&frame)), Some(0));

    state.press(Key::Char('p'), &frame);
    assert!(state.paused);
    state.press(Key::Char('?'), &frame);
    assert_eq!(state.press(Key::Escape, &frame), Wish::Draw);
    assert_eq!(state.pane, Pane::None);
    assert_eq!(state.press(Key::Escape, &frame), Wish::Quit);
    assert_eq!(state.press(Key::Char('q'), &frame), Wish::Quit);
    let empty = Frame::default();
    for key in [Key::Enter, Key::End, Key::PageDown, Key::Up] {
        assert_eq!(State::for_terminal(true).press(key, &empty), Wish::Draw);
    }
}

#[test]
fn numbers_are_short() {
    let words =
        [(0.0, "0"), (0.04, "0"), (0.4, "0.4"), (9.94, "9.9"), (9.96, "10"), (999.0, "999")];
    for (rate, word) in words {
        assert_eq!(short(rate), word);
    }
    assert_eq!(
        (short(1_420.0), short(999_499.0), short(2e6)),
        ("1.4k".into(), "999k".into(), "2.0M".into())
    );
    assert_eq!(brief(Duration::from_secs(273_602)), "3d4h");
    assert_eq!(brief(Duration::from_secs(59)), "59s");
    let five = |seconds: u64| brief_within(Duration::from_secs(seconds), 5);
    // As `suspects` has it, while there is room.
    let spans = [(598, "9m58s"), (600, "10m"), (3_599, "59m"), (3_660, "1h1m"), (86_340, "23h")];
    for (seconds, words) in spans {
        assert_eq!(five(seconds), words);
    }
}
