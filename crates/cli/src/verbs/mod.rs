//! One file per verb: what it asks, and how it shows the answer.

pub mod allow;
pub mod ban;
pub mod bans;
pub mod check;
pub mod completions;
pub mod config;
pub mod doctor;
pub mod explain;
pub mod export;
pub mod history;
pub mod import;
pub mod man;
pub mod reload;
pub mod replay;
pub mod ruleset;
pub mod run;
pub mod status;
pub mod suspects;
pub mod top;
pub mod unban;
pub mod why_not;
