//! Who has power in a room: what its state says, and who of them is in it.

use std::cmp::Reverse;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ruma::{OwnedUserId, RoomId, UserId};

use super::power::{self, Event, NEEDED, Power};
use crate::synapse::{Error, Reader};

/// How many of those who have power are looked for in the room, the strongest first: each takes a
/// request.
const LOOKED_FOR: usize = 20;
/// How many of these requests are under way at once.
const AT_ONCE: usize = 8;

/// The level that removing somebody takes where the room does not say.
const NEEDED_TO_KICK: i64 = 50;

/// What the state of a room says about power in it.
#[derive(Debug)]
pub(super) struct Holders {
    create: Event,
    levels: Option<Event>,
    /// Whether its creators stand above all levels, as they do since version 12.
    creators_above: bool,
}

impl Holders {
    /// Those of `room`, a room that the homeserver knows; `None` where it has no state of it: it has
    /// left the room, or its data are damaged.
    pub(super) async fn of(room: &RoomId, reader: &Reader) -> Result<Option<Self>, Error> {
        let create = power::state(room, "m.room.create", reader);
        let levels = power::state(room, "m.room.power_levels", reader);
        let (create, levels) = tokio::join!(create, levels);
        let levels = levels?;
        // Since version 12 the id has no server name.
        let creators_above = room.server_name().is_none();
        Ok(create?.map(|create| Self { create, levels, creators_above }))
    }

    /// The power of one user, whether named or not.
    pub(super) fn power(&self, user: &UserId) -> Power {
        Power::read(user, Some(&self.create), self.levels.as_ref(), self.creators_above)
    }

    /// Whoever is named, as a creator or with a level, the strongest first.
    pub(super) fn named(&self) -> Vec<(OwnedUserId, Power)> {
        let levels = self.levels.as_ref().and_then(|event| event.content.get("users"));
        let listed = levels.and_then(serde_json::Value::as_object).into_iter().flatten();
        let listed = listed.map(|(user, _)| user.as_str());
        let counts = self.creators_above || self.levels.is_none();
        let creators = self.create.creators().filter(|_| counts);
        let mut named: Vec<(OwnedUserId, Power)> = Vec::new();
        for user in creators.chain(listed).filter_map(|user| UserId::parse(user).ok()) {
            if named.iter().all(|(known, _)| *known != user) {
                let power = self.power(&user);
                named.push((user, power));
            }
        }
        named.sort_by_key(|(_, power)| Reverse(power.rank()));
        named
    }

    /// Whoever is named and has enough power to change who has it, the strongest first.
    pub(super) fn admins(&self) -> impl Iterator<Item = (OwnedUserId, Power)> {
        self.named().into_iter().filter(|(_, power)| power.is_enough())
    }

    /// Whether everybody who is in the room has enough power to change who has it.
    pub(super) fn everybody(&self) -> bool {
        let Some(levels) = self.levels.as_ref().map(|event| &event.content) else { return false };
        let has = power::level(levels.get("users_default")).unwrap_or(0);
        has >= power::needed(levels)
    }

    /// What it takes to change who has power.
    pub(super) fn needed(&self) -> i64 {
        self.levels.as_ref().map_or(NEEDED, |event| power::needed(&event.content))
    }

    /// What it takes to remove somebody.
    pub(super) fn needed_to_kick(&self) -> i64 {
        let kick = self.levels.as_ref().and_then(|event| event.content.get("kick"));
        power::level(kick).unwrap_or(NEEDED_TO_KICK)
    }

    #[cfg(test)]
    pub(super) fn made(create: Event, levels: Option<Event>, creators_above: bool) -> Self {
        Self { create, levels, creators_above }
    }
}

/// Those of `users` who are in the room. Of very many only the first are looked for.
pub(super) async fn present(
    users: impl IntoIterator<Item = OwnedUserId>,
    room: &RoomId,
    reader: &Reader,
) -> Result<Vec<OwnedUserId>, Error> {
    let users: Vec<OwnedUserId> = users.into_iter().take(LOOKED_FOR).collect();
    stream::iter(users)
        .map(|user| async move {
            let rooms = reader.joined_rooms(&user).await?;
            Ok(rooms.iter().any(|joined| joined == room).then_some(user))
        })
        .buffered(AT_ONCE)
        .try_filter_map(async |present| Ok(present))
        .try_collect()
        .await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(content: &Value) -> Event {
        serde_json::from_value(json!({ "sender": "@ann:example.org", "content": content })).unwrap()
    }

    fn names(holders: &Holders) -> Vec<String> {
        holders.admins().map(|(user, _)| user.to_string()).collect()
    }

    #[test]
    fn whoever_can_give_power_is_named_the_strongest_first() {
        let levels = || {
            event(&json!({"users": {
                "@moe:example.org": 50, "@bob:b.example": "100", "@eve:example.org": 150, "odd": 100,
            }, "state_default": 100}))
        };
        let old = Holders::made(event(&json!({})), Some(levels()), false);
        assert_eq!(names(&old), ["@eve:example.org", "@bob:b.example"]);
        let new = Holders::made(event(&json!({})), Some(levels()), true);
        assert_eq!(names(&new), ["@ann:example.org", "@eve:example.org", "@bob:b.example"]);
        let bare = Holders::made(event(&json!({})), None, false);
        assert_eq!(names(&bare), ["@ann:example.org"], "only who made it");
        assert_eq!((old.needed(), bare.needed()), (100, 50));
    }

    #[test]
    fn a_room_can_be_everybodys() {
        let of = |levels| Holders::made(event(&json!({})), Some(event(&levels)), false).everybody();
        assert!(of(json!({"users_default": 100})));
        assert!(of(json!({"users_default": 10, "events": {"m.room.power_levels": 10}})));
        assert!(!of(json!({"users_default": 10})));
        assert!(!Holders::made(event(&json!({})), None, false).everybody());
    }
}
