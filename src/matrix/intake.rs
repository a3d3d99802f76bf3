//! From an event to what somebody said, or a named reason to ignore it.

use std::fmt;

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedUserId, UserId};
use serde::Deserialize;
use serde_json::Value;

use super::{outbox::ANSWERS, structured};
use crate::pipeline::Said;

/// What was said, by whom and when, before anybody has asked whether it counts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) event: OwnedEventId,
    pub(super) sender: OwnedUserId,
    /// As the sender's server says.
    pub(super) sent: Timestamp,
    /// The message that began the thread in which it stands.
    pub(super) thread: Option<OwnedEventId>,
    pub(super) said: Said,
}

/// Why an event is nothing for the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ignored {
    Malformed,
    OwnMessage,
    State,
    Redacted,
    NotAMessage(String),
    Notice,
    Emote,
    /// A file, a picture, a location, a verification request and so on, by its `msgtype`.
    NotText(String),
    UnknownRelation(String),
    /// A command as an object that mentions others, and not the bot.
    ForAnother,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not an event that can be read"),
            Self::OwnMessage => f.write_str("own message"),
            Self::State => f.write_str("state event"),
            Self::Redacted => f.write_str("redacted"),
            Self::NotAMessage(kind) => write!(f, "not a message but {kind}"),
            Self::Notice => f.write_str("notice"),
            Self::Emote => f.write_str("emote"),
            Self::NotText(kind) => write!(f, "not text but {kind}"),
            Self::UnknownRelation(kind) => write!(f, "unknown relation {kind}"),
            Self::ForAnother => f.write_str("a command for somebody else"),
        }
    }
}

/// The outside of an event in the timeline.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the specification")]
struct Event {
    event_id: OwnedEventId,
    sender: OwnedUserId,
    origin_server_ts: i64,
    #[serde(rename = "type")]
    kind: String,
    state_key: Option<Value>,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    unsigned: Value,
}

/// Reads one event of the timeline, decrypted if it was encrypted. `own` is the bot.
pub(super) fn read(json: &str, own: &UserId) -> Result<Heard, Ignored> {
    let event: Event = serde_json::from_str(json).map_err(|_| Ignored::Malformed)?;
    if event.sender == own {
        return Err(Ignored::OwnMessage);
    }
    if event.state_key.is_some() {
        return Err(Ignored::State);
    }
    if event.unsigned.get("redacted_because").is_some() {
        return Err(Ignored::Redacted);
    }
    let said = match event.kind.as_str() {
        "m.room.message" => message(&event.content, own)?,
        "m.reaction" => reaction(&event.content)?,
        _ => return Err(Ignored::NotAMessage(event.kind)),
    };
    let sent =
        Timestamp::from_millisecond(event.origin_server_ts).map_err(|_| Ignored::Malformed)?;
    let thread = thread(&event.content["m.relates_to"]);
    Ok(Heard { event: event.event_id, sender: event.sender, sent, thread, said })
}

/// The event that an event of the bot itself answers to, if it answers to any.
pub(super) fn answered(json: &str, own: &UserId) -> Option<OwnedEventId> {
    let event: Event = serde_json::from_str(json).ok()?;
    if event.sender != own {
        return None;
    }
    let other = event.content[ANSWERS].as_str().and_then(|id| OwnedEventId::try_from(id).ok());
    other.or_else(|| replied_to(&event.content["m.relates_to"]))
}

/// The message that began the thread in which a message with this relation stands.
fn thread(relation: &Value) -> Option<OwnedEventId> {
    if relation["rel_type"] != "m.thread" {
        return None;
    }
    OwnedEventId::try_from(relation["event_id"].as_str()?).ok()
}

fn message(content: &Value, own: &UserId) -> Result<Said, Ignored> {
    if content.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(Ignored::Redacted);
    }
    let mut captions = false;
    match content["msgtype"].as_str() {
        Some("m.text") => {}
        // Without a name of its own the text is the name.
        Some("m.file")
            if content["filename"].is_string() && content["filename"] != content["body"] =>
        {
            captions = true;
        }
        Some("m.notice") => return Err(Ignored::Notice),
        Some("m.emote") => return Err(Ignored::Emote),
        Some(other) => return Err(Ignored::NotText(other.to_owned())),
        None => return Err(Ignored::Malformed),
    }
    if let Some(object) = structured::object(content) {
        return structured::read(content, object, captions, own);
    }
    let relation = &content["m.relates_to"];
    match relation["rel_type"].as_str() {
        Some("m.replace") => {
            let new = content["m.new_content"]["body"].as_str();
            let body = new.or_else(|| content["body"].as_str()).ok_or(Ignored::Malformed)?;
            return Ok(Said::Edit { body: body.to_owned() });
        }
        Some("m.thread") | None => {}
        Some(other) => return Err(Ignored::UnknownRelation(other.to_owned())),
    }
    let html = content["format"] == "org.matrix.custom.html";
    Ok(Said::Message {
        body: content["body"].as_str().ok_or(Ignored::Malformed)?.to_owned(),
        formatted: content["formatted_body"].as_str().filter(|_| html).map(str::to_owned),
        reply_to: replied_to(relation),
        captions,
    })
}

/// The event that a relation replies to. What a client names only so that older clients show a
/// thread as replies is none.
pub(super) fn replied_to(relation: &Value) -> Option<OwnedEventId> {
    if relation["is_falling_back"] == true {
        return None;
    }
    OwnedEventId::try_from(relation["m.in_reply_to"]["event_id"].as_str()?).ok()
}

fn reaction(content: &Value) -> Result<Said, Ignored> {
    let relation = &content["m.relates_to"];
    match relation["rel_type"].as_str() {
        Some("m.annotation") => {}
        Some(other) => return Err(Ignored::UnknownRelation(other.to_owned())),
        None => return Err(Ignored::Redacted),
    }
    let target = relation["event_id"].as_str().and_then(|id| OwnedEventId::try_from(id).ok());
    Ok(Said::Reaction {
        target: target.ok_or(Ignored::Malformed)?,
        key: bare_key(relation["key"].as_str().ok_or(Ignored::Malformed)?),
    })
}

/// The key of a reaction without variation selectors and skin tones, which differ by client and
/// by person and mean nothing.
fn bare_key(key: &str) -> String {
    key.chars()
        .filter(|c| !matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}'))
        .collect()
}

#[cfg(test)]
mod tests {
    use ruma::{owned_event_id, owned_user_id, user_id};
    use serde_json::json;

    use super::*;

    fn read_as(kind: &str, content: &Value) -> Result<Heard, Ignored> {
        let event = json!({
            "event_id": "$1", "sender": "@ann:one.example", "origin_server_ts": 1_700_000_000_000_i64,
            "type": kind, "content": content,
        });
        read(&event.to_string(), user_id!("@synod:one.example"))
    }

    fn message_with(content: &Value) -> Result<Said, Ignored> {
        read_as("m.room.message", content).map(|heard| heard.said)
    }

    #[test]
    fn a_message_keeps_its_words_its_html_and_what_it_replies_to() {
        let heard = read_as(
            "m.room.message",
            &json!({
                "msgtype": "m.text", "body": "!help", "format": "org.matrix.custom.html",
                "formatted_body": "<b>!help</b>",
                "m.relates_to": { "m.in_reply_to": { "event_id": "$0" } },
            }),
        )
        .unwrap();
        assert_eq!(heard.event, owned_event_id!("$1"));
        assert_eq!(heard.sender, owned_user_id!("@ann:one.example"));
        assert_eq!(heard.sent.as_second(), 1_700_000_000);
        assert_eq!(heard.thread, None);
        assert_eq!(
            heard.said,
            Said::Message {
                body: "!help".to_owned(),
                formatted: Some("<b>!help</b>".to_owned()),
                captions: false,
                reply_to: Some(owned_event_id!("$0")),
            }
        );
    }

    #[test]
    fn html_of_an_unknown_format_is_left_out() {
        let content = json!({ "msgtype": "m.text", "body": "a", "formatted_body": "<b>a</b>" });
        assert_eq!(
            message_with(&content),
            Ok(Said::Message {
                body: "a".to_owned(),
                formatted: None,
                reply_to: None,
                captions: false
            })
        );
    }

    #[test]
    fn an_edit_is_an_edit_and_not_a_message() {
        let content = json!({
            "msgtype": "m.text", "body": "* !user list", "m.new_content": { "body": "!user list" },
            "m.relates_to": { "rel_type": "m.replace", "event_id": "$0" },
        });
        assert_eq!(message_with(&content), Ok(Said::Edit { body: "!user list".to_owned() }));
    }

    #[test]
    fn the_reply_by_which_a_thread_shows_in_older_clients_is_none() {
        let mut content = json!({
            "msgtype": "m.text", "body": "yes",
            "m.relates_to": {
                "rel_type": "m.thread", "event_id": "$root", "is_falling_back": true,
                "m.in_reply_to": { "event_id": "$last" },
            },
        });
        let reply_of = |content: &Value| match message_with(content) {
            Ok(Said::Message { reply_to, .. }) => reply_to,
            other => panic!("{other:?}"),
        };
        assert_eq!(reply_of(&content), None);
        content["m.relates_to"]["is_falling_back"] = json!(false);
        assert_eq!(reply_of(&content), Some(owned_event_id!("$last")));
        let heard = read_as("m.room.message", &content).unwrap();
        assert_eq!(heard.thread, Some(owned_event_id!("$root")));
    }

    #[test]
    fn what_is_no_message_of_a_person_is_ignored_by_name() {
        let text = |kind: &str| json!({ "msgtype": kind, "body": "!help" });
        assert_eq!(message_with(&text("m.notice")), Err(Ignored::Notice));
        assert_eq!(message_with(&text("m.emote")), Err(Ignored::Emote));
        assert_eq!(message_with(&text("m.file")), Err(Ignored::NotText("m.file".to_owned())));
        assert_eq!(message_with(&json!({})), Err(Ignored::Redacted));
        assert_eq!(message_with(&json!({ "msgtype": "m.text" })), Err(Ignored::Malformed));
        assert_eq!(
            read_as("m.room.topic", &json!({})),
            Err(Ignored::NotAMessage("m.room.topic".to_owned()))
        );
        let reference = json!({
            "msgtype": "m.text", "body": "a", "m.relates_to": { "rel_type": "m.reference" },
        });
        assert_eq!(
            message_with(&reference),
            Err(Ignored::UnknownRelation("m.reference".to_owned()))
        );
        let own = json!({
            "event_id": "$1", "sender": "@synod:one.example", "origin_server_ts": 1,
            "type": "m.room.message", "content": text("m.text"),
        });
        assert_eq!(
            read(&own.to_string(), user_id!("@synod:one.example")),
            Err(Ignored::OwnMessage)
        );
        let state = json!({
            "event_id": "$1", "sender": "@ann:one.example", "origin_server_ts": 1,
            "type": "m.room.message", "state_key": "", "content": text("m.text"),
        });
        assert_eq!(read(&state.to_string(), user_id!("@synod:one.example")), Err(Ignored::State));
    }

    #[test]
    fn a_reaction_is_the_same_whatever_its_colour() {
        for key in ["👍", "👍🏽", "👍\u{fe0f}"] {
            let content = json!({
                "m.relates_to": { "rel_type": "m.annotation", "event_id": "$0", "key": key },
            });
            let said = read_as("m.reaction", &content).unwrap().said;
            let expected = Said::Reaction { target: owned_event_id!("$0"), key: "👍".to_owned() };
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn only_the_bots_own_messages_answer_anything() {
        let event = |sender: &str| {
            json!({
                "event_id": "$1", "sender": sender, "origin_server_ts": 1, "type": "m.room.encrypted",
                "content": { "m.relates_to": { "m.in_reply_to": { "event_id": "$0" } } },
            })
            .to_string()
        };
        let own = user_id!("@synod:one.example");
        assert_eq!(answered(&event("@synod:one.example"), own), Some(owned_event_id!("$0")));
        assert_eq!(answered(&event("@ann:one.example"), own), None);
        let to_reaction = json!({
            "event_id": "$1", "sender": own, "origin_server_ts": 1, "type": "m.room.message",
            "content": {
                "m.relates_to": { "m.in_reply_to": { "event_id": "$question" } },
                "synod.answers": "$reaction",
            },
        });
        assert_eq!(answered(&to_reaction.to_string(), own), Some(owned_event_id!("$reaction")));
    }

    #[test]
    fn ten_thousand_events_as_hostile_as_can_be_are_read_and_none_is_taken_for_another() {
        let deep = |depth| ["[".repeat(depth), "]".repeat(depth)].concat();
        let large = "x".repeat(60_000);
        let events = |number: usize| match number % 6 {
            0 => format!(r#"{{"msgtype":"m.text","body":"{large}"}}"#),
            1 => format!(r#"{{"msgtype":"m.text","body":"!help","deep":{}}}"#, deep(30_000)),
            2 => format!(r#"{{"msgtype":"m.text","body":"yes","m.relates_to":{}}}"#, deep(90)),
            3 => format!(r#"{{"msgtype":"{large}","body":"!help"}}"#),
            4 => r#"{"msgtype":"m.text","body":"yes","m.relates_to":{"m.in_reply_to":["$0"]}}"#
                .into(),
            _ => format!(r#"{{"body":{}}}"#, deep(number)),
        };
        let own = user_id!("@synod:one.example");
        for number in 0..10_000 {
            let outside = r#""event_id":"$1","sender":"@eve:one.example","origin_server_ts":1"#;
            let content = events(number);
            let event = format!(r#"{{{outside},"type":"m.room.message","content":{content}}}"#);
            match (number % 6, read(&event, own).map(|heard| heard.said)) {
                (0, Ok(Said::Message { body, .. })) => assert_eq!(body, large),
                (1 | 5, Err(Ignored::Malformed)) | (3, Err(Ignored::NotText(_))) => {}
                (2 | 4, Ok(Said::Message { reply_to, .. })) => assert_eq!(reply_to, None),
                (kind, read) => panic!("{kind}: {read:?}"),
            }
        }
    }
}
