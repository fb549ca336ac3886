//! Zones: groups of interfaces, and what is done about packets that come in by one.
//!
//! It does not say which interfaces a host has, nor how the kernel program tells packets apart.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// The zone of everything that is in no other one.
pub const WAN: &str = "wan";

/// Some of a host's interfaces, and what is done about packets that come in by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// What the operator calls it.
    pub name: ZoneName,
    /// What is done.
    pub mode: Mode,
    /// By which interfaces packets belong to it.
    pub interfaces: Vec<Pattern>,
    /// The operator's words.
    pub comment: Option<String>,
}

/// What is done about packets that come in by a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// All that Vauban does.
    #[default]
    Protect,
    /// Scans are seen and said. Nothing is dropped, no decoy is played, nobody is banned, and bans
    /// do not apply.
    Watch,
    /// Nothing at all.
    Ignore,
}

/// A zone's name: 1 to 16 of `a` to `z`, `0` to `9`, `_` and `-`. So it can stand in the name of a
/// chain and in a copy's prefix as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneName(String);

impl ZoneName {
    /// How long one is at most, in bytes.
    pub const LONGEST: usize = 16;

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is no zone's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoZoneName;

impl fmt::Display for NoZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a zone's name has 1 to 16 of a-z, 0-9, _ and -")
    }
}

impl FromStr for ZoneName {
    type Err = NoZoneName;

    fn from_str(text: &str) -> Result<Self, NoZoneName> {
        let fits = (1..=Self::LONGEST).contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
        if fits { Ok(Self(text.into())) } else { Err(NoZoneName) }
    }
}

/// An interface's name, or with a `*` at its end all names that begin so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(String);

impl Pattern {
    /// How long an interface's name is at most, in bytes: `IFNAMSIZ` less the final zero
    /// (linux/if.h).
    pub const LONGEST: usize = 15;

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The beginning that it asks for, where it ends in a `*`.
    #[must_use]
    pub fn beginning(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }

    /// Whether an interface of this name is meant.
    #[must_use]
    pub fn matches(&self, interface: &str) -> bool {
        match self.beginning() {
            Some(beginning) => interface.starts_with(beginning),
            None => self.0 == interface,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text names no interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPattern {
    /// Nothing stands there, or a `*` alone.
    Empty,
    /// No interface has so long a name.
    TooLong,
    /// No interface has this character in its name, or none that can be named here.
    Character(char),
    /// `.` or `..`, which no interface is called.
    Dots,
}

impl FromStr for Pattern {
    type Err = NoPattern;

    fn from_str(text: &str) -> Result<Self, NoPattern> {
        let name = text.strip_suffix('*').unwrap_or(text);
        // `dev_valid_name` (net/core/dev.c) refuses blanks, `/` and `:`. ip(8) shows the other end of
        // a link behind an `@`. What else is refused could not be written in the kernel program.
        let odd =
            |c: &char| !c.is_ascii_graphic() || matches!(c, '/' | ':' | '@' | '"' | '\\' | '*');
        if name.is_empty() {
            Err(NoPattern::Empty)
        } else if let Some(odd) = name.chars().find(odd) {
            Err(NoPattern::Character(odd))
        } else if name.len() > Self::LONGEST {
            Err(NoPattern::TooLong)
        } else if matches!(text, "." | "..") {
            Err(NoPattern::Dots)
        } else if name.len() == Self::LONGEST {
            // Nothing can follow, and nft takes no `*` behind so many.
            Ok(Self(name.into()))
        } else {
            Ok(Self(text.into()))
        }
    }
}

/// All zones of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zones(pub Vec<Zone>);

impl Zones {
    /// Whether there is none: then everything is protected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is done about packets by interfaces that no zone names.
    #[must_use]
    pub fn elsewhere(&self) -> Mode {
        self.get(WAN).map_or(Mode::Protect, |zone| zone.mode)
    }

    /// The zone of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Zone> {
        self.0.iter().find(|zone| zone.name.as_str() == name)
    }

    /// Whether a zone of this name is only watched.
    #[must_use]
    pub fn watches(&self, name: &ZoneName) -> bool {
        self.get(name.as_str()).is_some_and(|zone| zone.mode == Mode::Watch)
    }

    /// The zones by what they name, in the order in which it decides: whole names, then beginnings,
    /// the longest first.
    #[must_use]
    pub fn by_pattern(&self) -> Vec<(&Pattern, &Zone)> {
        let mut all: Vec<(&Pattern, &Zone)> = self
            .0
            .iter()
            .flat_map(|zone| zone.interfaces.iter().map(move |pattern| (pattern, zone)))
            .collect();
        all.sort_by_key(|(pattern, _)| {
            let length = core::cmp::Reverse(pattern.beginning().map_or(0, str::len));
            (pattern.beginning().is_some(), length, *pattern)
        });
        all
    }

    /// The zone that an interface of this name belongs to; `None` for one that no zone names where
    /// there is no `wan`.
    #[must_use]
    pub fn of(&self, interface: &str) -> Option<&Zone> {
        let named = self.by_pattern().into_iter().find(|(pattern, _)| pattern.matches(interface));
        named.map(|(_, zone)| zone).or_else(|| self.get(WAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use std::string::ToString as _;

    fn zone(name: &str, mode: Mode, interfaces: &[&str]) -> Zone {
        Zone {
            name: name.parse().unwrap(),
            mode,
            interfaces: interfaces.iter().map(|text| text.parse().unwrap()).collect(),
            comment: None,
        }
    }

    #[test]
    fn the_more_specific_pattern_decides() {
        let zones = Zones(vec![
            zone("a", Mode::Watch, &["br-*", "eth0"]),
            zone("b", Mode::Ignore, &["br-9*", "eth*"]),
            zone("c", Mode::Protect, &["br-99"]),
        ]);
        for (interface, name) in [
            ("br-1", "a"),
            ("br-", "a"),
            ("br-9", "b"),
            ("br-98", "b"),
            ("br-99", "c"),
            ("br-999", "b"),
            ("eth0", "a"),
            ("eth00", "b"),
        ] {
            assert_eq!(zones.of(interface).unwrap().name.as_str(), name, "{interface}");
        }
        assert_eq!(zones.of("ppp0"), None);
        assert_eq!(zones.elsewhere(), Mode::Protect);
    }

    #[test]
    fn names_are_as_the_kernel_and_its_program_take_them() {
        for good in ["eth0", "br-*", "eth0.100", "a", "enx0123456789ab", "enx0123456789a*"] {
            assert_eq!(good.parse::<Pattern>().unwrap().to_string(), good);
        }
        let full: Pattern = "abcdefghijklmno*".parse().unwrap();
        assert_eq!((full.as_str(), full.beginning()), ("abcdefghijklmno", None));
        for (bad, why) in [
            ("", NoPattern::Empty),
            ("*", NoPattern::Empty),
            ("enx0123456789abc", NoPattern::TooLong),
            ("enx0123456789abc*", NoPattern::TooLong),
            ("eth0:1", NoPattern::Character(':')),
            ("eth0@if5", NoPattern::Character('@')),
            ("e*h", NoPattern::Character('*')),
            ("e**", NoPattern::Character('*')),
            ("a b", NoPattern::Character(' ')),
            ("\u{e4}", NoPattern::Character('\u{e4}')),
            ("a\"", NoPattern::Character('"')),
            ("..", NoPattern::Dots),
        ] {
            assert_eq!(bad.parse::<Pattern>(), Err(why), "{bad}");
        }
        for good in ["lan", "a-b_c9", "0123456789abcdef"] {
            assert_eq!(good.parse::<ZoneName>().unwrap().to_string(), good);
        }
        for bad in ["", "LAN", "a b", "0123456789abcdefg", "l\u{e4}n"] {
            assert_eq!(bad.parse::<ZoneName>(), Err(NoZoneName), "{bad}");
        }
    }
}
