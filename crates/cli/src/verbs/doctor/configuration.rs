//! The configuration: the same errors as `run` would give.

use vauban_engine::policy::{Enforcement, Unproven};

use super::Patient;
use super::finding::Finding;
use crate::ask::number;

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    const WHAT: &str = "file";
    let (config, file) = match &patient.configured {
        Ok((config, file)) => (config, file),
        Err(errors) => {
            return vec![
                Finding::trouble(WHAT, errors.clone())
                    .remedy("correct these; until then the daemon does not start with it"),
            ];
        }
    };
    let found = match file.as_str() {
        "" => Finding::ok(WHAT, "there is none: the defaults hold"),
        file => Finding::ok(WHAT, format!("{file} is right")),
    };
    let mut findings = vec![found];
    if config.policy.enforcement == Enforcement::DryRun {
        findings.push(
            Finding::note("dry_run", "true: nothing is dropped and nobody is banned")
                .remedy("when you have seen enough: dry_run = false, and vauban reload"),
        );
    }
    if config.policy.unproven == Unproven::Ban {
        findings.push(
            Finding::warning("unproven", "\"ban\": whoever forges an address gets it banned")
                .remedy("unproven = \"decoy\", and vauban reload"),
        );
    }
    // A daemon that runs may have been told of more: vauban allow.
    let granted = patient.status.as_ref().is_ok_and(|status| number(status, "/allowed") > 0);
    if config.policy.allow.is_empty() && !granted {
        findings.push(
            Finding::note("allow", "empty: this host's own addresses and gateways alone are safe")
                .remedy("the addresses you administer from: allow = [\"192.0.2.10\"]"),
        );
    }
    findings
}
