//! Making, entering and leaving rooms.

use std::collections::BTreeMap;

use anyhow::Result;
use matrix_sdk::RoomState;
use reqwest::Method;
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use super::Person;
use crate::api;

/// What room to make: by default an encrypted one that one enters on invitation.
#[derive(Debug, Clone)]
pub struct NewRoom {
    /// Its name.
    pub name: String,
    /// Whether it is encrypted from its first event.
    pub encrypted: bool,
    /// Whom to invite.
    pub invite: Vec<OwnedUserId>,
    /// Power levels beside the creator's. Others have 0; redacting takes 50.
    pub powers: BTreeMap<OwnedUserId, i64>,
    /// The localpart of an alias.
    pub alias: Option<String>,
    /// Whether it is in the directory and open to everybody.
    pub public: bool,
    /// A room version in place of the server's default. Before 12 ids carry the server's name.
    pub version: Option<String>,
}

impl Default for NewRoom {
    fn default() -> Self {
        Self {
            name: "Admin room".to_owned(),
            encrypted: true,
            invite: Vec::new(),
            powers: BTreeMap::new(),
            alias: None,
            public: false,
            version: None,
        }
    }
}

impl Person {
    /// Makes a room and waits until this person's client is in it.
    pub async fn create_room(&self, new: &NewRoom) -> Result<OwnedRoomId> {
        let has_power = new.powers.is_empty() || self.creators_have_power(new).await?;
        let body = self.creation(new, has_power);
        let path = "/_matrix/client/v3/createRoom";
        let answer = self.api.done(Method::POST, path, Some(body)).await?;
        let room = OwnedRoomId::try_from(api::text(&answer, "room_id")?)?;
        self.until_in(&room).await?;
        Ok(room)
    }

    /// Invites somebody.
    pub async fn invite(&self, room: &RoomId, user: &UserId) -> Result<()> {
        self.in_room(room, "invite", json!({ "user_id": user })).await
    }

    /// Joins a room, on invitation or because it is open, and waits until the client is in it.
    pub async fn join(&self, room: &RoomId) -> Result<()> {
        self.in_room(room, "join", json!({})).await?;
        self.until_in(room).await
    }

    /// Leaves a room.
    pub async fn leave(&self, room: &RoomId) -> Result<()> {
        self.in_room(room, "leave", json!({})).await
    }

    /// Removes somebody from a room.
    pub async fn kick(&self, room: &RoomId, user: &UserId) -> Result<()> {
        self.in_room(room, "kick", json!({ "user_id": user })).await
    }

    async fn in_room(&self, room: &RoomId, what: &str, body: Value) -> Result<()> {
        let path = format!("/_matrix/client/v3/rooms/{room}/{what}");
        self.api.done(Method::POST, &path, Some(body)).await?;
        Ok(())
    }

    async fn until_in(&self, room: &RoomId) -> Result<()> {
        let joined = || self.client.get_room(room).filter(|r| r.state() == RoomState::Joined);
        self.until(&format!("into {room}"), || std::future::ready(joined().map(|_| ()))).await
    }

    /// Whether whoever makes this room has power without being given it, as from version 12 on.
    async fn creators_have_power(&self, new: &NewRoom) -> Result<bool> {
        if let Some(version) = &new.version {
            return Ok(version == "12");
        }
        let path = "/_matrix/client/v3/capabilities";
        let answer = self.api.done(Method::GET, path, None).await?;
        Ok(answer["capabilities"]["m.room_versions"]["default"] == "12")
    }

    fn creation(&self, new: &NewRoom, creators_have_power: bool) -> Value {
        let mut powers = new.powers.clone();
        if !creators_have_power {
            powers.insert(self.user_id.clone(), 100);
        }
        let encryption = json!({
            "type": "m.room.encryption",
            "state_key": "",
            "content": { "algorithm": "m.megolm.v1.aes-sha2" },
        });
        let mut body = json!({
            "name": new.name,
            "preset": if new.public { "public_chat" } else { "private_chat" },
            "visibility": if new.public { "public" } else { "private" },
            "invite": new.invite,
            "initial_state": if new.encrypted { vec![encryption] } else { Vec::new() },
            "power_level_content_override": { "users_default": 0, "redact": 50 },
        });
        if !powers.is_empty() {
            body["power_level_content_override"]["users"] = json!(powers);
        }
        if let Some(alias) = &new.alias {
            body["room_alias_name"] = json!(alias);
        }
        if let Some(version) = &new.version {
            body["room_version"] = json!(version);
        }
        body
    }
}
