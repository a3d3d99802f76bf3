//! How this server stands to a room, and what the room's own state says of it: where the
//! homeserver's statistics say nothing, and where it has left the room and keeps no present state.

use futures_util::future::join_all;
use ruma::RoomId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    change::Path,
    commands::arguments::RoomRef,
    synapse::{
        Error, Reader,
        wire::{Plausible as _, readable},
    },
};

/// What is said of a room that this server has left.
pub(super) const OF_THEN: &str =
    "This server has left this room; this is the state from then, which may have changed since.";

/// Under this it is noted in a room's data that they are of then.
pub(super) const AS_OF_LEAVING: &str = "as_of_leaving";

/// Under this it is noted that not even the room's state could be read.
pub(super) const STATE_NOT_KNOWN: &str = "state_not_known";

/// How this server stands to a room that it has on file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Somebody of it is in the room.
    Here,
    /// Nobody is any more; the last event that it has of the room.
    Left(String),
    /// Nobody ever was: an invitation is all that it knows.
    Outside,
}

#[derive(Deserialize)]
struct MemberCount {
    total: u64,
}

/// The ends of what is kept of a room.
#[derive(Deserialize)]
struct Ends {
    #[serde(default, deserialize_with = "readable")]
    results: Vec<End>,
}

#[derive(Deserialize)]
struct End {
    event_id: String,
    #[serde(default)]
    depth: i64,
}

impl Standing {
    /// Looks: by the room's first event, its members, and the ends of what is kept of it. All of a
    /// room's present state goes when the last of this server leaves.
    pub(super) async fn of(room: &RoomId, reader: &Reader) -> Result<Self, Error> {
        if !typed(room, "m.room.create", reader).await?.is_empty() {
            return Ok(Self::Here);
        }
        let path = |what| Path::admin(["v1", "rooms", room.as_str(), what]);
        let members: MemberCount = reader.get(&path("members"), &[]).await?;
        if members.total > 0 {
            return Ok(Self::Here);
        }
        let ends: Ends = reader.get(&path("forward_extremities"), &[]).await?;
        let last = ends.results.into_iter().max_by_key(|end| end.depth);
        Ok(last.map_or(Self::Outside, |end| Self::Left(end.event_id)))
    }
}

/// The state of a room that this server has left as of then, `None` where it has not left it.
/// `GET /_synapse/admin/v1/rooms/{room_id}/context/{event_id}`.
pub(super) async fn of_then(
    room: &RoomId,
    with_members: bool,
    reader: &Reader,
) -> Result<Option<Vec<Value>>, Error> {
    let Standing::Left(event) = Standing::of(room, reader).await? else { return Ok(None) };
    at(room, &event, with_members, reader).await.map(Some)
}

/// Whether this server has left a room; `false` where that cannot be looked up.
pub(super) async fn has_left(room: &RoomId, reader: &Reader) -> bool {
    matches!(Standing::of(room, reader).await, Ok(Standing::Left(_)))
}

/// What is to be known of a listing of a room that this server has left.
pub(super) async fn remark(room: &RoomRef, reader: &Reader) -> Option<&'static str> {
    let room = reader.room_id(room).await.ok()?;
    has_left(&room, reader).await.then_some(OF_THEN)
}

async fn at(
    room: &RoomId,
    event: &str,
    with_members: bool,
    reader: &Reader,
) -> Result<Vec<Value>, Error> {
    #[derive(Deserialize)]
    struct Context {
        #[serde(default, deserialize_with = "readable")]
        state: Vec<Value>,
    }
    let path = Path::admin(["v1", "rooms", room.as_str(), "context", event]);
    let mut query = vec![("limit", "0".to_owned())];
    if !with_members {
        // Of a large room its members are nearly all that there is.
        query.push(("filter", json!({ "lazy_load_members": true }).to_string()));
    }
    Ok(reader.get::<Context>(&path, &query).await?.state)
}

/// The present state of a room, of one type.
async fn typed(room: &RoomId, kind: &str, reader: &Reader) -> Result<Vec<Value>, Error> {
    #[derive(Deserialize)]
    struct StateEvents {
        #[serde(default, deserialize_with = "readable")]
        state: Vec<Value>,
    }
    let path = Path::admin(["v1", "rooms", room.as_str(), "state"]);
    let query = [("type", kind.to_owned())];
    let mut state = reader.get::<StateEvents>(&path, &query).await?.state;
    super::known::keep(kind, &mut state);
    Ok(state)
}

/// A field of a room as the homeserver shows it, and where in the room's state it stands: the type of
/// the event and the key of its content.
const FIELDS: [(&str, &str, &str); 8] = [
    ("name", "m.room.name", "name"),
    ("topic", "m.room.topic", "topic"),
    ("canonical_alias", "m.room.canonical_alias", "alias"),
    ("join_rules", "m.room.join_rules", "join_rule"),
    ("history_visibility", "m.room.history_visibility", "history_visibility"),
    ("guest_access", "m.room.guest_access", "guest_access"),
    ("encryption", "m.room.encryption", "algorithm"),
    ("room_type", "m.room.create", "type"),
];

/// Whether the homeserver's statistics say nothing of a room: they have no row of it, or it was
/// emptied when this server left. Nearly every room has a rule by which one joins it.
pub(super) fn has_no_statistics(row: &Value) -> bool {
    ["name", "canonical_alias", "join_rules", "history_visibility", "encryption"]
        .iter()
        .all(|key| row[key].is_null())
}

/// Fills in, from the room's state, what the statistics of it do not say. Without a row of
/// statistics the homeserver says that a room is not federated; that is not known then.
pub(super) async fn fill(row: &mut Value, room: &RoomId, reader: &Reader) {
    row["federatable"] = Value::Null;
    let state = match Standing::of(room, reader).await {
        Ok(Standing::Here) => here(room, reader).await,
        Ok(Standing::Left(event)) => {
            row[AS_OF_LEAVING] = json!(true);
            // Those of other servers are counted no more.
            row["joined_members"] = Value::Null;
            row["joined_local_members"] = json!(0);
            at(room, &event, false, reader).await
        }
        Ok(Standing::Outside) => {
            row["joined_members"] = Value::Null;
            row[STATE_NOT_KNOWN] = json!(true);
            return;
        }
        Err(error) => Err(error),
    };
    match state {
        Ok(state) => fill_from(row, &state),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a room's state is not known");
            row[STATE_NOT_KNOWN] = json!(true);
        }
    }
}

/// Fills in, from the room's state, the fields in which the statistics say nothing: they may be half
/// built, and to them what they do not know is the same as what is not there. What a room shows to
/// everybody who looks at it should not be told as missing.
pub(super) async fn fill_gaps(row: &mut Value, room: &RoomId, reader: &Reader) {
    let gaps = FIELDS.iter().filter(|(field, ..)| row[*field].is_null());
    let looks = gaps.map(|(_, kind, _)| typed(room, kind, reader));
    let mut state = Vec::new();
    for found in join_all(looks).await {
        match found {
            Ok(found) => state.extend(found),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a gap stays open");
                row[STATE_NOT_KNOWN] = json!(true);
            }
        }
    }
    fill_from(row, &state);
}

/// Takes the counts out of a room's data that say that nobody of this server is in it, where somebody
/// is: the statistics are wrong then.
pub(super) async fn doubt(row: &mut Value, room: &RoomId, reader: &Reader) {
    let path = Path::admin(["v1", "rooms", room.as_str(), "members"]);
    if reader.get::<MemberCount>(&path, &[]).await.is_ok_and(|members| members.total > 0) {
        row["joined_members"] = Value::Null;
        row["joined_local_members"] = Value::Null;
    }
}

/// The present state, of the types that are wanted; an error where none can be read.
async fn here(room: &RoomId, reader: &Reader) -> Result<Vec<Value>, Error> {
    let looks = FIELDS.map(|(_, kind, _)| typed(room, kind, reader));
    let mut state = Vec::new();
    for found in join_all(looks).await {
        state.extend(found?);
    }
    Ok(state)
}

fn fill_from(row: &mut Value, state: &[Value]) {
    let event =
        |kind: &str| state.iter().find(|event| event["type"] == kind && event["state_key"] == "");
    for (field, kind, key) in FIELDS {
        if let Some(text) = event(kind).and_then(|event| String::plausible(&event["content"][key]))
        {
            row[field] = json!(text);
        }
    }
    if let Some(create) = event("m.room.create") {
        row["federatable"] = json!(create["content"]["m.federate"] != json!(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, content: &Value) -> Value {
        json!({"type": kind, "state_key": "", "content": content})
    }

    #[test]
    fn what_the_statistics_do_not_say_is_read_from_the_state() {
        let mut row = json!({"name": null, "join_rules": null, "federatable": null});
        assert!(has_no_statistics(&row));
        fill_from(
            &mut row,
            &[
                event("m.room.create", &json!({"type": "m.space"})),
                event("m.room.join_rules", &json!({"join_rule": "invite"})),
                event("m.room.encryption", &json!({"algorithm": "m.megolm.v1.aes-sha2"})),
                event("m.room.name", &json!({"name": 7})),
                json!({"type": "m.room.topic", "state_key": "x", "content": {"topic": "no"}}),
            ],
        );
        assert_eq!(
            row,
            json!({"name": null, "join_rules": "invite", "federatable": true,
                   "room_type": "m.space", "encryption": "m.megolm.v1.aes-sha2"})
        );
        fill_from(&mut row, &[event("m.room.create", &json!({"m.federate": false}))]);
        assert_eq!(row["federatable"], false);
        assert!(!has_no_statistics(&row));
    }

    #[test]
    fn without_a_first_event_it_is_not_known_whether_others_can_take_part() {
        let mut row = json!({"federatable": null});
        fill_from(&mut row, &[event("m.room.name", &json!({"name": "Lobby"}))]);
        assert_eq!(row, json!({"federatable": null, "name": "Lobby"}));
    }
}
