//! `room make-admin`: somebody gets the power of the strongest of this server in a room.

use std::collections::BTreeMap;

use async_trait::async_trait;
use ruma::{OwnedUserId, RoomId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{holders::Holders, known, power::Power as Level};
use crate::commands::refusals::{self, Meaning};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Spec,
        arguments::{RoomRef, UserRef},
        user::account,
    },
    error::Stop,
    reply::{Fact, Line},
    synapse::{Error, Reader},
};

mod standing;

use standing::Standing;

pub(super) const SPEC: Spec = Spec::action::<MakeAdmin>(
    "make-admin",
    &[
        "room make-admin #lobby:example.org --user-id @ann:example.org",
        "room make-admin !OGEhHVWSdvArJzumhm:example.org",
    ],
);

/// Make somebody an admin of a room, where an account of this server has power in it
///
/// The homeserver uses its own account with the most power in the room to give the same power;
/// everybody in the room sees that. If the room is not public, it also invites an account that is not
/// in it. In rooms of version 12 and later nobody becomes a creator this way.
#[derive(Debug, clap::Args)]
struct MakeAdmin {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    /// Who gets the power; by default the account of my admin token
    #[arg(short, long, value_name = "USER")]
    user_id: Option<UserRef>,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    Meaning::new(
        400,
        "M_UNKNOWN",
        "Server not in room",
        "nobody on this server is in it any more, so nobody here can give power there",
    ),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "with power to update",
        "no account of this server may change who has power there; ask somebody else. `!room \
        power-levels` shows who can",
    ),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "No local admin user in room",
        "nobody on this server has power in it any more. `!room power-levels` shows who has",
    ),
    Meaning::new(
        400,
        "M_BAD_JSON",
        "Creator",
        "it is a creator of the room, so it already has more power than any level",
    )
    .nothing_to_do(),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "Creator",
        "it is a creator of the room, so it already has more power than any level",
    )
    .nothing_to_do(),
    Meaning::new(
        403,
        "M_USER_SUSPENDED",
        "",
        "the account that would give the power is suspended; `!user unsuspend` ends that",
    ),
    Meaning::new(
        403,
        "M_UNKNOWN",
        "blocked",
        "the room is blocked on this server, so nobody can be invited; `!room unblock` ends that",
    ),
    refusals::NO_INVITATIONS,
    refusals::BANNED,
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "that account may not give power or invite in this room; `!room power-levels` shows the \
        levels needed",
    ),
    refusals::ROOM_GONE,
];

#[async_trait]
impl Action for MakeAdmin {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        known::subject(&self.room, reader).await
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let room = known::id(subject)?;
        let user = self.user(reader).await?;
        let mut seen = known::snapshot(subject, reader).await?;
        seen.preconditions.insert("user".to_owned(), json!(user));
        if !seen.is("exists") {
            return Ok(seen);
        }
        if reader.is_local(&user) {
            let account = account::existing(&user, reader).await?;
            seen.preconditions.insert("deactivated".to_owned(), json!(account.deactivated));
        }
        let Some(known) = known::room(room, reader).await? else { return Ok(seen) };
        let (holders, membership) =
            tokio::join!(Holders::of(room, reader), membership(&user, room, reader));
        let holders = holders?;
        let standing = Standing::of(room, &known, holders.as_ref(), reader).await?;
        let level = holders.map(|holders| holders.power(&user));
        note(&mut seen, &user, &PowerAsSeen { level, membership, standing });
        Ok(seen)
    }

    // Left out it is the account of the admin token, as the help says; named it is anybody's.
    fn reaches(&self, _subject: &Subject, seen: &Snapshot) -> Vec<Subject> {
        let named = self.user_id.is_some().then(|| UserId::parse(user(seen)).ok()).flatten();
        named.into_iter().map(Subject::User).collect()
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        Question {
            title: Line::new().plain("Make ").code(user(seen)).plain(" an admin of ").code(subject),
            goes: vec![
                "the way back: only somebody with more power there, or it itself, can take the \
                 power away again"
                    .into(),
            ],
            stays: Vec::new(),
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        if !seen.is("exists") {
            let why = known::unknown(subject);
            return Err(Skip::not_found(why));
        }
        let user = user(seen);
        if seen.is("room admin") {
            let why =
                Line::new().code(user).plain(" is an admin of ").code(subject).plain(" already");
            return Err(Skip::already(why).or(format!("room details {}", subject.typed())));
        }
        if seen.is("deactivated") {
            let why = Line::new().code(user).plain(" is deactivated");
            return Err(Skip::refused(why));
        }
        let standing = seen.extra.get(STANDING).and_then(|it| Standing::deserialize(it).ok());
        let membership = seen.fact(MEMBERSHIP).and_then(Value::as_str);
        if let Some(skip) =
            standing.and_then(|standing| standing.hindrance(subject, user, membership))
        {
            return Err(skip);
        }
        let path = Path::admin(["v1", "rooms", &subject.segment(), "make_room_admin"]);
        let step = Step::new(Method::Post, path, json!({ "user_id": user }));
        let wanted = FactMap::from([("room admin".to_owned(), json!(true))]);
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let of = |label, wanted: &str, seen: &Snapshot| -> Option<Fact> {
            let found = seen.display.iter().find(|(label, _)| *label == wanted);
            found.map(|(_, line)| (label, line.clone()))
        };
        let facts = [
            of("Room", "Name", after),
            of("Power before", POWER, before),
            of("Power now", POWER, after),
            of("In the room", PLACE, after),
        ];
        Outcome::done(
            Line::new().code(user(after)).plain(" is an admin of ").code(subject),
            Undo::None("it can lower its own power itself, in the room".to_owned()),
        )
        .facts(facts.into_iter().flatten())
    }
}

const POWER: &str = "Its power";
const PLACE: &str = "In the room";
/// Under this it is kept how it stands to the room, where that decides something.
const MEMBERSHIP: &str = "membership";
/// Under this it is kept in whose name power can be given.
const STANDING: &str = "standing";

impl MakeAdmin {
    /// Who gets the power: by default the one who asks the homeserver.
    async fn user(&self, reader: &Reader) -> Result<OwnedUserId, Stop> {
        match &self.user_id {
            Some(user) => reader.user_id(user),
            None => Ok(reader.caller().await?),
        }
    }
}

/// The level that this would give somebody in `room`, where it can give any.
pub(super) async fn would_give(
    room: &RoomId,
    known: &known::Room,
    holders: Option<&Holders>,
    reader: &Reader,
) -> Result<Option<i64>, Stop> {
    let standing = Standing::of(room, known, holders, reader).await?;
    Ok((standing.can_act() && !standing.suspended).then(|| standing.gives()))
}

/// How `user` stands to the room: `join`, `invite`, `leave`, `ban`, `knock`; `None` for never seen.
pub(super) async fn membership(
    user: &UserId,
    room: &RoomId,
    reader: &Reader,
) -> Result<Option<String>, Error> {
    #[derive(Deserialize)]
    struct Memberships {
        memberships: BTreeMap<String, String>,
    }
    let path = Path::admin(["v1", "users", user.as_str(), "memberships"]);
    match reader.get::<Memberships>(&path, &[]).await {
        Ok(listed) => Ok(listed.memberships.get(room.as_str()).cloned()),
        // Before Synapse 1.145 only the room itself says it.
        Err(error) if error.is_unknown_route() => membership_by_room(user, room, reader).await,
        Err(error) => Err(error),
    }
}

/// The same by the state of the room, as `GET /_synapse/admin/v1/rooms/{room_id}/state` has it.
async fn membership_by_room(
    user: &UserId,
    room: &RoomId,
    reader: &Reader,
) -> Result<Option<String>, Error> {
    #[derive(Deserialize)]
    struct StateEvents {
        state: Vec<Value>,
    }
    const MEMBER: &str = "m.room.member";
    let path = Path::admin(["v1", "rooms", room.as_str(), "state"]);
    let query = [("type", MEMBER.to_owned())];
    let known: Option<StateEvents> = reader.find(&path, &query).await?;
    let is_its = |event: &Value| event["type"] == MEMBER && event["state_key"] == user.as_str();
    let its = known.and_then(|known| known.state.into_iter().find(is_its));
    Ok(its.and_then(|event| event["content"]["membership"].as_str().map(str::to_owned)))
}

/// What a room's state says of one user and of those who could give it power.
struct PowerAsSeen {
    /// Its own power; `None` where there is no state.
    level: Option<Level>,
    /// How it stands to the room.
    membership: Result<Option<String>, Error>,
    standing: Standing,
}

/// Who is in the room changes all the time and binds nothing but a ban; who has power in it does, and
/// in whose name it is given.
fn note(seen: &mut Snapshot, user: &UserId, power: &PowerAsSeen) {
    let PowerAsSeen { level, membership, standing } = power;
    let is_admin = level.is_some_and(Level::is_enough);
    seen.preconditions.insert("room admin".to_owned(), json!(is_admin));
    seen.display.push(("Who", Line::new().code(user)));
    seen.display.push((
        POWER,
        match level {
            Some(Level::Creator) => "that of a creator".into(),
            Some(Level::Level { has, needed }) => {
                format!("{has}; changing power needs {needed}").into()
            }
            None => "not known".into(),
        },
    ));
    let place = match membership {
        Ok(membership) => standing::place(standing, membership.as_deref()),
        // A courtesy: what matters is the power.
        Err(error) => Line::new().plain("cannot be looked up: ").line(error.line()),
    };
    seen.display.push((PLACE, place));
    if let Ok(Some(membership)) = membership {
        let decides = if membership == "ban" { &mut seen.preconditions } else { &mut seen.extra };
        decides.insert(MEMBERSHIP.to_owned(), json!(membership));
    }
    if !is_admin {
        seen.preconditions.insert("in the name of".to_owned(), json!(standing.acts));
        seen.display.extend(standing.facts());
        seen.extra.insert(STANDING.to_owned(), json!(standing));
    }
}

fn user(seen: &Snapshot) -> &str {
    seen.preconditions.get("user").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{
        super::known::testing::{lobby, room},
        *,
    };
    use crate::commands::user::testing;
    use crate::reply::Status;

    fn standing(acts: &[&str]) -> Standing {
        Standing {
            state: true,
            members_here: true,
            acts: acts.iter().map(|user| (*user).try_into().unwrap()).collect(),
            level: (!acts.is_empty()).then_some(100),
            needed: 100,
            ..Standing::default()
        }
    }

    fn seen(level: Level, how: Option<&str>) -> Snapshot {
        let ann = <&UserId>::try_from("@ann:example.org").unwrap();
        let mut seen =
            Snapshot { display: known::in_short(&room(json!({}))), ..Snapshot::default() };
        seen.preconditions.insert("exists".to_owned(), json!(true));
        seen.preconditions.insert("user".to_owned(), json!(ann));
        let membership = Ok(how.map(ToOwned::to_owned));
        let standing = standing(&["@owner:example.org"]);
        note(&mut seen, ann, &PowerAsSeen { level: Some(level), membership, standing });
        seen
    }

    fn verb() -> MakeAdmin {
        testing::parse(&["!lobby:example.org", "-u", "ann"]).unwrap()
    }

    const NONE: Level = Level::Level { has: 0, needed: 100 };
    const ALL: Level = Level::Level { has: 100, needed: 100 };

    #[test]
    fn it_takes_the_highest_role_and_names_the_user_always() {
        assert_eq!((verb().class(1), verb().power()), (Class::Disruptive, Power::Account));
        let change = verb().change(&lobby(), &seen(NONE, None)).unwrap();
        assert_eq!(change, verb().change(&lobby(), &seen(NONE, Some("join"))).unwrap());
        assert_eq!(change.steps[0].body, json!({"user_id": "@ann:example.org"}));
        assert_eq!(
            change.steps[0].path.parts(),
            ["_synapse", "admin", "v1", "rooms", "!lobby:example.org", "make_room_admin"]
        );
        assert_eq!(change.wanted, FactMap::from([("room admin".to_owned(), json!(true))]));
    }

    #[test]
    fn the_gate_hears_of_who_is_named_and_not_of_who_is_left_out() {
        let reached = verb().reaches(&lobby(), &seen(NONE, None));
        assert_eq!(reached, [testing::ann()]);
        let alone: MakeAdmin = testing::parse(&["!lobby:example.org"]).unwrap();
        assert!(alone.reaches(&lobby(), &seen(NONE, None)).is_empty());
    }

    #[test]
    fn nothing_is_done_for_who_is_one_for_the_deactivated_and_in_unknown_rooms() {
        for level in [ALL, Level::Creator] {
            let skip = verb().change(&lobby(), &seen(level, None)).unwrap_err();
            assert_eq!(skip.status, Status::NothingChanged);
            assert!(testing::skip(&skip).contains("is an admin of `!lobby:example.org` already"));
        }
        let mut gone = seen(NONE, None);
        gone.preconditions.insert("deactivated".to_owned(), json!(true));
        assert_eq!(verb().change(&lobby(), &gone).unwrap_err().status, Status::Refused);
        let mut unknown = seen(NONE, None);
        unknown.preconditions.insert("exists".to_owned(), json!(false));
        let skip = verb().change(&lobby(), &unknown).unwrap_err();
        assert!(testing::skip(&skip).contains("does not know the room"), "{skip:?}");
    }

    #[test]
    fn what_cannot_be_is_refused_and_a_ban_is_seen_to_change() {
        let skip = verb().change(&lobby(), &seen(NONE, Some("ban"))).unwrap_err();
        assert!(testing::skip(&skip).contains("lift the ban: `@owner:example.org`"), "{skip:?}");
        let (banned, left) = (seen(NONE, Some("ban")), seen(NONE, Some("leave")));
        assert_ne!(banned.preconditions, left.preconditions);
        let joined = seen(NONE, Some("join"));
        assert_eq!(left.preconditions, joined.preconditions, "who comes and goes binds nothing");
        let mut alone = seen(NONE, None);
        alone.extra.insert(STANDING.to_owned(), json!(standing(&[])));
        let skip = verb().change(&lobby(), &alone).unwrap_err();
        assert!(testing::skip(&skip).contains("create a new room"), "{skip:?}");
    }

    #[test]
    fn power_and_place_are_told_before_and_after() {
        let (before, after) = (seen(NONE, None), seen(ALL, Some("invite")));
        let question = testing::question(&verb().question(&lobby(), &before));
        assert!(question.starts_with("Make `@ann:example.org` an admin of `!lobby:example.org`\n"));
        assert_eq!(
            testing::outcome(&verb().outcome(&lobby(), &before, &[], &after)),
            "Done · `@ann:example.org` is an admin of `!lobby:example.org`\n\
             Room: “The lobby”\n\
             Power before: 0; changing power needs 100\n\
             Power now: 100; changing power needs 100\n\
             In the room: invited\n\
             No undo: it can lower its own power itself, in the room"
        );
    }
}
