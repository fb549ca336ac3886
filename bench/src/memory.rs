//! How much memory the daemon takes: at rest, after a scan, and after floods from forged sources.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::blaster::Flood;
use crate::contenders::Programs;
use crate::lab::{Lab, VICTIM};
use crate::leak::SERVED;
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

/// How long a daemon gets to work off what it has in its buffers.
const SETTLE: Duration = Duration::from_secs(3);

/// What the kernel says of a process: KiB resident now, and at most so far (proc_pid_status(5)).
#[derive(Clone, Copy)]
struct Resident {
    now: u64,
    peak: u64,
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

/// A way to press a daemon.
struct Press {
    name: &'static str,
    flood: Option<Flood<'static>>,
}

/// Measures both daemons.
pub fn run_all(quick: bool, programs: &Programs) -> Outcome<Report> {
    let sources = if quick { SOURCES / 10 } else { SOURCES };
    let patience = Duration::from_secs(if quick { 5 } else { 40 });
    let mut report = Report::new("memory", "resident memory of the daemon, in KiB");
    let mut rows = Vec::new();
    let mut worst = 0;
    for (name, vauban) in [("vauban run", true), ("portsentry 1.2 -atcp", false)] {
        let presses = [
            Press { name: "nmap -sS -T4", flood: None },
            Press {
                name: "flood, as fast as it goes",
                flood: Some(Flood { sources, ports: &[1, 2, 3], rate: None, patience }),
            },
            Press {
                name: "flood, each copied",
                flood: Some(Flood { sources, ports: &[23], rate: Some(COPIED_RATE), patience }),
            },
        ];
        for press in presses {
            let lab = Lab::build()?;
            let _services = lab.serve(&SERVED)?;
            let daemon =
                if vauban { Ok(programs.vauban(&lab)?) } else { Err(programs.portsentry(&lab)?) };
            let id = match &daemon {
                Ok(running) => running.id(),
                Err(portsentry) => portsentry.id()?,
            };
            pause(Duration::from_secs(1))?;
            let idle = resident(id)?;
            let packets = press_on(&lab, &press, quick)?;
            pause(SETTLE)?;
            let after = resident(id)?;
            if vauban {
                worst = worst.max(after.peak);
            }
            rows.push(vec![
                name.to_owned(),
                press.name.to_owned(),
                packets,
                idle.now.to_string(),
                after.now.to_string(),
                after.peak.to_string(),
                held(&lab, vauban)?,
            ]);
        }
    }
    report.table(
        &["daemon", "pressed by", "packets", "idle", "after", "peak", "bans in kernel"],
        &rows,
    );
    let verdict = if worst <= GOAL { "met" } else { "MISSED" };
    report.say(&format!(
        "Goal: Vauban takes at most {GOAL} KiB, whatever it is pressed by: {verdict} ({worst} KiB)."
    ));
    report.say(&format!(
        "Floods: SYNs from {sources} forged sources. As fast as it goes: three closed ports of \
         each. Each copied: one trap port of each, {COPIED_RATE} packets a second, so that the \
         kernel program copies each to the daemon and each makes a ban, as many as there may be; \
         PortSentry watches both. The memory of the kernel (sets, rules) is not in here."
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

/// How many bans the kernel holds.
fn held(lab: &Lab, vauban: bool) -> Outcome<String> {
    lab.on_victim(|| {
        let text = if vauban {
            run("nft", &["list", "set", "inet", "vauban", "banned4"])?
        } else {
            run("iptables-nft", &["-S", "INPUT"])?
        };
        let word = if vauban { "timeout " } else { "-j DROP" };
        Ok(text.matches(word).count().to_string())
    })
}
