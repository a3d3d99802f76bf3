//! Which files a room or an account has, as far as the homeserver knows.

use std::collections::BTreeSet;

use ruma::{RoomId, UserId};
use serde::Deserialize;

use super::file::Mxc;
use crate::{
    change::{Path, Subject},
    error::Stop,
    reply::Line,
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
    if reader.find::<serde_json::Value>(&path, &[]).await?.is_some() {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
