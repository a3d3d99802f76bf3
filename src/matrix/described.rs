//! The bot's commands in the state of the admin rooms, from which some clients complete them (MSC4391).
//!
//! State is in clear everywhere, and stays. So nothing is put there unless the config says so, only what
//! differs is sent, and what is not wanted any more is taken back: of the bot's own, never of others.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use data_encoding::BASE64;
use futures_util::future::pending;
use matrix_sdk::{
    HttpError, Room, RoomState,
    deserialized_responses::RawAnySyncOrStrippedState,
    ruma::api::client::state::{get_state_events, send_state_event},
};
use ruma::{OwnedRoomId, UserId, events::StateEventType, serde::Raw};
use serde_json::{Value, json, value::to_raw_value};
use sha2::{Digest, Sha256};

use super::{
    Shared,
    failure::{Backoff, Failure},
    outbox::one_try,
};
use crate::{config::COMMAND_DESCRIPTION as KIND, pipeline::descriptions};

/// How many are sent at once, and how long each after them waits: a homeserver takes ten messages at once
/// and then one in five seconds, and answers come first.
const AT_ONCE: usize = 3;
const PAUSE: Duration = Duration::from_secs(5);

/// How often sending one is tried.
const TRIES: u32 = 8;

/// What the rooms say of the bot's commands.
#[derive(Debug)]
pub(super) struct Descriptions {
    shared: Arc<Shared>,
    rooms: BTreeSet<OwnedRoomId>,
    wanted: BTreeMap<String, Value>,
}

/// How a room stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// It says what it should, or will not before the next start.
    Settled,
    /// The bot is not in it, or may not say it there.
    NotYet,
}

impl Descriptions {
    pub(super) fn new<'a>(
        shared: Arc<Shared>,
        rooms: impl Iterator<Item = &'a OwnedRoomId>,
    ) -> Self {
        let bot = &shared.settings.user_id;
        let all = if shared.settings.describe_commands { descriptions() } else { Vec::new() };
        let wanted = all.into_iter().map(|one| (state_key(&one.command, bot), one.content));
        Self { rooms: rooms.cloned().collect(), wanted: wanted.collect(), shared }
    }

    /// Sees to each room once, as soon as that can be, and never returns.
    pub(super) async fn kept(&self) {
        let mut updates = self.shared.client.subscribe_to_all_room_updates();
        let (mut left, mut told) = (self.rooms.clone(), BTreeSet::new());
        while !left.is_empty() {
            for id in left.clone() {
                if self.settle(&id, &mut told).await == Stand::Settled {
                    left.remove(&id);
                }
            }
            // Too many at once are as good as one.
            if let Err(tokio::sync::broadcast::error::RecvError::Closed) = updates.recv().await {
                break;
            }
        }
        pending::<()>().await;
    }

    /// Has a room say what it should. `told` are the rooms of which the log has said that the bot may not.
    async fn settle(&self, id: &OwnedRoomId, told: &mut BTreeSet<OwnedRoomId>) -> Stand {
        let room = self.shared.client.get_room(id).filter(|room| room.state() == RoomState::Joined);
        let Some(room) = room else { return Stand::NotYet };
        if self.wanted.is_empty() && !self.says_anything(&room).await {
            return Stand::Settled;
        }
        if !may_describe(&room).await {
            if told.insert(id.clone()) {
                warn_powerless(id);
            }
            return Stand::NotYet;
        }
        let due = match self.due(&room).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(room = %id, %error, "the room's descriptions of my commands stay as they are");
                return Stand::Settled;
            }
        };
        for (number, (key, content)) in due.into_iter().enumerate() {
            if number >= AT_ONCE && !self.shared.settings.unlimited {
                tokio::time::sleep(PAUSE).await;
            }
            if let Err(error) = self.send(&room, &key, &content).await {
                tracing::warn!(room = %id, %error, "a command is not described in the room");
                return Stand::Settled;
            }
        }
        Stand::Settled
    }

    /// Whether the bot has described any command there, as far as sync has told.
    async fn says_anything(&self, room: &Room) -> bool {
        let found = room.get_state_events(StateEventType::from(KIND)).await;
        let found = found.inspect_err(|error| tracing::warn!(%error, "the state cannot be read"));
        found.unwrap_or_default().iter().any(|event| match event {
            RawAnySyncOrStrippedState::Sync(event) => {
                let event = serde_json::from_str(event.json().get()).unwrap_or(Value::Null);
                is_description_of(&event, room.own_user_id())
            }
            RawAnySyncOrStrippedState::Stripped(_) => false,
        })
    }

    /// What is to be sent, by its key: what differs, and nothing in the place of what is too much.
    #[expect(clippy::disallowed_methods, reason = "it only looks")]
    async fn due(&self, room: &Room) -> Result<Vec<(String, Value)>, HttpError> {
        let mut backoff = Backoff::default();
        let answer = loop {
            let request = get_state_events::v3::Request::new(room.room_id().to_owned());
            match room.client().send(request).with_request_config(one_try()).await {
                Err(error) => tokio::time::sleep(again(error, &mut backoff)?).await,
                Ok(answer) => break answer,
            }
        };
        let state = answer.room_state.iter();
        let state = state.filter_map(|event| serde_json::from_str(event.json().get()).ok());
        Ok(due(&self.wanted, &state.collect::<Vec<Value>>(), room.own_user_id()))
    }

    #[expect(clippy::disallowed_methods, reason = "it says nothing, and answers nobody")]
    async fn send(&self, room: &Room, key: &str, content: &Value) -> Result<(), HttpError> {
        let mut backoff = Backoff::default();
        for _ in 1..TRIES {
            let sending = room.client().send(request(room, key, content)?);
            match sending.with_request_config(one_try()).await {
                Ok(_) => return Ok(()),
                Err(error) => tokio::time::sleep(again(error, &mut backoff)?).await,
            }
        }
        room.client().send(request(room, key, content)?).with_request_config(one_try()).await?;
        Ok(())
    }
}

fn request(
    room: &Room,
    key: &str,
    content: &Value,
) -> Result<send_state_event::v3::Request, HttpError> {
    let body = to_raw_value(content).map_err(|error| HttpError::IntoHttp(error.into()))?;
    let (room, kind) = (room.room_id().to_owned(), StateEventType::from(KIND));
    Ok(send_state_event::v3::Request::new_raw(room, kind, key.to_owned(), Raw::from_json(body)))
}

/// How long to wait before the same is tried again; the error where that is of no use.
fn again(error: HttpError, backoff: &mut Backoff) -> Result<Duration, HttpError> {
    match Failure::of_http(&error) {
        Failure::Limited(asked) => Ok(backoff.next(asked)),
        Failure::Passing => Ok(backoff.next(None)),
        Failure::Lasting | Failure::LoggedOut | Failure::Expired => Err(error),
    }
}

/// Whether the bot may send these events there. Where nobody knows, sending will show it.
async fn may_describe(room: &Room) -> bool {
    let levels = room.power_levels().await.ok();
    levels.is_none_or(|all| all.user_can_send_state(room.own_user_id(), KIND.into()))
}

fn warn_powerless(room: &OwnedRoomId) {
    tracing::warn!(
        %room,
        "I may not describe my commands in this room; give me the power to send {KIND} there, or set \
         bot.describe_commands to false"
    );
}

/// The key under which a command of the bot is described: nobody else's command of that name has it.
fn state_key(command: &str, bot: &UserId) -> String {
    BASE64.encode(&Sha256::digest([command, bot.as_str()].concat()))
}

/// Whether an event describes a command and is by this account.
fn is_description_of(event: &Value, own: &UserId) -> bool {
    let is_empty = event["content"].as_object().is_none_or(serde_json::Map::is_empty);
    event["type"] == KIND && event["sender"] == own.as_str() && !is_empty
}

/// What is to be sent so that a room with this `state` says what is `wanted`, and nothing else by `own`.
fn due(wanted: &BTreeMap<String, Value>, state: &[Value], own: &UserId) -> Vec<(String, Value)> {
    let says = |key: &str, content: &Value| {
        let mut own_events = state.iter().filter(|event| is_description_of(event, own));
        own_events.any(|event| event["state_key"] == key && event["content"] == *content)
    };
    let missing = wanted.iter().filter(|(key, content)| !says(key, content));
    let missing = missing.map(|(key, content)| (key.clone(), content.clone()));
    let over = state.iter().filter(|event| is_description_of(event, own));
    let over = over.filter_map(|event| event["state_key"].as_str());
    let over = over.filter(|key| !wanted.contains_key(*key));
    missing.chain(over.map(|key| (key.to_owned(), json!({})))).collect()
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    fn event(sender: &str, key: &str, content: Value) -> Value {
        let mut event = json!({ "type": KIND, "sender": sender, "state_key": key });
        event["content"] = content;
        event
    }

    #[test]
    fn a_key_is_the_padded_hash_of_the_command_and_the_bot() {
        // By `printf %s user…@synod:x.test | openssl dgst -sha256 -binary | base64`.
        let key = state_key("user suspend", user_id!("@synod:x.test"));
        assert_eq!(key, "mM47yqtyiWUpkGAr6KWV2YLrUQXECOpD7uO9jIZlmtQ=");
    }

    #[test]
    fn only_what_differs_is_sent_and_only_the_bots_own_is_taken_back() {
        let bot = user_id!("@synod:x.test");
        let wanted: BTreeMap<String, Value> = [
            ("a".to_owned(), json!({ "command": "a" })),
            ("b".to_owned(), json!({ "command": "b" })),
        ]
        .into();
        let state = [
            event("@synod:x.test", "a", json!({ "command": "a" })),
            event("@synod:x.test", "b", json!({ "command": "before" })),
            event("@synod:x.test", "gone", json!({ "command": "gone" })),
            event("@synod:x.test", "taken back", json!({})),
            event("@other:x.test", "of another bot", json!({ "command": "a" })),
            json!({ "type": "m.room.name", "sender": bot, "state_key": "", "content": { "name": "a" } }),
        ];
        let expected =
            [("b".to_owned(), json!({ "command": "b" })), ("gone".to_owned(), json!({}))];
        assert_eq!(due(&wanted, &state, bot), expected);
        let both = ["a", "b", "gone"].map(|key| (key.to_owned(), json!({})));
        assert_eq!(due(&BTreeMap::new(), &state, bot), both, "where it is switched off");
        let said: Vec<Value> =
            wanted.iter().map(|(key, content)| event(bot.as_str(), key, content.clone())).collect();
        assert_eq!(due(&wanted, &said, bot), []);
        let by_another: Vec<Value> =
            said.iter().map(|one| event("@eve:x.test", "a", one["content"].clone())).collect();
        assert_eq!(due(&wanted, &by_another, bot).len(), 2);
    }
}
