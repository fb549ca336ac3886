//! `vauban doctor`: is everything here as Vauban needs it, and what to do where it is not.
//!
//! It needs no daemon, changes nothing, and takes a few seconds at most: files are read, and a program
//! that is asked something gets two seconds. Without root some checks say that they need it.
//!
//! To add a check: a file here, a variant of [`Check`]; the compiler then asks for its title and its
//! arm in [`Check::run`].
//!
//! | file | checks |
//! |---|---|
//! | `kernel` | the version, nf_tables, NFLOG, the sandbox's walls |
//! | `nft` | the program that loads programs, and the kernel with our program |
//! | `rights` | capabilities, the user |
//! | `network` | settings of the network that matter |
//! | `firewalls` | other rules that come first |
//! | `tools` | other programs that ban, and listeners that hide probes |
//! | `clock` | whether the wall clock is right |
//! | `configuration` | whether the file is right |
//! | `database` | whether the store is sound and has room |
//! | `daemon` | whether it runs, and how it does |
//! | `service` | whether it is started at boot, and how much memory it gets |

mod clock;
mod configuration;
mod daemon;
mod database;
mod finding;
mod firewalls;
mod host;
mod kernel;
mod network;
mod nft;
mod rights;
mod service;
mod tools;

use std::path::PathBuf;

use serde_json::{Value, json};
use vauban_config::Config;
use vauban_daemon::Options;

use crate::ask::{print, print_json};
use crate::exit::Trouble;
use finding::{Finding, Verdict};
use host::Host;

/// What is checked, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Kernel,
    Nft,
    Rights,
    Network,
    Firewalls,
    Tools,
    Clock,
    Configuration,
    Database,
    Daemon,
    Service,
}

impl Check {
    const ALL: [Self; 11] = [
        Self::Kernel,
        Self::Nft,
        Self::Rights,
        Self::Network,
        Self::Firewalls,
        Self::Tools,
        Self::Clock,
        Self::Configuration,
        Self::Database,
        Self::Daemon,
        Self::Service,
    ];

    /// Its name, here and in JSON.
    fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Nft => "nft",
            Self::Rights => "rights",
            Self::Network => "network",
            Self::Firewalls => "firewalls",
            Self::Tools => "tools",
            Self::Clock => "clock",
            Self::Configuration => "configuration",
            Self::Database => "database",
            Self::Daemon => "daemon",
            Self::Service => "service",
        }
    }

    fn run(self, patient: &Patient<'_>) -> Vec<Finding> {
        match self {
            Self::Kernel => kernel::check(patient),
            Self::Nft => nft::check(patient),
            Self::Rights => rights::check(patient),
            Self::Network => network::check(patient.host),
            Self::Firewalls => firewalls::check(patient),
            Self::Tools => tools::check(patient.host),
            Self::Clock => clock::check(patient.host),
            Self::Configuration => configuration::check(patient),
            Self::Database => database::check(patient),
            Self::Daemon => daemon::check(patient),
            Self::Service => service::check(patient.host),
        }
    }
}

/// What is looked at.
struct Patient<'a> {
    host: &'a Host,
    /// The configuration, or its errors.
    configured: Result<(Config, String), String>,
    /// The configuration, or the defaults where it has errors.
    config: Config,
    /// The daemon's answer to `status`, or why there is none.
    status: Result<Value, Trouble>,
    root: bool,
}

/// Looks, and says what was found. An error if there is trouble.
pub fn run(json: bool, config: Option<PathBuf>, socket: Option<PathBuf>) -> Result<(), Trouble> {
    let host = Host::real();
    let options = Options { config, ..Options::default() };
    let configured = vauban_daemon::run::configure(&options)
        .map(|configured| (configured.config, configured.configuration.file))
        .map_err(|error| error.to_string());
    let config = configured.as_ref().map(|(config, _)| config.clone()).unwrap_or_default();
    let socket = socket.unwrap_or_else(|| config.control.socket.clone());
    let status = daemon::status(&socket);
    let root = vauban_sys::peer::effective_uid() == 0;
    let patient = Patient { host: &host, configured, config, status, root };
    let all: Vec<(Check, Vec<Finding>)> =
        Check::ALL.into_iter().map(|check| (check, check.run(&patient))).collect();
    if json {
        print_json(&as_json(&all))?;
    } else {
        print(&words(&all))?;
    }
    match count(&all, Verdict::Trouble) {
        0 => Ok(()),
        1 => Err(Trouble::No("one thing keeps Vauban from working as it should".into())),
        some => Err(Trouble::No(format!("{some} things keep Vauban from working as it should"))),
    }
}

fn count(all: &[(Check, Vec<Finding>)], verdict: Verdict) -> usize {
    all.iter().flat_map(|(_, findings)| findings).filter(|f| f.verdict == verdict).count()
}

fn as_json(all: &[(Check, Vec<Finding>)]) -> Value {
    let findings: Vec<Value> = all
        .iter()
        .flat_map(|(check, findings)| findings.iter().map(|finding| finding.json(check.name())))
        .collect();
    let counts: serde_json::Map<String, Value> = Verdict::ALL
        .into_iter()
        .map(|verdict| (verdict.word().to_owned(), json!(count(all, verdict))))
        .collect();
    json!({ "findings": findings, "counts": counts })
}

/// One line per finding in columns, the remedies beneath.
fn words(all: &[(Check, Vec<Finding>)]) -> String {
    let width = all
        .iter()
        .flat_map(|(_, findings)| findings)
        .map(|finding| finding.what.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines: Vec<String> = Vec::new();
    for (check, findings) in all {
        if !lines.is_empty() && !findings.is_empty() {
            lines.push(String::new());
        }
        for (index, finding) in findings.iter().enumerate() {
            let group = if index == 0 { check.name() } else { "" };
            lines.extend(finding.lines(group, width));
        }
    }
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .map(|verdict| (verdict, count(all, verdict)))
        .filter(|(_, count)| *count > 0)
        .map(|(verdict, count)| format!("{count} {}", verdict.word()))
        .collect();
    lines.push(format!("\n{}", counts.join(", ")));
    lines.join("\n")
}

#[cfg(test)]
mod tests;
