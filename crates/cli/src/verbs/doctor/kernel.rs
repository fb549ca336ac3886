//! The kernel: its version, nf_tables, NFLOG, and the walls of the sandbox.

use super::Patient;
use super::finding::Finding;
use super::host::Host;

/// The oldest kernel that is tried: Debian 12's.
const OLDEST: (u32, u32) = (6, 1);

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let host = patient.host;
    vec![version(host), nf_tables(host), nflog(patient), landlock(host), seccomp(host)]
}

fn version(host: &Host) -> Finding {
    let text = host.value("/proc/sys/kernel/osrelease");
    let mut numbers = text.split(['.', '-']).map(|part| part.parse::<u32>().ok());
    let found = (numbers.next().flatten(), numbers.next().flatten());
    match found {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => Finding::ok("version", text),
        (Some(_), Some(_)) => Finding::warning(
            "version",
            format!("{text}: nothing older than {}.{} was tried", OLDEST.0, OLDEST.1),
        )
        .remedy("upgrade the kernel"),
        _ => Finding::note("version", format!("cannot be told from {text:?}")),
    }
}

fn nf_tables(host: &Host) -> Finding {
    if host.has("/sys/module/nf_tables") {
        return Finding::ok("nf_tables", "there");
    }
    let release = host.value("/proc/sys/kernel/osrelease");
    let built_in = host.read(&format!("/lib/modules/{release}/modules.builtin"));
    let modules = host.read(&format!("/lib/modules/{release}/modules.dep"));
    let names =
        |text: &Option<String>| text.as_deref().is_some_and(|text| text.contains("/nf_tables.ko"));
    if names(&built_in) {
        Finding::ok("nf_tables", "built in")
    } else if names(&modules) {
        Finding::ok("nf_tables", "a module, loaded when it is needed")
    } else {
        Finding::note("nf_tables", "no module is named; whether it works is seen below, at nft")
    }
}

/// The groups of NFLOG that somebody listens to: number and netlink port, which is the process's
/// number as a rule.
fn groups(table: &str) -> Vec<(u16, u32)> {
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        })
        .collect()
}

fn nflog(patient: &Patient<'_>) -> Finding {
    let what = "NFLOG group";
    let wanted = patient.config.policy.kernel.group;
    if !patient.root {
        return Finding::needs_root(what);
    }
    let table = patient.host.read("/proc/net/netfilter/nfnetlink_log").unwrap_or_default();
    let groups = groups(&table);
    match groups.iter().find(|(group, _)| *group == wanted) {
        None => Finding::ok(what, format!("{wanted} is free")),
        Some(_) if patient.status.is_ok() => {
            Finding::ok(what, format!("{wanted} is taken by the daemon that runs"))
        }
        Some((_, port)) => {
            let free = (1..=u16::MAX).find(|n| groups.iter().all(|(group, _)| group != n));
            let name = patient.host.value(&format!("/proc/{port}/comm"));
            let who = if name.is_empty() { String::new() } else { format!(" ({name})") };
            Finding::trouble(what, format!("{wanted} is taken by process {port}{who}")).remedy(
                format!(
                    "in /etc/vauban/vauban.toml: kernel.nflog_group = {}",
                    free.unwrap_or(wanted)
                ),
            )
        }
    }
}

fn landlock(host: &Host) -> Finding {
    match host.read("/sys/kernel/security/lsm") {
        Some(list) if list.trim().split(',').any(|name| name == "landlock") => {
            Finding::ok("Landlock", "on: the judging process can't open files of others")
        }
        Some(list) => Finding::warning(
            "Landlock",
            "off: the judging process is kept from files by its user alone",
        )
        .remedy(format!("on the kernel's command line: lsm=landlock,{}", list.trim())),
        None => Finding::note("Landlock", "cannot be told: /sys/kernel/security is not mounted"),
    }
}

fn seccomp(host: &Host) -> Finding {
    let status = host.read("/proc/self/status").unwrap_or_default();
    if status.lines().any(|line| line.starts_with("Seccomp:")) {
        Finding::ok("seccomp", "there")
    } else {
        Finding::warning("seccomp", "not in this kernel: system calls are not filtered")
            .remedy("a kernel with CONFIG_SECCOMP_FILTER")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_of_groups() {
        let table = "    5   1234     0 2    128  100  1\n 4242   77  0 2 65535 0 1\n";
        assert_eq!(groups(table), [(5, 1234), (4242, 77)]);
        assert_eq!(groups("x y\n\n"), []);
    }
}
