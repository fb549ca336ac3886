//! Packets made by hand, and what `probe` says of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail")]

mod build;
mod headers;
mod hostile;
