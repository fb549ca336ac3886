//! Decoys: what is sent back, held against a recorded kernel, and what the cookies promise.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail")]

mod cookies;
mod packets;
mod recorded;
