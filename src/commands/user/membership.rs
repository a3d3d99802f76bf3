//! `user membership`: the rooms of one account, here or on another server.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use ruma::{OwnedRoomId, RoomId, UserId};
use serde::Deserialize;
use serde_json::{Map, json};

use super::account::{self, how_many};
use crate::{
    change::{Path, Power},
    commands::{Memory, Query, Spec, Tables, arguments::UserRef, refusals::looks},
    error::Stop,
    reply::{Block, Hostile, Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Membership>(
    "membership",
    &["user membership @ann:example.org", "user membership @bob:elsewhere.example --ids"],
)
.since(1, 145);

/// List the rooms that an account is in, is invited to, is banned from or has left
///
/// Only rooms with members on this server are known: rooms that the account was the last to leave, or
/// shares with nobody here, are not listed.
#[derive(Debug, clap::Args)]
struct Membership {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// Show aliases and names beside the ids; this is the default
    #[arg(long, conflicts_with = "ids")]
    aliases: bool,
    /// Show only the ids
    #[arg(long)]
    ids: bool,
}

/// For how many rooms names are looked up: each takes a request.
const NAMED: usize = 100;
/// How many of these requests are under way at once.
const AT_ONCE: usize = 8;

/// The memberships that there are, in the order in which they matter, with how they are headed.
const KINDS: [(&str, &str); 5] = [
    ("join", "In"),
    ("invite", "Invited to"),
    ("knock", "Asked to join"),
    ("ban", "Banned from"),
    ("leave", "Left, or was removed from"),
];

#[derive(Debug, Deserialize)]
struct Memberships {
    memberships: BTreeMap<OwnedRoomId, String>,
}

/// What a room is called.
#[derive(Debug, Clone, Default, Deserialize)]
struct Called {
    name: Option<Hostile>,
    canonical_alias: Option<Hostile>,
}

#[async_trait]
impl Query for Membership {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::ACCOUNT])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = reader.user_id(&self.user)?;
        let path = Path::admin(["v1", "users", user.as_str(), "memberships"]);
        let here = async {
            // Nobody here can know whether the account of another server exists.
            if reader.is_local(&user) {
                account::existing(&user, reader).await?;
            }
            Ok::<(), Stop>(())
        };
        let (exists, answered) = tokio::join!(here, reader.get::<Memberships>(&path, &[]));
        exists?;
        let rooms = answered?.memberships;
        let called = if self.ids { BTreeMap::new() } else { names(&rooms, reader).await };
        let reply = told(&user, &rooms, &called);
        Ok(if !self.ids && rooms.len() > NAMED {
            reply.note(format!("Names are looked up for the first {NAMED} rooms only."))
        } else {
            reply
        })
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let user = reader.user_id(&self.user)?;
        if reader.is_local(&user) {
            account::existing(&user, reader).await?;
        }
        let path = Path::admin(["v1", "users", user.as_str(), "memberships"]);
        let answered: Memberships = reader.get(&path, &[]).await?;
        sheet.begin("memberships", &["room_id", "membership"])?;
        for (room, membership) in answered.memberships {
            sheet.row(&json!({ "room_id": room, "membership": membership }))?;
        }
        Ok(sheet.end(&Map::new())?)
    }
}

/// What the first rooms are called, in the order in which they are shown. A room whose name
/// cannot be looked up is shown by its id.
async fn names(
    rooms: &BTreeMap<OwnedRoomId, String>,
    reader: &Reader,
) -> BTreeMap<OwnedRoomId, Called> {
    let ordered: Vec<OwnedRoomId> = KINDS
        .iter()
        .flat_map(|(kind, _)| of_kind(rooms, kind))
        .take(NAMED)
        .map(ToOwned::to_owned)
        .collect();
    stream::iter(ordered)
        .map(|room| async move {
            let path = Path::admin(["v1", "rooms", room.as_str()]);
            let called = reader.find::<Called>(&path, &[]).await.ok().flatten();
            (room, called.unwrap_or_default())
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

fn of_kind<'a>(
    rooms: &'a BTreeMap<OwnedRoomId, String>,
    kind: &'a str,
) -> impl Iterator<Item = &'a RoomId> {
    rooms.iter().filter(move |(_, is)| is.as_str() == kind).map(|(room, _)| room.as_ref())
}

fn told(
    user: &UserId,
    rooms: &BTreeMap<OwnedRoomId, String>,
    called: &BTreeMap<OwnedRoomId, Called>,
) -> Reply {
    let joined = of_kind(rooms, "join").count() as u64;
    let count = how_many(Some(joined), "room", "rooms");
    let mut reply = Reply::data(Line::new().code(user).plain(format!(" is in {count}")));
    for (kind, head) in KINDS {
        let lines: Vec<Line> =
            of_kind(rooms, kind).map(|room| line(room, called.get(room))).collect();
        if !lines.is_empty() {
            reply = reply.with(Block::List(format!("{head} ({}):", lines.len()).into(), lines));
        }
    }
    reply
}

fn line(room: &RoomId, called: Option<&Called>) -> Line {
    let mut line = Line::new();
    let names = called.into_iter().flat_map(|called| [&called.canonical_alias, &called.name]);
    for name in names.flatten().filter(|name| !name.is_empty()) {
        line = line.hostile(name).plain(" ");
    }
    line.code(room)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing, *};

    fn rooms() -> BTreeMap<OwnedRoomId, String> {
        let answered = json!({"memberships": {
            "!a:example.org": "join", "!b": "leave", "!c:example.org": "join", "!d": "ban",
        }});
        serde_json::from_value::<Memberships>(answered).unwrap().memberships
    }

    fn text(called: &[(&str, serde_json::Value)]) -> String {
        let called = called
            .iter()
            .map(|(id, called)| {
                ((*id).try_into().unwrap(), serde_json::from_value(called.clone()).unwrap())
            })
            .collect();
        let user = <&UserId>::try_from("@ann:example.org").unwrap();
        testing::reply(&told(user, &rooms(), &called))
    }

    #[test]
    fn rooms_stand_under_what_the_account_is_in_them() {
        insta::assert_snapshot!(text(&[]), @r"
        `@ann:example.org` is in 2 rooms
        In (2):
        - `!a:example.org`
        - `!c:example.org`
        Banned from (1):
        - `!d`
        Left, or was removed from (1):
        - `!b`
        ");
        let lobby = json!({"name": "Lobby", "canonical_alias": "#lobby:example.org"});
        let nameless = json!({"name": null, "canonical_alias": null});
        insta::assert_snapshot!(text(&[("!a:example.org", lobby), ("!c:example.org", nameless)]), @r"
        `@ann:example.org` is in 2 rooms
        In (2):
        - “#lobby:example.org” “Lobby” `!a:example.org`
        - `!c:example.org`
        Banned from (1):
        - `!d`
        Left, or was removed from (1):
        - `!b`
        ");
    }

    #[test]
    fn aliases_and_ids_exclude_each_other() {
        assert!(testing::parse::<Membership>(&["ann", "--aliases"]).is_ok());
        assert!(testing::parse::<Membership>(&["@bob:elsewhere.example", "--ids"]).is_ok());
        assert!(testing::parse::<Membership>(&["ann", "--ids", "--aliases"]).is_err());
    }
}
