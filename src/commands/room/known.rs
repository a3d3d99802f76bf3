//! What the homeserver knows of a room, and what the verbs about rooms have in common.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ruma::{OwnedRoomId, RoomId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    page::{self, Row, or_not_known},
    standing::{self, OF_THEN},
};
use crate::{
    change::{Path, Skip, Snapshot, Subject},
    commands::arguments::RoomRef,
    error::{Stop, api::Kind},
    reply::{Fact, Hostile, Line},
    synapse::{
        Error, Reader,
        wire::{Plausible as _, flag, known},
    },
};

/// How many aliases are looked up at once.
const AT_ONCE: usize = 8;

/// A room, as `GET /_synapse/admin/v1/rooms/{room_id}` shows it.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is so or not, apart from the rest")]
pub(super) struct Room {
    /// What a listing says of it too.
    #[serde(flatten)]
    listed: Row,
    #[serde(default, deserialize_with = "known")]
    topic: Option<Hostile>,
    #[serde(default, deserialize_with = "flag")]
    forgotten: bool,
    #[serde(default, deserialize_with = "flag")]
    tombstoned: bool,
    #[serde(default, rename = "replacement_room", deserialize_with = "known")]
    replacement: Option<Hostile>,
    /// Whether what is known is of the day on which this server left.
    #[serde(default)]
    as_of_leaving: bool,
    /// Whether neither the statistics nor its state say anything of it.
    #[serde(default)]
    state_not_known: bool,
}

impl Room {
    /// Whether somebody of this server is in it, as far as that was counted.
    pub(super) fn has_members_here(&self) -> bool {
        self.listed.joined_local_members != Some(0)
    }

    /// Its name, as its members have set it.
    pub(super) fn name(&self) -> Option<&Hostile> {
        self.listed.name.as_ref()
    }

    /// How many are in it, as far as that was counted.
    pub(super) fn joined_members(&self) -> Option<u64> {
        self.listed.joined_members
    }

    /// How many of them are of this server.
    pub(super) fn joined_local_members(&self) -> Option<u64> {
        self.listed.joined_local_members
    }

    /// Whether it can be read without joining.
    pub(super) fn is_read_by_everybody(&self) -> bool {
        self.listed.history_visibility.as_ref().is_some_and(|who| who.raw() == "world_readable")
    }

    /// Whether everybody may join it.
    pub(super) fn is_open(&self) -> bool {
        self.listed.join_rules.as_ref().is_some_and(|rule| rule.raw() == "public")
    }
}

/// Whether a room is blocked, as `GET /_synapse/admin/v1/rooms/{room_id}/block` shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Blocked {
    /// Whether it is.
    pub(super) block: bool,
    /// Who blocked it.
    pub(super) user_id: Option<Hostile>,
}

/// The subjects of a verb about rooms, each once, in the order in which they were typed.
pub(in crate::commands) async fn subjects(
    rooms: &[RoomRef],
    reader: &Reader,
) -> Result<Vec<Subject>, Stop> {
    let ids = stream::iter(rooms.to_vec())
        .map(|room| async move { reader.room_id(&room).await })
        .buffered(AT_ONCE);
    let ids: Vec<OwnedRoomId> = ids.try_collect().await?;
    let mut seen = std::collections::HashSet::new();
    Ok(ids.into_iter().filter(|id| seen.insert(id.clone())).map(Subject::Room).collect())
}

/// The subject of a verb about one room.
pub(super) async fn subject(room: &RoomRef, reader: &Reader) -> Result<Vec<Subject>, Stop> {
    Ok(vec![Subject::Room(reader.room_id(room).await?)])
}

/// The room that a subject is. Every verb in this group makes its subjects by [`subject`].
pub(in crate::commands) fn id(subject: &Subject) -> Result<&RoomId, Stop> {
    match subject {
        Subject::Room(room) => Ok(room),
        _ => Err(Stop::refused(Line::new().code(subject).plain(" is not a room"))),
    }
}

/// The room, `None` where the homeserver has never been in it.
pub(super) async fn room(room: &RoomId, reader: &Reader) -> Result<Option<Room>, Error> {
    let Some(found) = raw(room, reader).await? else { return Ok(None) };
    read(found).map(Some)
}

/// [`room`], with each field that the statistics leave empty read from the room's state: for whoever
/// shows them all.
pub(super) async fn whole(room: &RoomId, reader: &Reader) -> Result<Option<Room>, Error> {
    let Some(found) = raw_whole(room, reader).await? else { return Ok(None) };
    read(found).map(Some)
}

/// [`raw`], in the same way.
pub(super) async fn raw_whole(room: &RoomId, reader: &Reader) -> Result<Option<Value>, Error> {
    let Some(mut found) = raw(room, reader).await? else { return Ok(None) };
    let settled = [standing::AS_OF_LEAVING, standing::STATE_NOT_KNOWN];
    if settled.iter().all(|key| found[*key] != true) {
        standing::fill_gaps(&mut found, room, reader).await;
    }
    Ok(Some(found))
}

fn read(found: Value) -> Result<Room, Error> {
    Room::deserialize(found).map_err(|error| Error::because(Kind::Unreadable, error.to_string()))
}

/// The room as the homeserver has it, without what cannot be true, and with what its state says where
/// the statistics say nothing.
pub(super) async fn raw(room: &RoomId, reader: &Reader) -> Result<Option<Value>, Error> {
    let path = Path::admin(["v1", "rooms", room.as_str()]);
    let Some(mut found) = reader.find::<Value>(&path, &[]).await? else { return Ok(None) };
    if found["room_id"] != room.as_str() {
        return Err(Error::because(Kind::Unreadable, "it is about another room"));
    }
    page::amend(&mut found);
    if standing::has_no_statistics(&found) {
        standing::fill(&mut found, room, reader).await;
    } else if found["joined_local_members"] == 0 {
        standing::doubt(&mut found, room, reader).await;
    }
    Ok(Some(found))
}

/// Whether the homeserver hides the reports from a room: it shows those from rooms of which it has
/// statistics, and so none from one that was deleted.
pub(in crate::commands) async fn hides_reports(room: &RoomId, reader: &Reader) -> bool {
    let path = Path::admin(["v1", "rooms", room.as_str()]);
    match reader.find::<Value>(&path, &[]).await {
        Ok(Some(found)) => {
            standing::has_no_statistics(&found)
                && bool::plausible(&found["federatable"]) != Some(true)
        }
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Whether the homeserver hides the reports from all rooms, since it keeps no statistics of any.
pub(in crate::commands) async fn hides_all_reports(reader: &Reader) -> bool {
    page::keeps_no_statistics(reader).await
}

/// The room of a listing, as it was typed.
pub(in crate::commands) fn titled(room: &RoomRef) -> Line {
    match room {
        RoomRef::Id(id) => Line::new().code(id),
        RoomRef::Alias(alias) => Line::new().code(alias),
        RoomRef::Local(alias) => Line::new().code(alias),
    }
}

/// The state of a room, or only its events of one type, as the homeserver has it:
/// `GET /_synapse/admin/v1/rooms/{room_id}/state`. A refusal for a room that it does not know.
pub(in crate::commands) async fn state(
    room: &RoomId,
    kind: Option<&str>,
    reader: &Reader,
) -> Result<Vec<Value>, Stop> {
    #[derive(Deserialize)]
    struct StateEvents {
        state: Vec<Value>,
    }
    let path = Path::admin(["v1", "rooms", room.as_str(), "state"]);
    let query: Vec<_> = kind.map(|kind| ("type", kind.to_owned())).into_iter().collect();
    let answered: Option<StateEvents> = reader.find(&path, &query).await?;
    let mut state = answered.ok_or_else(|| Stop::not_found(unknown(room)))?.state;
    if let Some(kind) = kind {
        keep(kind, &mut state);
    }
    Ok(state)
}

/// Leaves the events of this type in a room's state: a homeserver that is too old to be asked for one
/// type, before Synapse 1.123, answers with all.
pub(super) fn keep(kind: &str, state: &mut Vec<Value>) {
    state.retain(|event| event.get("type").is_none_or(|its| its == kind));
}

/// The same as the homeserver says it.
pub(super) async fn raw_block(room: &RoomId, reader: &Reader) -> Result<Value, Error> {
    reader.get(&Path::admin(["v1", "rooms", room.as_str(), "block"]), &[]).await
}

/// Whether a room is blocked; the homeserver need not know it for that.
pub(super) async fn blocked(room: &RoomId, reader: &Reader) -> Result<Blocked, Error> {
    reader.get(&Path::admin(["v1", "rooms", room.as_str(), "block"]), &[]).await
}

/// Looks at a room: what is shown of it, and whether the homeserver knows it.
pub(in crate::commands) async fn snapshot(
    subject: &Subject,
    reader: &Reader,
) -> Result<Snapshot, Stop> {
    let room = room(id(subject)?, reader).await?;
    let mut seen = Snapshot::default();
    seen.preconditions.insert("exists".to_owned(), json!(room.is_some()));
    seen.display = match &room {
        Some(room) => in_short(room),
        None => vec![("Room", "this homeserver is not in it and does not know it".into())],
    };
    Ok(seen)
}

/// The refusal for a room that the homeserver does not know.
pub(in crate::commands) fn unknown(room: impl std::fmt::Display) -> Line {
    Line::new().plain("this homeserver does not know the room ").code(room)
}

/// The command that shows the room that a subject is.
pub(super) fn details(subject: &Subject) -> String {
    format!("room details {}", subject.typed())
}

/// A skip that says that the room is in the wanted state already.
pub(super) fn already(subject: &Subject, what: &str) -> Skip {
    Skip::already(Line::new().code(subject).plain(format!(" {what}"))).or(details(subject))
}

/// Which room it is, in the order in which one asks.
pub(super) fn in_short(room: &Room) -> Vec<Fact> {
    let mut facts = vec![
        (
            "Name",
            match &room.listed.name {
                None if room.state_not_known => "not known".into(),
                name => hostile(name.as_ref()),
            },
        ),
        ("Id", Line::new().code(&room.listed.room_id)),
    ];
    if room.listed.canonical_alias.is_some() {
        facts.push(("Alias", hostile(room.listed.canonical_alias.as_ref())));
    }
    facts.push(("Members", page::members(&room.listed)));
    if room.as_of_leaving {
        facts.push(("Here", OF_THEN.into()));
    }
    facts
}

/// Everything about it that is worth a line.
pub(super) fn facts(room: &Room) -> Vec<Fact> {
    let mut facts = in_short(room);
    if let Some(topic) = room.topic.as_ref().filter(|topic| !topic.is_empty()) {
        facts.insert(1, ("Topic", Line::new().hostile(topic)));
    }
    facts.extend([
        (
            "Encrypted",
            match &room.listed.encryption {
                Some(_) => "yes".into(),
                None if room.state_not_known => "not known".into(),
                None => "no".into(),
            },
        ),
        ("In the directory", if room.listed.public { "yes".into() } else { "no".into() }),
        ("Who may join", page::who_may_join(room.listed.join_rules.as_ref())),
        ("Who may read", page::who_may_read(room.listed.history_visibility.as_ref())),
        ("Version", or_not_known(room.listed.version.as_ref())),
        ("Created by", or_not_known(room.listed.creator.as_ref())),
    ]);
    if let Some(kind) = &room.listed.room_type {
        facts.push(("Type", Line::new().hostile(kind)));
    }
    if room.listed.federatable == Some(false) {
        facts.push(("Other servers", "cannot take part".into()));
    }
    if room.forgotten {
        facts.push(("Forgotten", "by everybody here".into()));
    }
    if room.tombstoned {
        let by = match &room.replacement {
            Some(by) if !by.is_empty() => Line::new().hostile(by),
            _ => "it is closed, and names no replacement".into(),
        };
        facts.push(("Replaced by", by));
    }
    facts
}

/// How a block is told.
pub(super) fn block(blocked: &Blocked) -> Line {
    match (blocked.block, &blocked.user_id) {
        (false, _) => "no".into(),
        (true, None) => Line::new().strong("yes"),
        (true, Some(by)) => Line::new().strong("yes").plain(", by ").hostile(by),
    }
}

fn hostile(text: Option<&Hostile>) -> Line {
    match text {
        Some(text) if !text.is_empty() => Line::new().hostile(text),
        _ => "none".into(),
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// `!lobby:example.org` as a subject.
    pub(in crate::commands::room) fn lobby() -> Subject {
        Subject::Room("!lobby:example.org".try_into().unwrap())
    }

    /// The lobby; the fields of `other` replace its own.
    pub(in crate::commands::room) fn room(other: Value) -> Room {
        let mut room = json!({
            "room_id": "!lobby:example.org", "name": "The lobby", "canonical_alias":
            "#lobby:example.org", "topic": null, "joined_members": 12, "joined_local_members": 3,
            "version": "11", "creator": "@ann:example.org", "encryption": null,
            "federatable": 1, "public": true, "join_rules": "public",
            "history_visibility": "shared", "room_type": null, "forgotten": false,
            "tombstoned": false, "replacement_room": null,
        });
        let (Some(fields), Value::Object(other)) = (room.as_object_mut(), other) else {
            panic!("an object is wanted")
        };
        fields.extend(other);
        serde_json::from_value(room).unwrap()
    }
}
