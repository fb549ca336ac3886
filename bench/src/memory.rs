//! How much memory the daemon takes: at rest, after a scan, and after floods from forged sources.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::blaster::Flood;
use crate::contenders::Programs;
use crate::lab::{Lab, VICTIM};

use crate::process::{Running, run};
use crate::report::Report;
use crate::trouble::{Outcome, Trouble, pause};

/// Vauban's goal, in KiB.
const GOAL: u64 = 20 * 1024;

/// Forged sources of a flood.
const SOURCES: u32 = 200_000;

/// Packets per second of the slower flood: each of them is copied to the daemon, as the kernel
/// program makes 10,000 copies per second at most.
const COPIED_RATE: u32 = 9_500;

/// Packets per second of the flood that decoys answer, and for how many seconds.
const DECOY_RATE: u32 = 100_000;
/// See [`DECOY_RATE`].
const DECOY_SECONDS: u32 = 10;

/// The services of the victim: what servers have, common and less common.
const SERVED: [u16; 20] = [
    22, 25, 53, 80, 110, 143, 443, 587, 993, 995, 3306, 5432, 6379, 8080, 8443, 9000, 9200, 11211,
    27017, 50000,
];

/// The policy that bans at the trigger: what a flood of forged sources can fill most memory with.
const BAN: &str = "unproven = \"ban\"\n";

/// How long a daemon gets to work off what it has in its buffers.
const SETTLE: Duration = Duration::from_secs(3);

/// What the kernel says of a process: KiB resident now, and at most so far (proc_pid_status(5)).
#[derive(Clone, Copy)]
pub struct Resident {
    pub now: u64,
    pub peak: u64,
}

fn resident(id: u32) -> Outcome<Resident> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
            .ok_or(Trouble::new("the kernel does not say what a process takes"))
    };
    Ok(Resident { now: field("VmRSS:")?, peak: field("VmHWM:")? })
}

/// The same of a process and its children together.
pub fn resident_of_all(id: u32) -> Outcome<Resident> {
    let mut sum = resident(id)?;
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    for child in children.split_whitespace().filter_map(|word| word.parse().ok()) {
        let resident = resident(child)?;
        sum.now += resident.now;
        sum.peak += resident.peak;
    }
    Ok(sum)
}

/// A way to press a daemon.
struct Press {
    name: &'static str,
    flood: Option<Flood<'static>>,
    /// Vauban's configuration. PortSentry has one only, and is pressed in each way once.
    config: &'static str,
}

fn presses(quick: bool) -> Vec<Press> {
    let part = if quick { 10 } else { 1 };
    let patience = Duration::from_secs(if quick { 5 } else { 40 });
    let flood = |name, config, sources, ports, rate| Press {
        name,
        flood: Some(Flood { sources: sources / part, ports, rate, patience }),
        config,
    };
    let (fast, copied) = ("flood, as fast as it goes", "flood, each copied");
    vec![
        Press { name: "nmap -sS -T4", flood: None, config: "" },
        flood(fast, "", SOURCES, &[1, 2, 3], None),
        flood(copied, "", SOURCES, &[23], Some(COPIED_RATE)),
        flood("flood, each a decoy", "", DECOY_RATE * DECOY_SECONDS, &[23], Some(DECOY_RATE)),
        flood(fast, BAN, SOURCES, &[1, 2, 3], None),
        flood(copied, BAN, SOURCES, &[23], Some(COPIED_RATE)),
    ]
}

/// Measures both daemons.
pub fn run_all(quick: bool, programs: &Programs) -> Outcome<Report> {
    let mut report =
        Report::new("memory", "resident memory of the daemon, all its processes together, in KiB");
    let mut rows = Vec::new();
    let mut worst = 0;
    for (name, vauban) in [("vauban run", true), ("portsentry 1.2 -atcp", false)] {
        for press in presses(quick) {
            if !vauban && press.config == BAN {
                continue;
            }
            let lab = Lab::build()?;
            let _services = lab.serve(&SERVED)?;
            let daemon = if vauban {
                Ok(programs.vauban_with(&lab, press.config, None)?)
            } else {
                Err(programs.portsentry(&lab)?)
            };
            let id = match &daemon {
                Ok(running) => running.id(),
                Err(portsentry) => portsentry.id()?,
            };
            pause(Duration::from_secs(1))?;
            let idle = resident_of_all(id)?;
            let packets = press_on(&lab, &press, quick)?;
            pause(SETTLE)?;
            let after = resident_of_all(id)?;
            if vauban {
                worst = worst.max(after.peak);
            }
            let (suspects, bans) = held(&lab, vauban)?;
            rows.push(vec![
                if press.config == BAN { format!("{name}, \"ban\"") } else { name.to_owned() },
                press.name.to_owned(),
                packets,
                idle.now.to_string(),
                after.now.to_string(),
                after.peak.to_string(),
                suspects,
                bans,
            ]);
        }
    }
    report.table(
        &["daemon", "pressed by", "packets", "idle", "after", "peak", "suspects", "bans"],
        &rows,
    );
    let verdict = if worst <= GOAL { "met" } else { "MISSED" };
    report.say(&format!(
        "Goal: Vauban takes at most {GOAL} KiB, whatever it is pressed by: {verdict} ({worst} KiB)."
    ));
    report.say(&format!(
        "Floods: SYNs from forged sources. As fast as it goes: three closed ports of each of \
         {SOURCES}. Each copied: one trap port of each of {SOURCES}, {COPIED_RATE} packets a \
         second, so that the kernel program copies each to the daemon. Each a decoy: one trap port \
         of each of {}, {DECOY_RATE} packets a second. With \"ban\", each that is copied makes a \
         ban, as many as there may be; PortSentry watches all these ports. suspects, bans: what \
         the kernel holds for IPv4 at the end. The memory of the kernel (sets, rules) is not in \
         here.",
        DECOY_RATE * DECOY_SECONDS
    ));
    Ok(report)
}

/// Does it, and says how many packets it was, where that is known.
fn press_on(lab: &Lab, press: &Press, quick: bool) -> Outcome<String> {
    if let Some(flood) = &press.flood {
        let (sent, time) = lab.on_scanner(|| flood.send())?;
        return Ok(format!("{sent} in {}.{} s", time.as_secs(), time.subsec_millis() / 100));
    }
    let mut nmap = lab.on_scanner(|| {
        let mut command = Command::new("nmap");
        command.args(["-n", "-Pn", "-sS", "-T4", &VICTIM.to_string()]);
        Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
    })?;
    nmap.wait_at_most(Duration::from_secs(if quick { 3 } else { 20 }))?;
    Ok("1,000 ports".into())
}

/// How many suspects and bans the kernel holds.
fn held(lab: &Lab, vauban: bool) -> Outcome<(String, String)> {
    lab.on_victim(|| {
        if !vauban {
            let rules = run("iptables-nft", &["-S", "INPUT"])?;
            return Ok(("-".into(), rules.matches("-j DROP").count().to_string()));
        }
        let count = |set| {
            let text = run("nft", &["list", "set", "inet", "vauban", set])?;
            Ok::<_, Trouble>(text.matches("expires ").count().to_string())
        };
        Ok((count("suspect4")?, count("banned4")?))
    })
}
