//! Whatever can be replayed, from one stream: what it is, its first bytes tell.

use std::io::{Cursor, Read};

use vauban_engine::{Engine, Notice};

use crate::capture::{Damaged, Reader};
use crate::export;
use crate::replay::Replay;

/// Why a replay ended early. What came before has been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The input is damaged, or none that can be replayed.
    Data(String),
    /// The user must say more.
    Usage(String),
}

impl From<Damaged> for Failure {
    fn from(damaged: Damaged) -> Self {
        Self::Data(damaged.to_string())
    }
}

impl From<export::Wrong> for Failure {
    fn from(wrong: export::Wrong) -> Self {
        Self::Data(wrong.to_string())
    }
}

/// Replays a capture or an export to its end, and tells `each` notice.
///
/// # Errors
/// [`Failure`]; what came before the damage has been judged all the same.
pub fn replay(
    mut input: impl Read,
    replay: &mut Replay,
    each: &mut dyn FnMut(&Engine, &Notice),
) -> Result<(), Failure> {
    let mut first = Vec::new();
    (&mut input)
        .take(1)
        .read_to_end(&mut first)
        .map_err(|error| Failure::Data(format!("reading failed: {error}")))?;
    // An export as JSON begins with a brace; no capture does.
    let is_json = first == b"{";
    let input = Cursor::new(first).chain(input);
    if is_json {
        export::json(input, replay, each)?;
        return Ok(());
    }
    let mut reader = Reader::new(input)?;
    if export::is_ours(&reader) {
        export::capture(&mut reader, replay, each)?;
        return Ok(());
    }
    let mut outcome = Ok(());
    loop {
        match reader.frame() {
            Ok(Some(frame)) => {
                replay.take(&frame, each).map_err(|whose| Failure::Usage(whose.to_string()))?;
            }
            Ok(None) => break,
            Err(damaged) => {
                outcome = Err(damaged.into());
                break;
            }
        }
    }
    let finished = replay.finish(each).map_err(|whose| Failure::Usage(whose.to_string()));
    outcome.and(finished)
}
