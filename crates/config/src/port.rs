//! Ports as a configuration file writes them.
//!
//! Names of services are not looked up: what they mean would depend on the host's files.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::DeValue;
use vauban_engine::Port;

use crate::diagnostic::{Problem, quoted};
use crate::read::{found, whole};

/// Reads one entry of a list of ports.
pub(crate) fn read(value: &Spanned<DeValue<'_>>) -> Result<Port, Vec<Problem>> {
    let refusal =
        |message: String, remedy: String| vec![Problem { span: value.span(), message, remedy }];
    let Some(text) = value.get_ref().as_str() else {
        let number = whole(value.get_ref()).and_then(|number| u16::try_from(number).ok());
        let remedy = number.map_or_else(general, either);
        return Err(refusal(format!("a port is a text, not {}", found(value.get_ref())), remedy));
    };
    text.parse().map_err(|_| refusal(format!("{} is no port", quoted(text)), remedy(text)))
}

/// `FIRST-LAST`, in that order.
pub(crate) fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(first..=last)
}

/// Digits only: `u16::from_str` would take "+1".
fn number(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

fn general() -> String {
    "write a protocol and a number up to 65535, such as \"tcp/23\" or \"udp/161\"".to_owned()
}

/// What to write instead of a number without its protocol.
pub(crate) fn either(number: u16) -> String {
    format!("write \"tcp/{number}\" or \"udp/{number}\"")
}

fn remedy(text: &str) -> String {
    meant(text).unwrap_or_else(general)
}

/// What to write instead of a text that was meant to be a port or several; `None` if nothing says
/// that it was.
pub(crate) fn meant(text: &str) -> Option<String> {
    if let Some(number) = number(text) {
        return Some(either(number));
    }
    // `/etc/services` and firewalls have it the other way round, and with other signs.
    let lower = text.to_lowercase();
    let parts: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let meant = match parts.as_slice() {
        [a, b] => number(b).map(|n| (*a, n)).or_else(|| number(a).map(|n| (*b, n))),
        _ => None,
    };
    if let Some((protocol @ ("tcp" | "udp"), number)) = meant {
        return Some(format!("write \"{protocol}/{number}\""));
    }
    let (protocol, numbers) = lower.split_once('/').unwrap_or(("tcp", &lower));
    if !matches!(protocol, "tcp" | "udp") {
        return None;
    }
    match range(numbers) {
        Some(numbers) => Some(format!(
            "write each port of the range by itself: \"{protocol}/{}\" and so on",
            numbers.start()
        )),
        None => lower.contains('/').then(general),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_two_ends_in_order() {
        assert_eq!(range("33434-33534"), Some(33434..=33534));
        assert_eq!(range("7-7"), Some(7..=7));
        for bad in ["", "-", "1-", "-1", "2-1", "1-65536", "+1-2", "1-2-3", "1 - 2", "33434"] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }

    #[test]
    fn other_notations_are_understood_in_remedies() {
        assert_eq!(remedy("23"), "write \"tcp/23\" or \"udp/23\"");
        for text in ["23/tcp", "TCP/23", "tcp:23", "tcp 23", " tcp/23"] {
            assert_eq!(remedy(text), "write \"tcp/23\"", "{text}");
        }
        for text in ["", "ssh", "tcp/ssh", "tcp/65536", "sctp/1", "tcp/2-1", "tcp"] {
            assert_eq!(remedy(text), general(), "{text}");
        }
        for (text, first) in [("udp/7-9", "udp/7"), ("7-9", "tcp/7")] {
            let said = format!("write each port of the range by itself: \"{first}\" and so on");
            assert_eq!(remedy(text), said);
        }
    }
}
