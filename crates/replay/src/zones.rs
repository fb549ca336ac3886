//! What the policy has done about a packet, by the interface that it came in by.
//!
//! It does not guess interfaces: what has no name came in by the one that the user says, or else by
//! one that no zone names.

use vauban_engine::zone::{Mode, Pattern, WAN, Zone, ZoneName, Zones};

/// What is done about packets by an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// All.
    #[default]
    Protected,
    /// They are seen, in the zone of this name.
    Watched(ZoneName),
    /// Nothing.
    Ignored,
}

/// The same by the interfaces' names.
#[derive(Debug, Default)]
pub struct Places {
    /// In the order in which it decides.
    named: Vec<(Pattern, Place)>,
    elsewhere: Place,
    /// The interface of packets that do not say theirs.
    unnamed: Option<String>,
}

impl Places {
    /// Of these zones; packets without a name came in by the interface `unnamed`.
    pub fn new(zones: &Zones, unnamed: Option<String>) -> Self {
        let named = zones.by_pattern().into_iter();
        Self {
            named: named.map(|(pattern, zone)| (pattern.clone(), place(zone))).collect(),
            elsewhere: zones.get(WAN).map(place).unwrap_or_default(),
            unnamed,
        }
    }

    /// Of the interface of this name.
    pub fn of(&self, interface: Option<&str>) -> &Place {
        let Some(interface) = interface.or(self.unnamed.as_deref()) else {
            return &self.elsewhere;
        };
        let named = self.named.iter().find(|(pattern, _)| pattern.matches(interface));
        named.map_or(&self.elsewhere, |(_, place)| place)
    }

    /// Whether nobody has said by which interface a packet of this one came in, and it matters.
    pub fn is_guess(&self, interface: Option<&str>) -> bool {
        interface.is_none()
            && self.unnamed.is_none()
            && (self.elsewhere != Place::Protected
                || self.named.iter().any(|(_, place)| *place != Place::Protected))
    }
}

fn place(zone: &Zone) -> Place {
    match zone.mode {
        Mode::Protect => Place::Protected,
        Mode::Watch => Place::Watched(zone.name.clone()),
        Mode::Ignore => Place::Ignored,
    }
}
