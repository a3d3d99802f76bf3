//! Who has how much power in a room, as its state says.

use std::num::IntErrorKind;

use ruma::{RoomId, UserId};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    change::Path,
    synapse::{Error, Reader},
};

/// The type of the event of power levels.
pub(super) const LEVELS: &str = "m.room.power_levels";

/// The level that changing power levels takes where the room does not say.
pub(super) const NEEDED: i64 = 50;

/// The power of one user in one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Power {
    /// As a creator of a room of version 12 or later: more than any level, and for good.
    Creator,
    /// A level.
    Level {
        /// What the user has.
        has: i64,
        /// What it takes to change who has power.
        needed: i64,
    },
}

impl Power {
    /// Whether it is enough to change who has power.
    pub(super) fn is_enough(self) -> bool {
        match self {
            Self::Creator => true,
            Self::Level { has, needed } => has >= needed,
        }
    }

    /// What stands above what.
    pub(super) fn rank(self) -> i64 {
        match self {
            Self::Creator => i64::MAX,
            Self::Level { has, .. } => has,
        }
    }

    /// The power of `user`, as the room's events say. With `creators_rule`, as it is since version
    /// 12, its creators stand above all levels.
    pub(in crate::commands) fn read(
        user: &UserId,
        create: Option<&Event>,
        levels: Option<&Event>,
        creators_rule: bool,
    ) -> Self {
        let creator = create.is_some_and(|create| create.is_by(user));
        if creators_rule && creator {
            return Self::Creator;
        }
        let Some(levels) = levels.map(|event| &event.content) else {
            return Self::Level { has: if creator { 100 } else { 0 }, needed: NEEDED };
        };
        let has = level(levels.pointer("/users").and_then(|users| users.get(user.as_str())))
            .or_else(|| level(levels.get("users_default")))
            .unwrap_or(0);
        Self::Level { has, needed: needed(levels) }
    }
}

/// The level that changing power takes, as the content of the event of power levels says.
pub(super) fn needed(levels: &Value) -> i64 {
    level(levels.pointer("/events/m.room.power_levels"))
        .or_else(|| level(levels.get("state_default")))
        .unwrap_or(NEEDED)
}

/// An event of a room's state.
#[derive(Debug, Deserialize)]
pub(in crate::commands) struct Event {
    sender: String,
    /// What it sets.
    pub(in crate::commands) content: Value,
}

impl Event {
    /// Whether this, the room's first event, names `user` as a creator.
    fn is_by(&self, user: &UserId) -> bool {
        self.creators().any(|creator| creator == *user)
    }

    /// Whom this, the room's first event, names as its creators.
    pub(super) fn creators(&self) -> impl Iterator<Item = &str> {
        let further = self.content.get("additional_creators").and_then(Value::as_array);
        let further = further.into_iter().flatten().filter_map(Value::as_str);
        std::iter::once(self.sender.as_str()).chain(further)
    }
}

/// A level. Old rooms may write it as text, with a fraction, which does not count, or larger than any
/// number here, which is as good as the largest.
pub(in crate::commands) fn level(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    if let Some(text) = value.as_str() {
        return written(text.trim());
    }
    #[expect(clippy::cast_possible_truncation, reason = "beyond the largest it is the largest")]
    let whole = |level: f64| level as i64;
    value.as_i64().or_else(|| value.as_f64().map(whole))
}

/// A level that is written as text.
fn written(text: &str) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(level) => Some(level),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow => Some(i64::MAX),
            IntErrorKind::NegOverflow => Some(i64::MIN),
            _ => None,
        },
    }
}

/// The event of this type with an empty state key.
pub(super) async fn state(
    room: &RoomId,
    kind: &str,
    reader: &Reader,
) -> Result<Option<Event>, Error> {
    #[derive(Deserialize)]
    struct StateEvents {
        state: Vec<Keyed>,
    }
    #[derive(Deserialize)]
    struct Keyed {
        state_key: String,
        #[serde(rename = "type")]
        its: Option<String>,
        #[serde(flatten)]
        event: Event,
    }
    let path = Path::admin(["v1", "rooms", room.as_str(), "state"]);
    let answered: StateEvents = reader.get(&path, &[("type", kind.to_owned())]).await?;
    // Before Synapse 1.123 a homeserver cannot be asked for one type, and answers with all.
    let is_it = |keyed: &Keyed| {
        keyed.state_key.is_empty() && keyed.its.as_deref().is_none_or(|its| its == kind)
    };
    Ok(answered.state.into_iter().find(is_it).map(|keyed| keyed.event))
}

/// The event of this type among those of a room's state, with an empty state key.
pub(in crate::commands) fn among(state: &[Value], kind: &str) -> Option<Event> {
    let found = state.iter().find(|event| event["type"] == kind && event["state_key"] == "");
    found.and_then(|event| Event::deserialize(event).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(content: Value) -> Event {
        Event { sender: "@ann:example.org".to_owned(), content }
    }

    fn read(user: &str, create: Value, levels: Option<Value>, creators_rule: bool) -> Power {
        let levels = levels.map(event);
        let user = <&UserId>::try_from(user).unwrap();
        Power::read(user, Some(&event(create)), levels.as_ref(), creators_rule)
    }

    #[test]
    fn creators_stand_above_all_levels_only_where_the_version_says_so() {
        let both = json!({"additional_creators": ["@bob:example.org"]});
        for creator in ["@ann:example.org", "@bob:example.org"] {
            assert_eq!(read(creator, both.clone(), Some(json!({})), true), Power::Creator);
            assert!(!read(creator, both.clone(), Some(json!({})), false).is_enough());
        }
        assert!(!read("@eve:example.org", both, Some(json!({})), true).is_enough());
    }

    #[test]
    fn levels_are_read_in_the_order_of_the_specification() {
        let levels = json!({
            "users": {"@eve:example.org": 60, "@old:example.org": "100"},
            "users_default": 5, "events": {"m.room.power_levels": 100}, "state_default": 50,
        });
        let of = |user| read(user, json!({}), Some(levels.clone()), false);
        assert_eq!(of("@eve:example.org"), Power::Level { has: 60, needed: 100 });
        assert_eq!(of("@sam:example.org"), Power::Level { has: 5, needed: 100 });
        assert!(of("@old:example.org").is_enough(), "old rooms write text");
        for (written, is) in [
            (json!(" 100 "), Some(100)),
            (json!("+7"), Some(7)),
            (json!("-5"), Some(-5)),
            (json!(50.9), Some(50)),
            (json!(-0.5), Some(0)),
            (json!(u64::MAX), Some(i64::MAX)),
            (json!(1e30), Some(i64::MAX)),
            (json!(-1e30), Some(i64::MIN)),
            (json!("99999999999999999999"), Some(i64::MAX)),
            (json!("-99999999999999999999"), Some(i64::MIN)),
            (json!("much"), None),
            (json!("--5"), None),
            (json!(""), None),
            (json!(null), None),
            (json!([100]), None),
            (json!(true), None),
        ] {
            assert_eq!(level(Some(&written)), is, "{written}");
        }
        let plain = read("@eve:example.org", json!({}), Some(json!({"users": {}})), false);
        assert_eq!(plain, Power::Level { has: 0, needed: 50 });
        assert!(read("@ann:example.org", json!({}), None, false).is_enough(), "its creator");
        assert!(!read("@eve:example.org", json!({}), None, false).is_enough());
    }
}
