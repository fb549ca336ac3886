//! `vauban top`: who probes now, what they were told, how fast.
//!
//! | file | what |
//! |---|---|
//! | `poll` | asks the daemon again and again, on a thread of its own |
//! | `frame` | two answers made into what is shown: rates, rows, order |
//! | `state` | what the person at the keyboard has chosen |
//! | `columns` | which columns fit, and what stands in them |
//! | `screen` | a frame and a state drawn, in any size |
//! | `live` | the terminal: taken over, drawn, given back |
//!
//! What it does not do: change anything; `unban` and `ban` are verbs.

mod columns;
mod frame;
mod live;
mod poll;
mod screen;
mod state;

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use signal_hook::consts::{SIGINT, SIGTERM};
use vauban_daemon::control::protocol::Request;

use crate::ask::{ask, print, print_json};
use crate::exit::Trouble;
use frame::Frame;
use state::State;

/// How wide a frame is that is printed where no terminal says so: what most logs and mails show.
const WIDTH: u16 = 100;

/// Suspects that are asked for: as many lines as the highest screens have, and some to scroll.
const MOST: usize = 256;

/// How often it is looked whether to stop, while waiting for the next frame.
const LOOK: Duration = Duration::from_millis(50);

/// How it is to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Show {
    /// The time between two looks.
    pub interval: Duration,
    /// One frame, and the end.
    pub once: bool,
    /// JSON.
    pub json: bool,
}

/// Shows it.
pub fn run(socket: &Path, show: Show) -> Result<(), Trouble> {
    match show {
        Show { once: true, .. } => once(socket, show),
        Show { json: true, .. } => stream(socket, show.interval),
        _ if std::io::stdout().is_terminal() && std::io::stdin().is_terminal() => {
            live::run(socket, show.interval)
        }
        _ => Err(Trouble::Usage(
            "this is no terminal; for one frame as text: vauban top --once; for programs: vauban top \
             --json"
                .into(),
        )),
    }
}

/// What is asked.
fn request() -> Request {
    Request::Top { most: MOST }
}

/// One frame after one interval.
fn once(socket: &Path, show: Show) -> Result<(), Trouble> {
    let stop = stopped()?;
    let mut frame = Frame::default();
    frame.take(&ask(socket, &request())?, show.interval);
    wait(show.interval, &stop);
    frame.take(&ask(socket, &request())?, show.interval);
    if show.json { print_json(&frame.json()) } else { print(&plain(&frame, width())) }
}

/// A frame as JSON on one line per interval, until interrupted.
fn stream(socket: &Path, interval: Duration) -> Result<(), Trouble> {
    let stop = stopped()?;
    let mut frame = Frame::default();
    frame.take(&ask(socket, &request())?, interval);
    loop {
        wait(interval, &stop);
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        frame.take(&ask(socket, &request())?, interval);
        let line = frame.json().to_string();
        match std::io::Write::write_all(&mut std::io::stdout().lock(), (line + "\n").as_bytes()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
}

/// Set once somebody wants it to end.
fn stopped() -> Result<Arc<AtomicBool>, Trouble> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn wait(interval: Duration, stop: &AtomicBool) {
    let until = std::time::Instant::now() + interval;
    while !stop.load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(LOOK));
    }
}

/// The width of what is printed: COLUMNS, else the terminal's, else [`WIDTH`].
fn width() -> u16 {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse::<u16>().ok());
    let terminal = || {
        let is_one = std::io::stdout().is_terminal();
        is_one.then(|| ratatui::crossterm::terminal::size().ok().map(|(width, _)| width)).flatten()
    };
    told.filter(|width| *width > 0).or_else(terminal).unwrap_or(WIDTH)
}

/// A frame as text without colours, as high as it needs to be.
fn plain(frame: &Frame, width: u16) -> String {
    let height = screen::wanted_height(frame);
    // A backend in memory: nothing of it can fail.
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let state = State::for_print();
    let _ = terminal.draw(|area| screen::draw(area, frame, &state));
    screen::text(terminal.backend().buffer())
}

#[cfg(test)]
mod tests;
