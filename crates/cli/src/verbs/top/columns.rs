//! The columns of the table: which there are, which fit, and what stands in them.

use std::time::Duration;

use vauban_daemon::entry::MOST_PORTS;

use super::frame::{Frame, Row, brief_within, short};

/// A column: its heading, its width (0: what is left), and what stands in it.
pub struct Column {
    pub heading: &'static str,
    pub width: u16,
    right: bool,
    pub cell: fn(&Row, &Frame) -> String,
}

/// The width of how long: `9m58s`, which is what most suspicions last.
const FOR: u16 = 5;

/// The columns in the order of the screen.
fn columns(subject: u16) -> [Column; 9] {
    let column = |heading, width, right, cell| Column { heading, width, right, cell };
    [
        column("SUSPECT", subject, false, |row, _| row.subject.clone()),
        column("PROBES/S", 8, true, |row, _| short(row.rate)),
        column("PACKETS", 8, true, |row, _| row.packets.to_string()),
        column("KIND", 9, false, |row, _| row.class.clone()),
        column("TOLD", 18, false, |row, _| row.told.clone()),
        column("PROVEN", 6, true, |row, frame| {
            // Where it is only watched, no decoy answers.
            if frame.unproven == "decoy" && row.zone.is_none() {
                format!("{}/{}", row.proven, frame.wanted)
            } else {
                "-".into()
            }
        }),
        column("FOR", FOR, true, |row, _| {
            brief_within(Duration::from_secs(row.remaining), usize::from(FOR))
        }),
        column("PORTS", 0, false, |row, _| row.ports.join(" ")),
        column("MISSING", 0, false, |row, _| row.missing.clone()),
    ]
}

/// Columns by their place above, the most important first.
const IMPORTANCE: [usize; 9] = [0, 1, 4, 5, 7, 3, 2, 6, 8];

/// Below this, a column of what is left is not worth having: the last one needs a sentence's room.
const LEAST: [(usize, u16); 2] = [(7, 13), (8, 62)];

/// What the sentence of what is missing has beyond its least width.
const SENTENCE: u16 = 18;

/// Between two columns.
const GAP: u16 = 2;

/// The columns that fit into `width`, each with its place.
pub fn chosen(width: u16, subject: u16) -> Vec<(u16, Column)> {
    let mut all: Vec<Option<Column>> = columns(subject.min(width)).into_iter().map(Some).collect();
    let mut used = 0;
    let mut taken = Vec::new();
    for index in IMPORTANCE {
        let Some(Some(column)) = all.get(index) else { continue };
        let least = LEAST.iter().find(|(of, _)| *of == index).map_or(column.width, |(_, w)| *w);
        let gap = if taken.is_empty() { 0 } else { GAP };
        if used + gap + least <= width {
            used += gap + least;
            taken.push((index, least));
        }
    }
    taken.sort_unstable();
    // What is left goes to the sentence of what is missing, up to its length, then to the ports.
    let spare = width.saturating_sub(used);
    let for_missing =
        if taken.iter().any(|(index, _)| *index == 8) { spare.min(SENTENCE) } else { 0 };
    let mut x = 0;
    let mut placed = Vec::new();
    for (index, least) in taken {
        let Some(mut column) = all.get_mut(index).and_then(Option::take) else { continue };
        column.width = least
            + match index {
                7 => spare - for_missing,
                8 => for_missing,
                _ => 0,
            };
        let next = x + column.width + GAP;
        placed.push((x, column));
        x = next;
    }
    placed
}

/// A list of ports that does not fit ends with how many more there are, not in the middle of one; with
/// `…` where no more of them were kept.
pub fn cut(text: String, column: &Column) -> String {
    if column.heading != "PORTS" {
        return text;
    }
    let room = usize::from(column.width);
    let words: Vec<&str> = text.split(' ').collect();
    let open = if words.len() >= MOST_PORTS { "…" } else { "" };
    if text.chars().count() + 2 * open.chars().count() <= room {
        return if open.is_empty() { text } else { format!("{text} …") };
    }
    let mut shown = String::new();
    for (count, word) in words.iter().enumerate() {
        let more = format!(" +{}{open}", words.len() - count - 1);
        if shown.len() + 1 + word.len() + more.chars().count() > room {
            let more = words.len() - count;
            return if shown.is_empty() {
                format!("{more}{open} ports")
            } else {
                format!("{shown} +{more}{open}")
            };
        }
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown.push_str(word);
    }
    shown
}

/// Numbers stand at the right.
pub fn fitted(column: &Column, text: &str) -> String {
    let width = usize::from(column.width);
    if column.right { format!("{text:>width$}") } else { text.to_owned() }
}
