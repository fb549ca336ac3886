//! The victim: where its listeners are, and what its own firewall hides.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::TcpListener;

use crate::contenders::nft;
use crate::lab::Lab;
use crate::process::run;
use crate::trouble::Outcome;

/// Listeners in all.
pub const REAL: usize = 20;

/// Of them, those that the host's own firewall hides.
const HIDDEN: usize = 5;

/// Where the listeners are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Those that everybody may reach.
    pub shown: Vec<u16>,
    /// Those that the firewall hides.
    pub hidden: Vec<u16>,
}

impl Places {
    /// At random among the ports from 1 to `last`, for this seed.
    pub fn new(seed: u64, last: u16) -> Self {
        let mut state = seed;
        let mut places = Vec::new();
        let mut taken = BTreeSet::new();
        while places.len() < REAL.min(usize::from(last)) {
            let number = next(&mut state) % u64::from(last.max(1));
            let port = u16::try_from(number + 1).unwrap_or(last);
            if taken.insert(port) {
                places.push(port);
            }
        }
        let hidden = places.split_off(REAL - HIDDEN);
        Self { shown: places, hidden }
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): numbers that are random enough, and the same each time.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut number = *state;
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// How the host's own firewall hides listeners.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Firewall {
    /// It drops all but what it lets in.
    Drop,
    /// It refuses those, by ICMP, and nothing else.
    Reject,
    /// It refuses those as if nobody were there, and nothing else.
    Reset,
}

impl Firewall {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Reject => "reject",
            Self::Reset => "reject, reset",
        }
    }

    /// Loads it on a victim.
    pub fn load(self, lab: &Lab, places: &Places) -> Outcome<()> {
        let (policy, rule) = match self {
            Self::Drop => ("drop", format!("tcp dport {} accept", set(&places.shown))),
            Self::Reject => ("accept", format!("tcp dport {} reject", set(&places.hidden))),
            Self::Reset => {
                ("accept", format!("tcp dport {} reject with tcp reset", set(&places.hidden)))
            }
        };
        let program = format!(
            "table inet firewall {{\n chain input {{\n  type filter hook input priority filter; \
             policy {policy};\n  ct state established accept\n  {rule}\n }}\n}}\n"
        );
        lab.on_victim(|| nft(&program))
    }
}

fn set(ports: &[u16]) -> String {
    let mut text = String::from("{");
    for port in ports {
        let _ = write!(text, " {port},");
    }
    text + " }"
}

/// Listens at all the places.
pub fn serve(lab: &Lab, places: &Places) -> Outcome<Vec<TcpListener>> {
    lab.serve(&[places.shown.clone(), places.hidden.clone()].concat())
}

/// A listener that answers for every port there is: what a scanner reads of a host where
/// everything is open.
pub fn serve_everything(lab: &Lab) -> Outcome<Vec<TcpListener>> {
    let listeners = lab.serve(&[1])?;
    lab.on_victim(|| {
        let rule = ["-t", "nat", "-A", "PREROUTING", "-p", "tcp", "-j", "REDIRECT"];
        run("iptables-nft", &[&rule[..], &["--to-ports", "1"]].concat()).map(drop)
    })?;
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_distinct_and_always_the_same() {
        let places = Places::new(7, 1_000);
        let all: BTreeSet<_> = places.shown.iter().chain(&places.hidden).collect();
        assert_eq!((all.len(), places.hidden.len()), (REAL, HIDDEN));
        assert!(all.iter().all(|port| (1..=1_000).contains(*port)));
        assert_eq!(places, Places::new(7, 1_000));
        assert_ne!(places, Places::new(8, 1_000));
    }
}
