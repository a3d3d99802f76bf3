//! The event of a room's power levels: what stands in it, and which one it replaced.

use ruma::RoomId;
use serde::Deserialize;
use serde_json::Value;

use super::{CONTENT, EVENT, REPLACED, user};
use crate::{
    change::{SLOT, Snapshot},
    commands::room::{known, power},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

/// The event as the homeserver has it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Levels {
    pub(super) event_id: String,
    pub(super) content: Value,
    #[serde(default)]
    unsigned: Value,
}

impl Levels {
    /// That of a room; `None` where it has none that can be read.
    pub(super) async fn of(room: &RoomId, reader: &Reader) -> Result<Option<Self>, Stop> {
        let state = known::state(room, Some(power::LEVELS), reader).await?;
        let found = state.into_iter().find(|event| event["state_key"] == "");
        Ok(found.and_then(|event| Self::deserialize(event).ok()))
    }

    /// The level of everybody who is not named.
    pub(super) fn default(&self) -> i64 {
        power::level(self.content.get("users_default")).unwrap_or(0)
    }

    /// The event that this one replaced, where the homeserver says so.
    pub(super) fn replaced(&self) -> Option<&str> {
        self.unsigned.get("replaces_state")?.as_str()
    }
}

/// The levels without those of `user`; all else as it is.
pub(super) fn without(content: &Value, user: &str) -> Value {
    let mut content = content.clone();
    if let Some(users) = content.get_mut("users").and_then(Value::as_object_mut) {
        users.remove(user);
    }
    content
}

/// Whether something in it looks like the slot of a secret: whoever has set the levels could otherwise
/// have the token, with which it is sent, put into the room.
pub(super) fn has_a_slot(content: &Value) -> bool {
    match content {
        Value::Object(fields) => fields.contains_key(SLOT) || fields.values().any(has_a_slot),
        Value::Array(items) => items.iter().any(has_a_slot),
        _ => false,
    }
}

/// What was lost where somebody else changed the levels at the same moment: the event that was looked at is
/// not the one that was replaced, or what stands there now is not what was sent.
pub(super) fn crossed(before: &Snapshot, after: &Snapshot) -> Option<Line> {
    let sent = before.extra.get(CONTENT).map(|content| without(content, user(before)));
    let as_sent = after.extra.get(CONTENT) == sent.as_ref();
    let replaced = after.extra.get(REPLACED).and_then(Value::as_str);
    let looked_at = before.fact(EVENT).and_then(Value::as_str);
    if as_sent && (replaced.is_none() || replaced == looked_at) {
        return None;
    }
    let line = Line::from("somebody else changed the power levels of the room at the same moment");
    Some(match replaced.filter(|_| as_sent) {
        Some(event) => line.plain(", by ").code(event).plain(", and that is overwritten"),
        None => line.plain(", and what stands there now is theirs"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_but_the_level_of_one_is_taken_out() {
        let content = json!({
            "users": {"@ann:example.org": 100, "@bob:example.org": "50"}, "users_default": 0,
            "events": {"m.room.name": 50}, "org.example.odd": [1, null],
        });
        let mut wanted = content.clone();
        wanted["users"] = json!({"@bob:example.org": "50"});
        assert_eq!(without(&content, "@ann:example.org"), wanted);
        assert_eq!(without(&content, "@eve:example.org"), content);
        assert_eq!(without(&json!({"users": 7}), "@ann:example.org"), json!({"users": 7}));
    }

    #[test]
    fn a_room_cannot_ask_for_a_secret() {
        let slot = json!({ "$secret": "token of @ann:example.org" });
        for content in [slot.clone(), json!({"x": [1, {"y": slot}]})] {
            assert!(has_a_slot(&content), "{content}");
        }
        assert!(!has_a_slot(&json!({"users": {"@a:b": 1}, "x": ["$secret"]})));
    }

    #[test]
    fn what_somebody_else_did_meanwhile_is_noticed() {
        let ann = json!("@ann:example.org");
        let seen = |event: &str, replaced: Option<&str>, users: Value| {
            let mut seen = Snapshot::default();
            seen.preconditions.insert("user".to_owned(), ann.clone());
            seen.preconditions.insert(EVENT.to_owned(), json!(event));
            seen.extra.insert(CONTENT.to_owned(), json!({ "users": users }));
            seen.extra.insert(REPLACED.to_owned(), json!(replaced));
            seen
        };
        let before = seen("$a", None, json!({"@ann:example.org": 100, "@bob:example.org": 50}));
        let bob = json!({"@bob:example.org": 50});
        assert!(crossed(&before, &seen("$b", Some("$a"), bob.clone())).is_none());
        assert!(
            crossed(&before, &seen("$b", None, bob.clone())).is_none(),
            "it says nothing of it"
        );
        let lost = crossed(&before, &seen("$c", Some("$b"), bob)).unwrap().text();
        assert!(lost.contains("by $b, and that is overwritten"), "{lost}");
        let theirs = crossed(&before, &seen("$c", Some("$b"), json!({}))).unwrap().text();
        assert!(theirs.ends_with("what stands there now is theirs"), "{theirs}");
    }
}
