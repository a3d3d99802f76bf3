//! Whether a notice reaches whom it is for: whether they are in the room to which it was sent, are only
//! invited to it, or ignore who has sent it.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ruma::UserId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    change::Path,
    error::Stop,
    reply::Line,
    synapse::{Error, Reader, wire::readable},
};

/// How somebody stands to a notice that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reach {
    /// They are in the room to which it was sent.
    Joined,
    /// They are invited to it and have not joined.
    Invited,
    /// They ignore who has sent it.
    Ignored(String),
    /// They are not in the room, or it could not be looked up.
    NotKnown,
}

/// How somebody could be reached by a notice, before one is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Reachable {
    /// They are in a room for notices.
    Joined,
    /// They are invited to one and have not joined.
    Invited,
    /// They have left it: the homeserver makes another, and invites them to that.
    Left,
    /// They have none yet: the homeserver makes one, and invites them.
    New,
    /// It could not be looked up.
    NotKnown,
}

/// How many rooms of somebody are looked at to find that for notices.
const LOOKED_AT: usize = 40;
/// How many of them at once.
const AT_ONCE: usize = 8;
/// The power that the homeserver gives everybody else in a room for notices. Nothing that can be looked
/// at tells such a room from others, but for this, and for who is in it.
const POWER: i64 = -10;

impl Reachable {
    /// Looks at `user`, an account of this server.
    pub(super) async fn of(user: &UserId, reader: &Reader) -> Self {
        match Self::look(user, reader).await {
            Ok(reachable) => reachable,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "whether a notice would be seen cannot be looked up");
                Self::NotKnown
            }
        }
    }

    /// The homeserver goes on in a room to which they are invited or in which they are.
    async fn look(user: &UserId, reader: &Reader) -> Result<Self, Error> {
        let path = Path::admin(["v1", "users", user.as_str(), "memberships"]);
        let known: Memberships = reader.get_any(&path, &[]).await?;
        let mut rooms: Vec<(String, Self)> = known
            .memberships
            .into_iter()
            .filter_map(|(id, how)| Some((id, Self::by(&how)?)))
            .collect();
        rooms.sort_by_key(|(_, how)| *how);
        let all = rooms.len() <= LOOKED_AT;
        let looks = rooms.into_iter().take(LOOKED_AT).map(async |(id, how)| {
            Ok::<_, Error>(is_for_notices(&id, user, reader).await?.then_some(how))
        });
        let found: Vec<Option<Self>> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        let none = if all { Self::New } else { Self::NotKnown };
        Ok(found.into_iter().flatten().min().unwrap_or(none))
    }

    /// What a membership of the room for notices says.
    fn by(membership: &str) -> Option<Self> {
        match membership {
            "join" => Some(Self::Joined),
            "invite" => Some(Self::Invited),
            "leave" => Some(Self::Left),
            _ => None,
        }
    }

    /// What must be known before they are told something, where they may not see it; with whether they
    /// can join no room afterwards.
    pub(super) fn warning(self, joins_nothing: bool) -> Option<String> {
        let (why, when) = match self {
            Self::Joined => return None,
            Self::NotKnown => {
                return Some(": I cannot look up whether it is in a room for notices".to_owned());
            }
            Self::Invited => (" is invited to its room for notices and has not joined", "it joins"),
            Self::Left => {
                (" has left its room for notices, and is invited to a new one", "it joins")
            }
            Self::New => (
                " has no room for notices yet, and is invited to one",
                "it joins, unless the homeserver lets it join by itself",
            ),
        };
        let never = if joins_nothing { ", and a suspended account cannot join" } else { "" };
        Some(format!("{why}: it reads the notice only after {when}{never}"))
    }
}

/// The event that was sent: `GET /_synapse/admin/v1/fetch_event/{event_id}`.
#[derive(Debug, Deserialize)]
struct FetchedEvent {
    event: Sent,
}

#[derive(Debug, Deserialize)]
struct Sent {
    room_id: String,
    sender: String,
}

#[derive(Debug, Deserialize)]
struct Memberships {
    memberships: BTreeMap<String, String>,
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
}

/// Whether a room of `user` is that in which the homeserver sends them notices: made by another account
/// of this server, with nobody else in it, who has less power than anybody has elsewhere.
/// `GET /_synapse/admin/v1/rooms/{room_id}` and its state.
async fn is_for_notices(room: &str, user: &UserId, reader: &Reader) -> Result<bool, Error> {
    let path = Path::admin(["v1", "rooms", room]);
    let Some(known) = reader.find::<Room>(&path, &[]).await? else { return Ok(false) };
    if !known.may_be_for_notices(user) {
        return Ok(false);
    }
    let path = Path::admin(["v1", "rooms", room, "state"]);
    let query = [("type", "m.room.power_levels".to_owned())];
    let state: State = reader.get(&path, &query).await?;
    // Before Synapse 1.123 a homeserver cannot be asked for one type, and answers with all.
    let is_other =
        |event: &Value| event.get("type").is_some_and(|kind| kind != "m.room.power_levels");
    let mut levels = state.state.iter().filter(|event| !is_other(event));
    Ok(levels.any(|event| event["content"]["users_default"] == POWER))
}

#[derive(Debug, Deserialize)]
struct State {
    #[serde(default, deserialize_with = "readable")]
    state: Vec<Value>,
}

/// What is looked at of a room; the statistics may know none of it.
#[derive(Debug, Deserialize)]
struct Room {
    creator: Option<String>,
    joined_members: Option<u64>,
    #[serde(default)]
    public: Option<bool>,
}

impl Room {
    fn may_be_for_notices(&self, user: &UserId) -> bool {
        let by_another = self.creator.as_deref().is_none_or(|creator| {
            let server = creator.split_once(':').map(|(_, server)| server);
            creator != user.as_str() && server == Some(user.server_name().as_str())
        });
        by_another
            && self.joined_members.is_none_or(|count| count <= 2)
            && self.public != Some(true)
    }
}

#[derive(Debug, Default, Deserialize)]
struct Global {
    #[serde(default, rename = "m.ignored_user_list")]
    ignored: Value,
}

impl Data {
    fn ignores(&self, user: &str) -> bool {
        self.global.ignored.get("ignored_users").is_some_and(|those| those.get(user).is_some())
    }
}

impl Reach {
    /// How `user`, an account of this server, stands to the notice that is this event.
    pub(super) async fn of(user: &UserId, event: &str, reader: &Reader) -> Self {
        match Self::look(user, event, reader).await {
            Ok(reach) => reach,
            Err(stop) => {
                let error = &stop as &dyn std::error::Error;
                tracing::warn!(error, "whether a notice is seen cannot be looked up");
                Self::NotKnown
            }
        }
    }

    async fn look(user: &UserId, event: &str, reader: &Reader) -> Result<Self, Stop> {
        let path = Path::admin(["v1", "fetch_event", event]);
        let sent = reader.get::<FetchedEvent>(&path, &[]).await?.event;
        let path = Path::admin(["v1", "users", user.as_str(), "memberships"]);
        let known: Memberships = reader.get(&path, &[]).await?;
        let membership = known.memberships.get(&sent.room_id).map(String::as_str);
        let path = Path::admin(["v1", "users", user.as_str(), "accountdata"]);
        let data = reader.get::<Answered>(&path, &[]).await?.account_data;
        Ok(Self::read(membership, sent.sender, &data))
    }

    fn read(membership: Option<&str>, sender: String, data: &Data) -> Self {
        match membership {
            Some("join" | "invite") if data.ignores(&sender) => Self::Ignored(sender),
            Some("join") => Self::Joined,
            Some("invite") => Self::Invited,
            _ => Self::NotKnown,
        }
    }

    /// What is said of it.
    pub(super) fn told(&self) -> Line {
        match self {
            Self::Joined => " got a notice from the homeserver".into(),
            Self::Invited => Line::from(" was sent a notice, and is only ")
                .strong("invited, not joined")
                .plain(": it is seen only after it joins"),
            Self::Ignored(sender) => Line::from(" was sent a notice, and ")
                .strong("ignores")
                .plain(" ")
                .code(sender)
                .plain(", who sends them, so it probably does not see it"),
            Self::NotKnown => {
                " was sent a notice; I cannot tell whether it is in the room for notices".into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::user::testing::line;

    #[test]
    fn how_somebody_stands_to_a_notice_follows_from_room_and_ignored_users() {
        let data = |ignored: &[&str]| -> Data {
            let those: serde_json::Map<String, Value> =
                ignored.iter().map(|user| ((*user).to_owned(), json!({}))).collect();
            let answered = json!({ "account_data": { "global": {
                "m.secret_storage.key.x": { "secret": 1 },
                "m.ignored_user_list": { "ignored_users": those },
            }, "rooms": {} }});
            serde_json::from_value::<Answered>(answered).unwrap().account_data
        };
        let sender = "@notices:example.org";
        let read = |membership, data: &Data| Reach::read(membership, sender.to_owned(), data);
        let (none, it) = (data(&["@eve:example.org"]), data(&[sender]));
        for (membership, data, reach) in [
            (Some("join"), &none, Reach::Joined),
            (Some("invite"), &none, Reach::Invited),
            (Some("join"), &it, Reach::Ignored(sender.to_owned())),
            (Some("invite"), &it, Reach::Ignored(sender.to_owned())),
            (Some("leave"), &none, Reach::NotKnown),
            (Some("ban"), &it, Reach::NotKnown),
            (None, &none, Reach::NotKnown),
        ] {
            assert_eq!(read(membership, data), reach);
        }
        let bare: Data = serde_json::from_value(json!({})).unwrap();
        assert_eq!(read(Some("join"), &bare), Reach::Joined);
    }

    #[test]
    fn a_room_for_notices_is_made_by_another_account_here_for_one_alone() {
        let ann = <&UserId>::try_from("@ann:example.org").unwrap();
        let may =
            |room: Value| serde_json::from_value::<Room>(room).unwrap().may_be_for_notices(ann);
        let room = |creator: &str, members: u64, public: bool| json!({ "creator": creator, "joined_members": members, "public": public });
        let notices = "@notices:example.org";
        assert!(may(room(notices, 2, false)) && may(room(notices, 1, false)));
        assert!(may(json!({})), "where the statistics know nothing its state is looked at");
        for other in [
            room("@ann:example.org", 2, false),
            room("@bob:b.example", 2, false),
            room(notices, 3, false),
            room(notices, 2, true),
        ] {
            assert!(!may(other.clone()), "{other}");
        }
    }

    #[test]
    fn the_best_of_several_rooms_counts() {
        let by = |membership| Reachable::by(membership);
        assert!(by("join") < by("invite") && by("invite") < by("leave"));
        assert_eq!((by("ban"), by("knock")), (None, None));
    }

    #[test]
    fn whoever_may_not_see_a_notice_is_told_of_with_the_reason() {
        assert_eq!(Reachable::Joined.warning(true), None);
        let left = Reachable::Left.warning(true).unwrap();
        assert!(left.contains("has left its room") && left.contains("cannot join"), "{left}");
        for reachable in [Reachable::Invited, Reachable::New, Reachable::NotKnown] {
            let told = reachable.warning(false).unwrap();
            assert!(!told.contains("suspended"), "{told}");
        }
    }

    #[test]
    fn what_cannot_be_known_is_not_told_as_received() {
        for (reach, said) in [
            (Reach::Joined, "got a notice from the homeserver"),
            (Reach::Invited, "only **invited, not joined**: it is seen only after it joins"),
            (Reach::Ignored("@notices:example.org".into()), "**ignores** `@notices:example.org`"),
            (Reach::NotKnown, "cannot tell"),
        ] {
            let told = line(&reach.told());
            assert!(told.contains(said), "{told}");
            assert_eq!(told.contains("got a notice"), reach == Reach::Joined, "{told}");
        }
    }
}
