//! A real nmap, and what it learned.

use std::process::Stdio;

use serde_json::{Value, json};

use super::lab::Lab;
use crate::exit::Trouble;

/// The scan: the thousand ports that nmap finds most interesting, fast, without asking twice.
pub const COMMAND: [&str; 9] =
    ["nmap", "-n", "-Pn", "-sS", "-T4", "--max-retries", "0", "--min-rate", "1000"];

/// What a scanner knows after its scan.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Ports it found open.
    pub open: Vec<u16>,
    /// How many it found closed: the host said so.
    pub closed: usize,
    /// How many stayed silent.
    pub silent: usize,
}

impl Learned {
    /// For `--json`.
    pub fn json(&self) -> Value {
        json!({ "open": self.open, "closed": self.closed, "silent": self.silent })
    }
}

/// Scans the victim.
pub fn run(lab: &Lab) -> Result<Learned, Trouble> {
    let [program, options @ ..] = COMMAND;
    let output = lab
        .on_scanner(program)
        .args(options)
        .args(["-oG", "-"])
        .arg(Lab::VICTIM.to_string())
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(Trouble::Failed(format!(
            "nmap: {} (is it installed? apt install nmap)",
            text.trim()
        )));
    }
    parse(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| Trouble::Failed("nmap printed no result".into()))
}

/// Reads nmap's greppable output.
fn parse(text: &str) -> Option<Learned> {
    let line = text.lines().find(|line| line.contains("Ports:") || line.contains("Ignored"))?;
    let mut learned = Learned::default();
    for field in line.split('\t') {
        if let Some(ports) = field.strip_prefix("Ports: ") {
            for port in ports.split(", ") {
                let mut parts = port.split('/');
                match (parts.next().and_then(|p| p.parse().ok()), parts.next()) {
                    (Some(number), Some("open")) => learned.open.push(number),
                    (Some(_), Some("closed")) => learned.closed += 1,
                    (Some(_), Some(_)) => learned.silent += 1,
                    _ => {}
                }
            }
        } else if let Some(state) = field.strip_prefix("Ignored State: ") {
            let (state, count) = state.split_once(" (")?;
            let count: usize = count.trim_end_matches(')').parse().ok()?;
            if state == "closed" {
                learned.closed += count;
            } else {
                learned.silent += count;
            }
        }
    }
    Some(learned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_nmap_prints() {
        let text = "# Nmap 7.93 scan\nHost: 192.0.2.1 ()\tStatus: Up\n\
                    Host: 192.0.2.1 ()\tPorts: 22/open/tcp//ssh///, 81/closed/tcp//x///\t\
                    Ignored State: filtered (998)\n";
        let learned = Learned { open: vec![22], closed: 1, silent: 998 };
        assert_eq!(parse(text), Some(learned));
        assert_eq!(parse("# nothing\n"), None);
    }
}
