//! The tables `[zone.NAME]`: which interfaces belong to which zone, and what is done there.
//!
//! Keys of one zone may come from several files; a later file's key replaces an earlier one's.
//! Whether a zone is whole, and whether two of them claim the same interface, is asked when all
//! files have been read.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use vauban_engine::zone::{self as model, Mode, Pattern, WAN, Zone, ZoneName};

use crate::diagnostic::{Problem, quoted, series};
use crate::interface;
use crate::keys::{MODES, ZONE, ZONE_KEYS};
use crate::nearest::nearest;
use crate::read::found;
use crate::source::Place;

/// A zone that has a mode, and perhaps interfaces, without anybody's word.
struct Known {
    name: &'static str,
    mode: Mode,
    interfaces: &'static [&'static str],
}

/// The zones of known names.
const KNOWN: [Known; 3] = [
    Known { name: WAN, mode: Mode::Protect, interfaces: &[] },
    Known { name: "lan", mode: Mode::Watch, interfaces: &[] },
    Known {
        name: "tunnel",
        mode: Mode::Watch,
        // As WireGuard, OpenVPN, Tailscale, ZeroTier, and the kernel's IPsec call theirs.
        interfaces: &["wg*", "tun*", "tap*", "tailscale*", "zt*", "ipsec*", "vti*", "xfrm*"],
    },
];

/// What has been read of all zones.
#[derive(Default)]
pub(crate) struct Zones(BTreeMap<ZoneName, Parts>);

/// What has been read of one.
struct Parts {
    /// Where it was last spoken of.
    place: Place,
    interfaces: Given<Vec<(Place, Pattern)>>,
    mode: Given<Mode>,
    comment: Given<String>,
}

/// What was given for a key, and where; `None` in the place of what could not be read.
type Given<T> = Option<(Place, Option<T>)>;

impl Zones {
    /// Reads the zones of one file.
    pub(crate) fn read(&mut self, file: usize, zones: &DeTable<'_>) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, value) in zones {
            let DeValue::Table(entries) = value.get_ref() else {
                problems.push(no_table(name.get_ref(), name.span(), value));
                continue;
            };
            let Ok(known) = name.get_ref().parse::<ZoneName>() else {
                problems.push(no_name(name.get_ref(), name.span()));
                continue;
            };
            let place = Place::new(file, &name.span());
            let parts = self.0.entry(known).or_insert_with(|| Parts {
                place,
                interfaces: None,
                mode: None,
                comment: None,
            });
            parts.place = place;
            parts.read(file, name.get_ref(), entries, &mut problems);
        }
        problems
    }

    /// The keys that were given, by their paths, with the places that hold.
    pub(crate) fn given(&self) -> Vec<(String, Place)> {
        let mut given = Vec::new();
        for (name, parts) in &self.0 {
            let places = [
                ("interfaces", parts.interfaces.as_ref().map(|(place, _)| *place)),
                ("mode", parts.mode.as_ref().map(|(place, _)| *place)),
                ("comment", parts.comment.as_ref().map(|(place, _)| *place)),
            ];
            for (key, place) in places {
                given.extend(place.map(|place| (format!("{ZONE}.{name}.{key}"), place)));
            }
        }
        given
    }

    /// The zones, in the order of their names, and what is wrong with them as a whole; each problem
    /// with its file.
    pub(crate) fn finish(&self) -> (model::Zones, Vec<(usize, Problem)>) {
        let mut zones = Vec::new();
        let mut problems = Vec::new();
        let mut claimed: BTreeMap<&Pattern, (&Place, &ZoneName)> = BTreeMap::new();
        for (name, parts) in &self.0 {
            let (zone, mut wrong) = parts.finish(name);
            zones.extend(zone);
            problems.append(&mut wrong);
            let own = parts.interfaces.iter().filter_map(|(_, read)| read.as_ref()).flatten();
            for (place, pattern) in own {
                let Some(other) = claimed.insert(pattern, (place, name)) else { continue };
                // Where it was said for the second time.
                let mut both = [other, (place, name)];
                both.sort_unstable();
                let [(_, first), (place, second)] = both;
                problems.push((place.file, twice(pattern, first, second, place)));
            }
        }
        problems.extend(self.clashing_defaults(&claimed));
        (model::Zones(zones), problems)
    }

    /// Interfaces that another zone names and that belong to a zone of a known name without anybody's
    /// word: the one who wrote them means what he wrote, so that zone must say what is left.
    fn clashing_defaults(
        &self,
        claimed: &BTreeMap<&Pattern, (&Place, &ZoneName)>,
    ) -> Vec<(usize, Problem)> {
        let mut problems = Vec::new();
        for (name, parts) in &self.0 {
            let defaults = known(name).map_or(&[][..], |known| known.interfaces);
            if parts.interfaces.is_some() {
                continue;
            }
            for pattern in defaults.iter().filter_map(|text| text.parse::<Pattern>().ok()) {
                let Some((place, other)) = claimed.get(&pattern) else { continue };
                problems.push((place.file, twice(&pattern, name, other, place)));
            }
        }
        problems
    }
}

impl Parts {
    fn read(
        &mut self,
        file: usize,
        zone: &str,
        entries: &DeTable<'_>,
        problems: &mut Vec<Problem>,
    ) {
        for (name, value) in entries {
            let word: &str = name.get_ref();
            let place = Place::new(file, &value.span());
            match word {
                "interfaces" => {
                    self.interfaces =
                        Some((place, kept(interface::list(file, zone, value), problems)));
                }
                "mode" => {
                    let read = mode(zone, value).map_err(|problem| vec![problem]);
                    self.mode = Some((place, kept(read, problems)));
                }
                "comment" => {
                    let read = comment(zone, value).map_err(|problem| vec![problem]);
                    self.comment = Some((place, kept(read, problems)));
                }
                _ => problems.push(unknown(zone, word, name.span())),
            }
        }
    }

    /// The zone; `None` when something of it is missing or could not be read.
    fn finish(&self, name: &ZoneName) -> (Option<Zone>, Vec<(usize, Problem)>) {
        let known = known(name);
        let mut problems = Vec::new();
        let mut missing = |message: String, remedy: String| {
            let problem = Problem { span: self.place.span(), message, remedy };
            problems.push((self.place.file, problem));
        };
        let mode = match &self.mode {
            Some((_, read)) => *read,
            None => known.map(|known| known.mode),
        };
        if self.mode.is_none() && mode.is_none() {
            missing(format!("zone `{name}` has no `mode`"), mode_wanted(name.as_str()));
        }
        let patterns = match &self.interfaces {
            Some((_, read)) => {
                read.as_ref().map(|all| all.iter().map(|(_, pattern)| pattern.clone()).collect())
            }
            None if name.as_str() == WAN => Some(Vec::new()),
            None => known
                .map(|known| known.interfaces)
                .filter(|interfaces| !interfaces.is_empty())
                .map(|all| all.iter().filter_map(|text| text.parse().ok()).collect()),
        };
        if self.interfaces.is_none() && patterns.is_none() {
            missing(
                format!("zone `{name}` has no `interfaces`"),
                "write them, such as `interfaces = [\"eth1\", \"br-*\"]`; `ip link` lists this host's"
                    .to_owned(),
            );
        }
        let comment = self.comment.as_ref().and_then(|(_, read)| read.clone());
        let zone = mode.zip(patterns).map(|(mode, interfaces)| Zone {
            name: name.clone(),
            mode,
            interfaces,
            comment,
        });
        (zone, problems)
    }
}

/// What could be read; the rest goes to the problems.
fn kept<T>(read: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    read.map_err(|mut found| problems.append(&mut found)).ok()
}

fn known(name: &ZoneName) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name.as_str())
}

fn mode_wanted(name: &str) -> String {
    let slip = nearest(name, KNOWN.iter().map(|known| known.name))
        .map_or_else(String::new, |near| format!("; or did you mean `[zone.{near}]`?"));
    format!("write `mode = \"watch\"`, or \"protect\", or \"ignore\"{slip}")
}

/// What somebody who wrote this for a table's name wanted, if it was a zone.
pub(crate) fn meant(word: &str) -> Option<String> {
    let names = || KNOWN.iter().map(|known| known.name);
    if names().any(|name| name == word) {
        return Some(format!("write `[zone.{word}]`"));
    }
    if nearest(word, [ZONE].into_iter()).is_some() {
        return Some("write `[zone.NAME]`, such as `[zone.lan]`".to_owned());
    }
    None
}

fn no_name(name: &str, span: Range<usize>) -> Problem {
    let lower: String = name
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if matches!(c, ' ' | '.') { '-' } else { c })
        .collect();
    let remedy = match lower.parse::<ZoneName>() {
        Ok(fits) => format!("write `[zone.{fits}]`"),
        Err(_) => "write 1 to 16 of a-z, 0-9, `_` and `-`, such as `[zone.lan]`".to_owned(),
    };
    Problem { span, message: format!("{} is no name for a zone", quoted(name)), remedy }
}

fn no_table(name: &str, span: Range<usize>, value: &Spanned<DeValue<'_>>) -> Problem {
    if ZONE_KEYS.iter().any(|key| key.name == name) {
        return Problem {
            span,
            message: format!("`{name}` is in no zone"),
            remedy: format!("`{name}` belongs below a zone's header, such as `[zone.lan]`"),
        };
    }
    let own = if name.parse::<ZoneName>().is_ok() { name } else { "lan" };
    Problem {
        span: value.span(),
        message: format!(
            "{} must be a table, not {}",
            quoted(&format!("{ZONE}.{name}")),
            found(value.get_ref())
        ),
        remedy: format!("write `[zone.{own}]` on a line of its own, and its keys below that"),
    }
}

fn unknown(zone: &str, word: &str, span: Range<usize>) -> Problem {
    let names = || ZONE_KEYS.iter().map(|key| key.name);
    let all: Vec<String> = names().map(|name| format!("`{name}`")).collect();
    let near = match word {
        "interface" | "iface" | "ifaces" | "device" | "devices" | "nics" => Some("interfaces"),
        _ => nearest(word, names()),
    };
    Problem {
        span,
        message: format!("there is no key {}", quoted(&format!("{ZONE}.{zone}.{word}"))),
        remedy: near.map_or_else(
            || format!("the keys of a zone are {}", series(&all, "and")),
            |near| format!("did you mean `{near}`?"),
        ),
    }
}

fn twice(pattern: &Pattern, one: &ZoneName, other: &ZoneName, place: &Place) -> Problem {
    let tunnel = if [one, other].iter().any(|name| name.as_str() == "tunnel") {
        "; zone `tunnel` has those of common tunnels unless its `interfaces` are written"
    } else {
        ""
    };
    Problem {
        span: place.span(),
        message: format!("`{pattern}` is in two zones, `{one}` and `{other}`"),
        remedy: format!("leave it in one of them{tunnel}"),
    }
}

fn mode(zone: &str, value: &Spanned<DeValue<'_>>) -> Result<Mode, Problem> {
    let text = value.get_ref().as_str();
    let word = text.and_then(|text| MODES.iter().find(|(word, _)| *word == text));
    word.map(|(_, mode)| *mode).ok_or_else(|| {
        let meant = text.map(|text| text.trim().to_lowercase()).unwrap_or_default();
        let near = match meant.as_str() {
            "observe" | "monitor" | "log" | "watch-only" | "watched" => Some("watch"),
            "off" | "none" | "trust" | "trusted" | "allow" | "skip" => Some("ignore"),
            "on" | "ban" | "block" | "drop" | "enforce" => Some("protect"),
            word => nearest(word, MODES.iter().map(|(word, _)| *word)),
        };
        Problem {
            span: value.span(),
            message: format!(
                "`{ZONE}.{zone}.mode` must be \"protect\", \"watch\" or \"ignore\", not {}",
                found(value.get_ref())
            ),
            remedy: near.map_or_else(
                || "write `mode = \"watch\"`, or one of the other two".to_owned(),
                |near| format!("write `mode = \"{near}\"`"),
            ),
        }
    })
}

fn comment(zone: &str, value: &Spanned<DeValue<'_>>) -> Result<String, Problem> {
    let refusal = |message: String| Problem {
        span: value.span(),
        message,
        remedy: "write it in one line, in quotes".to_owned(),
    };
    match value.get_ref().as_str() {
        // It is shown on terminals and written to logs.
        Some(text) if text.contains(char::is_control) => {
            Err(refusal("a comment has no control characters".to_owned()))
        }
        Some(text) => Ok(text.to_owned()),
        None => Err(refusal(format!(
            "`{ZONE}.{zone}.comment` must be a text, not {}",
            found(value.get_ref())
        ))),
    }
}
