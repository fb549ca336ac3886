//! What a scanner still learns after it was noticed.
//!
//! Real scanners against a victim with twenty services, seen from the scanner's side of the link.

mod capture;
mod verdict;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use vauban_engine::Policy;

use crate::contenders::{PORTSENTRY_LEAVES_OUT, PORTSENTRY_WATCHES, Programs};
use crate::lab::{INTERFACE, Lab, SCANNER, SCANNER_MAC, VICTIM, VICTIM_MAC, mac};
use crate::process::Running;
use crate::report::Report;
use crate::statistics::{median, times};
use crate::trouble::{Outcome, Trouble, pause};
use capture::Capture;
use verdict::{Learned, Trigger};

/// The services of the victim: what servers have, common and less common.
pub const SERVED: [u16; 20] = [
    22, 25, 53, 80, 110, 143, 443, 587, 993, 995, 3306, 5432, 6379, 8080, 8443, 9000, 9200, 11211,
    27017, 50000,
];

/// How often each is repeated, at most, because the capture was not complete.
const ATTEMPTS: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Contender {
    Nothing,
    PortSentry,
    Vauban,
}

impl Contender {
    const ALL: [Self; 3] = [Self::Nothing, Self::PortSentry, Self::Vauban];

    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::PortSentry => "portsentry 1.2 -atcp",
            Self::Vauban => "vauban",
        }
    }

    /// From which probe on nothing should be answered any more.
    fn trigger(self) -> Trigger {
        match self {
            Self::Nothing | Self::Vauban => {
                let policy = Policy::default();
                Trigger::Distinct {
                    ports: usize::try_from(policy.trigger.ports).unwrap_or(usize::MAX),
                    window: policy.trigger.window,
                    traps: policy.traps.iter().map(|port| port.number).collect(),
                }
            }
            Self::PortSentry => Trigger::Watched {
                below: PORTSENTRY_WATCHES,
                save: PORTSENTRY_LEAVES_OUT.into_iter().collect(),
            },
        }
    }
}

/// A scanner and its options.
struct Scanner {
    name: &'static str,
    command: Vec<String>,
    patience: Duration,
}

/// How long an nmap may scan: a silent victim makes it slow, and slower with each retry.
const NMAP: Duration = Duration::from_secs(12);

/// How long a masscan may: its packets take 1 s, then it waits for answers for another.
const MASSCAN: Duration = Duration::from_secs(12);

fn scanners(quick: bool) -> Vec<Scanner> {
    let nmap = |name, timing: &str| Scanner {
        name,
        command: ["nmap", "-n", "-Pn", "-sS", timing, "-p", "1-65535", "--send-eth"]
            .map(str::to_owned)
            .into_iter()
            .chain([VICTIM.to_string()])
            .collect(),
        patience: if quick { NMAP / 4 } else { NMAP },
    };
    let masscan = |name, ports: &str, rate: &str| Scanner {
        name,
        command: [
            ("-p", ports.to_owned()),
            ("--rate", rate.to_owned()),
            ("--interface", INTERFACE.to_owned()),
            ("--adapter-ip", SCANNER.to_string()),
            ("--adapter-mac", mac(SCANNER_MAC, '-')),
            ("--router-mac", mac(VICTIM_MAC, '-')),
            ("--wait", "1".to_owned()),
        ]
        .into_iter()
        .fold(
            vec!["masscan".to_owned(), VICTIM.to_string()],
            |mut command, (name, value)| {
                command.extend([name.to_owned(), value]);
                command
            },
        ),
        patience: MASSCAN,
    };
    vec![
        nmap("nmap -sS -T4", "-T4"),
        nmap("nmap -sS -T5", "-T5"),
        masscan("masscan 10k/s", "1-10000", "10000"),
        masscan("masscan 100k/s", "1-65535", "100000"),
    ]
}

/// Scans with all scanners, against all contenders.
pub fn run_all(quick: bool, programs: &Programs) -> Outcome<Report> {
    let rounds = if quick { 1 } else { 3 };
    let mut report = Report::new("leak", "what a scanner learns of 20 services");
    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    let mut late = 0;
    for scanner in scanners(quick) {
        let mut answered = Vec::new();
        for contender in Contender::ALL {
            let mut of_contender = Vec::new();
            for round in 1..=rounds {
                let learned = scan(&scanner, contender, programs)?;
                if contender == Contender::Vauban {
                    late += learned.answered_after;
                }
                of_contender.push(i64::try_from(learned.answered).unwrap_or(i64::MAX));
                rows.push(row(scanner.name, contender, round, &learned));
            }
            answered.push(median(&of_contender));
        }
        if let [nothing, portsentry, vauban] = answered.as_slice() {
            ratios.push(vec![
                scanner.name.to_owned(),
                nothing.to_string(),
                portsentry.to_string(),
                vauban.to_string(),
                times(*nothing, *vauban),
                times(*portsentry, *vauban),
            ]);
        }
    }
    report.table(
        &[
            "scanner",
            "against",
            "round",
            "probes",
            "answered",
            "open learned",
            "trigger at",
            "answered after",
            "open after",
            "last after, ms",
        ],
        &rows,
    );
    report
        .say("Probes answered in all, median of the rounds, and how many times fewer with Vauban:");
    report.table(
        &["scanner", "nothing", "portsentry", "vauban", "to nothing", "to portsentry"],
        &ratios,
    );
    let verdict = if late == 0 { "met" } else { "MISSED" };
    report.say(&format!(
        "Goal: Vauban lets no probe be answered that is sent after the trigger: {verdict} ({late} \
         in all rounds)."
    ));
    report.say(
        "trigger at: which of the scanner's probes is the trigger, counted from 1. For Vauban \
         (and, for comparison, for nothing): the third distinct closed port within a minute, or \
         the first trap port. For PortSentry: its own first watched port, closed and below 1024. \
         answered after: probes sent after that one and answered, whatever the answer; an answer \
         belongs to the last sending of the probe with its ports and sequence number, and one that \
         is repeated counts once. last after: from the trigger to the last such answer.",
    );
    Ok(report)
}

fn row(scanner: &str, contender: Contender, round: usize, learned: &Learned) -> Vec<String> {
    let mut row = vec![scanner.to_owned(), contender.name().to_owned()];
    row.extend([round, learned.probes, learned.answered, learned.open].map(|n| n.to_string()));
    row.push(learned.trigger_at.map_or("never".into(), |at| at.to_string()));
    row.extend([learned.answered_after, learned.open_after].map(|n| n.to_string()));
    let micros = learned.last_after.as_micros();
    row.push(format!("{}.{:03}", micros / 1000, micros % 1000));
    row
}

/// One scan; again when the capture lost packets.
fn scan(scanner: &Scanner, contender: Contender, programs: &Programs) -> Outcome<Learned> {
    for _ in 0..ATTEMPTS {
        let lab = Lab::build()?;
        let _services = lab.serve(&SERVED)?;
        let _vauban = match contender {
            Contender::Vauban => Some(programs.vauban(&lab)?),
            _ => None,
        };
        let _portsentry = match contender {
            Contender::PortSentry => Some(programs.portsentry(&lab)?),
            _ => None,
        };
        let capture = Capture::start(&lab)?;
        let Some((program, arguments)) = scanner.command.split_first() else {
            return Err(Trouble::new("a scanner without a command"));
        };
        let mut running = lab.on_scanner(|| {
            let mut command = Command::new(program);
            // masscan leaves a file where it is interrupted.
            command.args(arguments).current_dir(lab.folder());
            Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
        })?;
        if let Some(status) = running.wait_at_most(scanner.patience)?
            && !status.success()
        {
            return Err(Trouble::new(format!("{}: {status}", scanner.name)));
        }
        // The last answers are on their way for some microseconds.
        pause(Duration::from_millis(200))?;
        if let Some(bytes) = capture.finish()? {
            let open: BTreeSet<u16> = SERVED.into_iter().collect();
            return verdict::judge(&bytes, &contender.trigger(), &open);
        }
    }
    Err(Trouble::new(format!("{}: the capture lost packets each time", scanner.name)))
}
