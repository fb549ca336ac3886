//! A screen of a terminal as a picture for the README: `cargo xtask picture IN.ansi OUT.svg`.
//!
//! What goes in is text with the escape sequences of colours and weights (ECMA-48, SGR), as
//! `tmux capture-pane -e -p` prints it. What does not go in: anything that moves a cursor; such
//! sequences are left out.

use std::fmt::Write as _;

/// The size of a cell in the picture, for a monospace font of 14 pixels.
const CELL: (f64, f64) = (8.43, 18.0);

/// Around the text, and above it for the bar of the window.
const MARGIN: f64 = 14.0;
const BAR: f64 = 30.0;

/// The narrowest window, in columns.
const NARROWEST: usize = 40;

/// Colours 0 to 7 and their bright ones, on a dark ground; then the ground and the text.
const COLOURS: [&str; 16] = [
    "#3b4252", "#f7768e", "#9ece6a", "#e0af68", "#7aa2f7", "#bb9af7", "#7dcfff", "#c8d3f5",
    "#6b7394", "#ff7a93", "#b9f27c", "#ff9e64", "#7da6ff", "#c0a8ff", "#a4daff", "#ffffff",
];
const GROUND: &str = "#1a1b26";
const TEXT: &str = "#c8d3f5";

/// How a stretch of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    colour: Option<usize>,
    ground: Option<usize>,
    bold: bool,
    faint: bool,
    reversed: bool,
}

/// The picture of a screen, with `title` in the bar of its window.
pub fn svg(screen: &str, title: &str) -> String {
    let mut look = Look::default();
    let lines: Vec<Vec<(Look, String)>> =
        screen.trim_end().lines().map(|line| stretches(line, &mut look)).collect();
    let cells = |line: &Vec<(Look, String)>| line.iter().map(|(_, t)| t.chars().count()).sum();
    let columns = lines.iter().map(cells).max().unwrap_or(0).max(NARROWEST);
    let width = places(columns) * CELL.0 + 2.0 * MARGIN;
    let height = BAR + places(lines.len()) * CELL.1 + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{0}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n",
        escaped(title)
    );
    for (x, colour) in [(18, "#ff5f57"), (36, "#febc2e"), (54, "#28c840")] {
        let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"15\" r=\"5.5\" fill=\"{colour}\"/>");
    }
    let _ = writeln!(
        out,
        "<g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\" \
         xml:space=\"preserve\">\n<text x=\"{:.0}\" y=\"20\" fill=\"#8088a8\" font-size=\"13\" \
         text-anchor=\"middle\">{}</text>",
        width / 2.0,
        escaped(title)
    );
    for (row, line) in lines.iter().enumerate() {
        let top = BAR + places(row) * CELL.1;
        let mut column = 0;
        for (look, text) in line {
            let length = text.chars().count();
            draw(&mut out, *look, text, (MARGIN + places(column) * CELL.0, top), length);
            column += length;
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

#[allow(clippy::cast_precision_loss, reason = "columns and rows of a screen")]
fn places(count: usize) -> f64 {
    count as f64
}

/// One stretch, at its place.
fn draw(out: &mut String, look: Look, text: &str, (x, top): (f64, f64), length: usize) {
    let named = |colour: Option<usize>| colour.and_then(|index| COLOURS.get(index).copied());
    let (mut ink, mut ground) = (named(look.colour).unwrap_or(TEXT), named(look.ground));
    if look.reversed {
        (ink, ground) = (ground.unwrap_or(GROUND), Some(ink));
    }
    let width = places(length) * CELL.0;
    if let Some(ground) = ground {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.2}\" y=\"{top:.1}\" width=\"{width:.2}\" height=\"{}\" fill=\"{ground}\"/>",
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
    let faint = if look.faint { " opacity=\"0.65\"" } else { "" };
    // The length is said, so that columns stand whatever font a reader has.
    let _ = writeln!(
        out,
        "<text x=\"{x:.2}\" y=\"{:.1}\" fill=\"{ink}\" textLength=\"{width:.2}\" \
         lengthAdjust=\"spacingAndGlyphs\"{weight}{faint}>{}</text>",
        top + 13.5,
        escaped(text)
    );
}

/// A line in stretches of one look each; `look` is carried from line to line.
fn stretches(line: &str, look: &mut Look) -> Vec<(Look, String)> {
    let mut out: Vec<(Look, String)> = Vec::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            let mut rest = chars.clone();
            if rest.next() == Some('[') {
                let parameters: String =
                    rest.by_ref().take_while(|c| !('\u{40}'..='\u{7e}').contains(c)).collect();
                let skipped = 2 + parameters.chars().count();
                // What ended it says what it was.
                let end = chars.clone().nth(skipped - 1);
                chars = rest;
                if end == Some('m') {
                    change(look, &parameters);
                }
            }
        } else if !c.is_control() {
            match out.last_mut() {
                Some((last, text)) if last == look => text.push(c),
                _ => out.push((*look, c.to_string())),
            }
        }
    }
    out
}

/// What the parameters of SGR change.
fn change(look: &mut Look, parameters: &str) {
    let mut numbers = parameters.split(';').map(|text| text.parse::<usize>().unwrap_or(0));
    while let Some(number) = numbers.next() {
        match number {
            0 => *look = Look::default(),
            1 => look.bold = true,
            2 => look.faint = true,
            7 => look.reversed = true,
            22 => (look.bold, look.faint) = (false, false),
            27 => look.reversed = false,
            30..=37 => look.colour = Some(number - 30),
            90..=97 => look.colour = Some(number - 90 + 8),
            39 => look.colour = None,
            40..=47 => look.ground = Some(number - 40),
            49 => look.ground = None,
            // Of 256 colours the first 16 are these.
            38 | 48 => {
                let index = numbers.next().and_then(|_| numbers.next()).filter(|n| *n < 16);
                if number == 38 { look.colour = index } else { look.ground = index }
            }
            _ => {}
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_change_within_a_line_and_last_beyond_it() {
        let mut look = Look::default();
        let line = stretches("a\u{1b}[1;31mb<\u{1b}[0m c\u{1b}[7m", &mut look);
        let red = Look { colour: Some(1), bold: true, ..Look::default() };
        let plain = Look::default();
        assert_eq!(
            line,
            [(plain, "a".to_owned()), (red, "b<".to_owned()), (plain, " c".to_owned())]
        );
        assert!(look.reversed);
        assert_eq!(stretches("d", &mut look), [(look, "d".to_owned())]);
    }

    #[test]
    fn what_moves_a_cursor_is_left_out() {
        let mut look = Look::default();
        assert_eq!(stretches("\u{1b}[2J\u{1b}[3;4Hx\u{7}", &mut look), [(look, "x".to_owned())]);
        assert_eq!(stretches("y\u{1b}", &mut look), [(look, "y".to_owned())]);
    }

    #[test]
    fn the_picture_is_of_one_size_for_all_its_cells() {
        let picture = svg("\u{1b}[32mok\u{1b}[39m & <b>\n\u{1b}[7mrow\u{1b}[0m\n", "x \"y\"");
        assert!(picture.contains("&amp; &lt;b&gt;") && picture.contains("x &quot;y&quot;"));
        assert!(picture.contains("fill=\"#9ece6a\""), "{picture}");
        assert_eq!(picture.matches("<text").count(), 4, "{picture}");
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
    }
}
