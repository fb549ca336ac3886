//! What `run` needs to start: capabilities, and a user for the process that judges.

use vauban_sys::user;

use super::Patient;
use super::finding::Finding;

/// Number and name of what the parent needs at its start (capabilities(7)); as in the unit for systemd.
const NEEDED: [(u32, &str); 7] = [
    (0, "CAP_CHOWN"),
    (5, "CAP_KILL"),
    (6, "CAP_SETGID"),
    (7, "CAP_SETUID"),
    (8, "CAP_SETPCAP"),
    (12, "CAP_NET_ADMIN"),
    (13, "CAP_NET_RAW"),
];

/// The user that the package makes.
const USER: &str = "vauban";

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let status = patient.host.read("/proc/self/status").unwrap_or_default();
    let rights =
        if patient.root { capabilities(&status) } else { Finding::needs_root("capabilities") };
    let user = match user::lookup(USER) {
        Ok(Some(found)) => Finding::ok("user", format!("{USER}, number {}", found.uid)),
        Ok(None) => Finding::warning(
            "user",
            format!("there is no user {USER}: the judging process runs as nobody, as others may"),
        )
        .remedy(format!("useradd --system --shell /usr/sbin/nologin {USER}")),
        Err(error) => Finding::warning("user", format!("users cannot be looked up: {error}")),
    };
    vec![rights, user]
}

fn capabilities(status: &str) -> Finding {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    let Some(effective) = effective else {
        return Finding::note("capabilities", "cannot be told: /proc/self/status is not readable");
    };
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(number, _)| effective & (1 << number) == 0)
        .map(|(_, name)| *name)
        .collect();
    if missing.is_empty() {
        return Finding::ok("capabilities", "all that are needed");
    }
    Finding::trouble("capabilities", format!("missing: {}", missing.join(" ")))
        .remedy("in a container: give it these (--cap-add, or CapabilityBoundingSet= of its unit)")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        assert_eq!(capabilities("CapEff:\t000001ffffffffff\n").verdict, Verdict::Ok);
        let docker = capabilities("CapEff:\t00000000a80425fb\n");
        assert_eq!(docker.found, "missing: CAP_NET_ADMIN");
        assert_eq!(docker.verdict, Verdict::Trouble);
        assert_eq!(capabilities("nothing").verdict, Verdict::Note);
    }
}
