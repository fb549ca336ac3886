//! Who listens, as the user says it: `tcp/22,udp/53,tcp/8000-8010`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use vauban_engine::{Port, Protocol};

/// The ports that are open. A protocol that none of them names is left to what the capture shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    ports: BTreeSet<Port>,
}

impl Open {
    /// These and those.
    pub fn extend(&mut self, other: Self) {
        self.ports.extend(other.ports);
    }

    /// Whether this port is open; `None` when nothing was said of its protocol.
    #[must_use]
    pub fn says(&self, port: Port) -> Option<bool> {
        self.rules(port.protocol).then(|| self.ports.contains(&port))
    }

    /// Whether anything was said of this protocol.
    #[must_use]
    pub fn rules(&self, protocol: Protocol) -> bool {
        self.ports.iter().any(|port| port.protocol == protocol)
    }
}

/// Why a text is no list of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPorts(String);

impl fmt::Display for NotPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: write tcp/22, udp/53 or tcp/8000-8010", self.0.escape_debug())
    }
}

impl std::error::Error for NotPorts {}

impl FromStr for Open {
    type Err = NotPorts;

    fn from_str(text: &str) -> Result<Self, NotPorts> {
        let mut open = Self::default();
        for word in text.split(',') {
            let wrong = || NotPorts(word.to_owned());
            let (first, last) =
                word.split_once('-').map_or((word, None), |(first, last)| (first, Some(last)));
            let first: Port = first.parse().map_err(|_| wrong())?;
            let last = match last {
                None => first.number,
                Some(last) if last.bytes().all(|byte| byte.is_ascii_digit()) => {
                    last.parse().map_err(|_| wrong())?
                }
                Some(_) => return Err(wrong()),
            };
            if last < first.number {
                return Err(wrong());
            }
            open.ports.extend((first.number..=last).map(|number| Port { number, ..first }));
        }
        Ok(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges() {
        let open: Open = "tcp/22,tcp/8000-8010".parse().unwrap();
        assert_eq!(open.says(Port::tcp(22)), Some(true));
        assert_eq!(open.says(Port::tcp(8010)), Some(true));
        assert_eq!(open.says(Port::tcp(8011)), Some(false));
        assert_eq!(open.says(Port::udp(22)), None);
        for wrong in
            ["", "22", "tcp/", "tcp/22,", "tcp/9-8", "tcp/1-+2", "tcp/1-70000", "tcp/1-udp/2"]
        {
            assert!(wrong.parse::<Open>().is_err(), "{wrong}");
        }
    }
}
