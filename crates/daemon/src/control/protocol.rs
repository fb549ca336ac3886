//! Requests and replies, with the names that scripts may rely on.
//!
//! One request per connection: a JSON object on one line, at most [`LONGEST_REQUEST`] bytes; the
//! reply is one line too.

use serde::{Deserialize, Serialize};
use vauban_engine::policy::Length;

use crate::clean::clean;

/// The longest request in bytes, the newline included: a part of a list to be banned. 64 callers at a
/// time make that 4 MiB.
pub const LONGEST_REQUEST: u64 = 64 * 1024;

/// Entries of a list to be banned, in one request: some milliseconds of the engine's time, and one
/// change of the kernel's sets.
pub const MOST_IMPORTED: usize = 256;

/// The longest comment on whom an operator allows, in bytes: a line of a list.
pub const LONGEST_COMMENT: usize = 256;

/// Bans in one answer to [`Request::History`]; with their evidence, a tenth of that.
pub const MOST_HISTORY: u32 = 1_000;

/// The longest reason an operator may give, in bytes.
pub const LONGEST_REASON: usize = 1024;

/// The most suspects in one answer to [`Request::Top`]: more than any screen has lines, and at half a
/// kilobyte each a quarter of a megabyte.
pub const MOST_TOP: usize = 512;

/// What a daemon says that serves as many callers as it can.
pub const BUSY: &str = "too many calls at a time; try again";

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
        /// How many suspects at most, the busiest, and after them those of zones that are only watched;
        /// never more than [`MOST_TOP`].
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
    /// Bans, over and in force, the last begun first.
    History(History),
    /// Every suspect with its evidence, and the policy that they are judged by.
    Dossiers {
        /// Only this one's: an address, or a subject as `bans` lists it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// Never ban these from here on, and let them go.
    Allow {
        /// An address or a prefix.
        prefix: String,
        /// For how long, in milliseconds; for ever when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
        /// The operator's words.
        #[serde(default)]
        comment: String,
        /// Also so wide that it is a sizeable part of all addresses.
        #[serde(default)]
        force: bool,
    },
    /// Take that back.
    Disallow {
        /// Exactly as it was allowed.
        prefix: String,
    },
    /// Who is allowed, by the configuration and by operators.
    Allowed,
    /// Ban a part of a list.
    Import {
        /// At most [`MOST_IMPORTED`].
        entries: Vec<Imported>,
        /// Only say what would be done.
        #[serde(default)]
        dry_run: bool,
    },
}

/// Which bans of the past and the present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Only this one's: an address (an IPv6 address has its /64's bans as well), or a subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Begun at this time or later, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// At most so many; more than [`MOST_HISTORY`] are never given at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Behind this place: `next` of the answer before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only those in force.
    #[serde(default)]
    pub in_force: bool,
    /// With their evidence.
    #[serde(default)]
    pub evidence: bool,
}

/// A length as requests say it: its milliseconds, and whether it is for ever.
#[must_use]
pub fn length_fields(length: Option<Length>) -> (Option<u64>, bool) {
    match length {
        None => (None, false),
        Some(Length::Forever) => (None, true),
        Some(Length::Span(span)) => {
            (Some(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)), false)
        }
    }
}

/// One of a list to be banned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imported {
    /// An address, or the /64 of an IPv6 address.
    pub subject: String,
    /// For how long, in milliseconds; the configured length when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// For ever, instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forever: bool,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

impl Request {
    /// The request that a line is, its newline included or not. The line is the caller's: root's, but
    /// whatever wrote it may be wrong, so this is fuzzed. Nothing in it is passed over: what is not
    /// understood is an error.
    ///
    /// # Errors
    /// What is wrong with it, for people: the words of the line that it repeats cannot rewrite a
    /// terminal.
    pub fn read(line: &str) -> Result<Self, String> {
        let not_one =
            |error: serde_json::Error| clean(&format!("not a request: {error}")).into_owned();
        if !line.trim_start().starts_with('{') {
            // serde would take a list for one, too.
            return Err("not a request: it is no JSON object".into());
        }
        let request: Self = serde_json::from_str(line).map_err(not_one)?;
        if request.is_a_word() {
            // serde passes over what stands beside a word alone.
            let fields: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(line).map_err(not_one)?;
            if let Some(field) = fields.keys().find(|field| *field != "verb") {
                return Err(format!("not a request: unknown field {field:?}"));
            }
        }
        Ok(request)
    }

    /// Whether it is nothing but its verb.
    const fn is_a_word(&self) -> bool {
        match self {
            Self::Status | Self::Suspects | Self::Reload | Self::Allowed => true,
            Self::Top { .. }
            | Self::Bans { .. }
            | Self::Ban { .. }
            | Self::Unban { .. }
            | Self::Explain { .. }
            | Self::History(_)
            | Self::Dossiers { .. }
            | Self::Allow { .. }
            | Self::Disallow { .. }
            | Self::Import { .. } => false,
        }
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
        assert!(error.contains("\\u{1b}[2Jfine\\u{a}"), "{error}");
        assert_eq!(error.chars().find(|c| c.is_control()), None, "{error:?}");
        let whole = Request::read("{\"verb\":\"explain\",\"address\":\"::1\"}\n");
        assert_eq!(whole, Ok(Request::Explain { address: "::1".into() }));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for verb in ["status", "suspects", "reload", "allowed", "bans", "history", "dossiers"] {
            let good = format!(r#"{{"verb":"{verb}"}}"#);
            assert!(Request::read(&good).is_ok(), "{good}: {:?}", Request::read(&good));
            assert!(Request::read(&format!("{good}\n")).is_ok());
            for bad in [
                format!(r#"{{"verb":"{verb}","x":1}}"#),
                format!(r#"{{"x":null,"verb":"{verb}"}}"#),
                format!(r#"{{"verb":"{verb}","verb":"{verb}"}}"#),
                format!("{good}{good}"),
                format!(r#"["{verb}"]"#),
            ] {
                let error = Request::read(&bad).unwrap_err();
                assert!(error.starts_with("not a request"), "{bad}: {error}");
            }
        }
        for bad in ["", "{}", "null", "1", r#"{"verb":"forgive"}"#, r#"{"verb":"allow"}"#] {
            assert!(Request::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_request_is_read_as_it_is_written() {
        let entry =
            Imported { subject: "::1".into(), for_ms: None, forever: true, reason: "x".into() };
        let history = History { limit: Some(3), after: Some("1.2".into()), ..History::default() };
        for request in [
            Request::Status,
            Request::Allowed,
            Request::Unban { address: None },
            Request::History(history),
            Request::Dossiers { address: None },
            Request::Disallow { prefix: "192.0.2.0/24".into() },
            Request::Import { entries: vec![entry], dry_run: true },
        ] {
            let text = serde_json::to_string(&request).unwrap();
            assert_eq!(Request::read(&text), Ok(request), "{text}");
        }
    }
}
