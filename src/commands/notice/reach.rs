//! Whether a notice reaches whom it is for: whether they are in the room for notices, were only invited
//! to it, have left it, or ignore who sends them.

use std::collections::BTreeMap;

use ruma::{RoomId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    change::Path,
    error::Stop,
    reply::{Fact, Line},
    synapse::Reader,
};

/// How somebody stands to the notices of the homeserver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reach {
    /// No room for notices is known of them.
    NoRoom,
    /// They are in it.
    Joined,
    /// They are invited to it and have not joined.
    Invited,
    /// They have left it.
    Left,
    /// They ignore who sends them.
    Ignored(String),
    /// It could not be looked up.
    NotKnown(String),
}

/// What of the account data is looked at: `GET /_synapse/admin/v1/users/{user_id}/accountdata`. The
/// rest of it is nobody's business.
#[derive(Debug, Deserialize)]
struct Answered {
    account_data: Data,
}

#[derive(Debug, Default, Deserialize)]
struct Data {
    #[serde(default)]
    global: Global,
    #[serde(default)]
    rooms: BTreeMap<String, OfRoom>,
}

#[derive(Debug, Default, Deserialize)]
struct Global {
    #[serde(default, rename = "m.ignored_user_list")]
    ignored: Value,
}

#[derive(Debug, Default, Deserialize)]
struct OfRoom {
    #[serde(default, rename = "m.tag")]
    tag: Value,
}

impl Data {
    /// The rooms that the homeserver has marked as those for its notices.
    fn rooms(&self) -> impl Iterator<Item = &str> {
        let marked = |of: &OfRoom| of.tag.pointer("/tags/m.server_notice").is_some();
        self.rooms.iter().filter(move |(_, of)| marked(of)).map(|(room, _)| room.as_str())
    }

    fn ignores(&self, user: &str) -> bool {
        self.global.ignored.get("ignored_users").is_some_and(|those| those.get(user).is_some())
    }
}

impl Reach {
    /// How `user`, an account of this server, stands to them.
    pub(super) async fn of(user: &UserId, reader: &Reader) -> Self {
        match Self::look(user, reader).await {
            Ok(reach) => reach,
            Err(stop) => {
                let error = &stop as &dyn std::error::Error;
                tracing::warn!(error, "whether a notice is seen cannot be looked up");
                Self::NotKnown(stop.to_string())
            }
        }
    }

    async fn look(user: &UserId, reader: &Reader) -> Result<Self, Stop> {
        #[derive(Deserialize)]
        struct Memberships {
            memberships: BTreeMap<String, String>,
        }
        let path = Path::admin(["v1", "users", user.as_str(), "accountdata"]);
        let data = reader.get::<Answered>(&path, &[]).await?.account_data;
        let rooms: Vec<&str> = data.rooms().collect();
        if rooms.is_empty() {
            return Ok(Self::NoRoom);
        }
        let path = Path::admin(["v1", "users", user.as_str(), "memberships"]);
        let known: Memberships = reader.get(&path, &[]).await?;
        let there = |wanted: &str| {
            let is = |room: &&str| known.memberships.get(*room).is_some_and(|how| how == wanted);
            rooms.iter().copied().find(|room| is(room))
        };
        let (room, reach) = match (there("join"), there("invite")) {
            (Some(room), _) => (room, Self::Joined),
            (None, Some(room)) => (room, Self::Invited),
            (None, None) => return Ok(Self::Left),
        };
        let sender = sender(room, reader).await?;
        Ok(match sender.filter(|sender| data.ignores(sender)) {
            Some(sender) => Self::Ignored(sender),
            None => reach,
        })
    }

    /// What the question says of it.
    pub(super) fn fact(&self) -> Fact {
        let line: Line = match self {
            Self::NoRoom => {
                "none that is known; the homeserver makes one, and invites it or lets it join"
                    .into()
            }
            Self::Joined => "it is in it".into(),
            Self::Invited => "it is invited to it, and has not joined".into(),
            Self::Left => {
                "it has left it; the homeserver makes another, and invites it or lets it join"
                    .into()
            }
            Self::Ignored(sender) => {
                Line::from("it ignores ").code(sender).plain(", who sends notices")
            }
            Self::NotKnown(why) => format!("cannot be looked up: {why}").into(),
        };
        ("Room for notices", line)
    }

    /// What is so once a notice was sent.
    pub(super) fn told(&self) -> Line {
        match self {
            Self::Joined => " has a notice from the homeserver".into(),
            Self::Invited => Line::from(" was sent a notice, and is only ")
                .strong("invited, not joined")
                .plain(": whether it is seen cannot be known before it joins"),
            Self::Ignored(sender) => Line::from(" was sent a notice, and ")
                .strong("ignores")
                .plain(" ")
                .code(sender)
                .plain(", who sends them: it probably does not see it"),
            Self::NoRoom | Self::Left | Self::NotKnown(_) => {
                " was sent a notice; whether it is in the room for notices cannot be known".into()
            }
        }
    }
}

/// Who sends the notices in this room: whoever has made it.
async fn sender(room: &str, reader: &Reader) -> Result<Option<String>, Stop> {
    #[derive(Deserialize)]
    struct StateEvents {
        state: Vec<Value>,
    }
    let Ok(room) = RoomId::parse(room) else { return Ok(None) };
    let path = Path::admin(["v1", "rooms", room.as_str(), "state"]);
    let query = [("type", "m.room.create".to_owned())];
    let found: Option<StateEvents> = reader.find(&path, &query).await?;
    let events = found.map(|found| found.state).unwrap_or_default();
    Ok(events.first().and_then(|create| create["sender"].as_str()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::user::testing::line;

    #[test]
    fn only_the_rooms_that_are_marked_and_who_is_ignored_are_read() {
        let answered = json!({ "account_data": {
            "global": {
                "m.secret_storage.key.x": { "secret": 1 },
                "m.ignored_user_list": { "ignored_users": { "@notices:example.org": {} } },
            },
            "rooms": {
                "!a": { "m.tag": { "tags": { "m.server_notice": {} } } },
                "!b": { "m.tag": { "tags": { "m.favourite": { "order": 0.1 } } } },
                "!c": { "m.fully_read": { "event_id": "$x" } },
                "!d": { "m.tag": "odd" },
            },
        }});
        let data = serde_json::from_value::<Answered>(answered).unwrap().account_data;
        assert_eq!(data.rooms().collect::<Vec<_>>(), ["!a"]);
        assert!(data.ignores("@notices:example.org") && !data.ignores("@ann:example.org"));
        for bare in [json!({}), json!({ "global": {}, "rooms": {} })] {
            let data: Data = serde_json::from_value(bare).unwrap();
            assert!(data.rooms().next().is_none() && !data.ignores("@notices:example.org"));
        }
    }

    #[test]
    fn what_cannot_be_known_is_not_told_as_received() {
        for (reach, said) in [
            (Reach::Joined, "has a notice from the homeserver"),
            (Reach::Invited, "only **invited, not joined**: whether it is seen cannot be known"),
            (Reach::Ignored("@notices:example.org".into()), "**ignores** `@notices:example.org`"),
            (Reach::NoRoom, "cannot be known"),
            (Reach::Left, "cannot be known"),
            (Reach::NotKnown("away".into()), "cannot be known"),
        ] {
            let told = line(&reach.told());
            assert!(told.contains(said), "{told}");
            assert_eq!(told.contains("has a notice"), reach == Reach::Joined, "{told}");
        }
        for (reach, said) in [
            (Reach::NoRoom, "makes one"),
            (Reach::Left, "has left it"),
            (Reach::Invited, "has not joined"),
            (Reach::Ignored("@n:x".into()), "ignores `@n:x`"),
            (Reach::NotKnown("away".into()), "looked up: away"),
        ] {
            assert!(line(&reach.fact().1).contains(said), "{reach:?}");
        }
    }
}
