//! A command that a client puts as an object beside the text of a message (MSC4391).
//!
//! The object alone says what is meant, and who is mentioned whom it is for. The text beside it is whatever
//! the client made of it.

use ruma::UserId;
use serde_json::Value;

use super::intake::{Ignored, replied_to};
use crate::pipeline::{Said, Structured};

/// The key under which the object stands.
const KEY: &str = "org.matrix.msc4391.command";

/// The object in a message, or in what an edit puts in its place; whatever it is.
pub(super) fn object(content: &Value) -> Option<&Value> {
    let found = [&content["m.new_content"][KEY], &content[KEY]];
    found.into_iter().find(|object| !object.is_null())
}

/// Reads a message that holds the `object`. `own` is the bot.
pub(super) fn read(
    content: &Value,
    object: &Value,
    captions: bool,
    own: &UserId,
) -> Result<Said, Ignored> {
    if !mentions(content, own) && !mentions(&content["m.new_content"], own) {
        return Err(Ignored::ForAnother);
    }
    let relation = &content["m.relates_to"];
    let edits = match relation["rel_type"].as_str() {
        Some("m.replace") => true,
        Some("m.thread") | None => false,
        Some(other) => return Err(Ignored::UnknownRelation(other.to_owned())),
    };
    let texts = [content, &content["m.new_content"]].into_iter();
    let texts = texts.flat_map(|of| [&of["body"], &of["formatted_body"]]);
    let texts: Vec<&str> = texts.filter_map(Value::as_str).collect();
    Ok(Said::Structured(Structured {
        object: object.clone(),
        beside: texts.join("\n"),
        reply_to: replied_to(relation),
        edits,
        captions,
    }))
}

/// Whether a message says that it mentions this account.
fn mentions(content: &Value, user: &UserId) -> bool {
    let users = content["m.mentions"]["user_ids"].as_array();
    users.is_some_and(|users| users.iter().any(|one| one == user.as_str()))
}

#[cfg(test)]
mod tests {
    use ruma::{owned_event_id, user_id};
    use serde_json::json;

    use super::super::intake;
    use super::*;

    fn said(content: &Value) -> Result<Said, Ignored> {
        let event = json!({
            "event_id": "$1", "sender": "@ann:one.example", "origin_server_ts": 1,
            "type": "m.room.message", "content": content,
        });
        intake::read(&event.to_string(), user_id!("@synod:one.example")).map(|heard| heard.said)
    }

    fn message() -> Value {
        json!({
            "msgtype": "m.text", "body": "!help",
            "m.mentions": { "user_ids": ["@synod:one.example"] },
            KEY: { "command": "user suspend", "arguments": {} },
        })
    }

    fn structured(content: &Value) -> Structured {
        match said(content) {
            Ok(Said::Structured(structured)) => structured,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_object_counts_and_the_text_beside_it_does_not() {
        let read = structured(&message());
        assert_eq!(read.object["command"], "user suspend");
        assert_eq!((read.beside.as_str(), read.edits, read.captions), ("!help", false, false));
        let mut replying = message();
        replying["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": "$0" } });
        assert_eq!(structured(&replying).reply_to, Some(owned_event_id!("$0")));
        let mut without = message();
        without[KEY] = Value::Null;
        assert!(matches!(said(&without), Ok(Said::Message { body, .. }) if body == "!help"));
    }

    #[test]
    fn what_mentions_others_or_nobody_is_left_alone_with_its_text() {
        for mentions in [
            json!({ "user_ids": ["@other:one.example"] }),
            json!({ "user_ids": "@synod:one.example" }),
            json!({ "user_ids": [["@synod:one.example"]] }),
            json!({ "room": true }),
            json!("@synod:one.example"),
            Value::Null,
        ] {
            let mut content = message();
            content["m.mentions"] = mentions;
            assert_eq!(said(&content), Err(Ignored::ForAnother), "{content}");
        }
    }

    #[test]
    fn an_edit_is_one_wherever_its_object_stands() {
        let mut edit = message();
        edit["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": "$0" });
        assert!(structured(&edit).edits);
        edit["m.new_content"] = message();
        if let Some(fields) = edit.as_object_mut() {
            fields.remove(KEY);
            fields.remove("m.mentions");
        }
        assert!(structured(&edit).edits);
    }

    #[test]
    fn notices_and_emotes_are_left_alone_as_they_are_with_a_typed_command() {
        for (kind, why) in [("m.notice", Ignored::Notice), ("m.emote", Ignored::Emote)] {
            let mut content = message();
            content["msgtype"] = json!(kind);
            assert_eq!(said(&content), Err(why));
        }
    }
}
