//! What can be done to the elements of sets, as data.

use std::time::Duration;

/// One change to one set. Keys: see [the module](crate::nft).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetOp<'a> {
    /// Puts an element into a set that is not of intervals. One that is already there is no
    /// error; whether it takes the new timeout depends on the kernel (6.18 does, older ones keep
    /// the old). Portable is `Add`, `Delete`, `Add` in one commit.
    Add {
        /// The set's name.
        set: &'a str,
        /// The element.
        key: Vec<u8>,
        /// After how long the kernel removes it, rounded up to whole milliseconds and to at least
        /// ten. `None`: the set's own default, which is never unless the set names one. `Some`
        /// needs a set with `flags timeout`.
        timeout: Option<Duration>,
    },
    /// Takes an element out of a set that is not of intervals. An absent one fails the commit
    /// with `ENOENT`.
    Delete {
        /// The set's name.
        set: &'a str,
        /// The element.
        key: Vec<u8>,
    },
    /// Takes out all elements. An empty set stays empty, without error.
    Flush {
        /// The set's name.
        set: &'a str,
    },
    /// Puts an interval into a set with `flags interval` whose key is a single field. It must
    /// not overlap one that is there already (`auto-merge` is a feature of `nft`, not of the
    /// kernel).
    AddInterval {
        /// The set's name.
        set: &'a str,
        /// The first key of the interval.
        first: Vec<u8>,
        /// The last key of the interval, itself included. As long as `first` and not before it.
        last: Vec<u8>,
    },
}
