//! Addresses and networks as a configuration file writes them, and the list of those that must
//! never be blocked.
//!
//! Host names are not looked up: whoever answers for a name would decide who is never blocked.

use std::net::{IpAddr, Ipv4Addr};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use vauban_engine::Prefix;
use vauban_engine::net::canonical;
use vauban_engine::policy::Allowed;

use crate::diagnostic::{Problem, quoted};
use crate::nearest::nearest;
use crate::read::found;

/// Reads one entry of the list of those that must never be blocked: an address, or a table with `address` and `comment`.
pub(crate) fn read(value: &Spanned<DeValue<'_>>) -> Result<Allowed, Vec<Problem>> {
    if let DeValue::Table(entries) = value.get_ref() {
        return table(value, entries);
    }
    let prefix = prefix(value).map_err(|problem| vec![problem])?;
    Ok(Allowed { prefix, comment: None })
}

fn table(value: &Spanned<DeValue<'_>>, entries: &DeTable<'_>) -> Result<Allowed, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut address = None;
    let mut comment = None;
    for (name, value) in entries {
        let word: &str = name.get_ref();
        let read = match word {
            "address" => prefix(value).map(|found| address = Some(found)),
            "comment" => text(value).map(|found| comment = Some(found)),
            _ => Err(Problem {
                span: name.span(),
                message: format!("there is no key {} here", quoted(word)),
                remedy: nearest(word, ["address", "comment"].into_iter()).map_or_else(
                    || "the keys here are `address` and `comment`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ),
            }),
        };
        problems.extend(read.err());
    }
    match address {
        Some(prefix) if problems.is_empty() => Ok(Allowed { prefix, comment }),
        // What is wrong with the keys that are there may be why this one is not.
        None if problems.is_empty() => Err(vec![Problem {
            span: value.span(),
            message: "this entry has no `address`".to_owned(),
            remedy: "write `{ address = \"192.0.2.10\", comment = \"…\" }`".to_owned(),
        }]),
        _ => Err(problems),
    }
}

fn text(value: &Spanned<DeValue<'_>>) -> Result<String, Problem> {
    let problem = |message: String| Problem {
        span: value.span(),
        message,
        remedy: "write one line of text in quotes".to_owned(),
    };
    match value.get_ref().as_str() {
        // It is shown on terminals and written to logs.
        Some(text) if text.contains(char::is_control) => {
            Err(problem("a comment has no control characters".to_owned()))
        }
        Some(text) => Ok(text.to_owned()),
        None => Err(problem(format!("a comment is a text, not {}", found(value.get_ref())))),
    }
}

/// Reads an address or a network.
pub(crate) fn prefix(value: &Spanned<DeValue<'_>>) -> Result<Prefix, Problem> {
    let refusal = |message: String, remedy: String| Problem { span: value.span(), message, remedy };
    let Some(text) = value.get_ref().as_str() else {
        return Err(refusal(
            format!("an address is a text, not {}", found(value.get_ref())),
            "write an address or a network such as \"192.0.2.10\" or \"2001:db8::/32\"".to_owned(),
        ));
    };
    let prefix: Prefix = text.parse().map_err(|_| {
        refusal(format!("{} is no address and no network", quoted(text)), remedy(text))
    })?;
    if prefix.len() == 0 {
        return Err(refusal(
            format!("{} is everybody, and nobody could ever be blocked", quoted(text)),
            "to watch without blocking, use `dry_run = true`".to_owned(),
        ));
    }
    match text.split_once('/').and_then(|(address, _)| address.parse().ok()).map(canonical) {
        Some(address) if address != prefix.addr() => Err(refusal(
            format!("{} has bits set after its first {}", quoted(text), prefix.len()),
            format!("write \"{prefix}\" for the network, or \"{address}\" for that one address"),
        )),
        _ => Ok(prefix),
    }
}

fn remedy(text: &str) -> String {
    if let Some(remedy) = meant(text) {
        return remedy;
    }
    if text.contains(char::is_alphabetic) && !text.contains(':') {
        return "names are not looked up; write the address itself, such as \"192.0.2.10\""
            .to_owned();
    }
    "write an address or a network such as \"192.0.2.10\" or \"2001:db8::/32\"".to_owned()
}

/// What to write instead of a text that was meant to be an address or a network; `None` if nothing
/// says that it was.
pub(crate) fn meant(text: &str) -> Option<String> {
    if let Some(prefix) = text.split_once('/').and_then(|(a, mask)| netmask(a, mask)) {
        return Some(format!("write \"{prefix}\""));
    }
    let trimmed = text.trim();
    if trimmed != text && trimmed.parse::<Prefix>().is_ok() {
        return Some(format!("write \"{trimmed}\", without blanks"));
    }
    text.contains('%').then(|| "write the address without its interface".to_owned())
}

/// `10.0.0.0/255.0.0.0`, as older tools write it.
fn netmask(address: &str, mask: &str) -> Option<Prefix> {
    let address: IpAddr = address.parse().ok().filter(IpAddr::is_ipv4)?;
    let bits = mask.parse::<Ipv4Addr>().ok()?.to_bits();
    let length = bits.leading_ones();
    (length > 0 && length == bits.count_ones()).then_some(())?;
    Prefix::new(address, u8::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_notations_are_understood_in_remedies() {
        for (text, said) in [
            ("10.1.2.3/255.0.0.0", "write \"10.0.0.0/8\""),
            (" 10.0.0.1", "write \"10.0.0.1\", without blanks"),
            ("fe80::1%eth0", "write the address without its interface"),
        ] {
            assert_eq!(remedy(text), said);
        }
        assert!(remedy("example.org").starts_with("names are not looked up"));
        for text in ["10.0.0.0/255.0.255.0", "::1/255.0.0.0", "10.0.0.0/0.0.0.0", "", "::g"] {
            assert!(remedy(text).starts_with("write an address"), "{text}");
        }
    }
}
