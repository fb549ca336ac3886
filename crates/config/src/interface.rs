//! Interfaces as a configuration file writes them, one by one or by how their names begin.
//!
//! Whether this host has them is not asked: they may come later.

use toml::Spanned;
use toml::de::DeValue;
use vauban_engine::zone::{NoPattern, Pattern, WAN};

use crate::diagnostic::{Problem, quoted};
use crate::keys::ZONE;
use crate::read::found;
use crate::source::Place;
use crate::write;

/// Reads the interfaces of a zone, each once.
pub(crate) fn list(
    file: usize,
    zone: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<Vec<(Place, Pattern)>, Vec<Problem>> {
    let Some(items) = value.get_ref().as_array() else {
        let instead = value.get_ref().as_str().map_or_else(
            || "[\"eth1\", \"br-*\"]".to_owned(),
            |text| format!("[{}]", write::text(text)),
        );
        return Err(vec![Problem {
            span: value.span(),
            message: format!(
                "`{ZONE}.{zone}.interfaces` must be a list, not {}",
                found(value.get_ref())
            ),
            remedy: format!("write `interfaces = {instead}`"),
        }]);
    };
    if items.is_empty() && zone != WAN {
        return Err(vec![Problem {
            span: value.span(),
            message: format!("zone `{zone}` has an empty list of interfaces"),
            remedy: "name some, such as `interfaces = [\"eth1\", \"br-*\"]`, or remove the zone"
                .to_owned(),
        }]);
    }
    let mut all: Vec<(Place, Pattern)> = Vec::new();
    let mut problems = Vec::new();
    for item in items {
        match interface(item) {
            Ok(pattern) if all.iter().any(|(_, other)| *other == pattern) => {}
            Ok(pattern) => all.push((Place::new(file, &item.span()), pattern)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// Reads one.
fn interface(value: &Spanned<DeValue<'_>>) -> Result<Pattern, Problem> {
    let refusal = |message: String, remedy: String| Problem { span: value.span(), message, remedy };
    let general = || "write a name as `ip link` shows it, such as \"eth1\", or \"br-*\"".to_owned();
    let Some(text) = value.get_ref().as_str() else {
        return Err(refusal(
            format!("an interface is a text, not {}", found(value.get_ref())),
            general(),
        ));
    };
    if text == "lo" {
        return Err(refusal(
            "`lo` is this host itself, whose packets are always let through".to_owned(),
            "leave it out".to_owned(),
        ));
    }
    text.parse::<Pattern>().map_err(|why| match why {
        NoPattern::Empty if text == "*" => refusal(
            "`*` is every interface, and nothing would be left for other zones".to_owned(),
            "what no zone names belongs to `[zone.wan]`; write its `mode` there".to_owned(),
        ),
        NoPattern::Empty | NoPattern::Dots => {
            refusal(format!("{} is no interface's name", quoted(text)), general())
        }
        NoPattern::TooLong => refusal(
            format!(
                "{} has {} bytes; an interface's name has 15 at most",
                quoted(text),
                text.len()
            ),
            general(),
        ),
        NoPattern::Character(c) => {
            let odd = quoted(&c.to_string());
            // `eth0:1` is an address's label, `eth0@if5` how ip(8) shows a link's other end.
            let stem = text.trim().split([':', '@']).next().unwrap_or_default();
            let remedy = match stem.parse::<Pattern>() {
                Ok(fits) if c != '*' => format!("write \"{fits}\""),
                _ if c == '*' => "write the `*` at the end only, such as \"br-*\"".to_owned(),
                _ => general(),
            };
            refusal(
                format!("{} has {odd} in it, and interfaces' names cannot", quoted(text)),
                remedy,
            )
        }
    })
}
