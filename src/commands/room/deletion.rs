//! How far the homeserver is with deleting a room, and why it failed.

use ruma::RoomId;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::known::Room;
use crate::{
    change::Path,
    commands::{
        task::scheduled::{Task, tasks},
        user::account::how_many,
    },
    error::Stop,
    reply::{Fact, Hostile, Line},
    synapse::Reader,
};

/// What the homeserver calls the task that deletes a room.
const ACTION: &str = "shutdown_and_purge_room";

/// A deletion, as `GET /_synapse/admin/v2/rooms/delete_status/{delete_id}` shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Deletion {
    pub(super) delete_id: String,
    pub(super) status: Hostile,
    #[serde(rename = "shutdown_room")]
    done: Option<Done>,
}

/// What was done until now.
#[derive(Debug, Default, Deserialize)]
struct Done {
    #[serde(default)]
    kicked_users: Vec<Hostile>,
    #[serde(default)]
    failed_to_kick_users: Vec<Hostile>,
    new_room_id: Option<Hostile>,
}

/// How many who could not be put out are named.
const NAMED: usize = 10;

impl Deletion {
    /// Whether it goes on, or is still to begin.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self.status.raw(), "scheduled" | "active")
    }

    /// How many could not be put out of the room.
    pub(super) fn failed(&self) -> usize {
        self.done.as_ref().map_or(0, |done| done.failed_to_kick_users.len())
    }

    /// How many were put out of it.
    pub(super) fn put_out(&self) -> usize {
        self.done.as_ref().map_or(0, |done| done.kicked_users.len())
    }

    /// What can be said of it.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let state = match self.status.raw() {
            "scheduled" => "waiting for others".into(),
            "active" => "running".into(),
            "complete" if self.failed() > 0 => "complete, but not everybody was removed".into(),
            "complete" => "complete".into(),
            "failed" => "failed".into(),
            _ => Line::new().hostile(&self.status),
        };
        let mut facts = vec![("Task", Line::new().code(&self.delete_id)), ("State", state)];
        let Some(done) = &self.done else { return facts };
        let out = Some(done.kicked_users.len() as u64);
        facts.push((
            "Put out",
            how_many(out, "member of this server", "members of this server").into(),
        ));
        if !done.failed_to_kick_users.is_empty() {
            let first = done.failed_to_kick_users.iter().take(NAMED).enumerate();
            let named = first.fold(
                Line::from(format!("{}: ", done.failed_to_kick_users.len())),
                |line, (n, user)| if n > 0 { line.plain(", ") } else { line }.code(user.raw()),
            );
            facts.push(("Could not be put out", named));
        }
        if let Some(room) = &done.new_room_id {
            facts.push(("Instead of it", Line::new().code(room.raw())));
        }
        facts
    }
}

/// Whether the room is still on this server, and who of this server is in it.
pub(super) fn whether_there(room: Option<&Room>) -> Fact {
    let line = match room.map(Room::joined_local_members) {
        None => "gone from this server".into(),
        Some(local) => {
            let local = how_many(local, "member of this server", "members of this server");
            format!("still on this server; in it: {local}").into()
        }
    };
    ("Room", line)
}

/// The deletion with this id, `None` where the homeserver knows none, or not any more.
pub(super) async fn by_id(id: &str, reader: &Reader) -> Result<Option<Deletion>, Stop> {
    Ok(reader.find(&path_of(id), &[]).await?)
}

/// The same, as the homeserver says it.
pub(super) async fn raw_by_id(id: &str, reader: &Reader) -> Result<Option<Value>, Stop> {
    Ok(reader.find(&path_of(id), &[]).await?)
}

fn path_of(id: &str) -> Path {
    Path::admin(["v2", "rooms", "delete_status", id])
}

/// The deletions of a room that the homeserver remembers, oldest first: a week after its end it
/// forgets one. Unlike the status by room this has those that are still to begin.
pub(super) async fn of_room(room: &RoomId, reader: &Reader) -> Result<Vec<Task>, Stop> {
    let query = [("resource_id", room.to_string()), ("action_name", ACTION.to_owned())];
    match tasks(&query, reader).await {
        // Before Synapse 1.130 only the room itself says what goes on with it.
        Err(error) if error.is_unknown_route() => of_old(room, reader).await,
        found => Ok(found?),
    }
}

/// The same by `GET /_synapse/admin/v2/rooms/{room_id}/delete_status`, which gives no reasons.
async fn of_old(room: &RoomId, reader: &Reader) -> Result<Vec<Task>, Stop> {
    #[derive(Deserialize)]
    struct Results {
        results: Vec<Deletion>,
    }
    let path = Path::admin(["v2", "rooms", room.as_str(), "delete_status"]);
    let found: Option<Results> = reader.find(&path, &[]).await?;
    let task = |one: Deletion| Task {
        id: one.delete_id,
        action: Hostile::new(ACTION.to_owned()),
        status: one.status,
        at: None,
        resource_id: Some(Hostile::new(room.to_string())),
        error: None,
    };
    Ok(found.into_iter().flat_map(|found| found.results).map(task).collect())
}

/// Why this deletion of a room failed, as the homeserver has noted it; nothing where it has not.
pub(super) async fn why(room: &RoomId, id: &str, reader: &Reader) -> Result<Line, Stop> {
    let tasks = of_room(room, reader).await?;
    let error = tasks.into_iter().find(|task| task.id == id).and_then(|task| task.error);
    Ok(match error {
        Some(error) => Line::new().hostile(&error),
        None => "the homeserver does not give a reason".into(),
    })
}

/// The refusal for an id that names no deletion.
pub(super) fn unknown(id: &str) -> Line {
    Line::new()
        .plain("the homeserver knows of no deletion ")
        .code(id)
        .plain(", or it has forgotten it: it does so a week after the end")
}

/// The body of a request without what is not to be in it.
pub(super) fn body(fields: [(&str, Option<Value>); 6]) -> Value {
    let given = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reply::Reply;

    fn deletion(status: &str, done: &Value) -> Deletion {
        let answered = json!({ "delete_id": "abc", "status": status, "shutdown_room": done });
        serde_json::from_value(answered).unwrap()
    }

    #[test]
    fn each_state_is_told_with_who_is_out_and_who_is_not() {
        let text = |deletion: &Deletion| {
            crate::commands::user::testing::reply(&Reply::data("").facts(deletion.facts()))
        };
        let waits = deletion("scheduled", &Value::Null);
        assert!(waits.goes_on() && waits.put_out() == 0);
        assert!(text(&waits).contains("waiting for others"), "{}", text(&waits));
        let done = json!({
            "kicked_users": ["@ann:example.org"],
            "failed_to_kick_users": ["@eve:example.org", "@*sly*:example.org"],
            "local_aliases": [],
            "new_room_id": "!new:example.org",
        });
        let partly = deletion("complete", &done);
        assert!(!partly.goes_on() && partly.put_out() == 1 && partly.failed() == 2);
        let told = text(&partly);
        assert!(told.contains("State: complete, but not everybody was removed"), "{told}");
        assert!(told.contains("Put out: 1 member of this server"), "{told}");
        assert!(told.contains("2: `@eve:example.org`, `@*sly*:example.org`"), "{told}");
        assert!(told.contains("Instead of it: `!new:example.org`"), "{told}");
        assert!(text(&deletion("*odd*", &Value::Null)).contains("“*odd*”"));
    }
}
