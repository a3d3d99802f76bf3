//! Reading the rules of a list, and listing what is here, by small requests of the Admin API: the bot is in
//! none of these rooms, so nothing that is said there reaches it.

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, RoomId, RoomOrAliasId};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    change::Path,
    commands::arguments::RoomRef,
    error::Stop,
    policy_lists::{About, Read, Rule, RuleKey, Unread},
    synapse::{
        Error, Reader,
        wire::{flag, known},
    },
};

/// The most rules of one list.
const MOST_RULES: usize = 20_000;
/// The longest state key that is taken, bytes; the specification has none longer.
const LONGEST_KEY: usize = 255;
/// How many accounts or rooms are listed at once, and in all.
const PAGE: usize = 500;
const MOST_LISTED: usize = 10_000;

/// Why a list cannot be read, where it helps that an account of this homeserver joins its room.
pub(super) const NOBODY_IN_IT: [&str; 2] = [
    "this homeserver does not know the room",
    "nobody of this homeserver is in the room, so what is known of it is old",
];

/// What stands in the room of a list.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Its rules, by where they stand.
    pub(super) rules: BTreeMap<RuleKey, Rule>,
    /// How many are not understood.
    pub(super) unread: Unread,
}

/// Why the rules of a list cannot be read.
#[derive(Debug)]
pub(super) enum NotRead {
    /// It stays so until somebody does something, and is told.
    Fault(String),
    /// The homeserver does not answer, or not as it should; that is asked again.
    Api(Error),
}

impl From<Error> for NotRead {
    fn from(error: Error) -> Self {
        Self::Api(error)
    }
}

fn fault<T>(why: &str) -> Result<T, NotRead> {
    Err(NotRead::Fault(why.to_owned()))
}

/// The room that the config names.
pub(super) async fn room(named: &RoomOrAliasId, reader: &Reader) -> Result<OwnedRoomId, NotRead> {
    if let Ok(room) = RoomId::parse(named.as_str()) {
        return Ok(room);
    }
    let Ok(alias) = named.as_str().parse::<RoomRef>() else {
        return fault("its alias cannot be read");
    };
    match reader.room_id(&alias).await {
        Ok(room) => Ok(room),
        Err(Stop::Api(error)) => Err(NotRead::Api(error)),
        Err(_) => fault("no room has this alias, or its server cannot be asked for it"),
    }
}

/// The rules in this room, by `GET /_synapse/admin/v1/rooms/{room_id}` and, for each type of rules,
/// `GET /_synapse/admin/v1/rooms/{room_id}/state?type=…`.
pub(super) async fn rules(room: &RoomId, reader: &Reader) -> Result<Found, NotRead> {
    #[derive(Deserialize)]
    struct Room {
        #[serde(default, deserialize_with = "known")]
        joined_local_members: Option<u64>,
    }
    let path = Path::admin(["v1", "rooms", room.as_str()]);
    let Some(known) = reader.find::<Room>(&path, &[]).await? else {
        return fault(NOBODY_IN_IT[0]);
    };
    if known.joined_local_members == Some(0) {
        return fault(NOBODY_IN_IT[1]);
    }
    let mut found = Found::default();
    for about in About::ALL {
        for event_type in about.event_types() {
            let path = Path::admin(["v1", "rooms", room.as_str(), "state"]);
            let query = [("type", event_type.to_owned())];
            let state: Value = reader.get(&path, &query).await?;
            let events = state.get("state").and_then(Value::as_array);
            let events = events.map(Vec::as_slice).unwrap_or_default();
            // A homeserver that is too old to be asked for one type gives all of them.
            for event in events.iter().filter(|event| event["type"] == event_type) {
                found.take(about, event_type, event);
                if found.rules.len() > MOST_RULES {
                    return fault("it has more than 20,000 rules");
                }
            }
        }
    }
    Ok(found)
}

impl Found {
    /// Takes in a state event of this type.
    fn take(&mut self, about: About, event_type: &str, event: &Value) {
        let text = |key: &str| event.get(key).and_then(Value::as_str);
        let (Some(state_key), Some(sender)) = (text("state_key"), text("sender")) else {
            self.unread.nameless += 1;
            return;
        };
        match Read::of(about, sender, &event["content"]) {
            Read::Rule(rule) if state_key.len() <= LONGEST_KEY => {
                let (event_type, state_key) = (event_type.to_owned(), state_key.to_owned());
                self.rules.insert(RuleKey { event_type, state_key }, *rule);
            }
            Read::Withdrawn => {}
            Read::Hashed => self.unread.hashed += 1,
            Read::Other => self.unread.other += 1,
            Read::Rule(_) | Read::Nameless => self.unread.nameless += 1,
        }
    }
}

/// Accounts or rooms that are here.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Their ids, each with whether it is that of a server admin.
    pub(super) ids: BTreeMap<String, bool>,
    /// Whether there are more.
    pub(super) more: bool,
}

/// The accounts of this homeserver that are not deactivated, as far as they are looked through, by
/// `GET /_synapse/admin/v2/users`.
pub(super) async fn accounts(reader: &Reader) -> Result<Listed, Error> {
    let query = [
        ("order_by", "name".to_owned()),
        ("deactivated", "false".to_owned()),
        ("locked", "true".to_owned()),
    ];
    all((&["v2", "users"], &query), ("users", "name"), "next_token", reader).await
}

/// The rooms that this homeserver knows, as far as they are looked through, by
/// `GET /_synapse/admin/v1/rooms`.
pub(super) async fn rooms(reader: &Reader) -> Result<Listed, Error> {
    let query = [("order_by", "name".to_owned())];
    all((&["v1", "rooms"], &query), ("rooms", "room_id"), "next_batch", reader).await
}

/// All pages of a listing whose rows have their ids under `id`.
async fn all(
    (path, query): (&[&str; 2], &[(&'static str, String)]),
    (rows, id): (&str, &str),
    next: &str,
    reader: &Reader,
) -> Result<Listed, Error> {
    #[derive(Deserialize)]
    struct Row {
        #[serde(default, deserialize_with = "flag")]
        admin: bool,
    }
    let (mut from, mut listed) = (None::<String>, Listed::default());
    loop {
        let mut query = query.to_vec();
        query.push(("limit", PAGE.to_string()));
        query.extend(from.clone().map(|from| ("from", from)));
        let page: Value = reader.get(&Path::admin(*path), &query).await?;
        let found = page.get(rows).and_then(Value::as_array);
        let found = found.map(Vec::as_slice).unwrap_or_default();
        for row in found {
            let Some(name) = row[id].as_str() else { continue };
            let admin = Row::deserialize(row).is_ok_and(|row| row.admin);
            listed.ids.insert(name.to_owned(), admin);
        }
        let place = match page.get(next) {
            Some(Value::String(place)) => Some(place.clone()),
            Some(Value::Number(place)) => Some(place.to_string()),
            _ => None,
        };
        if found.is_empty() || place.is_none() || place == from {
            return Ok(listed);
        }
        if listed.ids.len() >= MOST_LISTED {
            return Ok(Listed { more: true, ..listed });
        }
        from = place;
    }
}

/// Whether this homeserver knows the room.
pub(super) async fn knows(room: &RoomId, reader: &Reader) -> Result<bool, Error> {
    let path = Path::admin(["v1", "rooms", room.as_str()]);
    Ok(reader.find::<Value>(&path, &[]).await?.is_some())
}

/// Whether the room is blocked, by `GET /_synapse/admin/v1/rooms/{room_id}/block`.
pub(super) async fn is_blocked(room: &RoomId, reader: &Reader) -> Result<bool, Error> {
    let path = Path::admin(["v1", "rooms", room.as_str(), "block"]);
    Ok(reader.get::<Value>(&path, &[]).await?["block"] == true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_rule_is_counted_and_nothing_else_of_it_is_kept() {
        let mut found = Found::default();
        let long = "x".repeat(256);
        for event in [
            json!({}),
            json!(null),
            json!({"state_key": 7, "sender": "@a:b", "content": {}}),
            json!({"state_key": "", "sender": "nobody", "content":
                {"entity": "@eve:x.test", "recommendation": "m.ban"}}),
            json!({"state_key": long, "sender": "@a:b", "content":
                {"entity": "@eve:x.test", "recommendation": "m.ban"}}),
            json!({"state_key": "gone", "sender": "@a:b", "content": {}}),
            json!({"state_key": "a", "sender": "@a:b", "content":
                {"hashes": {"sha256": "x"}, "recommendation": "m.ban"}}),
            json!({"state_key": "b", "sender": "@a:b", "content":
                {"entity": "@eve:x.test", "recommendation": "m.mute"}}),
        ] {
            found.take(About::Users, "m.policy.rule.user", &event);
        }
        assert!(found.rules.is_empty(), "{:?}", found.rules);
        assert_eq!(found.unread, Unread { hashed: 1, other: 1, nameless: 5 });
    }
}
