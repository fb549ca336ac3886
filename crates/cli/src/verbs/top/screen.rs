//! A frame and a state drawn: the same ones give the same picture, in any size.
//!
//! Nothing wraps: what does not fit is cut off with `…`, and columns go, the least important first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::columns::{chosen, cut, fitted};
use super::frame::{Frame, brief, short};
use super::state::{Pane, State};

/// Rows of a printed frame at most, of suspects and of decisions.
const PRINTED: (usize, usize) = (40, 10);

/// From this height on there is room for the history and for what does not work.
const ROOMY: u16 = 8;

/// From this height on there is a line that names the keys.
const WITH_KEYS: u16 = 10;

/// Eighths of a cell, from nothing to all of it.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const KEYS: &str = "q quit  p pause  s sort  ↑↓ select  Enter explain  ? help";

const HELP: [&str; 15] = [
    "q Esc ctrl-C   leave",
    "p space        stand still, and go on",
    "s              sort by rate, packets, proven ports, address",
    "↑ ↓ k j        select a suspect; PgUp PgDn Home End go further",
    "Enter          what is known of the selected one",
    "?              this",
    "",
    "PROBES/S  packets per second since the last look, as far as the daemon knows",
    "KIND      syn connect fin null xmas odd-flags udp mixed",
    "TOLD      what its probes met: decoys that say open, or nothing (dropped);",
    "          only watched: seen in this zone, where nothing is done about it",
    "PROVEN    decoys whose handshakes it has completed, of those that make a ban",
    "PORTS     of the packets that are kept as evidence, sixteen or so",
    "",
    "Nothing is changed from here: vauban ban, vauban unban.",
];

/// Draws it.
pub fn draw(area: &mut ratatui::Frame<'_>, frame: &Frame, state: &State) {
    let whole = area.area();
    let mut pen = Pen { buffer: area.buffer_mut(), area: whole, colour: state.colour };
    let plan = Plan::of(whole.height, frame, state);
    pen.header(frame, state);
    pen.second(frame);
    let mut y = 2;
    if plan.history {
        pen.history(y, frame);
        y += 1;
    }
    for warning in frame.warnings.iter().take(usize::from(plan.warnings)) {
        pen.put(0, y, warning, pen.alert());
        y += 1;
    }
    let body = plan.table + plan.decisions;
    match &state.pane {
        Pane::None => {
            pen.table(y, plan.table, frame, state);
            pen.decisions(y + plan.table, plan.decisions, frame);
        }
        Pane::Help => {
            let lines: Vec<String> = HELP.iter().map(|line| (*line).to_owned()).collect();
            pen.pane(y, body, "KEYS AND COLUMNS", &lines, 0);
        }
        Pane::Explain(subject, lines, first) => pen.pane(y, body, subject, lines, *first),
    }
    if plan.keys {
        let line = match state.pane {
            Pane::None => KEYS,
            _ => "Esc back  ↑↓ scroll  q quit",
        };
        pen.put(0, whole.height.saturating_sub(1), line, pen.faint());
    }
}

/// How high a frame is that is printed.
pub fn wanted_height(frame: &Frame) -> u16 {
    let (rows, decisions) = PRINTED;
    let rows = frame.rows.len().clamp(1, rows);
    let more = usize::from(frame.all() > rows as u64);
    let decisions = match frame.decisions.len().min(decisions) {
        0 => 0,
        some => some + 2,
    };
    let height = 3 + frame.warnings.len().min(3) + 1 + rows + more + decisions;
    u16::try_from(height).unwrap_or(u16::MAX).max(ROOMY)
}

/// What was drawn, as text without what trails.
pub fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let line = |y: u16| {
        let cells = (area.left()..area.right()).filter_map(|x| buffer.cell((x, y)));
        cells.map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()
    };
    let lines: Vec<String> = (area.top()..area.bottom()).map(line).collect();
    lines.join("\n").trim_end().to_owned()
}

/// Which part gets how many lines.
struct Plan {
    history: bool,
    warnings: u16,
    table: u16,
    decisions: u16,
    keys: bool,
}

impl Plan {
    fn of(height: u16, frame: &Frame, state: &State) -> Self {
        let history = height >= ROOMY;
        let number = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let warnings = if history { number(frame.warnings.len().min(3)) } else { 0 };
        let keys = state.interactive && height >= WITH_KEYS;
        let above = 2 + u16::from(history) + warnings;
        let rest = height.saturating_sub(above).saturating_sub(u16::from(keys));
        // A heading, the rows, and how many more there are.
        let more = usize::from(frame.all() > frame.rows.len() as u64);
        let table = number(frame.rows.len().max(1) + 1 + more);
        let room = rest.saturating_sub(table).max(rest / 3);
        let decisions = match number(frame.decisions.len()) {
            0 => 0,
            // A free line, a heading, and two of them if there are two, or nothing.
            some if room >= some.min(2) + 2 => room.min(some + 2),
            _ => 0,
        };
        Self { history, warnings, table: rest - decisions, decisions, keys }
    }
}

/// Puts text where it fits.
struct Pen<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    colour: bool,
}

impl Pen<'_> {
    fn style(&self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    fn alert(&self) -> Style {
        self.style(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn warn(&self) -> Style {
        self.style(Color::Yellow)
    }

    fn good(&self) -> Style {
        self.style(Color::Green)
    }

    fn faint(&self) -> Style {
        if self.colour { Style::new().fg(Color::DarkGray) } else { Style::new() }
    }

    /// Puts a text there, as far as the line goes; says where it ended.
    fn put(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        self.put_within(x, y, self.area.width.saturating_sub(x), text, style)
    }

    /// Puts a text into so many cells; a longer one ends with `…`.
    fn put_within(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        if x >= self.area.width || y >= self.area.height || width == 0 {
            return x;
        }
        let width = width.min(self.area.width - x);
        let room = usize::from(width);
        if text.chars().count() <= room {
            return self.buffer.set_stringn(x, y, text, room, style).0;
        }
        let cut: String = text.chars().take(room - 1).collect();
        let (end, _) = self.buffer.set_stringn(x, y, cut, room - 1, style);
        self.buffer.set_stringn(end, y, "…", 1, style).0
    }

    fn header(&mut self, frame: &Frame, state: &State) {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let mut x = self.put(0, 0, "vauban", bold);
        if !frame.known {
            return;
        }
        // What matters most comes first: on a narrow screen the rest is cut off.
        let mode = if frame.dry_run { "dry run" } else { "enforcing" };
        let style = if frame.dry_run { self.warn() } else { self.good() };
        x = self.put(x + 1, 0, mode, style);
        if state.paused {
            x = self.put(x + 1, 0, "paused", self.warn());
        }
        let style = if frame.bans > 0 { self.alert() } else { Style::new() };
        x = self.put(x + 2, 0, &format!("{} ban{}", frame.bans, plural(frame.bans)), style);
        let suspects = format!("{} suspect{}", frame.suspects, plural(frame.suspects));
        let style = if frame.suspects > 0 { self.warn() } else { Style::new() };
        x = self.put(x + 2, 0, &suspects, style);
        if frame.watched > 0 {
            x = self.put(x + 2, 0, &format!("{} only watched", frame.watched), Style::new());
        }
        let rest = format!("up {}, version {}", brief(frame.uptime), frame.version);
        x = self.put(x + 2, 0, &rest, self.faint());
        if let Some(clock) = frame.at.get(11..19) {
            let at = self.area.width.saturating_sub(9);
            if at > x {
                self.put(at, 0, &format!("{clock}Z"), self.faint());
            }
        }
    }

    /// The rates, or why there are none.
    fn second(&mut self, frame: &Frame) {
        if !frame.trouble.is_empty() {
            let text = format!("waiting: {}", frame.trouble);
            self.put(0, 1, &text, self.alert());
            return;
        }
        if !frame.known {
            self.put(0, 1, "asking …", self.faint());
            return;
        }
        let (told, dropped) =
            if frame.dry_run { ("would tell", "would drop") } else { ("decoys", "of banned") };
        let mut rates = vec![
            ("probes", frame.rate("probes")),
            (told, frame.rate("decoys")),
            ("handshakes", frame.rate("handshakes")),
            (dropped, frame.rate("dropped_banned")),
            ("new suspects", frame.rate("suspected")),
            ("bans", frame.rate("banned")),
        ];
        if frame.rate("watched") > 0.0 {
            rates.insert(5, ("new only watched", frame.rate("watched")));
        }
        if frame.rate("not_judged") > 0.0 {
            rates.push(("not judged", frame.rate("not_judged")));
        }
        let mut x = self.put(0, 1, "per second:", self.faint());
        for (name, rate) in rates {
            let number = short(rate);
            let wanted = u16::try_from(number.len() + name.len() + 3).unwrap_or(u16::MAX);
            // Whole ones or none.
            if x.saturating_add(wanted) > self.area.width {
                return;
            }
            let style =
                if rate > 0.0 { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
            x = self.put(x + 2, 1, &number, style);
            x = self.put(x + 1, 1, name, self.faint());
        }
    }

    /// Probes per second of the last looks, as bars.
    fn history(&mut self, y: u16, frame: &Frame) {
        let most = frame.history.iter().copied().fold(0.0, f64::max);
        let label = format!("peak {}/s", short(most));
        let width = usize::from(self.area.width).saturating_sub(label.len() + 2);
        let skip = frame.history.len().saturating_sub(width);
        let bars: String = frame.history.iter().skip(skip).map(|rate| bar(*rate, most)).collect();
        let style = self.style(Color::Cyan);
        let x = self.put(0, y, &bars, style);
        if most > 0.0 {
            self.put(if x == 0 { 0 } else { x + 2 }, y, &label, self.faint());
        }
    }

    fn table(&mut self, y: u16, height: u16, frame: &Frame, state: &State) {
        if height == 0 || !frame.known {
            return;
        }
        let rows = state.sorted(frame);
        if rows.is_empty() {
            let text = "nobody probes: no suspects";
            self.put(0, y, text, self.faint());
            return;
        }
        let longest = rows.iter().map(|row| row.subject.len()).max().unwrap_or(0).clamp(7, 24);
        let chosen = chosen(self.area.width, u16::try_from(longest).unwrap_or(24));
        let head = Style::new().add_modifier(Modifier::BOLD);
        for (x, column) in &chosen {
            let heading = fitted(column, column.heading);
            self.put_within(*x, y, column.width, &heading, head);
        }
        if state.interactive && height > 2 && self.area.width >= 60 {
            let text = format!("by {}", state.order.word());
            let at = self.area.width.saturating_sub(u16::try_from(text.len()).unwrap_or(0));
            let end = chosen
                .last()
                .map_or(0, |(x, column)| x + u16::try_from(column.heading.len()).unwrap_or(0));
            if at > end {
                self.put(at, y, &text, self.faint());
            }
        }
        let room = usize::from(height) - 1;
        let more = usize::try_from(frame.all()).unwrap_or(usize::MAX);
        let fits = rows.len() <= room && more <= rows.len();
        let visible = if fits || room < 2 { room } else { room - 1 };
        let place = state.place(&rows);
        let first = place.map_or(0, |place| (place + 1).saturating_sub(visible));
        let mut line = y + 1;
        for (index, row) in rows.iter().enumerate().skip(first).take(visible) {
            let style = match row {
                row if row.zone.is_some() => Style::new(),
                row if row.banned => self.alert(),
                row if row.proven > 0 => self.warn(),
                _ => Style::new(),
            };
            let style =
                if place == Some(index) { style.add_modifier(Modifier::REVERSED) } else { style };
            if place == Some(index) {
                let blank = " ".repeat(usize::from(self.area.width));
                self.put(0, line, &blank, style);
            }
            for (x, column) in &chosen {
                let cell = fitted(column, &cut((column.cell)(row, frame), column));
                self.put_within(*x, line, column.width, &cell, style);
            }
            line += 1;
        }
        let hidden = more.max(rows.len()).saturating_sub((first + visible).min(rows.len()));
        if hidden > 0 && !fits && room >= 2 {
            self.put(0, line, &format!("and {hidden} more"), self.faint());
        }
    }

    fn decisions(&mut self, y: u16, height: u16, frame: &Frame) {
        if height < 3 {
            return;
        }
        let head = Style::new().add_modifier(Modifier::BOLD);
        self.put(0, y + 1, "DECIDED LAST", head);
        for (line, [time, kind, message]) in (y + 2..y + height).zip(&frame.decisions) {
            let x = self.put(0, line, time, self.faint());
            let style = match kind.as_str() {
                "ban" => self.alert(),
                "suspect" => self.warn(),
                "unban" | "healed" => self.good(),
                _ => Style::new(),
            };
            self.put(x + 1, line, message, style);
        }
    }

    fn pane(&mut self, y: u16, height: u16, title: &str, lines: &[String], first: usize) {
        if height == 0 {
            return;
        }
        self.put(0, y, title, Style::new().add_modifier(Modifier::BOLD));
        // The last line stays on the screen, however far somebody scrolls.
        let room = usize::from(height) - 1;
        let first = first.min(lines.len().saturating_sub(room));
        for (line, text) in (y + 1..y + height).zip(lines.iter().skip(first)) {
            self.put(0, line, text, Style::new());
        }
    }
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// One bar: something for everything above zero.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "eighths: 0 to 8")]
fn bar(rate: f64, most: f64) -> char {
    let eighths = if most > 0.0 { (rate / most * 8.0).ceil() } else { 0.0 };
    BARS.get(eighths.clamp(0.0, 8.0) as usize).copied().unwrap_or(' ')
}
