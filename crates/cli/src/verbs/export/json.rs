//! The JSON of exports: one object, its items one per line, so that line tools can work on them, too.

use serde_json::{Value, json};
use vauban_daemon::clock;
use vauban_daemon::control::view;

use super::file::Out;
use crate::exit::Trouble;

/// The version of all shapes. Raised when a field changes its meaning or goes; new fields may come at
/// any time.
pub const VERSION: u32 = 1;

/// The beginning of an object of this format, without the comma behind it.
pub fn head(format: &str) -> String {
    let exported = view::time(clock::wall());
    let program = env!("CARGO_PKG_VERSION");
    format!(
        "{{\"format\":{},\"version\":{VERSION},\"exported\":{},\"vauban\":{}",
        json!(format),
        json!(exported),
        json!(program)
    )
}

/// Items of a list, one after the other.
#[derive(Default)]
pub struct Items {
    begun: bool,
}

impl Items {
    /// Writes one.
    pub fn write(&mut self, item: &Value, out: &mut Out) -> Result<(), Trouble> {
        let comma = if std::mem::replace(&mut self.begun, true) { "," } else { "" };
        out.write(&format!("{comma}\n{item}"))
    }
}
