//! An event as the homeserver shows it when it is asked for again.

use matrix_sdk::{
    Room, deserialized_responses::TimelineEvent, encryption::vodozemac::megolm::MegolmMessage,
};
use ruma::{events::room::encrypted::OriginalSyncRoomEncryptedEvent, serde::Raw};
use serde_json::Value;

use super::intake;
use crate::pipeline::{Said, Structured, Unsent};

/// Whether an event as the homeserver has it was not redacted.
pub(super) fn is_whole(json: &str) -> bool {
    let Ok(event) = serde_json::from_str::<Value>(json) else { return false };
    let content = event["content"].as_object().is_some_and(|content| !content.is_empty());
    content && event["unsigned"]["redacted_because"].is_null()
}

/// Whether an encrypted event as the homeserver has it says this.
pub(super) async fn says(room: &Room, json: &str, said: &Said) -> bool {
    let Some(opened) = opened(room, json).await else { return false };
    let heard = intake::read(opened.raw().json().get(), room.own_user_id());
    heard.is_ok_and(|heard| match (&heard.said, said) {
        // What it replies to stands in the clear part, and is no part of what was encrypted.
        (
            Said::Message { body, formatted, captions, .. },
            Said::Message { body: b, formatted: f, captions: c, .. },
        ) => (body, formatted, captions) == (b, f, c),
        (Said::Structured(shown), Said::Structured(said)) => {
            Structured { reply_to: None, ..shown.clone() }
                == Structured { reply_to: None, ..said.clone() }
        }
        (shown, said) => shown == said,
    })
}

/// An encrypted event as the homeserver has it, decrypted; `None` where that cannot be.
pub(super) async fn opened(room: &Room, json: &str) -> Option<TimelineEvent> {
    let event: Raw<OriginalSyncRoomEncryptedEvent> = Raw::from_json_string(json.to_owned()).ok()?;
    let opened = room.decrypt_event(&event, None).await.inspect_err(|error| {
        tracing::warn!(%error, "an event cannot be decrypted again");
    });
    opened.ok().filter(|opened| !opened.kind.is_utd())
}

/// The session and the message index of an event as the homeserver has it.
pub(super) fn message_index_of(json: &str) -> Result<Option<(String, u32)>, Unsent> {
    let event: Value =
        serde_json::from_str(json).map_err(|error| Unsent::Refused(Box::new(error)))?;
    if event["type"] != "m.room.encrypted" {
        return Ok(None);
    }
    let content = &event["content"];
    let (Some(session), Some(ciphertext)) =
        (content["session_id"].as_str(), content["ciphertext"].as_str())
    else {
        return Err(Unsent::Refused("an encrypted event without session or ciphertext".into()));
    };
    let message =
        MegolmMessage::from_base64(ciphertext).map_err(|error| Unsent::Refused(Box::new(error)))?;
    Ok(Some((session.to_owned(), message.message_index())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_redacted_does_not_stand_any_more() {
        assert!(is_whole(r#"{"type":"m.room.encrypted","content":{"ciphertext":"c"}}"#));
        for gone in [
            r#"{"type":"m.room.encrypted","content":{},"unsigned":{"redacted_because":{}}}"#,
            r#"{"type":"m.room.message","content":{}}"#,
            r#"{"type":"m.room.message","content":{"body":"a"},"unsigned":{"redacted_because":{}}}"#,
            "nothing that can be read",
        ] {
            assert!(!is_whole(gone), "{gone}");
        }
    }

    #[test]
    fn an_event_in_clear_has_no_message_index_and_a_broken_one_is_an_error() {
        assert_eq!(message_index_of(r#"{"type":"m.room.message","content":{}}"#).unwrap(), None);
        assert!(message_index_of(r#"{"type":"m.room.encrypted","content":{}}"#).is_err());
        let broken = r#"{"type":"m.room.encrypted","content":{"session_id":"s","ciphertext":"?"}}"#;
        assert!(message_index_of(broken).is_err());
    }
}
