//! Asks the daemon, and turns what comes back into a value or a [`Trouble`].
//!
//! What the daemon says is cleaned here, once for all verbs: the process that answers reads strangers'
//! packets, and if one of them has taken it over, it must not command the operator's terminal.

use std::borrow::Cow;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use serde_json::Value;
use vauban_daemon::clean::{clean, is_unclean};
use vauban_daemon::control::client;
use vauban_daemon::control::protocol::{Reply, Request};

use crate::exit::Trouble;

/// The daemon's answer to a request.
pub fn ask(socket: &Path, request: &Request) -> Result<Value, Trouble> {
    let reply = client::call(socket, request).map_err(|error| unavailable(socket, &error))?;
    outcome(reply).map(cleaned)
}

/// The same for an answer that may be long: its text, with a [`body`] for the caller to read as far as
/// needed.
pub fn ask_for_text(socket: &Path, request: &Request) -> Result<String, Trouble> {
    let text =
        client::call_for_text(socket, request).map_err(|error| unavailable(socket, &error))?;
    if body(&text).is_some() {
        if is_clean_json(&text) {
            return Ok(text);
        }
        let value: Value =
            serde_json::from_str(&text).map_err(|error| unavailable(socket, &error.into()))?;
        return Ok(cleaned(value).to_string());
    }
    let reply: Reply =
        serde_json::from_str(&text).map_err(|error| unavailable(socket, &error.into()))?;
    outcome(reply).map(|value| format!("{OK}{value}}}"))
}

/// As serde writes `Reply::Ok`: the answer in an object of its own.
const OK: &str = "{\"ok\":";

/// The answer within the text of a reply; `None` if there is none.
pub fn body(text: &str) -> Option<&str> {
    text.strip_prefix(OK)?.trim_end().strip_suffix('}')
}

fn unavailable(socket: &Path, error: &std::io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => Trouble::Unavailable(format!(
            "no daemon answers at {}; start one: sudo vauban run",
            socket.display()
        )),
        ErrorKind::PermissionDenied => {
            Trouble::Denied(format!("{}: permission denied; use sudo", socket.display()))
        }
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Trouble::Unavailable(format!(
            "the daemon at {} does not answer; what was asked for may be done all the same",
            socket.display()
        )),
        _ => Trouble::Unavailable(format!("{}: {error}", socket.display())),
    }
}

fn outcome<T>(reply: Reply<T>) -> Result<T, Trouble> {
    match reply {
        Reply::Ok(value) => Ok(value),
        Reply::No(text) => Err(Trouble::No(text)),
        Reply::Invalid(text) => Err(Trouble::Usage(text)),
        Reply::Refused(text) => Err(Trouble::Config(text)),
        Reply::Denied(text) => Err(Trouble::Denied(text)),
        Reply::Failed(text) => Err(Trouble::Failed(text)),
    }
}

/// A value with all of its texts clean.
fn cleaned(value: Value) -> Value {
    match value {
        Value::String(text) => match clean(&text) {
            Cow::Borrowed(_) => Value::String(text),
            Cow::Owned(text) => Value::String(text),
        },
        Value::Array(items) => items.into_iter().map(cleaned).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (clean(&name).into_owned(), cleaned(value)))
            .collect(),
        other => other,
    }
}

/// Whether JSON as it came can only hold clean texts: no such character, and no escape but those of
/// quotes and backslashes.
fn is_clean_json(text: &str) -> bool {
    let mut escaped = false;
    text.trim_end_matches('\n').chars().all(|c| {
        let after_backslash = escaped;
        escaped = c == '\\' && !after_backslash;
        let bad_escape = after_backslash && matches!(c, 'u' | 'b' | 'f' | 'r' | 'n' | 't');
        !bad_escape && !is_unclean(c)
    })
}

/// Prints text that ends without a newline. A reader that has gone away (`| head`) is no error.
pub fn print(text: &str) -> Result<(), Trouble> {
    match writeln!(std::io::stdout().lock(), "{}", text.trim_end_matches('\n')) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a value as JSON.
pub fn print_json(value: &Value) -> Result<(), Trouble> {
    print(&serde_json::to_string_pretty(value).map_err(|error| Trouble::Failed(error.to_string()))?)
}

/// A field of an answer, as text; empty when it is not there.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A field of an answer, as a number; zero when it is not there.
pub fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// A field of an answer, as a list; empty when it is not there.
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The words of a list of texts, the first `most` of them.
pub fn words(value: &Value, pointer: &str, most: usize) -> String {
    let all = list(value, pointer);
    let shown: Vec<&str> = all.iter().take(most).filter_map(Value::as_str).collect();
    let more = all.len().saturating_sub(most);
    match more {
        0 => shown.join(" "),
        more => format!("{} +{more}", shown.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_commands_a_terminal_gets_through() {
        let some =
            ["\u{1b}]0;x\u{7}", "\u{9b}31m", "\r", "\u{7f}", "\u{202e}txt", "\u{8}", "\n", "\t"];
        for bad in some {
            let value = json!({ bad: [{ "reason": bad }] });
            let text = format!("{{\"ok\":{value}}}\n");
            assert!(!is_clean_json(&text), "{text}");
            let out = cleaned(value).to_string();
            assert!(!out.contains(is_unclean) && out.contains("\\\\u{"), "{out}");
        }
        let said = "größer \"quoted\" C:\\users\\readme";
        let text = format!("{{\"ok\":{}}}\n", json!({ "reason": said }));
        assert!(is_clean_json(&text), "{text}");
    }
}
