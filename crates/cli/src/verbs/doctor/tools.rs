//! Other programs that ban, and listeners that hide probes.

use std::collections::BTreeSet;

use vauban_sys::diag;

use super::finding::Finding;
use super::host::Host;

/// A program that bans, or whose rules people ask about.
struct Tool {
    name: &'static str,
    /// Names of its processes, as the kernel cuts them: 15 characters.
    processes: &'static [&'static str],
    /// What shows that it is there without a process of its own.
    traces: &'static [&'static str],
    clash: Clash,
    remedy: &'static str,
}

/// How it gets on with Vauban.
enum Clash {
    /// It does.
    None(&'static str),
    /// Not well.
    Some(&'static str),
}

const TOOLS: [Tool; 12] = [
    Tool {
        name: "portsentry",
        processes: &["portsentry"],
        traces: &[],
        clash: Clash::Some(
            "takes ports itself, so that probes to them are not seen, and bans forged addresses",
        ),
        remedy: "systemctl disable --now portsentry",
    },
    Tool {
        name: "psad",
        processes: &["psad"],
        traces: &[],
        clash: Clash::Some("bans by logged packets, whose addresses may be forged"),
        remedy: "in /etc/psad/psad.conf: ENABLE_AUTO_IDS N;",
    },
    Tool {
        name: "csf",
        processes: &["lfd - sleeping", "lfd"],
        traces: &["/etc/csf/csf.conf"],
        clash: Clash::Some("bans scanners by logged packets, whose addresses may be forged"),
        remedy: "in /etc/csf/csf.conf: PS_INTERVAL = \"0\"",
    },
    Tool {
        name: "fail2ban",
        processes: &["fail2ban-server", "f2b/server"],
        traces: &[],
        clash: Clash::None("bans by the logs of services; its rules stand behind ours"),
        remedy: "",
    },
    Tool {
        name: "crowdsec",
        processes: &["crowdsec", "crowdsec-firewa"],
        traces: &[],
        clash: Clash::None("bans by logs and lists; whom it bans first, we do not see"),
        remedy: "",
    },
    Tool {
        name: "sshguard",
        processes: &["sshguard", "sshg-blocker"],
        traces: &[],
        clash: Clash::None("bans by the logs of services"),
        remedy: "",
    },
    Tool {
        name: "denyhosts",
        processes: &["denyhosts", "denyhosts.py"],
        traces: &[],
        clash: Clash::None("bans by the log of sshd, in hosts.deny"),
        remedy: "",
    },
    Tool {
        name: "ufw",
        processes: &[],
        traces: &["/run/ufw.lock"],
        clash: Clash::None("stands behind ours: both work"),
        remedy: "",
    },
    Tool {
        name: "firewalld",
        processes: &["firewalld"],
        traces: &["/run/firewalld"],
        clash: Clash::None("stands behind ours: both work"),
        remedy: "",
    },
    Tool {
        name: "docker",
        processes: &["dockerd"],
        traces: &[],
        clash: Clash::None("its published ports are served; bans hold for containers too"),
        remedy: "",
    },
    Tool {
        name: "podman",
        processes: &["conmon", "netavark"],
        traces: &[],
        clash: Clash::None("its published ports are served; bans hold for containers too"),
        remedy: "",
    },
    Tool {
        name: "ipset",
        processes: &[],
        traces: &["/sys/module/ip_set/refcnt"],
        clash: Clash::None("in use by somebody's rules; what they drop early, we do not see"),
        remedy: "",
    },
];

/// Ports with a listener from which on somebody listens in order to catch: servers have a dozen.
const MANY: usize = 100;

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let mut findings = tools(host);
    if findings.is_empty() {
        findings.push(Finding::ok("others that ban", "none of those that are known runs here"));
    }
    findings.push(match diag::listeners() {
        Ok(all) => {
            let ports: BTreeSet<u16> = all
                .iter()
                .filter(|found| found.protocol == 6)
                .filter(|found| !found.address.is_some_and(|address| address.is_loopback()))
                .map(|found| found.port)
                .collect();
            listeners(ports.len())
        }
        Err(error) => Finding::note("listeners", format!("cannot be counted: {error}")),
    });
    findings
}

fn tools(host: &Host) -> Vec<Finding> {
    let running = host.processes();
    let there = |tool: &&Tool| {
        tool.processes.iter().any(|name| running.contains(*name))
            || tool.traces.iter().any(|path| host.has(path))
    };
    TOOLS
        .iter()
        .filter(there)
        .map(|tool| match tool.clash {
            Clash::None(text) => Finding::note(tool.name, text),
            Clash::Some(text) => Finding::warning(tool.name, text).remedy(tool.remedy),
        })
        .collect()
}

fn listeners(count: usize) -> Finding {
    if count < MANY {
        return Finding::ok("listeners", format!("{count} TCP ports are served"));
    }
    Finding::warning(
        "listeners",
        format!("{count} TCP ports have a listener, and a probe to one of them is no probe"),
    )
    .remedy("whose they are: ss --listening --tcp --numeric --processes")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_host_full_of_listeners() {
        assert_eq!(listeners(12).verdict, Verdict::Ok);
        assert_eq!(listeners(MANY).verdict, Verdict::Warning);
    }

    #[test]
    fn names_of_processes_are_as_the_kernel_cuts_them() {
        for tool in &TOOLS {
            assert!(tool.processes.iter().all(|name| name.len() <= 15), "{}", tool.name);
            assert_eq!(matches!(tool.clash, Clash::Some(_)), !tool.remedy.is_empty());
            assert!(!tool.processes.is_empty() || !tool.traces.is_empty());
        }
    }
}
