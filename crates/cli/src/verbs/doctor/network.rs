//! Settings of the network that matter here. None of them has to be changed for Vauban to work.

use super::finding::Finding;
use super::host::Host;

pub(super) fn check(host: &Host) -> Vec<Finding> {
    vec![reverse_path(host), timestamps(host), forwarding(host)]
}

/// Without it, packets with addresses of one side come in by another: more that is forged becomes a
/// suspect. A ban needs a proof that nobody forges.
fn reverse_path(host: &Host) -> Finding {
    const WHAT: &str = "reverse path";
    match host.value("/proc/sys/net/ipv4/conf/all/rp_filter").as_str() {
        "" => Finding::note(WHAT, "cannot be told: no /proc/sys/net"),
        "0" => Finding::note(WHAT, "not checked: forged sources of other interfaces come in")
            .remedy("sysctl net.ipv4.conf.all.rp_filter=2"),
        value => Finding::ok(WHAT, format!("checked (rp_filter {value})")),
    }
}

fn timestamps(host: &Host) -> Finding {
    const WHAT: &str = "TCP timestamps";
    match host.value("/proc/sys/net/ipv4/tcp_timestamps").as_str() {
        "0" => Finding::note(WHAT, "off, for listeners and so for decoys"),
        "" => Finding::note(WHAT, "cannot be told: no /proc/sys/net"),
        _ => Finding::ok(WHAT, "on, for listeners and so for decoys"),
    }
}

fn forwarding(host: &Host) -> Finding {
    let on = |path: &str| host.value(path) == "1";
    if on("/proc/sys/net/ipv4/ip_forward") || on("/proc/sys/net/ipv6/conf/all/forwarding") {
        Finding::note(
            "forwarding",
            "this host forwards: bans hold for what it forwards too, probes count for its own addresses",
        )
    } else {
        Finding::ok("forwarding", "off")
    }
}
