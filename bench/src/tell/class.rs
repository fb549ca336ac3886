//! Ports that a scanner calls the same, and how much that tells: pure counting.

use std::collections::BTreeSet;

use super::scanner::{State, Told};
use super::victim::Places;

/// The ports of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// What the scanner calls them.
    pub state: State,
    /// How many they are.
    pub ports: u32,
    /// Of them, those with a listener.
    pub real: u32,
    /// Of these, those that the host's own firewall hides.
    pub hidden: u32,
}

/// All ports that were scanned, as many rounds as there were together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scanned {
    /// How many.
    pub ports: u32,
    /// Those with a listener.
    pub real: u32,
}

/// Sorts what was scanned, from port 1 to `last`, by what was said of it.
pub fn classes(told: &Told, last: u16, places: &Places) -> Vec<Class> {
    let count = |ports: &BTreeSet<u16>, real: &[u16]| {
        u32::try_from(real.iter().filter(|port| ports.contains(port)).count()).unwrap_or(0)
    };
    [State::Open, State::Closed, State::Filtered, State::Unsaid]
        .into_iter()
        .filter_map(|state| {
            let ports: BTreeSet<u16> = (1..=last)
                .filter(|port| told.get(port).copied().unwrap_or(State::Unsaid) == state)
                .collect();
            let hidden = count(&ports, &places.hidden);
            (!ports.is_empty()).then(|| Class {
                state,
                ports: u32::try_from(ports.len()).unwrap_or(u32::MAX),
                real: count(&ports, &places.shown) + hidden,
                hidden,
            })
        })
        .collect()
}

impl Class {
    /// Share of real ports in here, to their share among all that was scanned: in hundredths,
    /// rounded. 100 tells nothing.
    pub fn told(&self, all: Scanned) -> u64 {
        let whole = u64::from(all.ports) * u64::from(self.real) * 100;
        let part = u64::from(self.ports) * u64::from(all.real);
        (whole + part / 2).checked_div(part).unwrap_or(0)
    }

    /// How likely at least so many real ports are in a class of this size by lot: the upper tail
    /// of the hypergeometric distribution.
    pub fn by_lot(&self, all: Scanned) -> f64 {
        let (drawn, real) = (self.ports, all.real);
        let rest = all.ports.saturating_sub(real);
        let total = log_choose(all.ports, drawn);
        (self.real..=real.min(drawn))
            .filter(|some| drawn - some <= rest)
            .map(|some| (log_choose(real, some) + log_choose(rest, drawn - some) - total).exp())
            .sum::<f64>()
            .min(1.0)
    }
}

/// Natural logarithm of how many ways there are to take `some` of `all`.
fn log_choose(all: u32, some: u32) -> f64 {
    let few = some.min(all - some);
    (1..=few).map(|n| (f64::from(all - few + n) / f64::from(n)).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(ports: u32, real: u32) -> Class {
        Class { state: State::Open, ports, real, hidden: 0 }
    }

    #[test]
    fn what_a_class_tells() {
        let all = Scanned { ports: 1_000, real: 20 };
        assert_eq!(class(1_000, 20).told(all), 100);
        assert_eq!(class(20, 20).told(all), 5_000);
        assert_eq!(class(980, 0).told(all), 0);
        assert_eq!(class(998, 20).told(all), 100);
        assert_eq!(class(500, 11).told(all), 110);
    }

    #[test]
    fn what_comes_by_lot() {
        let all = Scanned { ports: 10, real: 2 };
        // Of 45 pairs, one is both real ones, and 17 hold at least one.
        assert!((class(2, 2).by_lot(all) - 1.0 / 45.0).abs() < 1e-9);
        assert!((class(2, 1).by_lot(all) - 17.0 / 45.0).abs() < 1e-9);
        assert!((class(2, 0).by_lot(all) - 1.0).abs() < 1e-9);
        assert!((class(10, 2).by_lot(all) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn each_port_is_in_one_class() {
        let places = Places { shown: vec![2], hidden: vec![4] };
        let told = [(1, State::Closed), (2, State::Open), (3, State::Open)].into();
        let sorted = classes(&told, 5, &places);
        let plain: Vec<_> = sorted.iter().map(|c| (c.state, c.ports, c.real, c.hidden)).collect();
        assert_eq!(
            plain,
            [(State::Open, 2, 1, 0), (State::Closed, 1, 0, 0), (State::Unsaid, 2, 1, 1)]
        );
    }
}
