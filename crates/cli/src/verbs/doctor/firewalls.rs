//! Others' rules: what they drop before our program looks, nobody sees. What stands behind ours is no
//! matter, and neither is what accepts: an accept of one table does not bind the next.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Patient;
use super::finding::Finding;
use super::host::Said;

/// Where our program looks at packets to this host: `filter - 10`.
const OURS: i64 = -10;

/// Whose table is ours.
const TABLE: &str = "vauban";

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    const WHAT: &str = "nftables";
    if !patient.root {
        return vec![Finding::needs_root(WHAT), legacy(patient)];
    }
    // Without elements: blocklists may have a million.
    let tables = match patient.host.ask("nft", &["--json", "--terse", "list", "ruleset"]) {
        Said::Done(true, text, _) => match serde_json::from_str(&text) {
            Ok(ruleset) => judge(&ruleset),
            Err(error) => Finding::note(WHAT, format!("cannot be read: {error}")),
        },
        Said::Done(false, _, text) | Said::Silent(text) => {
            Finding::note(WHAT, format!("cannot be listed: {}", text.trim()))
        }
        Said::Missing => Finding::note(WHAT, "cannot be listed: there is no nft"),
    };
    vec![tables, legacy(patient)]
}

/// Chains of others that come before ours and drop.
fn judge(ruleset: &Value) -> Finding {
    const WHAT: &str = "nftables";
    let items = ruleset.pointer("/nftables").and_then(Value::as_array);
    let items = items.map_or(&[][..], Vec::as_slice);
    let word = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let table = |value: &Value| (word(value, "family"), word(value, "table"));
    // Tables with a rule that drops, in whatever chain: it may be jumped to.
    let mut dropping: BTreeSet<(String, String)> = BTreeSet::new();
    let mut others: BTreeSet<String> = BTreeSet::new();
    let mut before: BTreeMap<String, bool> = BTreeMap::new();
    for rule in items.iter().filter_map(|item| item.get("rule")) {
        let expressions = rule.get("expr").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if expressions.iter().any(|part| part.get("drop").is_some() || part.get("reject").is_some())
        {
            dropping.insert(table(rule));
        }
    }
    for chain in items.iter().filter_map(|item| item.get("chain")) {
        let (family, name) = table(chain);
        if name == TABLE && family == "inet" {
            continue;
        }
        others.insert(format!("{family} {name}"));
        let hook = word(chain, "hook");
        let early = match hook.as_str() {
            "ingress" | "prerouting" => true,
            "input" => chain.get("prio").and_then(Value::as_i64).is_some_and(|prio| prio < OURS),
            _ => false,
        };
        // Addresses are translated in prerouting, which drops nothing as a rule.
        let drops = word(chain, "policy") == "drop"
            || (word(chain, "type") != "nat" && dropping.contains(&(family.clone(), name.clone())));
        if early && drops {
            before.insert(format!("{family} {name}, chain {} ({hook})", word(chain, "name")), true);
        }
    }
    if before.is_empty() {
        return Finding::ok(
            WHAT,
            match others.len() {
                0 => "no tables but ours".to_owned(),
                1 => "one table of others, which drops nothing before we see it".to_owned(),
                some => format!("{some} tables of others, which drop nothing before we see it"),
            },
        );
    }
    let names: Vec<&str> = before.keys().map(String::as_str).collect();
    Finding::warning(
        WHAT,
        format!(
            "dropped before we see it, and so never counted, is what these drop:\n{}",
            names.join("\n")
        ),
    )
    .remedy("give that chain a later priority than filter - 10, if scans of it are to be seen")
}

/// Rules of the older kind, which are not listed by nft.
fn legacy(patient: &Patient<'_>) -> Finding {
    const WHAT: &str = "iptables-legacy";
    if !patient.root {
        return Finding::needs_root(WHAT);
    }
    // Only tables that are in use are named here, and asking would load a module.
    let used = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"]
        .map(|path| patient.host.read(path).unwrap_or_default());
    let early: BTreeSet<&str> = used
        .iter()
        .flat_map(|text| text.lines())
        .filter(|name| matches!(*name, "raw" | "mangle"))
        .collect();
    if early.is_empty() {
        return Finding::ok(WHAT, "nothing that comes before us");
    }
    let mut rules = 0;
    for program in ["iptables-legacy-save", "ip6tables-legacy-save"] {
        for table in &early {
            if let Said::Done(true, text, _) = patient.host.ask(program, &["-t", table]) {
                rules += text.lines().filter(|line| line.contains("-j DROP")).count();
            }
        }
    }
    match rules {
        0 => Finding::ok(WHAT, "tables that come before us, which drop nothing"),
        some => Finding::warning(
            WHAT,
            format!("{some} rules in raw or mangle drop packets before we see them"),
        )
        .remedy("move them to the table filter, if scans of what they drop are to be seen"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Verdict;
    use super::*;

    fn chain(table: &str, hook: &str, prio: i64, policy: &str) -> Value {
        json!({ "chain": { "family": "inet", "table": table, "name": "c", "type": "filter",
            "hook": hook, "prio": prio, "policy": policy } })
    }

    fn drop(table: &str) -> Value {
        json!({ "rule": { "family": "inet", "table": table, "chain": "x", "expr": [{ "drop": null }] } })
    }

    fn verdict(items: &[Value]) -> Verdict {
        judge(&json!({ "nftables": items })).verdict
    }

    #[test]
    fn only_what_drops_before_us_is_worth_a_word() {
        assert_eq!(verdict(&[]), Verdict::Ok);
        assert_eq!(verdict(&[chain("ufw", "input", 0, "drop")]), Verdict::Ok);
        assert_eq!(verdict(&[chain("mine", "input", -100, "accept")]), Verdict::Ok);
        assert_eq!(
            verdict(&[chain("mine", "input", -100, "accept"), drop("mine")]),
            Verdict::Warning
        );
        assert_eq!(verdict(&[chain("mine", "input", -100, "drop")]), Verdict::Warning);
        assert_eq!(
            verdict(&[chain("mine", "ingress", 0, "accept"), drop("mine")]),
            Verdict::Warning
        );
        assert_eq!(
            verdict(&[chain("vauban", "input", -10, "accept"), drop("vauban")]),
            Verdict::Ok
        );
        assert_eq!(verdict(&[chain("a", "prerouting", -300, "accept"), drop("b")]), Verdict::Ok);
    }

    #[test]
    fn another_shape_is_nothing_to_fear() {
        assert_eq!(judge(&json!(null)).verdict, Verdict::Ok);
        assert_eq!(
            verdict(&[json!({ "chain": 3 }), json!({ "rule": { "expr": 1 } })]),
            Verdict::Ok
        );
    }
}
