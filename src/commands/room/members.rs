//! `room members`: who is in a room.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::{OwnedRoomId, RoomId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{known, standing};
use crate::{
    change::Path,
    commands::{
        Spec, Tables,
        arguments::RoomRef,
        listing::{Filter, Kept, Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{Hostile, IdsOf, Line, Record},
    synapse::{Reader, wire::known as known_field},
};

pub(super) const SPEC: Spec = Spec::query::<Members>(
    "members",
    &[
        "room members #lobby:example.org",
        "room members !OGEhHVWSdvArJzumhm:example.org --local",
        "room members #lobby:example.org --membership ban",
    ],
);

/// List the members of a room, or who is invited to it, banned from it or has left it
#[derive(Debug, clap::Args)]
struct Members {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    #[command(flatten)]
    pages: Pages,
    /// Only this membership
    #[arg(short, long, value_enum, default_value_t = Membership::Join)]
    membership: Membership,
    /// Only accounts of this server
    #[arg(long, conflicts_with = "remote")]
    local: bool,
    /// Only accounts of other servers
    #[arg(long)]
    remote: bool,
}

/// A membership of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Membership {
    /// In it
    Join,
    /// Invited
    Invite,
    /// Banned
    Ban,
    /// Asked to join
    Knock,
    /// Left it, or was removed from it
    Leave,
}

impl Membership {
    fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Invite => "invite",
            Self::Ban => "ban",
            Self::Knock => "knock",
            Self::Leave => "leave",
        }
    }
}

#[derive(Debug, Deserialize)]
struct Member {
    user_id: String,
    #[serde(default, deserialize_with = "known_field")]
    membership: Option<Hostile>,
    /// What the member's own client or server has written, so that it may be anything.
    #[serde(default, deserialize_with = "known_field")]
    displayname: Option<Hostile>,
    /// Who made it so, where that was somebody else.
    sender: Option<String>,
}

#[async_trait]
impl Listing for Members {
    const NAMED: Named = Named {
        key: "members",
        one: "account",
        many: "accounts",
        columns: &["user_id", "membership", "displayname", "sender"],
    };
    type Row = Member;

    fn refusals(&self) -> Tables {
        &[looks::ROOM]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn of(&self, _reader: &Reader) -> Line {
        let what = match self.membership {
            Membership::Join => ", in it: ",
            Membership::Invite => ", invited: ",
            Membership::Ban => ", banned: ",
            Membership::Knock => ", asking to be let in: ",
            Membership::Leave => ", left or removed: ",
        };
        known::titled(&self.room).plain(what)
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        let room = reader.room_id(&self.room).await?;
        let mut rows = match self.membership {
            Membership::Join => joined(&room, reader).await?,
            other => others(&room, other, reader).await?,
        };
        // The homeserver has no order of its own, and a page must go on where the last one ended.
        rows.sort_by(|one, other| one["user_id"].as_str().cmp(&other["user_id"].as_str()));
        Ok(Page::part(rows, Pages::number(from)?, limit))
    }

    fn filter(&self, reader: &Reader) -> Option<Filter<'_, Member>> {
        let local = (self.local || self.remote).then_some(self.local)?;
        let reader = reader.clone();
        Some(Box::new(move |member| {
            let is = UserId::parse(&member.user_id).is_ok_and(|user| reader.is_local(&user));
            if is == local { Kept::Yes } else { Kept::No }
        }))
    }

    async fn remark(&self, _rows: &[Value], reader: &Reader) -> Option<&'static str> {
        standing::remark(&self.room, reader).await
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::Accounts)
    }

    fn id(&self, member: &Member, _: &Reader) -> Option<String> {
        Some(member.user_id.clone())
    }

    fn record(&self, member: &Member, _now: Timestamp) -> Record {
        record(member)
    }
}

/// Who is in the room: `GET /_synapse/admin/v1/rooms/{room_id}/members`.
pub(super) async fn joined(room: &RoomId, reader: &Reader) -> Result<Vec<Value>, Stop> {
    #[derive(Deserialize)]
    struct MemberList {
        members: Vec<String>,
    }
    let path = Path::admin(["v1", "rooms", room.as_str(), "members"]);
    let listed: Option<MemberList> = reader.find(&path, &[]).await?;
    let listed = listed.ok_or_else(|| Stop::not_found(known::unknown(room)))?;
    if listed.members.is_empty()
        && let Some(then) = standing::of_then(room, true, reader).await?
    {
        return Ok(of_state(&then, Membership::Join));
    }
    Ok(listed.members.into_iter().map(|user| json!({ "user_id": user })).collect())
}

/// Who stands to it in another way, as its state says. Their reasons are theirs.
async fn others(
    room: &OwnedRoomId,
    wanted: Membership,
    reader: &Reader,
) -> Result<Vec<Value>, Stop> {
    let mut state = known::state(room, Some("m.room.member"), reader).await?;
    if state.is_empty()
        && let Some(then) = standing::of_then(room, true, reader).await?
    {
        state = then;
    }
    Ok(of_state(&state, wanted))
}

fn of_state(state: &[Value], wanted: Membership) -> Vec<Value> {
    let is_member = |event: &&Value| {
        event["type"] == "m.room.member" && event["content"]["membership"] == wanted.as_str()
    };
    state.iter().filter(is_member).map(row).collect()
}

fn row(event: &Value) -> Value {
    json!({
        "user_id": event["state_key"],
        "membership": event["content"]["membership"],
        "displayname": event["content"]["displayname"],
        "sender": event["sender"],
    })
}

fn record(member: &Member) -> Record {
    let mut title = Line::new().code(&member.user_id);
    if let Some(name) = member.displayname.as_ref().filter(|name| !name.is_empty()) {
        title = title.plain(" ").hostile(name);
    }
    let by = member.sender.as_ref().filter(|by| **by != member.user_id);
    let mut facts: Vec<_> = by.map(|by| ("By", Line::new().code(by))).into_iter().collect();
    let left = member.membership.as_ref().is_some_and(|how| how.raw() == "leave");
    if left && by.is_none() {
        facts.push(("By", "itself".into()));
    }
    Record { title, facts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::user::testing::{self, nowhere},
        reply::{Block, Reply},
    };

    fn verb(typed: &[&str]) -> Members {
        testing::parse(typed).unwrap()
    }

    fn member(user: &str) -> Member {
        serde_json::from_value(json!({ "user_id": user })).unwrap()
    }

    #[test]
    fn accounts_of_this_server_and_of_others_are_told_apart() {
        let kept = |typed: &[&str], user: &str| {
            verb(&[&["!lobby:example.org"], typed].concat()).filter(&nowhere()).unwrap()(&member(
                user,
            ))
        };
        assert_eq!(kept(&["--local"], "@ann:example.org"), Kept::Yes);
        assert_eq!(kept(&["--local"], "@bob:elsewhere.example"), Kept::No);
        assert_eq!(kept(&["--remote"], "@bob:elsewhere.example"), Kept::Yes);
        assert_eq!(kept(&["--remote"], "@ann:example.org"), Kept::No);
        assert!(verb(&["!lobby:example.org"]).filter(&nowhere()).is_none());
        for typed in [&["!a", "--local", "--remote"][..], &["!a", "-m", "x"], &[], &["lobby"]] {
            assert!(testing::parse::<Members>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn each_membership_is_asked_for_by_its_own_name() {
        use clap::ValueEnum as _;
        for membership in Membership::value_variants() {
            let typed = membership.to_possible_value().unwrap();
            assert_eq!(typed.get_name(), membership.as_str());
        }
        assert_eq!(verb(&["!a"]).membership, Membership::Join);
        let title = testing::line(&verb(&["!lobby:example.org", "-m", "ban"]).of(&nowhere()));
        assert_eq!(title, "`!lobby:example.org`, banned: ");
    }

    #[test]
    fn who_banned_is_shown_and_why_is_not() {
        let event = json!({
            "type": "m.room.member", "state_key": "@eve:example.org", "sender": "@moe:example.org",
            "content": {"membership": "ban", "displayname": "Eve", "reason": "a secret"},
        });
        let left = json!({
            "type": "m.room.member", "state_key": "@sam:example.org", "sender": "@sam:example.org",
            "content": {"membership": "leave"},
        });
        let rows: Vec<Value> = [event, left].iter().map(row).collect();
        assert!(!rows[0].to_string().contains("secret"));
        let read = |row: &Value| record(&Member::deserialize(row).unwrap());
        for odd in [json!(null), json!(42), json!({}), json!(["Eve"]), json!(true)] {
            let row = json!({ "user_id": "@eve:example.org", "displayname": odd });
            assert_eq!(testing::line(&read(&row).title), "`@eve:example.org`", "{odd}");
        }
        let mut records: Vec<Record> = rows.iter().map(read).collect();
        records.push(record(&member("@ann:example.org")));
        insta::assert_snapshot!(testing::reply(&Reply::data("").with(Block::Records(records))), @r"
        * `@eve:example.org` “Eve”
          By: `@moe:example.org`
        * `@sam:example.org`
          By: itself
        * `@ann:example.org`
                  ");
    }
}
