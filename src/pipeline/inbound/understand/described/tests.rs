//! That what clients are told is what the proposal allows, and what the catalogue has.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_described_command_is_described_so() {
    let all = descriptions();
    let contents: Vec<&Value> = all.iter().map(|one| &one.content).collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&contents).unwrap());
}

#[test]
fn the_commands_that_help_shows_first_are_described_and_no_other() {
    let described: Vec<String> = descriptions().into_iter().map(|one| one.command).collect();
    assert!(described.len() >= 10, "{described:?}");
    assert!(described.iter().eq(help::of_a_night()), "{described:?}");
    for name in ["user suspend ", "User suspend", "user", "user password", "confirm", "raw", ""] {
        assert!(named(name).is_none(), "{name:?}");
    }
    // What a client of a person's own would do itself.
    for taken in ["ban", "kick", "invite", "join", "leave", "redact", "me", "help"] {
        assert!(!described.iter().any(|name| name == taken), "{taken}");
    }
}

/// Holds a schema to the proposal: arrays at the top only, no union in a union, no field besides.
fn hold_schema(schema: &Value, within: Option<&str>) {
    let fields: BTreeSet<&str> = schema.as_object().unwrap().keys().map(String::as_str).collect();
    let kind = schema["schema_type"].as_str().unwrap();
    let own: &[&str] = match kind {
        "primitive" => {
            let types = ["string", "integer", "boolean", "user_id", "room_id", "room_alias"];
            assert!(types.iter().any(|known| schema["type"] == *known), "{schema}");
            &["type"]
        }
        "literal" => {
            assert_eq!(schema["literal_type"], "string");
            assert!(schema["value"].is_string(), "{schema}");
            &["literal_type", "value"]
        }
        "array" => {
            assert_eq!(within, None, "{schema}");
            hold_schema(&schema["items"], Some("array"));
            &["items"]
        }
        "union" => {
            assert_ne!(within, Some("union"), "{schema}");
            let variants = schema["variants"].as_array().unwrap();
            assert!(variants.len() > 1, "{schema}");
            for variant in variants {
                hold_schema(variant, Some("union"));
            }
            &["variants"]
        }
        _ => panic!("{schema}"),
    };
    let expected: BTreeSet<&str> = own.iter().copied().chain(["schema_type"]).collect();
    assert_eq!(fields, expected, "{schema}");
}

#[test]
fn each_description_is_what_the_proposal_allows() {
    for Described { command, content } in descriptions() {
        assert_eq!(content["command"], *command);
        assert!(content["description"]["m.text"][0]["body"].as_str().is_some_and(|t| t.len() > 5));
        let parameters = content["parameters"].as_array().unwrap();
        let keys: BTreeSet<&str> =
            parameters.iter().filter_map(|parameter| parameter["key"].as_str()).collect();
        assert_eq!(keys.len(), parameters.len(), "{command}: a key of its own for each");
        let mut optional = false;
        for parameter in parameters {
            hold_schema(&parameter["schema"], None);
            assert!(parameter["description"]["m.text"][0]["body"].is_string(), "{parameter}");
            // Clients take what is typed without a name for those that must be given, in their order.
            assert!(parameter["optional"] == true || !optional, "{command}: {parameter}");
            optional |= parameter["optional"] == true;
        }
        // With two places, one left out would put the other in its stead.
        let placed = parameters_of(&command).iter().filter(|one| one.arg.is_positional()).count();
        assert!(placed <= 1, "{command}");
    }
}

fn parameters_of(command: &str) -> Vec<Parameter> {
    parameters(named(command).unwrap())
}
