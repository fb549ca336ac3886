//! Damaged captures: what came before the damage is told, then where the damage is.

use std::fs;
use std::path::Path;

use crate::command::replay_from;

#[test]
fn a_capture_cut_off_is_told_as_far_as_it_goes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay/cases");
    let whole = fs::read(root.join("a02_sT/input.pcap")).unwrap();
    let expected = replay_from(&["--json", "-"], &whole).out;
    let cut = replay_from(&["--json", "-"], &whole[..whole.len() - 1]);
    assert_eq!((cut.code, &cut.out), (65, &expected));
    assert!(cut.err.contains("cut off in the record that begins at byte"), "{}", cut.err);
    let mut lies = whole.clone();
    let middle = {
        let mut at = 24;
        while at < whole.len() / 2 {
            at += 16 + u32::from_le_bytes(whole[at + 8..at + 12].try_into().unwrap()) as usize;
        }
        at
    };
    lies[middle + 8..middle + 12].fill(0xff);
    let damaged = replay_from(&["--json", "-"], &lies);
    assert_eq!((damaged.code, &damaged.out), (65, &expected));
    assert!(damaged.err.contains(&format!("the record at byte {middle}")), "{}", damaged.err);
}
