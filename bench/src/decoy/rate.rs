//! How many decoys one processor makes in a second, beside the RSTs that the host itself does.

use std::time::Duration;

use vauban_daemon::control::client;
use vauban_daemon::control::protocol::{Reply, Request};

use crate::blaster::Stream;
use crate::contenders::{Programs, control_socket, counted, nft};
use crate::frames::{SYN, Segment};
use crate::lab::Lab;
use crate::report::Report;
use crate::statistics::times;
use crate::trouble::{Outcome, pause};

/// Limits as high as may be configured: what is lost is lost by slowness.
const UNLIMITED: &str = "[decoy]\nper_second = 1000000\nper_network = 1000000\n\
                         per_source = 1000000\n";

/// Where the daemon runs; the sender has the other.
const CPU: usize = 1;

/// What comes back to the scanner, counted and thrown away before its stack sees it.
const COUNTERS: &str = "table netdev bench {
    counter decoys { }
    counter resets { }
    chain back {
        type filter hook ingress device \"eth0\" priority 0; policy accept;
        tcp flags & (syn | ack | rst) == syn | ack counter name decoys drop
        tcp flags & rst == rst counter name resets drop
    }
}";

/// Ports that the suspect tries in turn; none has a listener.
const PORTS: std::ops::RangeInclusive<u16> = 1..=60_000;

/// How long what waits in queues may take when the sender has ended.
const SETTLE: Duration = Duration::from_secs(2);

/// What became of one stream.
struct Outflow {
    sent: u64,
    time: Duration,
    /// Answers, while it was sent and in all.
    during: u64,
    all: u64,
    lost: Lost,
}

/// Where the rest went.
#[derive(Default)]
struct Lost {
    /// Never arrived at the victim's filter.
    link: u64,
    /// The kernel program made no copy for an answer: a limit.
    limits: u64,
    /// The daemon got no copy: it was too slow, and its queue full.
    queue: u64,
    /// The daemon got it and did not answer, or its answer did not leave.
    daemon: u64,
}

/// Measures several paces.
pub fn measure(quick: bool, programs: &Programs, report: &mut Report) -> Outcome<()> {
    let length = Duration::from_secs(if quick { 1 } else { 4 });
    let paces = [Some(50_000), Some(100_000), Some(150_000), Some(200_000), None];
    let mut rows = Vec::new();
    let (mut decoys, mut resets) = (0, 0);
    for (who, vauban) in [("vauban, on one processor", true), ("nothing: the host's RSTs", false)] {
        for rate in paces {
            let outflow = run(rate, length, vauban.then_some(programs))?;
            let per_second = |count: u64| {
                let micros = u64::try_from(outflow.time.as_micros()).unwrap_or(u64::MAX).max(1);
                count.saturating_mul(1_000_000) / micros
            };
            let best = if vauban { &mut decoys } else { &mut resets };
            *best = (*best).max(per_second(outflow.during));
            let mut row = vec![who.to_owned(), rate.map_or("all".into(), |rate| rate.to_string())];
            let lost = &outflow.lost;
            row.extend(
                [per_second(outflow.sent), per_second(outflow.during)].map(|n| n.to_string()),
            );
            row.extend([outflow.sent, outflow.all].map(|number| number.to_string()));
            row.extend([lost.link, lost.limits, lost.queue, lost.daemon].map(|n| n.to_string()));
            rows.push(row);
        }
    }
    report.say("SYNs of one suspect, from one processor; the daemon has the other:");
    report.table(
        &[
            "answers by",
            "asked per s",
            "sent per s",
            "answers per s",
            "sent",
            "answered",
            "lost: link",
            "by limits",
            "in the queue",
            "in the daemon",
        ],
        &rows,
    );
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    report.say(&format!(
        "Most answers per second: {decoys} decoys, {resets} RSTs of the host, {} times as many. \
         answers per s: those that came while the SYNs were sent; answered: those that came until \
         {} s later, too. The sender's processor does the victim's receiving, the kernel program \
         and the copying as well, and the host's RSTs wholly; the daemon's processor does the \
         rest.",
        times(signed(resets), signed(decoys)),
        SETTLE.as_secs()
    ));
    Ok(())
}

fn run(rate: Option<u32>, length: Duration, programs: Option<&Programs>) -> Outcome<Outflow> {
    let lab = Lab::build()?;
    lab.on_scanner(|| nft(COUNTERS))?;
    let _vauban = match programs {
        Some(programs) => Some(programs.vauban_with(&lab, UNLIMITED, Some(CPU))?),
        None => None,
    };
    // A stranger behind the scanner: nobody answers the answers.
    let source = [198, 51, 100, 9].into();
    let frame = |port| Segment { source, source_port: 40_000, port, flags: SYN }.frame();
    let frames: Vec<Vec<u8>> = PORTS.map(frame).collect();
    // It is a suspect before it is measured.
    let once = Stream {
        frames: frames.get(..20).unwrap_or_default(),
        rate: Some(1_000),
        length: Duration::from_millis(20),
    };
    let (before, _) = lab.on_scanner(|| once.send())?;
    pause(Duration::from_millis(300))?;
    let came = || {
        let names = ["decoys", "resets"];
        let counts: Outcome<Vec<u64>> =
            names.iter().map(|name| counted(&["netdev", "bench"], name)).collect();
        Ok(counts?.iter().sum::<u64>())
    };
    let already = lab.on_scanner(came)?;
    let (sent, time, now) = lab.on_scanner(|| {
        let (sent, time) = Stream { frames: &frames, rate, length }.send()?;
        Ok((sent, time, came()?))
    })?;
    pause(SETTLE)?;
    let all = lab.on_scanner(came)?.saturating_sub(already);
    let lost = match programs {
        Some(_) => lost(&lab, sent + before, all + already)?,
        None => Lost { link: sent.saturating_sub(all), ..Lost::default() },
    };
    Ok(Outflow { sent, time, during: now.saturating_sub(already), all, lost })
}

/// Where answers went that did not come.
fn lost(lab: &Lab, sent: u64, came: u64) -> Outcome<Lost> {
    let (probes, below, copied) = lab.on_victim(|| {
        let count = |name| counted(&["inet", "vauban"], name);
        let below = count("probes")?.saturating_sub(count("suspect_probes")? + count("triggers")?);
        Ok((count("probes")?, below, count("decoys")?))
    })?;
    let told = match client::call(&control_socket(lab), &Request::Status)? {
        Reply::Ok(status) => status
            .pointer("/decoys/told")
            .map(ToString::to_string)
            .and_then(|told| told.parse().ok()),
        _ => None,
    };
    // What could not be asked is counted as the daemon's.
    let told = told.unwrap_or(copied);
    Ok(Lost {
        link: sent.saturating_sub(probes),
        limits: probes.saturating_sub(below + copied),
        queue: copied.saturating_sub(told),
        daemon: told.saturating_sub(came.saturating_sub(below)),
    })
}
