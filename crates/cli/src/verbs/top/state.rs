//! What the person at the keyboard has chosen: order, place, pause, panes.

use std::cmp::Ordering;

use super::frame::{Frame, Row};

/// By what the table is in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Probes per second.
    #[default]
    Rate,
    /// Packets in all.
    Packets,
    /// Proven ports.
    Proven,
    /// Address.
    Subject,
}

impl Order {
    /// The next one.
    fn next(self) -> Self {
        match self {
            Self::Rate => Self::Packets,
            Self::Packets => Self::Proven,
            Self::Proven => Self::Subject,
            Self::Subject => Self::Rate,
        }
    }

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Packets => "packets",
            Self::Proven => "proven",
            Self::Subject => "address",
        }
    }

    fn compare(self, a: &Row, b: &Row) -> Ordering {
        let by_rate = || b.rate.total_cmp(&a.rate).then(b.packets.cmp(&a.packets));
        let first = match self {
            Self::Rate => Ordering::Equal,
            Self::Packets => b.packets.cmp(&a.packets),
            Self::Proven => b.proven.cmp(&a.proven),
            Self::Subject => a.subject.cmp(&b.subject),
        };
        first
            .then_with(by_rate)
            .then_with(|| a.subject.cmp(&b.subject))
            .then_with(|| a.zone.cmp(&b.zone))
    }
}

/// What lies over the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// Nothing.
    #[default]
    None,
    /// The keys.
    Help,
    /// What is known of a subject; the lines, and the first one shown.
    Explain(String, Vec<String>, usize),
}

/// What a key can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Up by one line.
    Up,
    /// Down by one line.
    Down,
    /// Up by a page.
    PageUp,
    /// Down by a page.
    PageDown,
    /// The first one.
    Home,
    /// The last one.
    End,
    /// Explain.
    Enter,
    /// Out of a pane, or of the program.
    Escape,
    /// A character.
    Char(char),
}

/// What is to be done about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Draw.
    Draw,
    /// Ask for what is known of this subject.
    Explain(String),
    /// End.
    Quit,
}

/// What was chosen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The order of the table.
    pub order: Order,
    /// Whether the picture stands still.
    pub paused: bool,
    /// Which row is selected, by its key.
    pub selected: Option<String>,
    /// What lies over the table.
    pub pane: Pane,
    /// Whether keys are there at all: not on paper.
    pub interactive: bool,
    /// Whether colour is wanted.
    pub colour: bool,
}

/// How far a page goes.
const PAGE: usize = 10;

impl State {
    /// For a frame that is printed.
    pub fn for_print() -> Self {
        Self::default()
    }

    /// For a terminal.
    pub fn for_terminal(colour: bool) -> Self {
        Self { interactive: true, colour, ..Self::default() }
    }

    /// The rows in the chosen order.
    pub fn sorted<'a>(&self, frame: &'a Frame) -> Vec<&'a Row> {
        let mut rows: Vec<&Row> = frame.rows.iter().collect();
        rows.sort_by(|a, b| self.order.compare(a, b));
        rows
    }

    /// The place of the selected row among these.
    pub fn place(&self, rows: &[&Row]) -> Option<usize> {
        let key = self.selected.as_deref()?;
        rows.iter().position(|row| row.key() == key)
    }

    /// A key was pressed.
    pub fn press(&mut self, key: Key, frame: &Frame) -> Wish {
        match (&mut self.pane, key) {
            (_, Key::Char('q')) | (Pane::None, Key::Escape) => return Wish::Quit,
            (_, Key::Escape) | (Pane::Help, _) | (Pane::Explain(..), Key::Enter) => {
                self.pane = Pane::None;
            }
            (_, Key::Char('p' | ' ')) => self.paused = !self.paused,
            (_, Key::Char('?' | 'h')) => self.pane = Pane::Help,
            (Pane::Explain(_, lines, first), key) => {
                let last = lines.len().saturating_sub(1);
                *first = moved(*first, key, last);
            }
            (Pane::None, Key::Char('s')) => self.order = self.order.next(),
            (Pane::None, Key::Enter) => {
                let rows = self.sorted(frame);
                let place = self.place(&rows).unwrap_or(0);
                if let Some(row) = rows.get(place) {
                    return Wish::Explain(row.subject.clone());
                }
            }
            (Pane::None, Key::Char(_)) => {}
            (Pane::None, key) => {
                let rows = self.sorted(frame);
                let last = rows.len().saturating_sub(1);
                let place = match (self.place(&rows), key) {
                    (Some(place), key) => moved(place, key, last),
                    // The first key shows where the mark is.
                    (None, Key::End | Key::PageDown) => moved(0, key, last),
                    (None, _) => 0,
                };
                self.selected = rows.get(place).map(|row| row.key());
            }
        }
        Wish::Draw
    }
}

/// A place after a key, no further than `last`.
fn moved(place: usize, key: Key, last: usize) -> usize {
    match key {
        Key::Up => place.saturating_sub(1),
        Key::Down => place.saturating_add(1).min(last),
        Key::PageUp => place.saturating_sub(PAGE),
        Key::PageDown => place.saturating_add(PAGE).min(last),
        Key::Home => 0,
        Key::End => last,
        Key::Enter | Key::Escape | Key::Char(_) => place,
    }
}
