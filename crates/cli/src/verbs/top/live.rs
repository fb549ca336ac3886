//! The terminal: taken over, drawn, and given back whatever happens.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde_json::Value;
use vauban_daemon::clean::clean;
use vauban_daemon::paint;

use super::frame::Frame;
use super::poll::{self, Ask, News};
use super::screen;
use super::state::{Key, Pane, State, Wish};
use crate::exit::Trouble;
use crate::verbs::explain;

/// How long one look at the keyboard takes: what is new is shown after that at the latest.
const LOOK: Duration = Duration::from_millis(50);

/// Gives the terminal back when it goes; a panic gives it back before it speaks (`ratatui::try_init`).
struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing any more.
        let _ = ratatui::try_restore();
    }
}

/// Shows it until somebody has seen enough.
pub fn run(socket: &Path, interval: Duration) -> Result<(), Trouble> {
    let stop = super::stopped()?;
    let (news, asker) = poll::start(socket.to_owned(), interval)?;
    let mut frame = Frame::default();
    let mut state = State::for_terminal(paint::wanted());
    let mut terminal = ratatui::try_init()?;
    let _taken = Taken;
    let mut draw = true;
    while !stop.load(Ordering::Relaxed) {
        loop {
            match news.try_recv() {
                Ok(News::Answer(answer, after)) if !state.paused => frame.take(&answer, after),
                Ok(News::Answer(..)) => {}
                Ok(News::Missed(why)) => frame.miss(&why),
                Ok(News::Explained(subject, answer)) => {
                    state.pane = Pane::Explain(subject, explained(&answer), 0);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    return Err(Trouble::Failed("the thread that asks has ended".into()));
                }
            }
            draw = true;
        }
        if draw {
            terminal.draw(|area| screen::draw(area, &frame, &state))?;
        }
        draw = match event::poll(LOOK) {
            Ok(false) => false,
            Ok(true) => match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match pressed(key) {
                    None => false,
                    Some(key) => match state.press(key, &frame) {
                        Wish::Draw => true,
                        // One at a time: who presses again while it is under way has asked already.
                        Wish::Explain(subject) => asker.try_send(Ask::Explain(subject)).is_ok(),
                        Wish::Quit => return Ok(()),
                    },
                },
                Event::Resize(..) => true,
                _ => false,
            },
            // A signal: the flag says which.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => false,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(())
}

/// The key, if it means anything. Ctrl-C is one like any other here, and means to leave.
fn pressed(key: KeyEvent) -> Option<Key> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c' | 'd') if control => Key::Char('q'),
        KeyCode::Char(_) if control => return None,
        KeyCode::Char('k') | KeyCode::Up => Key::Up,
        KeyCode::Char('j') | KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Char(c) => Key::Char(c),
        _ => return None,
    })
}

/// What is known of somebody, in lines without colours.
fn explained(answer: &Value) -> Vec<String> {
    let words = match answer {
        Value::String(text) => text.clone(),
        answer => explain::words(answer),
    };
    words.lines().map(|line| clean(&brief(&uncoloured(line))).into_owned()).collect()
}

/// The line with the time of day in place of a date that it begins with: a screen is narrow.
fn brief(line: &str) -> String {
    let dated = line.strip_prefix("  ").filter(|rest| {
        rest.as_bytes().get(10) == Some(&b'T') && rest.as_bytes().get(23) == Some(&b'Z')
    });
    let parts = dated.and_then(|rest| Some((rest.get(11..19)?, rest.get(24..)?)));
    parts.map_or_else(|| line.to_owned(), |(time, rest)| format!("  {time}{rest}"))
}

/// The line without the escape sequences that our own `paint` has put in.
fn uncoloured(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, tail)| tail);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_becomes_the_time_of_day() {
        assert_eq!(brief("  2026-11-21T20:55:47.135Z  TCP"), "  20:55:47  TCP");
        assert_eq!(brief("  since   2026-11-21"), "  since   2026-11-21");
        assert_eq!(brief(""), "");
    }

    #[test]
    fn our_own_colours_are_taken_off() {
        assert_eq!(uncoloured("a \x1b[1m\x1b[31mbanned\x1b[0m b"), "a banned b");
        assert_eq!(uncoloured("plain"), "plain");
        assert_eq!(uncoloured("cut \x1b[3"), "cut ");
    }
}
