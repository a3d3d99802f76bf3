//! `room kick`: an account is taken out of a room, or out of all rooms of a space.
//!
//! The Admin API has no such operation. Where the account of the admin token is in the room with more
//! power, it removes the other as any moderator would. Else, if that is asked for, an account of this server
//! is made to leave in its own name.

use async_trait::async_trait;
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use super::{
    hierarchy, holes,
    keeper::{self, Keeper},
    known::{self, Room},
    make_admin::membership,
};
use crate::commands::refusals::{self, Meaning};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo, as_account,
    },
    commands::{
        Action, Delegated, Later, Spec,
        arguments::{RoomRef, UserRef},
        user::account,
    },
    error::Stop,
    reply::{Fact, Line},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Kick>(
    "kick",
    &[
        "room kick #lobby:example.org @ann:example.org",
        "room kick #lobby:example.org @ann:example.org --as-user",
        "room kick #lobby:example.org @ann:example.org --space --as-user",
        "room kick #lobby:example.org @ann:example.org @bob:elsewhere.example",
    ],
)
.delegated(Delegated::Without(&["--as-user"]))
.later(&[Later::new("space", 1, 142)]);

/// Take accounts out of a room, or one account out of all rooms of a space
///
/// The account of my admin token removes them, as any moderator could: it must be in the room with more
/// power than they have. With --as-user an account of this server leaves in its own name where that one
/// cannot remove it. They are not banned: where everybody may join, they can come back.
#[derive(Debug, clap::Args)]
struct Kick {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    /// The accounts, one or several: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
    /// The room is a space: take the account out of it and of all its rooms, one account at a time
    #[arg(long)]
    space: bool,
    /// Where the account of my admin token cannot remove an account of this server, act in its name: I make
    /// a temporary access token, leave with it, and end it. Its own devices stay logged in
    #[arg(long)]
    as_user: bool,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    refusals::LOGIN_AS_SELF,
    refusals::NOT_LOCAL,
    Meaning::new(404, "M_NOT_FOUND", "User", "the account no longer exists; it did when I looked"),
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "cannot kick",
        "the account of my admin token has too little power over it in this room; `!room \
        power-levels` shows who has how much",
    ),
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "not in the room",
        "it is no longer in the room; it was when I looked",
    )
    .nothing_to_do(),
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "not in room",
        "it, or the account of my admin token, is no longer in the room; look again",
    ),
    Meaning::new(
        403,
        "M_BAD_STATE",
        "banned",
        "it has been banned from the room since I looked, so it is out of it",
    )
    .nothing_to_do(),
    Meaning::new(
        403,
        "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM",
        "",
        "this is the room of the server's notices for it, and nobody can decline that one",
    ),
    refusals::NO_CONSENT,
    Meaning::new(
        404,
        "M_UNKNOWN",
        "known room",
        "nobody on this server is in the room any more, so it is out of it",
    )
    .nothing_to_do(),
    refusals::ROOM_GONE,
];

#[async_trait]
impl Action for Kick {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    // Whoever is made to leave in its own name is taken over, if only for a moment.
    fn power(&self) -> Power {
        if self.as_user { Power::Account } else { Power::Moderate }
    }

    fn amounts_to(&self) -> Vec<&str> {
        if self.as_user { vec!["user login"] } else { Vec::new() }
    }

    fn did(&self) -> Option<&'static str> {
        self.space.then_some("took an account out of")
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        if !self.space {
            return account::subjects(&self.users, reader);
        }
        let [user] = self.users.as_slice() else {
            return Err(Stop::not_understood("with --space, name one account at a time"));
        };
        let user = reader.user_id(user)?;
        let space = reader.room_id(&self.room).await?;
        let rooms = hierarchy::rooms_of(&space, reader).await?;
        let joined = reader.joined_rooms(&user).await?;
        let rooms: Vec<_> =
            rooms.into_iter().filter(|room| joined.contains(room)).map(Subject::Room).collect();
        if rooms.is_empty() {
            let why = Line::new().code(&user).plain(" is in no room of the space ").code(&space);
            return Err(Stop::not_found(why).or(&["user", "membership", user.as_str()]));
        }
        Ok(rooms)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let (user, id) = self.pair(subject, reader).await?;
        let (mut seen, account) = account::snapshot(&Subject::User(user.clone()), reader).await?;
        let room = known::room(&id, reader).await?;
        let inside = reader.joined_rooms(&user).await?.contains(&id);
        note(&mut seen, (&user, &id), room.as_ref(), inside);
        seen.preconditions
            .insert("locked".to_owned(), json!(account.is_some_and(|account| account.locked)));
        if matches!(subject, Subject::Room(_)) {
            seen.display = room.as_ref().map(known::in_short).unwrap_or_default();
            seen.display.push((WHO, Line::new().code(&user)));
        }
        seen.note_now(reader.now());
        if !inside {
            if room.is_some() {
                let how = membership(&user, &id, reader).await?;
                seen.extra.insert(MEMBERSHIP.to_owned(), json!(how));
            }
            return Ok(seen);
        }
        let keeper = Keeper::over(&user, &id, reader).await?;
        self.note_actor(&mut seen, &user, &keeper);
        holes::note_of_rooms(&mut seen, &user, vec![id], reader).await;
        Ok(seen)
    }

    // Of the two that it is about, the one that is not its subject.
    fn reaches(&self, subject: &Subject, seen: &Snapshot) -> Vec<Subject> {
        let other = match subject {
            Subject::Room(_) => UserId::parse(user(seen)).ok().map(Subject::User),
            _ => RoomId::parse(room(seen)).ok().map(Subject::Room),
        };
        other.into_iter().collect()
    }

    fn question(&self, _subject: &Subject, seen: &Snapshot) -> Question {
        let title = Line::new().plain("Take ").code(user(seen)).plain(" out of ").code(room(seen));
        let (goes, stays) = if seen.is("open") {
            (
                "its place in the room until it comes back; everybody there sees that it is out",
                "it is not banned: the room is open to everybody, so it can come back by itself",
            )
        } else {
            (
                "its place in the room, and what is said there meanwhile: it can come back only if \
                 somebody there lets it in",
                "it is not banned: somebody in the room can let it in again",
            )
        };
        let account = "its account, its devices, and what it wrote there".into();
        Question { title, goes: vec![goes.into()], stays: vec![account, stays.into()] }
    }

    fn warnings(&self, _subject: &Subject, seen: &Snapshot) -> Vec<Line> {
        let Ok(user) = UserId::parse(user(seen)) else { return Vec::new() };
        holes::warnings_of_account(&Subject::User(user), seen)
    }

    fn change(&self, _subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        possible(seen)?;
        let (user, room) = (user(seen), room(seen));
        let post = |what: &str, body: Value| {
            Step::new(Method::Post, Path::client(["v3", "rooms", room, what]), body).idempotent()
        };
        let steps = match UserId::parse(user) {
            Ok(user) if seen.fact(BY) == Some(&json!(user)) => {
                as_account(&user, seen.noted_now(), vec![post("leave", json!({}))])
            }
            _ => vec![post("kick", json!({ "user_id": user }))],
        };
        let wanted = FactMap::from([("member".to_owned(), json!(false))]);
        Ok(Change { steps, wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let (user, room) = (user(after), room(after));
        let title = match subject {
            Subject::Room(_) => {
                Line::new().code(room).plain(": ").code(user).plain(" is out of it")
            }
            _ => Line::new().code(user).plain(" is out of ").code(room),
        };
        let host = before.extra.get(HOST) == Some(&json!(true));
        let let_in = after.is("local") && (after.is("open") || host);
        let undo = if let_in {
            Undo::Command(account::words(["room", "join", room, user]))
        } else if after.is("open") {
            Undo::None("it can join again by itself".to_owned())
        } else {
            Undo::None("somebody with power in the room has to invite it again".to_owned())
        };
        let facts: Vec<Fact> = after.shown_as(&[ROOM, "Name"]).collect();
        Outcome::done(title, undo).facts(facts).facts(before.shown_as(&[HOW]))
    }
}

const ROOM: &str = "Room";
const WHO: &str = "Account";
const HOW: &str = "How";
/// Under this it is kept in whose name it is done.
const BY: &str = "in the name of";
/// Under this it is kept whether the account of the admin token is in the room.
const HOST: &str = "host";
/// Under this it is kept how the account stands to a room that it is not in.
const MEMBERSHIP: &str = "membership";

impl Kick {
    /// Who is taken out of which room.
    async fn pair(
        &self,
        subject: &Subject,
        reader: &Reader,
    ) -> Result<(OwnedUserId, OwnedRoomId), Stop> {
        if let (Subject::Room(room), [user]) = (subject, self.users.as_slice()) {
            return Ok((reader.user_id(user)?, room.clone()));
        }
        Ok((account::id(subject)?.to_owned(), reader.room_id(&self.room).await?))
    }

    /// Notes in whose name the account is taken out, where anybody can do that.
    fn note_actor(&self, seen: &mut Snapshot, user: &UserId, keeper: &Keeper) {
        keeper.note(seen);
        // In a room that is not open, who is invited is invited by it.
        seen.extra.insert(HOST.to_owned(), json!(keeper.inside));
        let (by, how) = if keeper.may_remove() {
            let how = Line::from("as ").code(&keeper.id);
            let how = how.plain(
                ", the account of my admin token, which removes it from the room; everybody there sees \
                 that",
            );
            (Some(keeper.id.as_str()), how)
        } else if seen.is("local") && self.as_user {
            (Some(user.as_str()), keeper::in_its_own_name("leave the room with it"))
        } else {
            return;
        };
        seen.preconditions.insert(BY.to_owned(), json!(by));
        seen.display.push((HOW, how));
    }
}

/// Why the account cannot be taken out, or need not be.
fn possible(seen: &Snapshot) -> Result<(), Skip> {
    let (user, room) = (user(seen), room(seen));
    if seen.is("local")
        && let Ok(id) = UserId::parse(user)
    {
        account::exists(&Subject::User(id), seen)?;
    }
    if !seen.is("room known") {
        return Err(Skip::not_found(known::unknown(room)));
    }
    if !seen.is("member") {
        let line = Line::new().code(user).plain(" is not in ").code(room);
        let line = match seen.extra.get(MEMBERSHIP).and_then(Value::as_str) {
            Some("invite") => line.plain("; it is only invited"),
            Some("ban") => line.plain("; it is banned from it"),
            _ => line,
        };
        return Err(Skip::already(line).or(format!("user membership {user}")));
    }
    match seen.fact(BY).and_then(Value::as_str) {
        None => Err(nobody(seen)),
        Some(by) if by == user && seen.is("locked") => {
            Err(keeper::locked(user).or(format!("user unlock {user}")))
        }
        Some(_) => Ok(()),
    }
}

/// The refusal where nobody can take the account out.
fn nobody(seen: &Snapshot) -> Skip {
    let (user, room) = (user(seen), room(seen));
    let skip = Skip::refused(keeper::why_not(seen, user, room));
    let skip = skip.or(format!("room make-admin {room}"));
    if seen.is("local") {
        // It can be done in its own name.
        return skip.or(format!("room kick {room} {user} --as-user"));
    }
    skip
}

fn note(seen: &mut Snapshot, (user, id): (&UserId, &RoomId), room: Option<&Room>, inside: bool) {
    let mut bind = |key: &str, is: Value| seen.preconditions.insert(key.to_owned(), is);
    bind("user", json!(user));
    bind("room", json!(id));
    bind("room known", json!(room.is_some()));
    bind("open", json!(room.is_some_and(Room::is_open)));
    bind("member", json!(inside));
    let known = room.map(known::in_short).unwrap_or_default();
    let name = known.into_iter().find(|(label, _)| *label == "Name");
    let line = match name {
        Some((_, name)) => name.plain(" ").code(id),
        None => Line::new().code(id),
    };
    seen.display.insert(0, (ROOM, line));
}

fn user(seen: &Snapshot) -> &str {
    seen.preconditions.get("user").and_then(Value::as_str).unwrap_or_default()
}

fn room(seen: &Snapshot) -> &str {
    seen.preconditions.get("room").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
