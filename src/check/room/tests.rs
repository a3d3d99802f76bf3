use ruma::user_id;
use serde_json::json;

use super::{
    super::{Mark, tests::config},
    *,
};

fn event(kind: &str, key: &str, content: &Value) -> Value {
    json!({ "type": kind, "state_key": key, "sender": "@ann:x", "content": content })
}

/// A room as it should be.
fn sound() -> Vec<Value> {
    vec![
        event("m.room.create", "", &json!({ "room_version": "12" })),
        event("m.room.member", "@ann:x", &json!({ "membership": "join" })),
        event("m.room.member", "@synod:x", &json!({ "membership": "join" })),
        event("m.room.encryption", "", &json!({ "algorithm": "m.megolm.v1.aes-sha2" })),
        event("m.room.join_rules", "", &json!({ "join_rule": "invite" })),
        event("m.room.history_visibility", "", &json!({ "history_visibility": "joined" })),
        event("m.room.power_levels", "", &json!({ "users": { "@synod:x": 50 } })),
    ]
}

/// The findings that are not well when `changed` stands in place of the sound room's own event.
fn faults(changed: &Value) -> Vec<(Mark, String)> {
    let mut state = sound();
    let same = |event: &Value| {
        event["type"] == changed["type"] && event["state_key"] == changed["state_key"]
    };
    state.retain(|event| !same(event));
    state.push(changed.clone());
    judge(&config(Encryption::Required), "#r:x", &State(&state))
        .into_iter()
        .filter(|finding| finding.mark != Mark::Ok)
        .map(|finding| (finding.mark, finding.to_string()))
        .collect()
}

fn one(changed: &Value, mark: Mark, words: &[&str]) {
    let found = faults(changed);
    assert_eq!(found.len(), 1, "{changed}: {found:#?}");
    assert_eq!(found[0].0, mark, "{}", found[0].1);
    for words in words {
        assert!(found[0].1.contains(words), "{}", found[0].1);
    }
}

#[test]
fn a_sound_room_has_no_fault() {
    let findings = judge(&config(Encryption::Required), "#r:x", &State(&sound()));
    assert!(findings.iter().all(|finding| finding.mark == Mark::Ok), "{findings:#?}");
    assert_eq!(findings.len(), 4);
}

#[test]
fn who_is_in_it() {
    let member =
        |user, membership| event("m.room.member", user, &json!({ "membership": membership }));
    one(&member("@synod:x", "leave"), Mark::Bad, &["not invited", "operator invite @synod:x"]);
    one(&member("@synod:x", "ban"), Mark::Bad, &["banned"]);
    one(&member("@eve:x", "join"), Mark::Warn, &["1 in it who are not operators"]);
    assert!(faults(&member("@synod:x", "invite")).is_empty());
    let mut by_a_stranger = member("@synod:x", "invite");
    by_a_stranger["sender"] = json!("@eve:x");
    one(&by_a_stranger, Mark::Bad, &["invited by @eve:x"]);
}

#[test]
fn how_open_it_is() {
    let rule = |rule| event("m.room.join_rules", "", &json!({ "join_rule": rule }));
    one(&rule("public"), Mark::Bad, &["anybody may join", "invite-only"]);
    one(&rule("knock"), Mark::Warn, &["join rule knock"]);
    let history = json!({ "history_visibility": "world_readable" });
    one(
        &event("m.room.history_visibility", "", &history),
        Mark::Bad,
        &["everybody can read its history"],
    );
    one(
        &event("m.room.encryption", "", &json!({})),
        Mark::Bad,
        &["not encrypted", "Turn on encryption"],
    );
    let mut clear = sound();
    clear.retain(|event| event["type"] != "m.room.encryption");
    let findings = judge(&config(Encryption::Optional), "#r:x", &State(&clear));
    assert_eq!(findings[1].mark, Mark::Warn);
}

#[test]
fn what_the_bot_may_do_in_it() {
    let levels = |content: &Value| event("m.room.power_levels", "", content);
    one(&levels(&json!({})), Mark::Bad, &["may not redact", "power level to 50"]);
    one(&levels(&json!({ "users": { "@synod:x": 100 } })), Mark::Warn, &["more power", "to 50"]);
    one(
        &levels(&json!({ "users": { "@synod:x": 10 }, "events_default": 20, "redact": 30 })),
        Mark::Bad,
        &["may not send (it has 10)", "to 30"],
    );
    one(
        &levels(&json!({ "users": { "@synod:x": "50" }, "events": { "m.room.redaction": 60 } })),
        Mark::Bad,
        &["and needs 60"],
    );
    assert!(faults(&levels(&json!({ "users_default": 50 }))).is_empty());
    let content = json!({ "room_version": "12", "additional_creators": ["@synod:x"] });
    one(&event("m.room.create", "", &content), Mark::Warn, &["all power in it, permanently"]);
    let content = json!({ "room_version": "11", "additional_creators": ["@synod:x"] });
    assert!(faults(&event("m.room.create", "", &content)).is_empty());
}

#[test]
fn whether_the_bot_may_describe_its_commands_is_said_where_it_is_to() {
    let mut config = config(Encryption::Required);
    let about = |config: &Config, content: &Value| {
        let state = [event("m.room.power_levels", "", content)];
        let findings = judge(config, "#r:x", &State(&state));
        let all: Vec<String> = findings.iter().map(ToString::to_string).collect();
        all.into_iter().filter(|one| one.contains("describe its commands")).collect::<Vec<_>>()
    };
    let levels = |level: i64| json!({ "users": { "@synod:x": 50 }, "state_default": level });
    assert_eq!(about(&config, &levels(100)), Vec::<String>::new());
    config.bot.describe_commands = true;
    let told = about(&config, &levels(100)).concat();
    assert!(
        told.contains("may not describe") && told.contains("it has 50, and needs 100"),
        "{told}"
    );
    assert!(about(&config, &levels(50)).concat().contains("may describe its commands"));
    let mut own = levels(100);
    own["events"] = json!({ "org.matrix.msc4391.command_description": 50 });
    assert!(about(&config, &own).concat().contains("may describe its commands"));
}

#[test]
fn without_power_levels_only_the_maker_has_power() {
    let mut state = sound();
    state
        .retain(|event| event["type"] != "m.room.power_levels" && event["type"] != "m.room.create");
    let mut create = event("m.room.create", "", &json!({ "room_version": "10" }));
    let power = |create: &Value| {
        let state = [state.clone(), vec![create.clone()]].concat();
        power(user_id!("@synod:x"), "#r:x", &State(&state)).to_string()
    };
    assert!(power(&create).contains("it has 0"));
    create["sender"] = json!("@synod:x");
    assert!(power(&create).contains("(100, not 50)"));
}

#[test]
fn the_bot_writes_the_record_where_it_cannot_remove_it() {
    let bot = user_id!("@synod:x");
    let judged = |levels: &Value| {
        let create = event("m.room.create", "", &json!({ "room_version": "12" }));
        let events = [create, event("m.room.power_levels", "", levels)];
        appends_only(bot, "!r:x", &State(&events)).mark
    };
    let own = json!({ "@synod:x": 10 });
    for (levels, mark) in [
        (json!({ "users": own, "events": { "m.room.redaction": 50 } }), Mark::Ok),
        (json!({ "users": own, "events": { "m.room.redaction": 10 } }), Mark::Warn),
        (json!({ "users": own }), Mark::Warn),
        (json!({ "users": own, "events_default": 20 }), Mark::Bad),
    ] {
        assert_eq!(judged(&levels), mark, "{levels}");
    }
    let made_it = json!({ "type": "m.room.create", "state_key": "", "sender": "@synod:x",
        "content": { "room_version": "12" } });
    assert_eq!(appends_only(bot, "!r:x", &State(&[made_it])).mark, Mark::Warn);
}
