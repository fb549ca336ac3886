//! An [`Entry`] of the log as a replay tells it: one object for each decision, and three kinds alone.
//!
//! The names and words here are relied upon by scripts: they stay. What concerns nobody in particular
//! (that blocks were put back) is no decision.

use crate::entry::{About, Entry, Kind};

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Decision {
    /// When it fell, as RFC 3339 in UTC, to the millisecond.
    pub at: String,
    /// `suspect`: a source became one. `ban`: one was made. `notice`: a ban was refused, or ended.
    pub kind: &'static str,
    /// Whom it covers: an address, or a prefix.
    pub subject: String,
    /// What kind of scan it was, as [`vauban_engine::Class`] has it; null where no packet tells.
    pub class: Option<String>,
    /// The distinct ports that it rests on, in order, like `tcp/23`; at most
    /// [`crate::entry::MOST_PORTS`].
    pub ports: Vec<String>,
    /// How many there are.
    pub port_count: usize,
    /// Whether the source has proven that its address is its own.
    pub proven: bool,
    /// Why, in a sentence.
    pub reason: String,
}

impl Decision {
    /// The decision that an entry tells of, if it tells of one.
    #[must_use]
    pub fn of(entry: Entry) -> Option<Self> {
        let About { subject, class, ports, port_count, proven, reason, .. } = entry.about?;
        let (kind, reason) = match entry.kind {
            Kind::Suspect => ("suspect", reason),
            Kind::Ban => ("ban", reason),
            Kind::Refused => ("notice", format!("not banned: {reason}")),
            _ => ("notice", reason),
        };
        Some(Self { at: entry.at, kind, subject, class, ports, port_count, proven, reason })
    }
}
