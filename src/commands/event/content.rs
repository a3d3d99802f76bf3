//! Events as they are told: who sent what kind of thing when; and what it says only where that was
//! asked for.

use std::str::FromStr;

use jiff::Timestamp;
use ruma::{EventId, OwnedEventId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    change::Path,
    commands::arguments::bare,
    reply::{Fact, Hostile, Line},
    synapse::{Error, Reader, wire::optional_millis},
};

/// An event, as far as it is told.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Event {
    /// Its id.
    #[serde(default, rename = "event_id")]
    pub(in crate::commands) id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) kind: Hostile,
    /// Who sent it.
    pub(in crate::commands) sender: String,
    /// When it was sent, as the sender's server says.
    #[serde(default, rename = "origin_server_ts", deserialize_with = "optional_millis")]
    pub(in crate::commands) sent: Option<Timestamp>,
    /// What it sets, for a state event.
    pub(in crate::commands) state_key: Option<Hostile>,
    /// The event that it redacts.
    redacts: Option<Hostile>,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    unsigned: Value,
}

/// What of an event is not what it says.
const ENVELOPE: [&str; 9] = [
    "depth",
    "event_id",
    "origin_server_ts",
    "received_ts",
    "redacts",
    "room_id",
    "sender",
    "state_key",
    "type",
];

/// An event as the homeserver sent it, without what it says. Of a membership it is kept what it is:
/// that can be seen in the list of members too.
pub(in crate::commands) fn envelope(event: &Value) -> Value {
    let kept = ENVELOPE.iter().filter_map(|&key| Some((key.to_owned(), event.get(key)?.clone())));
    let mut kept: Map<String, Value> = kept.collect();
    if event["type"] == "m.room.member" {
        let membership = &event["content"]["membership"];
        kept.insert("content".to_owned(), json!({ "membership": membership }));
    }
    if let Some(because) = event["unsigned"].get("redacted_because") {
        let because = json!({ "redacted_because": envelope(because) });
        kept.insert("unsigned".to_owned(), because);
    }
    Value::Object(kept)
}

impl Event {
    /// Whether it is a message, or anything else that is no state, and was not redacted.
    pub(in crate::commands) fn is_message(&self) -> bool {
        let redacted = self.unsigned.get("redacted_because").is_some();
        self.state_key.is_none() && self.kind.raw() != "m.room.redaction" && !redacted
    }

    /// By whom it was redacted; `None` where it was not.
    pub(super) fn redacted_by(&self) -> Option<&str> {
        self.unsigned
            .get("redacted_because")
            .map(|because| because["sender"].as_str().unwrap_or("?"))
    }

    /// Of a membership, what it makes of somebody.
    pub(super) fn membership(&self) -> Option<&str> {
        self.content.get("membership").and_then(Value::as_str)
    }

    /// The id of the newest event that replaces what it says, where somebody has edited it.
    pub(super) fn edit(&self) -> Option<&str> {
        self.unsigned.pointer("/m.relations/m.replace/event_id").and_then(Value::as_str)
    }

    /// What kind of event it is.
    pub(in crate::commands) fn kind(&self) -> Line {
        let kind = Line::new().hostile(&self.kind);
        match self.state_key.as_ref().filter(|key| !key.is_empty()) {
            Some(key) => kind.plain(" of ").hostile(key),
            None => kind,
        }
    }

    /// Who sent it and when.
    pub(in crate::commands) fn sent(&self) -> Vec<Fact> {
        vec![("By", Line::new().code(&self.sender)), ("Sent", Line::new().at(self.sent))]
    }

    /// What is known of it without reading it.
    pub(in crate::commands) fn about(&self, now: Timestamp) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some(membership) = self.membership() {
            facts.push(("Membership", Line::new().hostile(&Hostile::new(membership))));
        }
        if let Some(redacts) = &self.redacts {
            facts.push(("Redacts", Line::new().hostile(redacts)));
        }
        facts.extend(self.redacted(now).map(|redacted| ("Redacted", redacted)));
        facts
    }

    /// By whom and when it was redacted, where it was.
    fn redacted(&self, now: Timestamp) -> Option<Line> {
        let because = self.unsigned.get("redacted_because")?;
        Some(match Self::deserialize(because) {
            Ok(Self { sender, sent: Some(at), .. }) => {
                Line::new().plain("by ").code(sender).plain(", ").time(Some(at), now)
            }
            Ok(Self { sender, .. }) => Line::new().plain("by ").code(sender),
            Err(_) => "yes".into(),
        })
    }

    /// What it says: nothing where it was redacted.
    pub(crate) fn says(&self) -> Line {
        if self.unsigned.get("redacted_because").is_some() {
            return "nothing any more".into();
        }
        self.said()
    }

    /// What it says, or said before it was redacted.
    pub(super) fn said(&self) -> Line {
        let text = |key: &str| self.content.get(key).and_then(Value::as_str).map(Hostile::new);
        match self.kind.raw() {
            "m.room.encrypted" => {
                return "encrypted: only members of the room can read it".into();
            }
            "m.room.message" => {
                if let (Some(body), Some(kind)) = (text("body"), text("msgtype")) {
                    let mut line = Line::new().hostile(&body);
                    if !matches!(kind.raw(), "m.text" | "m.notice" | "m.emote") {
                        line = line.plain(", ").hostile(&kind);
                    }
                    return match text("url") {
                        Some(url) => line.plain(", ").hostile(&url),
                        None => line,
                    };
                }
            }
            _ => {}
        }
        match &self.content {
            Value::Object(fields) if fields.is_empty() => "nothing".into(),
            content => Line::new().hostile(&Hostile::new(content.to_string())),
        }
    }
}

/// The event as it reads now, by `GET /_synapse/admin/v1/rooms/{room_id}/context/{event_id}`:
/// without its content where it was redacted. `None` where the homeserver does not have it in this
/// room.
///
/// Other endpoints hand out what a redacted event said, without a word about the redaction, for as
/// long as the database has it.
pub(crate) async fn as_it_reads(
    room: &str,
    event: &str,
    reader: &Reader,
) -> Result<Option<Value>, Error> {
    #[derive(Deserialize)]
    struct EventContext {
        event: Value,
    }
    let path = Path::admin(["v1", "rooms", room, "context", event]);
    let found = reader.find::<EventContext>(&path, &[("limit", "0".to_owned())]).await?;
    Ok(found.map(|answered| answered.event))
}

/// An event as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands) struct EventRef(pub(in crate::commands) OwnedEventId);

impl FromStr for EventRef {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            "an event id begins with $; your client shows it in the source view of a message";
        let text = bare(text);
        if !text.starts_with('$') || text.len() < 2 || text.contains(char::is_whitespace) {
            return Err(wrong);
        }
        EventId::parse(text).map(Self).map_err(|_| wrong)
    }
}

#[cfg(test)]
pub(in crate::commands) mod tests {
    use super::*;
    use crate::commands::user::testing::{self, now};

    /// A message as the homeserver gives it; the fields of `other` replace its own.
    pub(in crate::commands) fn message(other: Value) -> Value {
        let mut event = json!({
            "type": "m.room.message", "event_id": "$one", "room_id": "!lobby:example.org",
            "sender": "@ann:example.org", "origin_server_ts": 1_795_183_200_000_i64,
            "content": {"msgtype": "m.text", "body": "hello"}, "unsigned": {"age": 12},
            "user_id": "@ann:example.org",
        });
        if let (Some(event), Value::Object(other)) = (event.as_object_mut(), other) {
            event.extend(other);
        }
        event
    }

    fn event(other: Value) -> Event {
        serde_json::from_value(message(other)).unwrap()
    }

    fn redacted() -> Value {
        json!({"content": {"body": "hello"}, "unsigned": {"redacted_because": {
            "type": "m.room.redaction", "sender": "@moe:example.org",
            "origin_server_ts": 1_795_183_200_000_i64, "content": {"reason": "hello again"},
        }}})
    }

    #[test]
    fn nothing_that_was_said_is_in_the_envelope() {
        for other in [
            json!({}),
            json!({"type": "m.room.topic", "state_key": "", "content": {"topic": "hello"}}),
            json!({"redacted_because": {"content": {"reason": "hello"}}}),
            json!({"unsigned": {"prev_content": {"body": "hello"}}}),
            redacted(),
        ] {
            let kept = envelope(&message(other)).to_string();
            assert!(!kept.contains("hello"), "{kept}");
            assert!(kept.contains("$one") && kept.contains("@ann:example.org"), "{kept}");
        }
        let member = json!({"type": "m.room.member", "state_key": "@eve:example.org",
                            "content": {"membership": "ban", "reason": "hello"}});
        let kept = envelope(&message(member));
        assert_eq!(kept["content"], json!({"membership": "ban"}));
    }

    #[test]
    fn each_kind_says_what_it_says() {
        let says = |other| testing::line(&event(other).says());
        assert_eq!(says(json!({})), "“hello”");
        let image = json!({"msgtype": "m.image", "body": "cat.png", "url": "mxc://x.test/a"});
        assert_eq!(says(json!({ "content": image })), "“cat.png”, “m.image”, “mxc://x.test/a”");
        assert!(says(json!({"type": "m.room.encrypted"})).starts_with("encrypted"));
        assert_eq!(says(json!({"content": {}})), "nothing");
        let topic = json!({"type": "m.room.topic", "content": {"topic": "x"}});
        assert_eq!(says(topic), "“{\"topic\":\"x\"}”");
        assert_eq!(says(redacted()), "nothing any more");
    }

    #[test]
    fn a_redaction_is_told_with_who_and_when() {
        let about = testing::facts(&event(redacted()).about(now()));
        assert_eq!(about, "Redacted: by `@moe:example.org`, 2026-11-20 14:00 UTC (3 min ago)\n");
        let redaction = event(json!({"type": "m.room.redaction", "redacts": "$two"}));
        assert_eq!(testing::facts(&redaction.about(now())), "Redacts: “$two”\n");
    }

    #[test]
    fn an_event_is_named_by_its_id() {
        for id in ["$one:example.org", "$TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go", "$a/b+c"] {
            assert!(id.parse::<EventRef>().is_ok(), "{id}");
        }
        for other in ["", "$", "one", "!lobby:example.org", "$a b"] {
            assert!(other.parse::<EventRef>().is_err(), "{other}");
        }
    }
}
