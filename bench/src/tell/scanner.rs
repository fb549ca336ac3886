//! The scanners, and what they say of each port.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::lab::{INTERFACE, Lab, SCANNER, SCANNER_MAC, VICTIM, VICTIM_MAC, mac};
use crate::process::Running;
use crate::trouble::{Outcome, Trouble};

/// What a scanner calls a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It answers with SYN-ACK.
    Open,
    /// It answers with RST.
    Closed,
    /// Silence, or an ICMP error.
    Filtered,
    /// The scanner doesn't say: masscan lists no port that is silent, and an nmap that did not
    /// finish only the open ones.
    Unsaid,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
            Self::Unsaid => "not said",
        }
    }
}

/// What was said, port by port; what is not in here is [`State::Unsaid`].
pub type Told = BTreeMap<u16, State>;

/// A scanner and its pace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scanner {
    /// nmap -sS -T4.
    Nmap,
    /// masscan at so many packets per second.
    Masscan(u32),
}

/// How long a masscan may take: its packets take 7 s, then it waits for answers for another.
const MASSCAN: Duration = Duration::from_secs(20);

impl Scanner {
    pub const ALL: [Self; 3] = [Self::Nmap, Self::Masscan(10_000), Self::Masscan(100_000)];

    pub fn name(self) -> String {
        match self {
            Self::Nmap => "nmap -sS -T4".into(),
            Self::Masscan(rate) => format!("masscan {}k/s", rate / 1_000),
        }
    }

    /// Scans the ports from 1 to `last` once. What it says, and whether it finished.
    pub fn scan(self, lab: &Lab, last: u16, patience: Duration) -> Outcome<(Told, bool)> {
        let (kept, said) = (lab.folder().join("scan.txt"), lab.folder().join("said.txt"));
        let ports = format!("1-{last}");
        let mut command = match self {
            Self::Nmap => {
                let mut command = Command::new("nmap");
                // -v: open ports are said as they are found.
                command.args(["-n", "-Pn", "-sS", "-T4", "-v", "--send-eth", "-p", &ports, "-oX"]);
                command
            }
            Self::Masscan(rate) => {
                let mut command = Command::new("masscan");
                command
                    .args(["-p", &ports, "--rate", &rate.to_string(), "--interface", INTERFACE])
                    .args(["--adapter-ip", &SCANNER.to_string(), "--wait", "1"])
                    .args(["--adapter-mac", &mac(SCANNER_MAC, '-')])
                    .args(["--router-mac", &mac(VICTIM_MAC, '-')])
                    .args(["--show", "open,closed", "-oL"]);
                command
            }
        };
        // masscan leaves a file where it is interrupted.
        command.arg(&kept).arg(VICTIM.to_string()).current_dir(lab.folder());
        command.stdout(File::create(&said)?).stderr(Stdio::null());
        let mut running = lab.on_scanner(|| Running::start(&mut command))?;
        let patience = if self == Self::Nmap { patience } else { MASSCAN };
        let finished = match running.wait_at_most(patience)? {
            Some(status) if !status.success() => {
                return Err(Trouble::new(format!("{}: {status}", self.name())));
            }
            Some(_) => true,
            None => false,
        };
        let told = match self {
            Self::Masscan(_) => of_masscan(&read(&kept)?),
            Self::Nmap if finished => of_nmap(&read(&kept)?),
            Self::Nmap => of_unfinished_nmap(&read(&said)?),
        };
        Ok((told, finished))
    }
}

fn read(path: &Path) -> Outcome<String> {
    // masscan makes no file when it has nothing to say.
    if !path.exists() {
        return Ok(String::new());
    }
    Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
}

/// Lines such as `open tcp 22 192.0.2.1 1795273447`.
fn of_masscan(list: &str) -> Told {
    let mut told = Told::new();
    for line in list.lines() {
        let mut words = line.split_whitespace();
        let state = match words.next() {
            Some("open") => State::Open,
            Some("closed") => State::Closed,
            _ => continue,
        };
        if let Some(port) = words.nth(1).and_then(|port| port.parse().ok()) {
            told.insert(port, state);
        }
    }
    told
}

/// nmap's XML: an element for each port that is special, and one for each reason of the many that
/// are not.
fn of_nmap(xml: &str) -> Told {
    let mut told = Told::new();
    let mut many = State::Unsaid;
    for element in xml.split('<') {
        if element.starts_with("extraports ") {
            many = state(element);
        } else if element.starts_with("extrareasons ") {
            for range in attribute(element, "ports").unwrap_or_default().split(',') {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse()) {
                    told.extend((first..=last).map(|port| (port, many)));
                }
            }
        }
    }
    for element in xml.split("<port ").skip(1) {
        if let Some(port) = attribute(element, "portid").and_then(|port| port.parse().ok()) {
            told.insert(port, state(element));
        }
    }
    told
}

fn state(element: &str) -> State {
    match attribute(element, "state") {
        Some("open") => State::Open,
        Some("closed") => State::Closed,
        Some("filtered") => State::Filtered,
        _ => State::Unsaid,
    }
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split_once(&format!("{name}=\""))?.1.split('"').next()
}

/// Lines such as `Discovered open port 22/tcp on 192.0.2.1`.
fn of_unfinished_nmap(said: &str) -> Told {
    said.lines()
        .filter_map(|line| line.strip_prefix("Discovered open port ")?.split('/').next())
        .filter_map(|port| Some((port.parse().ok()?, State::Open)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nmap_says() {
        let xml = r#"<ports><extraports state="closed" count="3">
            <extrareasons reason="reset" count="3" proto="tcp" ports="1-2,5"/></extraports>
            <port protocol="tcp" portid="3"><state state="open" reason="syn-ack"/></port>
            <port protocol="tcp" portid="4"><state state="filtered" reason="no-response"/></port>"#;
        let expected = [
            (1, State::Closed),
            (2, State::Closed),
            (3, State::Open),
            (4, State::Filtered),
            (5, State::Closed),
        ];
        assert_eq!(of_nmap(xml), expected.into());
        let said = "Nmap\nDiscovered open port 22/tcp on 192.0.2.1\n";
        assert_eq!(of_unfinished_nmap(said), [(22, State::Open)].into());
    }

    #[test]
    fn what_masscan_says() {
        let list = "#masscan\nclosed tcp 23 192.0.2.1 1\nopen tcp 22 192.0.2.1 1\n# end\n";
        assert_eq!(of_masscan(list), [(22, State::Open), (23, State::Closed)].into());
    }
}
