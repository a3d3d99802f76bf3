//! That an object becomes just the words that would have been typed, or none.

use proptest::{prelude::*, sample::select};
use serde_json::json;

use super::*;
use crate::{
    input::{Heard, hear, quote},
    pipeline::inbound::understand::{described::descriptions, is_first_word},
    reply::Layout,
};

fn read(command: &str, arguments: Value) -> Result<Vec<String>, String> {
    let mut object = json!({ "command": command });
    object["arguments"] = arguments;
    words_of(&object)
}

fn words_of(object: &Value) -> Result<Vec<String>, String> {
    let words = Call::read(object).and_then(|call| call.words());
    words.map_err(|why| {
        let told = why.told().markdown(&Layout::default());
        told.replace(['\u{2060}', '\\', '*', '`'], "")
    })
}

/// The words of a line as somebody types it.
fn typed(line: &str) -> Vec<String> {
    match hear(line, None, &is_first_word) {
        Heard::Command(command) => command.words,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn an_object_becomes_the_words_that_would_have_been_typed() {
    let room = |id: &str| json!({ "type": "room_id", "id": id, "via": ["x.org"] });
    for (command, arguments, line) in [
        ("user suspend", json!({ "users": ["@eve:x.org"] }), "!user suspend @eve:x.org"),
        (
            "user suspend",
            json!({
                "users": ["@eve:x.org", "@sam:x.org"], "reason": "spam in the lobby", "for": "3d",
                "plan": false, "unsuspend": null, "alone": "",
            }),
            "!user suspend @eve:x.org @sam:x.org --for 3d --reason \"spam in the lobby\"",
        ),
        (
            "user deactivate",
            json!({ "users": ["@eve:x.org"], "gdpr-erase": true }),
            "!user deactivate @eve:x.org --gdpr-erase",
        ),
        ("user details", json!({ "user": "@eve:x.org" }), "!user details @eve:x.org"),
        (
            "user redact",
            json!({ "users": ["@eve:x.org"], "room": [room("!a:x.org"), "#b:x.org"], "limit": 200 }),
            "!user redact @eve:x.org --room !a:x.org --room #b:x.org --limit 200",
        ),
        ("room block", json!({ "rooms": [room("!a:x.org")] }), "!room block !a:x.org"),
        ("room details", json!({ "room": "#a:x.org" }), "!room details #a:x.org"),
        (
            "report list",
            json!({ "sender": "@eve:x.org", "output": "csv" }),
            "!report list --sender @eve:x.org --output csv",
        ),
        (
            "media quarantine",
            json!({ "files": ["mxc://x.org/abc"], "reason": "--plan" }),
            "!media quarantine mxc://x.org/abc --reason=\"--plan\"",
        ),
        (
            "media quarantine",
            json!({ "user-id": "@eve:x.org" }),
            "!media quarantine --user-id @eve:x.org",
        ),
        ("undo", json!({ "number": "17" }), "!undo 17"),
        ("freeze", Value::Null, "!freeze"),
        ("freeze", json!({ "operator": "@moe:x.org" }), "!freeze @moe:x.org"),
    ] {
        let words = read(command, arguments).unwrap_or_else(|why| panic!("{line}: {why}"));
        assert_eq!(words, typed(line), "{line}");
        assert!(parse(&words).is_ok(), "{line}");
        assert_eq!(typed(&quote(&words)), words, "as it is shown it can be typed");
    }
}

#[test]
fn a_literal_is_taken_with_and_without_what_says_that_it_is_one() {
    let expected = typed("!report list --output json");
    for value in [
        json!("json"),
        json!({ "schema_type": "literal", "value": "json" }),
        json!({ "schema_type": "literal", "literal_type": "string", "value": "json" }),
        json!({ "value": "json" }),
    ] {
        assert_eq!(read("report list", json!({ "output": value })).as_ref(), Ok(&expected));
    }
}

#[test]
fn text_that_looks_like_an_option_stays_text() {
    for text in ["--force", "-U", "--unsuspend", "--", "-", "--reason=x", "--alone", "—plan"] {
        let words = read("user suspend", json!({ "users": ["@e:x.org"], "reason": text })).unwrap();
        let matches = parse(&words).unwrap();
        let (_, user) = matches.subcommand().unwrap();
        let (_, suspend) = user.subcommand().unwrap();
        assert_eq!(suspend.get_one::<String>("reason").map(String::as_str), Some(text));
        assert!(!suspend.get_flag("unsuspend") && !suspend.get_flag("plan"), "{words:?}");
    }
    // In the place of a file it is one.
    let words = read("media quarantine", json!({ "files": ["--plan"], "reason": "x" })).unwrap();
    assert_eq!(words.join(" "), "media quarantine --reason x -- --plan");
    let matches = parse(&words).unwrap();
    let (_, media) = matches.subcommand().unwrap();
    let (_, quarantine) = media.subcommand().unwrap();
    assert!(!quarantine.get_flag("plan") && quarantine.contains_id("files"), "{words:?}");
}

#[test]
fn what_is_wrong_is_said_in_one_sentence_and_nothing_is_guessed() {
    let eve = || json!(["@eve:x.org"]);
    for (object, part) in [
        (json!("user suspend"), "in a form that I do not know"),
        (json!([]), "in a form that I do not know"),
        (json!({}), "in a form that I do not know"),
        (json!({ "command": 7 }), "in a form that I do not know"),
        (json!({ "command": "undo", "arguments": [] }), "in a form that I do not know"),
        (json!({ "command": "undo", "then": "freeze" }), "in a form that I do not know"),
        (json!({ "command": "user obliterate" }), "user obliterate, which I do not take"),
        (json!({ "command": "user  suspend" }), "which I do not take"),
        (json!({ "command": "confirm", "arguments": { "code": "1" } }), "confirm, which I do not"),
        (json!({ "command": "x".repeat(5_000) }), "x…, which I do not take"),
    ] {
        let told = words_of(&object).unwrap_err();
        assert!(told.starts_with("Not understood") && told.contains(part), "{told}");
        assert!(told.len() < 400, "{told}");
    }
    for (arguments, part) in [
        (json!({ "users": eve(), "force": true }), "!user suspend has no parameter force"),
        (json!({ "users": eve(), "--plan": true }), "has no parameter --plan"),
        (json!({ "users": eve(), "Reason": "x" }), "has no parameter Reason"),
        (json!({ "users": "@eve:x.org" }), "users of !user suspend must be a list"),
        (json!({ "users": ["eve"] }), "must be a whole user id"),
        (json!({ "users": ["@eve:x.org "] }), "must be a whole user id"),
        (json!({ "users": ["@eve:x.org,@sam:x.org"] }), "must be a whole user id"),
        (json!({ "users": ["."] }), "must be a whole user id"),
        (json!({ "users": [["@eve:x.org"]] }), "must be a whole user id"),
        (json!({ "users": [null] }), "must be a whole user id"),
        (
            json!({ "users": [{ "type": "user_id", "id": "@eve:x.org" }] }),
            "must be a whole user id",
        ),
        (json!({ "users": eve(), "plan": "true" }), "plan of !user suspend must be true or false"),
        (json!({ "users": eve(), "plan": 1 }), "must be true or false"),
        (json!({ "users": eve(), "reason": false }), "reason of !user suspend must be text"),
        (json!({ "users": eve(), "reason": ["a"] }), "must be text"),
        (json!({ "users": eve(), "reason": { "a": 1 } }), "must be text"),
        (json!({ "users": eve(), "reason": "a\nb" }), "must be text in one line"),
        (json!({ "users": eve(), "reason": "x".repeat(1_001) }), "at most 1000 characters"),
    ] {
        let told = read("user suspend", arguments).unwrap_err();
        assert!(told.starts_with("Not understood") && told.contains(part), "{part:?} in {told}");
        assert!(told.contains("!help user suspend"), "{told}");
    }
    for (arguments, part) in [
        (json!({ "users": eve(), "limit": "200" }), "limit of !user redact must be a whole number"),
        (json!({ "users": eve(), "limit": 2.5 }), "must be a whole number"),
        (
            json!({ "users": eve(), "room": [{ "type": "event_id", "id": "!a:x.org" }] }),
            "a room id",
        ),
        (json!({ "users": eve(), "room": [{ "type": "room_id", "id": "#a:x.org" }] }), "a room id"),
        (json!({ "users": eve(), "room": [{ "id": "!a:x.org" }] }), "a room id"),
        (json!({ "users": eve(), "room": ["#a"] }), "a room id"),
        (
            json!({ "users": eve(), "room": [{ "type": "room_id", "id": "!a:x.org", "x": {} }] }),
            "a room id",
        ),
    ] {
        let told = read("user redact", arguments).unwrap_err();
        assert!(told.contains(part), "{part:?} in {told}");
    }
    assert!(read("report list", json!({ "output": "xml" })).unwrap_err().contains("one of "));
    let told = read("media quarantine", json!({ "files": ["mxc://x.org/abc,"] })).unwrap_err();
    assert!(told.contains("an id, with nothing around it"), "{told}");
}

/// Any JSON at all, as clients and people who mean harm send it.
fn junk() -> impl Strategy<Value = Value> {
    let texts = vec![
        "--plan",
        "--force",
        "-U",
        "--",
        "-",
        "",
        ".",
        "@eve:x.org",
        "@-U:x.org",
        "#a:x.org",
        "!a:x.org",
        "mxc://x.org/abc",
        "3d",
        "--reason=x",
        "--users",
        "json",
        "a b",
        "\"",
        "'--plan'",
        "17",
        "-17",
        "help",
        "@eve:x.org --plan",
        "—plan",
        "\u{202e}--plan",
        "=",
        "a=b",
    ];
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(|number| json!(number)),
        8 => select(texts).prop_map(Value::from),
        2 => ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            1 => prop::collection::btree_map("type|id|via|value|schema_type|[a-z]{1,3}", inner.clone(), 0..4)
                .prop_map(|fields| json!(fields)),
            1 => inner.prop_map(|id| json!({ "type": "room_id", "id": id })),
        ]
    })
}

/// An object with the keys of a described command, and anything for their values.
fn calls() -> impl Strategy<Value = Value> {
    let all: Vec<(String, Vec<&'static str>)> = descriptions()
        .into_iter()
        .filter_map(|one| {
            let command = described::named(&one.command)?;
            let keys = described::parameters(command).into_iter().map(|parameter| parameter.key);
            Some((one.command, keys.collect()))
        })
        .collect();
    select(all).prop_flat_map(|(command, keys)| {
        let keys = if keys.is_empty() { vec!["x"] } else { keys };
        prop::collection::btree_map(select(keys), junk(), 0..4)
            .prop_map(move |arguments| json!({ "command": command, "arguments": arguments }))
    })
}

/// The texts of which a value consists, as they would be words.
fn data(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(values) => values.iter().flat_map(data).collect(),
        Value::Object(fields) => fields.values().flat_map(data).collect(),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

/// Holds what is read in the words against what was given, by clap's own view of them.
fn hold(object: &Value) {
    let Ok(words) = words_of(object) else { return };
    let Ok(matches) = parse(&words) else { return };
    let mut matches = &matches;
    while let Some((_, below)) = matches.subcommand() {
        matches = below;
    }
    let command = object["command"].as_str().unwrap();
    for parameter in described::parameters(described::named(command).unwrap()) {
        let id = parameter.arg.get_id().as_str();
        let given = &object["arguments"][parameter.key];
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        assert!(!given.is_null(), "{} was not given: {words:?}", parameter.key);
        if parameter.kind == Kind::Flag {
            assert!(*given == json!(true) || given.is_object(), "{object} became {words:?}");
            continue;
        }
        let raw = matches.get_raw(id).unwrap();
        let raw: Vec<String> = raw.map(|word| word.to_string_lossy().into_owned()).collect();
        let given = data(given);
        for word in &raw {
            assert!(given.contains(word), "{word:?} was not given: {object} became {words:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_object_makes_it_panic_or_yields_an_option_that_was_not_given(
        call in calls(), other in junk(), command in junk(), arguments in junk(),
    ) {
        hold(&call);
        for object in [other, json!({ "command": command, "arguments": arguments })] {
            let _ = words_of(&object);
            let _ = all_texts(&object);
        }
    }
}
