//! The ports and sources that decoys leave alone, as a configuration file writes them: in one list.
//!
//! What a port and an address look like is the business of [`crate::port`] and
//! [`crate::address`]; this only tells the two apart.

use toml::Spanned;
use toml::de::DeValue;
use vauban_engine::policy::Exclude;
use vauban_engine::{Port, Prefix};

use crate::diagnostic::{Problem, quoted};
use crate::read::{found, whole};
use crate::{address, port};

/// One entry of the list.
pub(crate) enum Entry {
    Port(Port),
    Source(Prefix),
}

/// The list's entries, each to its like.
pub(crate) fn sort(entries: Vec<Entry>) -> Exclude {
    let mut exclude = Exclude::default();
    for entry in entries {
        match entry {
            Entry::Port(port) => exclude.ports.push(port),
            Entry::Source(source) => exclude.sources.push(source),
        }
    }
    exclude
}

/// Reads one entry of the list.
pub(crate) fn read(value: &Spanned<DeValue<'_>>) -> Result<Entry, Vec<Problem>> {
    let refusal =
        |message: String, remedy: String| vec![Problem { span: value.span(), message, remedy }];
    let Some(text) = value.get_ref().as_str() else {
        return Err(refusal(
            format!("an entry is a text, not {}", found(value.get_ref())),
            instead(value.get_ref()),
        ));
    };
    if let Ok(port) = text.parse() {
        return Ok(Entry::Port(port));
    }
    match text.parse::<Prefix>() {
        Ok(prefix) if prefix.len() == 0 => Err(refusal(
            format!("{} is everybody, and nothing could ever be a probe", quoted(text)),
            "to play no decoys, use `unproven = \"drop\"` or `unproven = \"ban\"`".to_owned(),
        )),
        Ok(_) => address::prefix(value).map(Entry::Source).map_err(|problem| vec![problem]),
        Err(_) => Err(refusal(
            format!("{} is no port, no address and no network", quoted(text)),
            remedy(text),
        )),
    }
}

/// What to write instead of something that is no text.
fn instead(value: &DeValue<'_>) -> String {
    let number = whole(value).and_then(|number| u16::try_from(number).ok());
    let address = value.as_table().and_then(|table| table.get("address"));
    match (number, address.and_then(|address| address.get_ref().as_str())) {
        (Some(number), _) => port::either(number),
        (_, Some(_)) => "write the address by itself; here it carries no comment".to_owned(),
        _ => general(),
    }
}

fn remedy(text: &str) -> String {
    if let Some(remedy) = port::meant(text).or_else(|| address::meant(text)) {
        return remedy;
    }
    if text.contains(char::is_alphabetic) && !text.contains(':') {
        return "names of services and hosts are not looked up; write the port or the address \
                itself, such as \"tcp/8080\" or \"192.0.2.10\""
            .to_owned();
    }
    general()
}

fn general() -> String {
    "write a port such as \"tcp/8080\", or an address or a network such as \"192.0.2.10\" or \
     \"2001:db8::/32\""
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_notations_are_understood_in_remedies() {
        for (text, said) in [
            ("8080", "write \"tcp/8080\" or \"udp/8080\""),
            ("8080/tcp", "write \"tcp/8080\""),
            ("tcp/70000", "write a protocol and a number up to 65535"),
            ("tcp/http", "write a protocol and a number up to 65535"),
            ("tcp/8000-8010", "write each port of the range by itself"),
            ("10.1.2.3/255.0.0.0", "write \"10.0.0.0/8\""),
            ("192.0.2.1 ", "write \"192.0.2.1\", without blanks"),
            ("fe80::1%eth0", "write the address without its interface"),
            ("http", "names of services and hosts are not looked up"),
            ("health.example.org", "names of services and hosts are not looked up"),
            ("65536", "write a port such as"),
            ("192.0.2.300", "write a port such as"),
            ("::g", "write a port such as"),
            ("", "write a port such as"),
        ] {
            assert!(remedy(text).starts_with(said), "{text}: {}", remedy(text));
        }
    }
}
