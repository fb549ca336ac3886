//! One file per verb: what it asks, and how it shows the answer.

pub mod ban;
pub mod bans;
pub mod completions;
pub mod explain;
pub mod man;
pub mod reload;
pub mod replay;
pub mod ruleset;
pub mod run;
pub mod status;
pub mod suspects;
pub mod unban;
