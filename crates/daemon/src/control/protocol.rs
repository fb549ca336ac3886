//! Requests and replies, with the names that scripts may rely on.
//!
//! One request per connection: a JSON object on one line, at most [`LONGEST_REQUEST`] bytes; the
//! reply is one line too.

use serde::{Deserialize, Serialize};

/// The longest request in bytes, the newline included: a reason may be a paragraph, not a book.
pub const LONGEST_REQUEST: u64 = 8 * 1024;

/// The longest reason an operator may give, in bytes.
pub const LONGEST_REASON: usize = 1024;

/// The most suspects in one answer to [`Request::Top`]: more than any screen has lines, and at half a
/// kilobyte each a quarter of a megabyte.
pub const MOST_TOP: usize = 512;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How it goes.
    Status,
    /// Who is a suspect.
    Suspects,
    /// Who probes now, how fast things go, and what was decided last: what `top` shows.
    Top {
        /// How many suspects at most, the busiest; never more than [`MOST_TOP`].
        most: usize,
    },
    /// Who is banned.
    Bans {
        /// Only what a list in a terminal shows.
        #[serde(default)]
        brief: bool,
    },
    /// Ban an address.
    Ban {
        /// An address, or the /64 of an IPv6 address.
        subject: String,
        /// For how long, in milliseconds; the configured length when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
        /// The operator's words.
        #[serde(default)]
        reason: String,
    },
    /// End the ban and the suspicion of an address.
    Unban {
        /// Whose: an address, or a subject as `bans` lists it; everybody's when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// Read the configuration again.
    Reload,
    /// Everything known of an address.
    Explain {
        /// Which: an address, or a subject as `bans` lists it.
        address: String,
    },
}

impl Request {
    /// The request that a line is, its newline included or not. The line is the caller's: root's, but
    /// whatever wrote it may be wrong, so this is fuzzed.
    ///
    /// # Errors
    /// What is wrong with it, for people: the words of the line that it repeats cannot rewrite a
    /// terminal.
    pub fn read(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| {
            let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
            format!("not a request: {error}").chars().map(shown).collect()
        })
    }
}

/// An answer: a view, or why there is none. The daemon gives a view of its own kind, callers read
/// JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply<T = serde_json::Value> {
    /// Done; the view depends on the verb, see [`super::view`].
    Ok(T),
    /// The answer is no; for people.
    No(String),
    /// The request makes no sense; for people.
    Invalid(String),
    /// The configuration has errors and nothing has changed; for people.
    Refused(String),
    /// The caller may not ask that; for people.
    Denied(String),
    /// It should have worked and did not; for people.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: a verb that there is not is repeated in the error.
    #[test]
    fn what_an_error_repeats_cannot_rewrite_a_terminal() {
        let error = Request::read("{\"verb\":\"\\u001b[2Jfine\\n\"}\n").unwrap_err();
        assert!(error.starts_with("not a request: "), "{error}");
        assert!(error.contains("\u{fffd}[2Jfine\u{fffd}"), "{error}");
        assert_eq!(error.chars().find(|c| c.is_control()), None, "{error:?}");
        let whole = Request::read("{\"verb\":\"explain\",\"address\":\"::1\"}\n");
        assert_eq!(whole, Ok(Request::Explain { address: "::1".into() }));
    }
}
