//! The `vauban` command: one program, one verb per file in [`verbs`].

#![forbid(unsafe_code)]

mod ask;
mod demo;
mod exit;
#[cfg(test)]
mod reference;
mod table;
mod verbs;
mod wrap;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use vauban_config::duration;
use vauban_daemon::Options;

/// Sees port scans, judges them, shuts the door.
#[derive(Parser)]
#[command(name = "vauban", version, about = "Sees port scans, judges them, shuts the door")]
#[command(disable_help_subcommand = true)]
#[command(after_help = exit::statuses())]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// Where the daemon listens.
#[derive(Args, Clone)]
struct Socket {
    /// Control socket of the daemon [default: as configured]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl Socket {
    /// The path: as given, else as configured, else the default. A configuration with errors is
    /// for `run` to complain about.
    fn path(self) -> PathBuf {
        self.socket.unwrap_or_else(|| {
            let loaded = vauban_config::load(&vauban_config::Disk, None);
            loaded.map(|loaded| loaded.config.control).unwrap_or_default().socket
        })
    }
}

/// How to show what was asked.
#[derive(Args, Clone, Copy)]
struct Show {
    /// Print JSON, with names that scripts may rely on
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// Protect this host, in the foreground, until interrupted
    Run {
        /// Configuration file [default: /etc/vauban/vauban.toml, if it exists]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Watch, judge and say what would be done, but drop nothing
        #[arg(long)]
        dry_run: bool,
        /// Control socket, in place of the configured one
        #[arg(long, value_name = "PATH")]
        socket: Option<PathBuf>,
        /// Database of bans, in place of the configured one
        #[arg(long, value_name = "FILE")]
        store: Option<PathBuf>,
        /// How to log on standard output, text or json, in place of what is configured
        #[arg(long, value_name = "FORMAT")]
        log: Option<vauban_config::LogFormat>,
    },
    /// The unprivileged process of `run`, which starts it
    #[command(hide = true)]
    Child {
        /// How to log
        #[arg(long, default_value = "text")]
        log: vauban_config::LogFormat,
    },
    /// Have the daemon read its configuration again; if it has errors, nothing changes
    Reload {
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// Say how the daemon is doing
    Status {
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// List the sources that are suspects now
    Suspects {
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// Show who probes now, what they are told, and how fast things go, in any terminal
    Top {
        /// Time between two looks, like 1s or 500ms
        #[arg(long, value_name = "DURATION", value_parser = interval, default_value = "1s")]
        interval: std::time::Duration,
        /// Print one frame as text, after one interval
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// Say whether everything here is as it should be, and what to do where it is not
    #[command(after_help = "Exit status: 0 without trouble; 1 with some. Warnings do not count.")]
    Doctor {
        /// Configuration file [default: /etc/vauban/vauban.toml, if it exists]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// List the bans in force
    Bans {
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// Ban an address
    Ban {
        /// Address; an IPv6 address means its /64, unless that is shared
        #[arg(value_name = "ADDR")]
        subject: String,
        /// How long, like 90s, 10m, 1h30m, 1d, or forever [default: as configured]
        #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse_length)]
        length: Option<vauban_engine::policy::Length>,
        /// Why, for `explain`
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// End a ban and the suspicion behind it, at once
    Unban {
        /// Address, or a subject as `bans` lists it
        #[arg(value_name = "ADDR", required_unless_present = "all", conflicts_with = "all")]
        address: Option<String>,
        /// Everybody
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// Say what is known of an address: each packet that counted, in words
    Explain {
        /// Address, or a subject as `bans` lists it
        #[arg(value_name = "ADDR")]
        address: String,
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// Say why an address is not banned, and what is missing to a ban
    ///
    /// Exit status 0 if it can say that, also of an address that nothing is known of; 1 if the address
    /// is banned.
    WhyNot {
        /// Address, or a subject as `bans` lists it
        #[arg(value_name = "ADDR")]
        address: String,
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// List bans, over and in force, the last begun first
    History {
        /// Only this address's, or this subject's; an IPv6 address has its /64's bans, too
        #[arg(value_name = "ADDR")]
        address: Option<String>,
        /// Begun since: how long ago (90s, 1d), or a date in UTC (2026-11-20, 2026-11-20T12:00)
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// At most so many
        #[arg(long, value_name = "NUMBER", default_value_t = 50,
              value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// Never ban an address from now on, and let it go; without an address, list who is allowed
    ///
    /// It holds until `disallow`, or as long as `--for` says, over reloads and restarts. What is to
    /// stand in the configuration for good: `allow` in vauban.toml(5).
    Allow {
        /// Address or prefix; an IPv6 address is itself, not its /64
        #[arg(value_name = "ADDR|PREFIX")]
        prefix: Option<String>,
        /// How long, like 90s, 10m, 1h30m, 1d, forever [default: forever]
        #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse_length, requires = "prefix")]
        length: Option<vauban_engine::policy::Length>,
        /// Why, for the list
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true,
            requires = "prefix"
        )]
        comment: String,
        /// Also a prefix wider than a /8 (IPv4) or a /16 (IPv6)
        #[arg(long, requires = "prefix")]
        force: bool,
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// Take back what `allow` has allowed
    Disallow {
        /// As `allow` lists it
        #[arg(value_name = "ADDR|PREFIX")]
        prefix: String,
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// Write bans, past bans or evidence for other programs, or for `import`
    Export {
        #[command(flatten)]
        what: verbs::export::What,
        #[command(flatten)]
        socket: Socket,
    },
    /// Ban the addresses of a list, or of what `export` has written
    ///
    /// One address or prefix per line; what stands behind `#` or `;` is a comment. Lines that are wrong
    /// are named, and the others done all the same. Exit status 65 if there were any, else 1 if
    /// something was refused.
    Import {
        #[command(flatten)]
        what: verbs::import::What,
        #[command(flatten)]
        socket: Socket,
        #[command(flatten)]
        show: Show,
    },
    /// Say whether a configuration is right, with every error if not; needs no root
    Check {
        /// Configuration file, read with the drop-ins beside it; - is standard input [default:
        /// /etc/vauban/vauban.toml, if it exists]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        show: Show,
    },
    /// Print the whole configuration, each key with its value and where that is from; needs no root
    Config {
        /// Configuration file [default: /etc/vauban/vauban.toml, if it exists]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// What holds, as a file that says the same; this is what is printed without an option
        #[arg(long, conflicts_with = "default")]
        effective: bool,
        /// Every key at its default, commented out, with its explanation
        #[arg(long, conflicts_with_all = ["config", "json"])]
        default: bool,
        #[command(flatten)]
        show: Show,
    },
    /// Print the nftables program that `run` would load; needs no root
    Ruleset {
        /// Configuration file [default: /etc/vauban/vauban.toml, if it exists]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// As for a dry run
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        show: Show,
    },
    /// Say what would have been decided about a capture, or an export of evidence; needs no root
    Replay {
        /// pcap, pcapng, or an export; `-` is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Address or prefix of the protected host; more than once for more [default: learned]
        #[arg(long, value_name = "ADDR", value_parser = verbs::replay::home)]
        home: Vec<vauban_engine::Prefix>,
        /// Ports with a listener, like tcp/22,udp/53,tcp/8000-8010; all others of their protocol
        /// have none [default: learned from the host's answers]
        #[arg(long, value_name = "PORTS")]
        open: Vec<vauban_replay::Open>,
        /// Interface that packets came in by which do not say theirs; tells their zone [default:
        /// one that no zone names]
        #[arg(long, value_name = "NAME", value_parser = verbs::replay::interface)]
        interface: Option<String>,
        /// Configuration file [default: /etc/vauban/vauban.toml, if it exists]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Judge as a dry run would
        #[arg(long)]
        dry_run: bool,
        /// Print one JSON object per decision
        #[arg(long)]
        json: bool,
    },
    /// Print what makes a shell complete this command; needs no root
    Completions {
        /// Which shell
        shell: verbs::completions::Shell,
    },
    /// Write the manual pages into a directory
    #[command(hide = true)]
    Man {
        /// Where to; made if it is not there
        directory: PathBuf,
    },
    /// Scan a throw-away host with nmap, without and with Vauban, and show the difference
    Demo {
        #[command(flatten)]
        show: Show,
    },
}

/// A time between two looks: a tenth of a second is no load worth speaking of, and who wants less than
/// one an hour wants `--once`.
fn interval(text: &str) -> Result<std::time::Duration, String> {
    let span = duration::parse(text).map_err(|error| error.to_string())?;
    let (least, most) =
        (std::time::Duration::from_millis(100), std::time::Duration::from_secs(3600));
    if (least..=most).contains(&span) { Ok(span) } else { Err("from 100ms to 1h".into()) }
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Run { config, dry_run, socket, store, log } => {
            verbs::run::run(&Options { config, dry_run, socket, store, log })
        }
        Verb::Child { log } => verbs::run::child(log),
        Verb::Reload { socket, show } => verbs::reload::run(&socket.path(), show.json),
        Verb::Status { socket, show } => verbs::status::run(&socket.path(), show.json),
        Verb::Suspects { socket, show } => verbs::suspects::run(&socket.path(), show.json),
        Verb::Top { interval, once, socket, show } => {
            verbs::top::run(&socket.path(), verbs::top::Show { interval, once, json: show.json })
        }
        Verb::Doctor { config, socket, show } => {
            verbs::doctor::run(show.json, config, socket.socket)
        }
        Verb::Bans { socket, show } => verbs::bans::run(&socket.path(), show.json),
        Verb::Ban { subject, length, reason, socket, show } => {
            verbs::ban::run(&socket.path(), show.json, subject, length, reason)
        }
        Verb::Unban { address, all: _, socket, show } => {
            verbs::unban::run(&socket.path(), show.json, address)
        }
        Verb::Explain { address, socket, show } => {
            verbs::explain::run(&socket.path(), show.json, address)
        }
        Verb::WhyNot { address, socket, show } => {
            verbs::why_not::run(&socket.path(), show.json, address)
        }
        Verb::History { address, since, limit, socket, show } => {
            verbs::history::run(&socket.path(), show.json, address, since.as_deref(), limit)
        }
        Verb::Allow { prefix: None, length: _, comment: _, force: _, socket, show } => {
            verbs::allow::list(&socket.path(), show.json)
        }
        Verb::Allow { prefix: Some(prefix), length, comment, force, socket, show } => {
            verbs::allow::run(&socket.path(), show.json, prefix, length, comment, force)
        }
        Verb::Disallow { prefix, socket, show } => {
            verbs::allow::take_back(&socket.path(), show.json, prefix)
        }
        Verb::Export { what, socket } => verbs::export::run(&socket.path(), &what),
        Verb::Import { what, socket, show } => verbs::import::run(&socket.path(), show.json, &what),
        Verb::Check { file, show } => verbs::check::run(show.json, file.as_deref()),
        Verb::Config { config, effective: _, default, show } => {
            verbs::config::run(show.json, config.as_deref(), default)
        }
        Verb::Ruleset { config, dry_run, show } => verbs::ruleset::run(show.json, config, dry_run),
        Verb::Replay { file, home, open, interface, config, dry_run, json } => {
            let asked = verbs::replay::Asked { file, config, dry_run, home, open, interface, json };
            verbs::replay::run(asked)
        }
        Verb::Completions { shell } => verbs::completions::run(&Cli::command(), shell),
        Verb::Man { directory } => verbs::man::run(Cli::command(), &directory),
        Verb::Demo { show } => demo::run(show.json),
    };
    exit::code(outcome)
}
