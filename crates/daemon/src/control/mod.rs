//! The operator's way in: a unix socket that speaks one line of JSON each way.
//!
//! Only this host's root is listened to; the kernel says who is calling. What changes state becomes
//! an event like any other.

pub mod client;
pub mod dates;
pub mod pages;
pub mod protocol;
pub mod server;
pub mod view;
