//! What of the record the bot has said in its rooms, read by the device that said it: all of it where
//! the store is lost, and else what comes after the place up to which the store knows a room.

use std::time::Duration;

use matrix_sdk::{Client, Room, deserialized_responses::TimelineEvent, room::MessagesOptions};
use matrix_sdk_base::crypto::CollectStrategy;
use ruma::{EventId, OwnedRoomId, RoomId, UInt};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{ConnectError, Encryption, Settings, outbox::CARRIED, session, sync::Reader};
use crate::{audit::Links, pipeline::SaidLater};

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
        let take = |event: &TimelineEvent| {
            for line in said(settings, &room, event) {
                links.add(&line);
            }
        };
        match timeout_at(deadline, read(&room, None, take)).await {
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

/// Of which messages that cannot be read the bot answers for what came with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaidBy {
    /// Of those by the device that reads: what another one said, the store knows.
    ThisDevice,
    /// Of all by the bot's account: its device of before is gone, and with it the store of then.
    AnyDevice,
}

/// What the bot has said in the rooms that `reader` reads, after the place in each up to which it has
/// read (`GET /_matrix/client/v3/rooms/{roomId}/messages`). A room that cannot be read says nothing.
pub(super) async fn since(
    settings: &Settings,
    reader: &Reader,
    by: SaidBy,
) -> Result<SaidLater, ConnectError> {
    let mut later = SaidLater::default();
    let deadline = Instant::now() + PATIENCE;
    for (room, place) in reader.places() {
        let Some(room) = reader.client().get_room(room) else { continue };
        let take = |event: &TimelineEvent| note(settings, &room, event, by, &mut later);
        match timeout_at(deadline, read(&room, Some(place), take)).await {
            Ok(Ok(())) => {}
            Ok(Err(error @ ConnectError::Unreachable(_))) => return Err(error),
            Ok(Err(error)) => tracing::warn!(room = %room.room_id(), %error, "cannot read back"),
            Err(_) => tracing::warn!(room = %room.room_id(), "reading back took too long"),
        }
    }
    Ok(later)
}

/// Reads a room from its end back to `place`, or to its beginning.
async fn read(
    room: &Room,
    place: Option<&EventId>,
    mut take: impl FnMut(&TimelineEvent),
) -> Result<(), ConnectError> {
    let mut from: Option<String> = None;
    loop {
        let mut options = MessagesOptions::backward().from(from.as_deref());
        options.limit = UInt::from(PAGE);
        let page = room.messages(options).await?;
        for event in &page.chunk {
            if place.is_some() && event.event_id().as_deref() == place {
                return Ok(());
            }
            take(event);
        }
        from = page.end;
        if from.is_none() {
            return Ok(());
        }
    }
}

/// Notes what an event of a room says of the record.
fn note(
    settings: &Settings,
    room: &Room,
    event: &TimelineEvent,
    by: SaidBy,
    later: &mut SaidLater,
) {
    if event.kind.is_utd() {
        later.unreadable += u64::from(is_by(room, event, by));
        return;
    }
    let lines = said(settings, room, event);
    if event.encryption_info().is_some() {
        for line in &lines {
            later.entries.add(line);
        }
    } else {
        let mut in_clear = Links::default();
        for line in &lines {
            in_clear.add(line);
        }
        later.last_in_clear = later.last_in_clear.max(in_clear.last());
    }
}

/// Whether an event that cannot be decrypted says that it comes from the bot, and from that device.
fn is_by(room: &Room, event: &TimelineEvent, by: SaidBy) -> bool {
    #[derive(Deserialize)]
    struct Sealed {
        sender: ruma::OwnedUserId,
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        device_id: Option<ruma::OwnedDeviceId>,
    }
    let sealed = serde_json::from_str::<Sealed>(event.raw().json().get());
    sealed.is_ok_and(|Sealed { sender, content }| {
        let client = room.client();
        let is_this = |device| client.device_id() == Some(device);
        sender == room.own_user_id()
            && (by == SaidBy::AnyDevice || content.device_id.as_deref().is_none_or(is_this))
    })
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
