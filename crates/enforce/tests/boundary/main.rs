//! What the two processes say to each other: that it arrives as it was meant, that nothing else
//! arrives at all, and that whatever arrives passes no block of a member of the never-ban set.
//!
//! | file | shows |
//! |---|---|
//! | `values` | messages of every kind, made up |
//! | `whole` | what is written is read, however slowly it comes |
//! | `hostile` | what is no message is an error, and costs no more memory than it is long |
//! | `pinned` | the bytes of one message of each kind, so that nobody changes them by accident |
//! | `never` | the never-ban set, against any question |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod hostile;
mod never;
mod pinned;
mod values;
mod whole;
