//! By what the program in the kernel is known to be ours, and whole.

use super::{ENOENT, Nftables};
use crate::backends::Trouble;
use crate::program::{TABLE, counter};

/// What somebody would change who changed the program.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// The handles of its rules.
    pub(super) rules: Vec<u64>,
    /// The elements of the sets that only we fill, sorted: key, and whether it ends an interval.
    pub(super) elements: Vec<Vec<(Vec<u8>, bool)>>,
}

/// The sets that only we fill, apart from the ban sets.
const CONFIGURED: [&str; 9] = [
    "never4",
    "never6",
    "exact6",
    "excluded4",
    "excluded6",
    "answers",
    "traps",
    "served",
    "excluded_ports",
];

impl Nftables {
    /// What is in the kernel under our table's name.
    fn marks(&mut self) -> std::io::Result<Marks> {
        let mut marks = Marks { rules: self.socket.rules(TABLE)?, elements: Vec::new() };
        for set in CONFIGURED {
            let elements = self.socket.dump(TABLE, set)?;
            let mut elements: Vec<_> =
                elements.into_iter().map(|e| (e.key, e.interval_end)).collect();
            elements.sort_unstable();
            marks.elements.push(elements);
        }
        Ok(marks)
    }

    /// Whether the kernel holds the program as it was loaded.
    pub(super) fn is_whole(&mut self) -> std::io::Result<bool> {
        if self.known_by.rules.is_empty() {
            return Ok(false);
        }
        match self.marks() {
            Ok(marks) => Ok(marks == self.known_by),
            Err(error) if error.raw_os_error() == Some(ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An error if there is a table of our name that no Vauban made. One that an earlier Vauban
    /// left has our counters.
    pub(super) fn check_ours(&mut self) -> Result<(), Trouble> {
        match self.socket.counters(TABLE) {
            Err(error) if error.raw_os_error() == Some(ENOENT) => Ok(()),
            Err(error) => Err(Trouble::Failed(format!("nf_tables: {error}"))),
            Ok(counters) if counters.iter().any(|c| c.name == counter::TRIGGERS) => Ok(()),
            Ok(_) => Err(Trouble::Failed(format!(
                "there is a table inet {TABLE} that is not Vauban's; if nobody needs it: \
                 nft delete table inet {TABLE}"
            ))),
        }
    }

    /// Remembers what is there now as ours.
    pub(super) fn remember(&mut self) -> Result<(), Trouble> {
        self.known_by = self
            .marks()
            .map_err(|error| Trouble::Failed(format!("nf_tables: reading it back: {error}")))?;
        Ok(())
    }

    /// An error unless the program is whole.
    pub(super) fn check_whole(&mut self) -> Result<(), Trouble> {
        match self.is_whole() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Trouble::Lost),
            Err(error) => Err(self.explain(&error)),
        }
    }
}
