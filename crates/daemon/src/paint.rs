//! Colour, where a person looks and has not said no to it (<https://no-color.org>).

use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};

/// Attention: something is blocked.
pub const ALERT: Style = AnsiColor::Red.on_default().bold();
/// Something is watched closely.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// All is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Headings.
pub const HEAD: Style = Style::new().bold();
/// Less important.
pub const FAINT: Style = Style::new().dimmed();

/// Whether standard output takes colour.
#[must_use]
pub fn wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal()
        && !set("NO_COLOR")
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The text in a style, if colour is wanted.
#[must_use]
pub fn paint(style: Style, text: &str) -> String {
    if wanted() { format!("{style}{text}{style:#}") } else { text.to_owned() }
}
