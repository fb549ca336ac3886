//! The program that loads programs into the kernel, and this kernel with the very program that `run`
//! would load: into a network namespace that is thrown away, so that nothing of the host is touched.

use vauban_daemon::host;
use vauban_enforce::program;

use super::Patient;
use super::finding::Finding;
use super::host::Said;

/// The oldest nft whose syntax was tried: Debian 12's.
const OLDEST: [u32; 3] = [1, 0, 6];

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let version = match patient.host.ask("nft", &["--version"]) {
        Said::Done(true, text, _) => version(&text),
        Said::Missing => Finding::trouble("version", "there is no program nft")
            .remedy("apt-get install nftables"),
        Said::Done(false, _, text) | Said::Silent(text) => {
            Finding::trouble("version", format!("nft does not answer: {}", text.trim()))
        }
    };
    vec![version, loads(patient)]
}

fn version(text: &str) -> Finding {
    let number = text.split_whitespace().find_map(|word| word.strip_prefix('v')).unwrap_or("");
    let parts: Vec<u32> = number.split('.').filter_map(|part| part.parse().ok()).collect();
    if parts.as_slice() >= OLDEST.as_slice() {
        Finding::ok("version", number)
    } else {
        Finding::warning("version", format!("{number:?}: nothing older than 1.0.6 was tried"))
            .remedy("apt-get install nftables")
    }
}

/// Whether the kernel takes every expression of ours.
fn loads(patient: &Patient<'_>) -> Finding {
    const WHAT: &str = "our program";
    let facts = match host::facts() {
        Ok(facts) => facts,
        Err(error) => {
            return Finding::trouble(
                WHAT,
                format!("this host cannot be asked for addresses: {error}"),
            );
        }
    };
    let program = program::render(&patient.config.policy, &facts);
    let nft = ["--net", "nft", "-f", "-"];
    let arguments: Vec<&str> = if patient.root {
        nft.to_vec()
    } else {
        ["--user", "--map-root-user"].into_iter().chain(nft).collect()
    };
    match patient.host.ask_with("unshare", &arguments, &program) {
        Said::Done(true, ..) => Finding::ok(
            WHAT,
            format!("{} lines, loaded into a network namespace for trial", program.lines().count()),
        ),
        Said::Done(false, _, complaint) if !patient.root && !complaint.contains("rror: ") => {
            Finding::needs_root(WHAT)
        }
        Said::Done(false, _, complaint) if complaint.starts_with("unshare:") => {
            // No namespaces here, as in a small container: then without changing anything.
            match patient.host.ask_with("nft", &["--check", "-f", "-"], &program) {
                Said::Done(true, ..) => Finding::ok(WHAT, "checked by nft --check"),
                Said::Done(false, _, complaint) => refused(WHAT, &complaint, &program),
                Said::Missing => Finding::note(WHAT, "not tried: there is no nft"),
                Said::Silent(text) => Finding::warning(WHAT, text),
            }
        }
        Said::Done(false, _, complaint) => refused(WHAT, &complaint, &program),
        Said::Missing => Finding::note(WHAT, "not tried: there is no program unshare")
            .remedy("apt-get install util-linux"),
        Said::Silent(text) => Finding::warning(WHAT, text),
    }
}

/// The first complaint, with the line of the program that it is about.
fn refused(what: &'static str, complaint: &str, program: &str) -> Finding {
    let first = complaint.lines().next().unwrap_or("nft gives no reason").trim();
    let number = first.split(':').nth(1).and_then(|number| number.parse::<usize>().ok());
    let line = number.and_then(|number| program.lines().nth(number.saturating_sub(1)));
    let shown = line.map_or_else(String::new, |line| format!("\n{}", line.trim()));
    if first.contains("Operation not permitted") {
        // Said of whatever comes first, and about us: the kernel has not looked at it.
        return Finding::trouble(what, format!("not tried: {first}"))
            .remedy("the capability CAP_NET_ADMIN, in this container too");
    }
    Finding::trouble(what, format!("the kernel does not take it: {first}{shown}"))
        .remedy("a kernel with the module that this line needs: vauban ruleset | sudo nft -c -f -")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(version("nftables v1.0.6 (Lester Gooch #5)\n").verdict, Verdict::Ok);
        assert_eq!(version("nftables v1.1 (x)").verdict, Verdict::Ok);
        assert_eq!(version("nftables v0.9.8 (E.D.S.)").verdict, Verdict::Warning);
        assert_eq!(version("what?").verdict, Verdict::Warning);
    }

    #[test]
    fn a_refused_program_is_shown_at_its_line() {
        let complaint =
            "/dev/stdin:2:5-9: Error: Could not process rule: No such file\n  x\n  ^^\n";
        let finding = refused("our program", complaint, "table inet x {\n    ct count 3\n}\n");
        assert!(finding.found.ends_with("No such file\nct count 3"), "{}", finding.found);
        let complaint =
            "/dev/stdin:1:1-9: Error: Could not process rule: Operation not permitted\n";
        let finding = refused("our program", complaint, "table inet x {\n}\n");
        assert!(finding.found.starts_with("not tried: "), "{}", finding.found);
        assert!(finding.remedy.iter().any(|text| text.contains("CAP_NET_ADMIN")));
    }
}
