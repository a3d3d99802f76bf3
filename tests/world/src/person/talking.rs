//! What a person can say, and what a person who means harm can make a server deliver.

use anyhow::{Context, Result};
use matrix_sdk::Room;
use reqwest::Method;
use ruma::{EventId, OwnedEventId, RoomId, TransactionId};
use serde_json::{Value, json};

use super::Person;
use crate::api;

impl Person {
    /// Says `text`, encrypted where the room is.
    pub async fn say(&self, room: &RoomId, text: &str) -> Result<OwnedEventId> {
        self.send(room, "m.room.message", message("m.text", text)).await
    }

    /// Says something with HTML beside the plain text.
    pub async fn say_html(&self, room: &RoomId, text: &str, html: &str) -> Result<OwnedEventId> {
        let mut content = message("m.text", text);
        content["format"] = "org.matrix.custom.html".into();
        content["formatted_body"] = html.into();
        self.send(room, "m.room.message", content).await
    }

    /// Sends an `m.notice`.
    pub async fn notice(&self, room: &RoomId, text: &str) -> Result<OwnedEventId> {
        self.send(room, "m.room.message", message("m.notice", text)).await
    }

    /// Sends an `m.emote`.
    pub async fn emote(&self, room: &RoomId, text: &str) -> Result<OwnedEventId> {
        self.send(room, "m.room.message", message("m.emote", text)).await
    }

    /// Replies to an event.
    pub async fn reply(&self, room: &RoomId, to: &EventId, text: &str) -> Result<OwnedEventId> {
        let mut content = message("m.text", text);
        content["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": to } });
        self.send(room, "m.room.message", content).await
    }

    /// Edits an event.
    pub async fn edit(&self, room: &RoomId, event: &EventId, text: &str) -> Result<OwnedEventId> {
        let mut content = message("m.text", &format!("* {text}"));
        content["m.new_content"] = message("m.text", text);
        content["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": event });
        self.send(room, "m.room.message", content).await
    }

    /// Reacts to an event. Reactions are in clear in every room.
    pub async fn react(&self, room: &RoomId, to: &EventId, key: &str) -> Result<OwnedEventId> {
        let relation = json!({ "rel_type": "m.annotation", "event_id": to, "key": key });
        self.send(room, "m.reaction", json!({ "m.relates_to": relation })).await
    }

    /// Redacts an event.
    pub async fn redact(&self, room: &RoomId, event: &EventId) -> Result<OwnedEventId> {
        Ok(self.room(room)?.redact(event, None, None).await?.event_id)
    }

    /// Uploads media in clear and answers its `mxc://` address.
    pub async fn upload(&self, bytes: Vec<u8>, mime: &str, name: &str) -> Result<String> {
        self.api.upload(bytes, mime, name).await
    }

    /// Sends any event through the encrypted client: encrypted where the room is.
    pub async fn send(&self, room: &RoomId, kind: &str, content: Value) -> Result<OwnedEventId> {
        Ok(self.room(room)?.send_raw(kind, content).await?.response.event_id)
    }

    /// Sends any event past the client's encryption, exactly as it is given.
    pub async fn send_in_clear(
        &self,
        room: &RoomId,
        kind: &str,
        content: Value,
    ) -> Result<OwnedEventId> {
        let transaction = TransactionId::new();
        let path = format!("/_matrix/client/v3/rooms/{room}/send/{kind}/{transaction}");
        let answer = self.api.done(Method::PUT, &path, Some(content)).await?;
        Ok(api::text(&answer, "event_id")?.try_into()?)
    }

    /// Says `text` in clear, also where the room is encrypted: as a server could in this
    /// person's name.
    pub async fn say_in_clear(&self, room: &RoomId, text: &str) -> Result<OwnedEventId> {
        self.send_in_clear(room, "m.room.message", message("m.text", text)).await
    }

    /// An event as the server keeps it, so still encrypted.
    pub async fn stored_event(&self, room: &RoomId, event: &EventId) -> Result<Value> {
        let path = format!("/_matrix/client/v3/rooms/{room}/event/{event}");
        self.api.done(Method::GET, &path, None).await
    }

    /// Sends an event's content as the server keeps it once more, under a new event id. Of an
    /// encrypted one that is the same ciphertext: a replay.
    pub async fn replay(&self, room: &RoomId, event: &EventId) -> Result<OwnedEventId> {
        self.replay_with(room, event, |_| {}).await
    }

    /// As [`Person::replay`], with the clear part of the content changed on the way, such as the
    /// relation that says what it replies to.
    pub async fn replay_with(
        &self,
        room: &RoomId,
        event: &EventId,
        change: impl FnOnce(&mut Value),
    ) -> Result<OwnedEventId> {
        let mut stored = self.stored_event(room, event).await?;
        let kind = api::text(&stored, "type")?;
        change(&mut stored["content"]);
        self.send_in_clear(room, &kind, stored["content"].take()).await
    }

    /// The client's view of a room that this person is in.
    pub(super) fn room(&self, room: &RoomId) -> Result<Room> {
        let found = self.client.get_room(room);
        found.with_context(|| format!("{} is not in {room}", self.user_id))
    }
}

fn message(msgtype: &str, text: &str) -> Value {
    json!({ "msgtype": msgtype, "body": text, "m.mentions": {} })
}
