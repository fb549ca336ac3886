//! The `vauban` command: one program, one verb per file in [`verbs`].

#![forbid(unsafe_code)]

mod ask;
mod demo;
mod exit;
mod table;
mod verbs;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use vauban_config::duration;
use vauban_daemon::Options;

/// Sees port scans, judges them, shuts the door.
#[derive(Parser)]
#[command(name = "vauban", version, about = "Sees port scans, judges them, shuts the door")]
#[command(disable_help_subcommand = true)]
#[command(
    after_help = "Exit status: 0 done; 1 the answer is no; 2 wrong usage; 65 damaged input; \
                        66 no such input; 69 no daemon answers; 70 something failed; 77 not permitted; 78 the configuration has \
                        errors."
)]
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
    },
    /// The unprivileged process of `run`, which starts it
    #[command(hide = true)]
    Child,
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
        /// How long, like 90s, 10m, 1h30m, 1d [default: as configured]
        #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
        length: Option<std::time::Duration>,
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

fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Run { config, dry_run, socket, store } => {
            verbs::run::run(&Options { config, dry_run, socket, store })
        }
        Verb::Child => verbs::run::child(),
        Verb::Reload { socket, show } => verbs::reload::run(&socket.path(), show.json),
        Verb::Status { socket, show } => verbs::status::run(&socket.path(), show.json),
        Verb::Suspects { socket, show } => verbs::suspects::run(&socket.path(), show.json),
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
        Verb::Ruleset { config, dry_run, show } => verbs::ruleset::run(show.json, config, dry_run),
        Verb::Replay { file, home, open, config, dry_run, json } => {
            verbs::replay::run(verbs::replay::Asked { file, config, dry_run, home, open, json })
        }
        Verb::Completions { shell } => verbs::completions::run(&Cli::command(), shell),
        Verb::Man { directory } => verbs::man::run(Cli::command(), &directory),
        Verb::Demo { show } => demo::run(show.json),
    };
    exit::code(outcome)
}
