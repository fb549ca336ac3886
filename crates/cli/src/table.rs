//! Columns.

use vauban_daemon::paint::{self, HEAD};

/// Rows under headings, each column as wide as its widest cell; the last one is left as it is.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .chain(headings.get(column).map(|heading| heading.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &[String]| {
        let last = cells.len().saturating_sub(1);
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(
                |(index, (cell, width))| {
                    if index == last { cell.clone() } else { format!("{cell:width$}") }
                },
            )
            .collect();
        // Where the last cells are empty.
        padded.join("  ").trim_end().to_owned()
    };
    let headings: Vec<String> = headings.iter().map(|text| (*text).to_owned()).collect();
    let mut out = paint::paint(HEAD, &line(&headings));
    for row in rows {
        out.push('\n');
        out.push_str(&line(row));
    }
    out
}
