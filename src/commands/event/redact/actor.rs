//! In whose name the homeserver redacts an event, and whether they may: it sends the redaction as if
//! right after the event, so that it counts who was in the room and had which power then.

use ruma::{EventId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    change::Path,
    commands::room::power::{self, Power, level},
    reply::Line,
    synapse::{Error, Reader, wire::readable},
};

/// What it takes to redact what others have sent, where the room does not say.
const REDACT: i64 = 50;

/// In whose name an event is redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Actor {
    /// The account: who sent it, or that of the admin token for what somebody of another server sent.
    pub(super) user: OwnedUserId,
    /// Whether it is who sent it.
    pub(super) itself: bool,
    /// Why the room will not take the redaction, where that is known.
    pub(super) hindered: Option<Hindered>,
}

/// Why a room will not take a redaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Hindered {
    /// The account was not in the room when the event was sent.
    Outside,
    /// It had less power than it takes.
    Weak {
        /// What it had.
        has: i64,
        /// What it takes.
        takes: i64,
    },
}

impl Actor {
    /// Looks who it would be. `GET /_synapse/admin/v1/rooms/{room_id}/context/{event_id}` has the
    /// state of the room as of the event, where nothing behind it is asked for.
    pub(super) async fn of(
        sender: &OwnedUserId,
        event: &EventId,
        room: &RoomId,
        reader: &Reader,
    ) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Context {
            #[serde(default, deserialize_with = "readable")]
            state: Vec<Value>,
        }
        let itself = reader.is_local(sender);
        let user = if itself { sender.clone() } else { reader.caller().await? };
        let path = Path::admin(["v1", "rooms", room.as_str(), "context", event.as_str()]);
        let mut query = vec![("limit", "0".to_owned())];
        if itself {
            // Who sent it was in the room, and of a large room its members are nearly all of this.
            query.push(("filter", json!({ "lazy_load_members": true }).to_string()));
        }
        let state = reader.get::<Context>(&path, &query).await?.state;
        // Since version 12 the id has no server name.
        let hindered = hindered(&user, itself, &state, room.server_name().is_none());
        Ok(Self { user, itself, hindered })
    }

    /// What is said of it before the question.
    pub(super) fn line(&self) -> Line {
        let line = Line::new().code(&self.user);
        if self.itself {
            line.plain(" itself: the room sees that it removed it")
        } else {
            line.plain(", the account of my admin token, since the sender is on another server")
        }
    }
}

impl Hindered {
    /// Why, in words that follow whose name it is.
    pub(super) fn line(&self, room: &RoomId) -> Line {
        match self {
            Self::Outside => Line::from(" was not in ")
                .code(room)
                .plain(" when this was sent, and that is what counts"),
            Self::Weak { has, takes } => Line::from(" had the power ")
                .plain(has.to_string())
                .plain(" in ")
                .code(room)
                .plain(format!(" when this was sent, and it takes {takes}")),
        }
    }
}

/// Why a room with this state takes no redaction by this account; `None` where nothing says so.
fn hindered(user: &UserId, itself: bool, state: &[Value], creators_rule: bool) -> Option<Hindered> {
    let create = power::among(state, "m.room.create")?;
    let is_in = |event: &Value| {
        event["type"] == "m.room.member"
            && event["state_key"] == user.as_str()
            && event["content"]["membership"] == "join"
    };
    if !itself && !state.iter().any(is_in) {
        return Some(Hindered::Outside);
    }
    let levels = power::among(state, "m.room.power_levels");
    let has = match Power::read(user, Some(&create), levels.as_ref(), creators_rule) {
        Power::Creator => return None,
        Power::Level { has, .. } => has,
    };
    let levels = levels.map(|event| event.content).unwrap_or_default();
    let at = |pointer| level(levels.pointer(pointer));
    let send = at("/events/m.room.redaction").or_else(|| at("/events_default")).unwrap_or(0);
    let takes = if itself { send } else { send.max(at("/redact").unwrap_or(REDACT)) };
    (has < takes).then_some(Hindered::Weak { has, takes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(levels: &Value, member: Option<&str>) -> Vec<Value> {
        let mut state = vec![
            json!({"type": "m.room.create", "state_key": "", "sender": "@bob:b.example", "content": {}}),
            json!({"type": "m.room.power_levels", "state_key": "", "sender": "@bob:b.example",
                   "content": levels}),
        ];
        state.extend(member.map(|membership| {
            json!({"type": "m.room.member", "state_key": "@admin:example.org",
                   "sender": "@admin:example.org", "content": {"membership": membership}})
        }));
        state
    }

    fn of(itself: bool, levels: &Value, member: Option<&str>) -> Option<Hindered> {
        let admin = <&UserId>::try_from("@admin:example.org").unwrap();
        hindered(admin, itself, &state(levels, member), false)
    }

    #[test]
    fn for_others_it_takes_to_have_been_there_with_power() {
        for member in [None, Some("leave"), Some("invite")] {
            let levels = json!({"users": {"@admin:example.org": 100}});
            assert_eq!(of(false, &levels, member), Some(Hindered::Outside), "{member:?}");
        }
        let joined = Some("join");
        let weak = |has, takes| Some(Hindered::Weak { has, takes });
        let with = |has: i64| json!({"users": {"@admin:example.org": has}});
        assert_eq!(of(false, &with(49), joined), weak(49, 50));
        assert_eq!(of(false, &with(50), joined), None);
        assert_eq!(of(false, &json!({"redact": 0}), joined), None);
        let high = json!({"redact": 0, "events": {"m.room.redaction": 60}});
        assert_eq!(of(false, &high, joined), weak(0, 60));
    }

    #[test]
    fn what_it_sent_itself_it_may_redact_unless_the_room_wants_power_for_that() {
        assert_eq!(of(true, &json!({}), None), None);
        assert_eq!(of(true, &json!({"redact": 100}), None), None);
        let closed = json!({"events": {"m.room.redaction": 50}});
        assert_eq!(of(true, &closed, None), Some(Hindered::Weak { has: 0, takes: 50 }));
        assert!(of(true, &json!({"events_default": 10}), None).is_some());
    }

    #[test]
    fn a_creator_of_a_new_room_may_and_where_nothing_is_known_nothing_is_said() {
        let bob = <&UserId>::try_from("@bob:b.example").unwrap();
        let levels = json!({"events": {"m.room.redaction": 100}});
        assert_eq!(hindered(bob, true, &state(&levels, None), true), None);
        assert!(hindered(bob, true, &state(&levels, None), false).is_some());
        assert_eq!(hindered(bob, false, &[], false), None);
    }
}
