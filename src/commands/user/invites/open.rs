//! Which invitations of an account are open: who is invited by it, as the state of its rooms says.
//!
//! The homeserver counts what somebody has sent and lists it nowhere. The state of a room says of each
//! member who has made them one, so that it is read of every room that the account is in or has left. Of
//! a room in which nobody of this server is any more there is no state.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::account::{self, how_many, words};
use crate::{
    change::{Path, Power},
    commands::{Memory, Query, Tables, arguments::UserRef, refusals::looks, room::known},
    error::Stop,
    reply::{Block, Line, Reply, Sheet},
    synapse::Reader,
};

/// In how many rooms of an account they are looked for: each takes a request, and its answer has all
/// members of the room.
const LOOKED_AT: usize = 200;
/// How many rooms are looked at at once.
const AT_ONCE: usize = 4;
/// How many are named.
const NAMED: usize = 50;

/// What was found of the rooms of an account.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The rooms in which there are some, with those who are invited.
    pub(super) rooms: BTreeMap<OwnedRoomId, Vec<OwnedUserId>>,
    /// How many rooms were looked at.
    looked_at: usize,
    /// How many there are.
    of: usize,
    /// Why one of them could not be looked at.
    fault: Option<String>,
}

impl Found {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.rooms.values().map(Vec::len).sum()
    }

    /// What of it is not known.
    pub(super) fn unknown(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if self.looked_at < self.of {
            let (looked_at, of) = (self.looked_at, self.of);
            lines.push(format!("I looked in {looked_at} of its {of} rooms").into());
        }
        lines.extend(self.fault.as_ref().map(|fault| {
            Line::from("I could not look in each of its rooms: ").plain(fault.clone())
        }));
        lines
    }
}

/// Those of all rooms that `user` is in or has left.
pub(super) async fn of_account(user: &UserId, reader: &Reader) -> Result<Found, Stop> {
    let rooms = rooms_of(user, reader).await?;
    let mut found =
        Found { of: rooms.len(), looked_at: rooms.len().min(LOOKED_AT), ..Found::default() };
    let looks = rooms.into_iter().take(LOOKED_AT).map(|room| async move {
        let invited = in_room(user, &room, reader).await;
        (room, invited)
    });
    let mut looks = stream::iter(looks).buffered(AT_ONCE);
    while let Some((room, invited)) = looks.next().await {
        match invited {
            Ok(invited) if invited.is_empty() => {}
            Ok(invited) => {
                found.rooms.insert(room, invited);
            }
            Err(stop) => found.fault = found.fault.or(Some(stop.to_string())),
        }
    }
    Ok(found)
}

/// The rooms that somebody is in, and then those that it has left, each in the same order always.
async fn rooms_of(user: &UserId, reader: &Reader) -> Result<Vec<OwnedRoomId>, Stop> {
    #[derive(Deserialize)]
    struct Memberships {
        memberships: BTreeMap<OwnedRoomId, String>,
    }
    let path = Path::admin(["v1", "users", user.as_str(), "memberships"]);
    let memberships = match reader.get::<Memberships>(&path, &[]).await {
        Ok(listed) => listed.memberships,
        // Before Synapse 1.145 only those that it is in are known.
        Err(error) if error.is_unknown_route() => {
            let mut rooms = reader.joined_rooms(user).await?;
            rooms.sort();
            return Ok(rooms);
        }
        Err(error) => return Err(error.into()),
    };
    let of = |wanted: &'static str| {
        let those = memberships.iter().filter(move |(_, how)| how.as_str() == wanted);
        those.map(|(room, _)| room.clone())
    };
    Ok(of("join").chain(of("leave")).collect())
}

/// Whom `user` has invited to a room and who has not answered yet, in order.
pub(super) async fn in_room(
    user: &UserId,
    room: &RoomId,
    reader: &Reader,
) -> Result<Vec<OwnedUserId>, Stop> {
    let members = known::state(room, Some("m.room.member"), reader).await?;
    Ok(invited_by(user, &members))
}

fn invited_by(user: &UserId, members: &[Value]) -> Vec<OwnedUserId> {
    let is_open = |event: &&Value| {
        event["content"]["membership"] == "invite" && event["sender"] == user.as_str()
    };
    let whom = |event: &Value| UserId::parse(event["state_key"].as_str()?).ok();
    let mut invited: Vec<OwnedUserId> = members.iter().filter(is_open).filter_map(whom).collect();
    invited.sort();
    invited
}

/// Lists them.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) user: UserRef,
}

impl Open {
    async fn look(&self, reader: &Reader) -> Result<(OwnedUserId, Found), Stop> {
        let user = reader.user_id(&self.user)?;
        account::existing(&user, reader).await?;
        let found = of_account(&user, reader).await?;
        Ok((user, found))
    }
}

#[async_trait]
impl Query for Open {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::ACCOUNT])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let (user, found) = self.look(reader).await?;
        Ok(told(&user, &found))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let (user, found) = self.look(reader).await?;
        sheet.begin("invitations", &["room_id", "user_id", "sender"])?;
        for (room, invited) in &found.rooms {
            for invited in invited {
                sheet.row(&json!({ "room_id": room, "user_id": invited, "sender": user }))?;
            }
        }
        Ok(sheet.end(&Map::new())?)
    }
}

fn told(user: &UserId, found: &Found) -> Reply {
    let count = how_many(Some(found.count() as u64), "open invitation", "open invitations");
    let title = Line::new().code(user).plain(format!(" has {count}"));
    let title = match found.rooms.len() {
        0 => title,
        rooms => title.plain(format!(", in {}", how_many(Some(rooms as u64), "room", "rooms"))),
    };
    let all = found.rooms.iter().flat_map(|(room, all)| all.iter().map(move |one| (room, one)));
    let lines: Vec<Line> =
        all.map(|(room, one)| Line::new().code(one).plain(" to ").code(room)).take(NAMED).collect();
    let more = found.count().saturating_sub(lines.len());
    let mut reply = Reply::data(title);
    if !lines.is_empty() {
        reply = reply.with(Block::List("Invited:".into(), lines));
    }
    if more > 0 {
        reply = reply.note(Line::from(format!("and {more} more; all of them: ")).code("-o csv"));
    }
    reply = found.unknown().into_iter().fold(reply, Reply::note);
    if found.rooms.is_empty() {
        return reply;
    }
    reply.command("Withdraw them", words(["user", "invites", user.as_str(), "--withdraw"]))
}

#[cfg(test)]
mod tests {
    use super::{super::super::testing, *};

    fn ann() -> OwnedUserId {
        OwnedUserId::try_from("@ann:example.org").unwrap()
    }

    #[test]
    fn only_what_it_has_sent_itself_and_is_unanswered_is_open() {
        let member = |user: &str, how: &str, sender: &str| json!({ "state_key": user, "sender": sender, "content": { "membership": how } });
        let (own, other) = ("@ann:example.org", "@bob:example.org");
        let members = [
            member("@c:example.org", "invite", own),
            member("@b:elsewhere.example", "invite", own),
            member("@d:example.org", "invite", other),
            member("@e:example.org", "join", own),
            member("@f:example.org", "leave", own),
            member("no id", "invite", own),
            json!({ "state_key": 7, "sender": own, "content": { "membership": "invite" } }),
            json!(null),
        ];
        let invited = invited_by(&ann(), &members);
        assert_eq!(invited, ["@b:elsewhere.example", "@c:example.org"]);
    }

    #[test]
    fn they_are_listed_with_what_ends_them_and_what_is_not_known() {
        let ids = |all: &[&str]| all.iter().map(|id| (*id).try_into().unwrap()).collect();
        let rooms = [
            ("!a:example.org".try_into().unwrap(), ids(&["@b:example.org", "@c:example.org"])),
            ("!b:example.org".try_into().unwrap(), ids(&["@d:example.org"])),
        ];
        let found = Found { rooms: rooms.into(), looked_at: 200, of: 240, fault: None };
        assert_eq!(
            testing::reply(&told(&ann(), &found)),
            "`@ann:example.org` has 3 open invitations, in 2 rooms\n\
             Invited:\n- `@b:example.org` to `!a:example.org`\n- `@c:example.org` to \
             `!a:example.org`\n- `@d:example.org` to `!b:example.org`\n\
             (I looked in 200 of its 240 rooms)\n\
             Withdraw them: !user invites @ann:example.org --withdraw\n"
        );
        let none = testing::reply(&told(&ann(), &Found::default()));
        assert_eq!(none, "`@ann:example.org` has no open invitations\n");
        let fault = Some("the homeserver is away".to_owned());
        let none = testing::reply(&told(&ann(), &Found { fault, ..Found::default() }));
        assert!(none.contains("could not look in each of its rooms: the homeserver"), "{none}");
    }
}
