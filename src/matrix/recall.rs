//! What of the record the bot has said in its rooms, read by the device that said it.

use std::time::Duration;

use matrix_sdk::{Client, Room, deserialized_responses::TimelineEvent, room::MessagesOptions};
use matrix_sdk_base::crypto::CollectStrategy;
use ruma::{OwnedRoomId, RoomId, UInt};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{ConnectError, Encryption, Settings, outbox::CARRIED, session};
use crate::audit::Links;

/// Events asked for at once.
const PAGE: u32 = 500;

/// How long all of it may take. What was not read until then is not known.
const PATIENCE: Duration = Duration::from_mins(3);

/// Reads what of the record the bot has said in its rooms, as far as its device of an earlier run
/// can (`GET /_matrix/client/v3/rooms/{roomId}/messages`); `None` where there is no such device.
///
/// To be called before [`connect`](super::connect) gives that device up, when the store is lost.
pub async fn recall(settings: &Settings) -> Option<Links> {
    let mut links = Links::default();
    let client = match session::earlier(settings, CollectStrategy::IdentityBasedStrategy).await {
        Ok(client) => client?,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the earlier device cannot say what was said");
            return Some(links);
        }
    };
    let deadline = Instant::now() + PATIENCE;
    for room in rooms(settings, &client).await {
        let Some(room) = client.get_room(&room) else { continue };
        match timeout_at(deadline, read(settings, &room, &mut links)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(room = %room.room_id(), %error, "cannot read back"),
            Err(_) => tracing::warn!(room = %room.room_id(), "reading back took too long"),
        }
    }
    Some(links)
}

async fn rooms(settings: &Settings, client: &Client) -> Vec<OwnedRoomId> {
    let mut rooms: Vec<OwnedRoomId> = settings.record_room.iter().cloned().collect();
    for room in &settings.rooms {
        match <&RoomId>::try_from(&**room) {
            Ok(id) => rooms.push(id.to_owned()),
            Err(alias) => rooms
                .extend(client.resolve_room_alias(alias).await.ok().map(|answer| answer.room_id)),
        }
    }
    rooms
}

async fn read(settings: &Settings, room: &Room, links: &mut Links) -> Result<(), ConnectError> {
    let mut from: Option<String> = None;
    loop {
        let mut options = MessagesOptions::backward().from(from.as_deref());
        options.limit = UInt::from(PAGE);
        let page = room.messages(options).await?;
        for event in &page.chunk {
            for line in said(settings, room, event) {
                links.add(&line);
            }
        }
        from = page.end;
        if from.is_none() {
            return Ok(());
        }
    }
}

/// The lines of the record in a message, where it is the bot's own: by the device that reads it
/// now, or in a room in clear that the config serves.
fn said(settings: &Settings, room: &Room, event: &TimelineEvent) -> Vec<String> {
    #[derive(Deserialize)]
    struct Said {
        sender: ruma::OwnedUserId,
        content: serde_json::Map<String, serde_json::Value>,
    }
    let Ok(Said { sender, content }) = serde_json::from_str(event.raw().json().get()) else {
        return Vec::new();
    };
    let own = match event.encryption_info() {
        Some(info) => {
            info.sender == room.own_user_id()
                && info.sender_device.as_deref() == room.client().device_id()
        }
        None => settings.encryption == Encryption::Optional,
    };
    let lines = content.get(CARRIED).filter(|_| own && sender == room.own_user_id());
    lines.and_then(|lines| Vec::deserialize(lines).ok()).unwrap_or_default()
}
