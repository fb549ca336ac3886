//! Requests and replies, with the names that scripts may rely on.
//!
//! One request per connection: a JSON object on one line, at most [`LONGEST_REQUEST`] bytes; the
//! reply is one line too.

use serde::{Deserialize, Serialize};

/// The longest request in bytes, the newline included: a reason may be a paragraph, not a book.
pub const LONGEST_REQUEST: u64 = 8 * 1024;

/// The longest reason an operator may give, in bytes.
pub const LONGEST_REASON: usize = 1024;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How it goes.
    Status,
    /// Who is a suspect.
    Suspects,
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
        /// Without end; `for_ms` is left out then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        forever: bool,
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
