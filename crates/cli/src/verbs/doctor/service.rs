//! The service: started at boot, and with the memory that it needs.

use super::daemon::is_enabled;
use super::finding::Finding;
use super::host::{Host, Said};

/// Memory that should be free, in MiB: two processes take some 20, a ledger of a hundred thousand bans
/// some 60 more.
const FREE: u64 = 100;

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let mut findings = vec![unit(host)];
    findings.extend(limit(host));
    findings.push(memory(&host.read("/proc/meminfo").unwrap_or_default()));
    findings
}

fn unit(host: &Host) -> Finding {
    const WHAT: &str = "at boot";
    if !host.has_systemd() {
        return Finding::note(WHAT, "no systemd here: something else has to start the daemon");
    }
    match is_enabled(host).as_deref() {
        Some("enabled") => Finding::ok(WHAT, "the unit is enabled"),
        Some(word @ ("disabled" | "masked")) => {
            Finding::warning(WHAT, format!("the unit is {word}: after a reboot nothing runs"))
                .remedy("systemctl enable --now vauban")
        }
        Some(word) => Finding::note(WHAT, format!("the unit is {word}")),
        None => Finding::note(WHAT, "there is no unit: the package brings one"),
    }
}

/// A limit on its memory would make blocks fail in the middle of a flood.
fn limit(host: &Host) -> Option<Finding> {
    if !host.has_systemd() {
        return None;
    }
    let arguments = ["show", "vauban.service", "--property", "MemoryMax", "--value"];
    let Said::Done(true, text, _) = host.ask("systemctl", &arguments) else { return None };
    Some(match text.trim() {
        "" | "infinity" => Finding::ok("memory limit", "none"),
        bytes => Finding::warning(
            "memory limit",
            format!("{bytes} bytes: elements of the kernel's sets may count as the daemon's"),
        )
        .remedy("systemctl edit vauban, and take MemoryMax= away"),
    })
}

fn memory(meminfo: &str) -> Finding {
    const WHAT: &str = "memory";
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    match kib.map(|kib| kib / 1024) {
        Some(free) if free >= FREE => Finding::ok(WHAT, format!("{free} MiB available")),
        Some(free) => Finding::warning(WHAT, format!("{free} MiB available"))
            .remedy("lower kernel.bans and kernel.sources, or add memory"),
        None => Finding::note(WHAT, "cannot be told: no /proc/meminfo"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn memory_as_the_kernel_has_it() {
        assert_eq!(memory("MemTotal: 1 kB\nMemAvailable:  4194304 kB\n").verdict, Verdict::Ok);
        assert_eq!(memory("MemAvailable:  1024 kB\n").verdict, Verdict::Warning);
        assert_eq!(memory("").verdict, Verdict::Note);
    }
}
