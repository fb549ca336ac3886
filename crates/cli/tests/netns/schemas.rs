//! The JSON Schemas in `docs/reference/schemas`: what scripts may rely on.
//!
//! A file for each verb that has `--json`, for each export, and for the `log`; and `parts`, to which they
//! refer. Draft 2020-12.

use std::path::PathBuf;

use jsonschema::{Registry, Resource};
use serde_json::Value;

/// Where they are, by their `$id`s.
const BASE: &str = "https://vauban.invalid/schemas/";

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/schemas"))
}

/// All of them: the verb, and its schema.
pub fn all() -> Vec<(String, Value)> {
    let mut all: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let verb = name.strip_suffix(".schema.json");
            let verb = verb.unwrap_or_else(|| panic!("{name} is no schema")).to_owned();
            let text = std::fs::read_to_string(folder().join(&name)).unwrap();
            let schema = serde_json::from_str(&text);
            (verb, schema.unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

/// What of an answer is not as the verb's schema says, a line for each.
pub fn faults(verb: &str, answer: &Value) -> Vec<String> {
    let all = all();
    let mut registry = Registry::new();
    for (verb, schema) in &all {
        let resource = Resource::from_contents(schema.clone());
        registry = registry.add(format!("{BASE}{verb}.schema.json"), resource).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let Some((_, schema)) = all.iter().find(|(name, _)| name == verb) else {
        return vec![format!("docs/reference/schemas/{verb}.schema.json is missing")];
    };
    let validator = jsonschema::options().with_registry(&registry).build(schema).unwrap();
    let fault = |error: jsonschema::ValidationError<'_>| {
        format!("{verb}{}: {error}", error.instance_path())
    };
    validator.iter_errors(answer).map(fault).collect()
}

/// Each says what it is, knows every field, describes it, and requires it.
#[test]
fn schemas_are_strict_and_described() {
    let mut wrong = Vec::new();
    for (verb, schema) in all() {
        if let Err(error) = jsonschema::meta::validate(&schema) {
            wrong.push(format!("{verb}: {error}"));
        }
        let draft = "https://json-schema.org/draft/2020-12/schema";
        if schema["$schema"] != draft || schema["$id"] != format!("{BASE}{verb}.schema.json") {
            wrong.push(format!("{verb}: $schema is not {draft}, or $id does not name the file"));
        }
        if schema["title"].as_str().is_none() {
            wrong.push(format!("{verb}: no title"));
        }
        look(&schema, &verb, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn look(schema: &Value, at: &str, wrong: &mut Vec<String>) {
    let described = schema["description"].as_str().is_some_and(|text| text.ends_with('.'));
    // The arms of `oneOf` are described by what they are arms of.
    if !described && !at.contains("/oneOf/") {
        wrong.push(format!("{at}: no description that is a sentence"));
    }
    if let Some(fields) = schema["properties"].as_object() {
        if schema["additionalProperties"] != false {
            wrong.push(format!("{at}: additionalProperties is not false"));
        }
        let Some(required) = schema["required"].as_array() else {
            return wrong.push(format!("{at}: it does not say which fields are required"));
        };
        for name in required.iter().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                wrong.push(format!("{at}: {name} is required and not described"));
            }
        }
    } else if schema["type"] == "object" && schema["additionalProperties"] != false {
        wrong.push(format!("{at}: additionalProperties is not false"));
    }
    for key in ["properties", "patternProperties", "$defs"] {
        for (name, field) in schema[key].as_object().into_iter().flatten() {
            look(field, &format!("{at}/{name}"), wrong);
        }
    }
    if schema["items"].is_object() {
        look(&schema["items"], &format!("{at}/items"), wrong);
    }
    for (index, arm) in schema["oneOf"].as_array().into_iter().flatten().enumerate() {
        look(arm, &format!("{at}/oneOf/{index}"), wrong);
    }
}

/// A validator that finds nothing wrong with anything would show nothing.
#[test]
fn what_a_schema_does_not_know_is_a_fault() {
    let good = serde_json::json!({ "unbanned": [{ "subject": "192.0.2.7", "was_banned": true }] });
    assert_eq!(faults("unban", &good), [""; 0]);
    for wrong in [
        serde_json::json!({}),
        serde_json::json!({ "unbanned": [], "more": 1 }),
        serde_json::json!({ "unbanned": [{ "subject": "192.0.2.7" }] }),
        serde_json::json!({ "unbanned": [{ "subject": 7, "was_banned": true }] }),
    ] {
        assert_eq!(faults("unban", &wrong).len(), 1, "{wrong}");
    }
    // Across files.
    let ban = serde_json::json!({ "dry_run": false, "stored": true, "ban": {} });
    assert!(!faults("ban", &ban).is_empty());
    assert!(faults("forgive", &good)[0].contains("is missing"));
}
