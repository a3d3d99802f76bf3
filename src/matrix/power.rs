//! Whether the bot may write in a room: by what sync has told, or by what the homeserver says now.

use matrix_sdk::{
    Room, RoomState,
    ruma::api::{client::state::get_state_event_for_key, error::ErrorKind},
};
use ruma::{
    EventEncryptionAlgorithm::MegolmV1AesSha2,
    events::{
        MessageLikeEventType, StateEventType,
        room::power_levels::{RoomPowerLevels, RoomPowerLevelsEventContent},
    },
};
use tracing::debug;

use super::outbox::one_try;

/// Whether the bot may send a message to this room, as far as sync has told.
pub(super) async fn may_say(room: &Room) -> bool {
    let Some(kind) = kind_of_messages(room) else { return false };
    may_send(room, kind, room.power_levels().await.ok())
}

/// Whether the bot may send a message to this room, as the homeserver has it now. What a message
/// asks for can be read before the state of the room that was changed in front of it.
///
/// Where the homeserver cannot tell (`GET /_matrix/client/v3/rooms/{room}/state/
/// m.room.power_levels`), it is as far as sync has told.
pub(super) async fn may_say_now(room: &Room) -> bool {
    let Some(kind) = kind_of_messages(room) else { return false };
    match power_levels(room).await {
        Ok(levels) => may_send(room, kind, levels),
        Err(error) if matches!(error.client_api_error_kind(), Some(ErrorKind::Forbidden)) => false,
        Err(error) => {
            debug!(error = &error as &dyn std::error::Error, "the power levels cannot be read");
            may_say(room).await
        }
    }
}

/// How the bot's messages are sent there; `None` where it cannot send any.
fn kind_of_messages(room: &Room) -> Option<MessageLikeEventType> {
    if room.state() != RoomState::Joined {
        return None;
    }
    match room.encryption_settings() {
        Some(settings) if settings.algorithm == Some(MegolmV1AesSha2) => {
            Some(MessageLikeEventType::RoomEncrypted)
        }
        // Somebody with power over the room's state has made it one that nobody can write in.
        Some(_) => None,
        None => Some(MessageLikeEventType::RoomMessage),
    }
}

/// Where nobody knows who may what, sending will show it.
fn may_send(room: &Room, kind: MessageLikeEventType, levels: Option<RoomPowerLevels>) -> bool {
    levels.is_none_or(|levels| levels.user_can_send_message(room.own_user_id(), kind))
}

/// The power levels as the homeserver has them now; `None` where nobody can make them out.
#[expect(clippy::disallowed_methods, reason = "it only looks")]
async fn power_levels(room: &Room) -> Result<Option<RoomPowerLevels>, matrix_sdk::HttpError> {
    let request = get_state_event_for_key::v3::Request::new(
        room.room_id().to_owned(),
        StateEventType::RoomPowerLevels,
        String::new(),
    );
    let answer = room.client().send(request).with_request_config(one_try()).await?;
    let content =
        serde_json::from_str::<RoomPowerLevelsEventContent>(answer.event_or_content.get());
    let rules = room.clone_info().room_version_rules_or_default();
    Ok(content.ok().zip(room.creators()).map(|(content, creators)| {
        RoomPowerLevels::new(content.into(), &rules.authorization, creators)
    }))
}
