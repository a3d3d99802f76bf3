//! Which files a room or an account has, as far as the homeserver knows.

use std::collections::BTreeSet;

use ruma::{EventId, RoomId, UserId};
use serde::Deserialize;
use serde_json::Value;

use super::file::Mxc;
use crate::{
    change::{Path, Subject},
    error::Stop,
    reply::{Line, Status},
    synapse::{Error, Reader},
};

/// How many files of an account are asked for at once.
const PAGE: u64 = 500;

/// The addresses of the files in messages of a room that are not encrypted. For a room that it does
/// not know, the homeserver has none. `GET /_synapse/admin/v1/room/{room_id}/media`.
#[derive(Debug, Default, Deserialize)]
pub(in crate::commands) struct OfRoom {
    local: Vec<String>,
    remote: Vec<String>,
}

impl OfRoom {
    /// What the homeserver says.
    pub(in crate::commands) async fn get(room: &RoomId, reader: &Reader) -> Result<Self, Error> {
        reader.get(&Path::admin(["v1", "room", room.as_str(), "media"]), &[]).await
    }

    /// Each file once, those of this server first, with the list that it stands in.
    pub(in crate::commands) fn each_once(self) -> Vec<(&'static str, String)> {
        let mut known = BTreeSet::new();
        let local = self.local.into_iter().map(|mxc| ("local", mxc));
        let all = local.chain(self.remote.into_iter().map(|mxc| ("remote", mxc)));
        all.filter(|(_, mxc)| known.insert(mxc.clone())).collect()
    }
}

/// The files of a room, as subjects; a refusal where the homeserver does not know the room.
pub(super) async fn of_room(room: &RoomId, reader: &Reader) -> Result<Vec<Subject>, Stop> {
    known(room, reader).await?;
    let all = OfRoom::get(room, reader).await?.each_once();
    let subject = |(_, mxc): (_, String)| {
        mxc.parse::<Mxc>().ok().map(|Mxc { server, id }| Subject::Media(server, id))
    };
    Ok(all.into_iter().filter_map(subject).collect())
}

/// A refusal where the homeserver does not know this room.
pub(super) async fn known(room: &RoomId, reader: &Reader) -> Result<(), Stop> {
    let path = Path::admin(["v1", "rooms", room.as_str()]);
    if reader.find::<Value>(&path, &[]).await?.is_some() {
        return Ok(());
    }
    let why = Line::new().plain("this homeserver does not know the room ").code(room);
    Err(Stop::not_found(why))
}

/// The files that an account of this homeserver has uploaded, as subjects, newest first; a refusal
/// where there is no such account here. `GET /_synapse/admin/v1/users/{user_id}/media`.
pub(super) async fn of_account(user: &UserId, reader: &Reader) -> Result<Vec<Subject>, Stop> {
    #[derive(Deserialize)]
    struct FilePage {
        media: Vec<Row>,
        next_token: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Row {
        media_id: String,
    }
    if !reader.is_local(user) {
        let why = " is on another server, so its uploads cannot be looked up here; name the room \
            instead, with --room-id, or the files";
        return Err(Stop::refused(Line::new().code(user).plain(why)));
    }
    let path = Path::admin(["v1", "users", user.as_str(), "media"]);
    let (mut ids, mut from) = (BTreeSet::new(), 0);
    let mut subjects = Vec::new();
    loop {
        let query = [("limit", PAGE.to_string()), ("from", from.to_string())];
        let Some(listed) = reader.find::<FilePage>(&path, &query).await? else {
            let why = Line::new().plain("there is no account ").code(user);
            return Err(Stop::not_found(why).or(&["user", "search", user.localpart()]));
        };
        // What is uploaded meanwhile moves the others on.
        let new = listed.media.into_iter().filter(|row| ids.insert(row.media_id.clone()));
        let here = reader.server_name();
        subjects.extend(new.map(|row| Subject::Media(here.to_owned(), row.media_id)));
        match listed.next_token {
            Some(next) if next > from => from = next,
            _ => return Ok(subjects),
        }
    }
}

/// Where in the content of an event the address of a file stands.
const PLACES: [&str; 6] = [
    "/url",
    "/file/url",
    "/info/thumbnail_url",
    "/info/thumbnail_file/url",
    "/avatar_url",
    "/m.new_content/url",
];

/// The files that an event has, with their previews, as subjects; also where it was redacted, as long as the
/// homeserver knows what it said. `GET /_synapse/admin/v1/fetch_event/{event_id}`.
pub(super) async fn of_event(event: &EventId, reader: &Reader) -> Result<Vec<Subject>, Stop> {
    #[derive(Deserialize)]
    struct FetchedEvent {
        event: Value,
    }
    let line = || Line::new().code(event);
    let path = Path::admin(["v1", "fetch_event", event.as_str()]);
    let Some(FetchedEvent { event: found }) = reader.find(&path, &[]).await? else {
        return Err(Stop::not_found(Line::from("this homeserver has no event ").code(event)));
    };
    reader.may_tell_of(["room_id", "sender"].iter().filter_map(|key| found[*key].as_str()))?;
    if found["type"] == "m.room.encrypted" {
        let why = " is encrypted, so I cannot see which files it has; name them, or take all of the \
            account with --user-id";
        return Err(Stop::refused(line().plain(why)));
    }
    let subjects = addresses(&found["content"]);
    if subjects.is_empty() {
        let why = " has no file that this homeserver can see";
        return Err(Stop::ending(Status::NothingChanged, line().plain(why)));
    }
    Ok(subjects)
}

/// The files whose addresses stand in a content, each once. What is only mentioned in a text is none of them.
fn addresses(content: &Value) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for place in PLACES {
        let address = content.pointer(place).and_then(Value::as_str);
        let Some(Ok(Mxc { server, id })) = address.map(str::parse) else { continue };
        let subject = Subject::Media(server, id);
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    subjects
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_files_of_an_event_are_those_that_it_shows_and_none_that_it_mentions() {
        let of = |content| addresses(&content).iter().map(Subject::typed).collect::<Vec<_>>();
        let picture = json!({"msgtype": "m.image", "body": "mxc://x.test/mentioned",
            "url": "mxc://x.test/cat", "info": {"thumbnail_url": "mxc://x.test/small"}});
        assert_eq!(of(picture), ["mxc://x.test/cat", "mxc://x.test/small"]);
        let twice =
            json!({"url": "mxc://x.test/cat", "info": {"thumbnail_url": "mxc://x.test/cat"}});
        assert_eq!(of(twice), ["mxc://x.test/cat"]);
        for none in [
            json!({"body": "mxc://x.test/cat"}),
            json!({"url": "https://x.test/cat"}),
            json!({"url": 7, "file": []}),
            json!({}),
            json!(null),
        ] {
            assert!(of(none.clone()).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_file_that_was_sent_twice_is_one() {
        let listed = json!({"local": ["mxc://a/1", "mxc://a/1"], "remote": ["mxc://b/2"]});
        let listed: OfRoom = serde_json::from_value(listed).unwrap();
        let all = listed.each_once();
        let one = |list, mxc: &str| (list, mxc.to_owned());
        assert_eq!(all, [one("local", "mxc://a/1"), one("remote", "mxc://b/2")]);
        assert!(OfRoom::default().each_once().is_empty());
    }
}
