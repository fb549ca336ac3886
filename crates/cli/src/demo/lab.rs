//! Two network namespaces and the link between them.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::exit::Trouble;

/// The namespaces; they go when this goes.
pub struct Lab {
    victim: String,
    scanner: String,
}

impl Lab {
    /// The victim's address (RFC 5737: documentation, nobody's).
    pub const VICTIM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    /// The scanner's.
    pub const SCANNER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

    /// Makes them, with names that no other demo has.
    pub fn build() -> Result<Self, Trouble> {
        let id = std::process::id();
        let lab = Self {
            victim: format!("vauban-demo-{id}-victim"),
            scanner: format!("vauban-demo-{id}-scanner"),
        };
        let (victim, scanner) = (lab.victim.as_str(), lab.scanner.as_str());
        let (at_victim, at_scanner) =
            (format!("{}/24", Self::VICTIM), format!("{}/24", Self::SCANNER));
        for arguments in [
            &["netns", "add", victim][..],
            &["netns", "add", scanner],
            &[
                "link", "add", "eth0", "netns", victim, "type", "veth", "peer", "name", "eth0",
                "netns", scanner,
            ],
            &["-n", victim, "addr", "add", &at_victim, "dev", "eth0"],
            &["-n", scanner, "addr", "add", &at_scanner, "dev", "eth0"],
            &["-n", victim, "link", "set", "lo", "up"],
            &["-n", victim, "link", "set", "eth0", "up"],
            &["-n", scanner, "link", "set", "lo", "up"],
            &["-n", scanner, "link", "set", "eth0", "up"],
        ] {
            ip(arguments)?;
        }
        Ok(lab)
    }

    /// Where the victim's namespace can be entered.
    pub fn victim_path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.victim)
    }

    /// The same of the scanner's.
    pub fn scanner_path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.scanner)
    }

    /// A command that will run on the victim.
    pub fn on_victim(&self, program: &str) -> Command {
        inside(&self.victim, program)
    }

    /// A command that will run on the scanner.
    pub fn on_scanner(&self, program: &str) -> Command {
        inside(&self.scanner, program)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in [&self.victim, &self.scanner] {
            // One that was never made is no loss.
            let _ = ip(&["netns", "del", name]);
        }
    }
}

fn inside(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]);
    command
}

fn ip(arguments: &[&str]) -> Result<(), Trouble> {
    let output =
        Command::new("ip").args(arguments).stdin(Stdio::null()).output().map_err(|error| {
            Trouble::Failed(format!("cannot run ip: {error}; apt install iproute2"))
        })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Trouble::Failed(format!("ip {}: {}", arguments.join(" "), text.trim())))
}
