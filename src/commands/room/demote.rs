//! `room demote`: a room's admin or moderator goes back to the power that everybody has there.
//!
//! Nothing else of the event of power levels is changed. The homeserver replaces the whole event and
//! cannot be told which one it is to replace, so the event binds, and afterwards it is looked which one
//! was replaced.

use async_trait::async_trait;
use ruma::{OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use super::{
    holders::Holders,
    holes,
    keeper::{self, Keeper},
    known, make_admin,
    power::{self, Power as Level},
};
use crate::commands::refusals::{self, Meaning};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo, as_account,
    },
    commands::{
        Action, Delegated, Spec,
        arguments::{RoomRef, UserRef},
        user::account,
    },
    error::Stop,
    reply::{Fact, Line, Status},
    synapse::Reader,
};

mod levels;

use levels::Levels;

pub(super) const SPEC: Spec = Spec::action::<Demote>(
    "demote",
    &[
        "room demote #lobby:example.org @ann:example.org",
        "room demote #lobby:example.org @ann:example.org --as-user",
    ],
)
.delegated(Delegated::Without(&["--as-user"]));

/// Take an admin or moderator of a room back to the power that everybody has there
///
/// The account of my admin token does it: it must be in the room with more power. With --as-user an account
/// of this server lowers its own power where that one cannot. It stays in the room. The creators of a room of
/// version 12 and later cannot be demoted.
#[derive(Debug, clap::Args)]
struct Demote {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    /// The account: @ann:example.org, ann for an account of this server, or an account of another server
    user: UserRef,
    /// Where the account of my admin token cannot demote an account of this server, act in its name: I make a
    /// temporary access token, lower its power with it, and end it. Its own devices stay logged in
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
        "ops level",
        "who would do it has no more power in this room than that account; `!room power-levels` shows who \
        has how much",
    ),
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "not in room",
        "who would do it is no longer in the room; look again",
    ),
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "who would do it has too little power to change power levels in this room; `!room power-levels` \
        shows who has how much",
    ),
    Meaning::new(
        403,
        "M_USER_SUSPENDED",
        "",
        "the account that would do it is suspended; `!user unsuspend` ends that",
    ),
    refusals::NO_CONSENT,
    Meaning::new(
        400,
        "M_BAD_JSON",
        "",
        "the power levels of the room contain something that this homeserver does not accept any more; \
        somebody in the room has to set them anew. `!room state` shows them",
    ),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "",
        "the power levels of the room contain something that this homeserver does not accept any more; \
        somebody in the room has to set them anew. `!room state` shows them",
    ),
    refusals::ROOM_GONE,
];

#[async_trait]
impl Action for Demote {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn amounts_to(&self) -> Vec<&str> {
        if self.as_user { vec!["user login"] } else { Vec::new() }
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        known::subject(&self.room, reader).await
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let id = known::id(subject)?;
        let user = reader.user_id(&self.user)?;
        let mut seen = known::snapshot(subject, reader).await?;
        seen.preconditions.insert("user".to_owned(), json!(user));
        seen.preconditions.insert("local".to_owned(), json!(reader.is_local(&user)));
        seen.note_now(reader.now());
        let Some(room) = known::room(id, reader).await? else { return Ok(seen) };
        let (holders, levels) = tokio::join!(Holders::of(id, reader), Levels::of(id, reader));
        let (holders, levels) = (holders?, levels?);
        if let Some(holders) = &holders {
            note(&mut seen, &user, holders, levels.as_ref());
        }
        let given = make_admin::would_give(id, &room, holders.as_ref(), reader).await?;
        seen.extra.insert(GIVEN.to_owned(), json!(given));
        if is_possible(&seen).is_ok() {
            self.look_for_actor(&mut seen, (&user, id), reader).await?;
            holes::note_of_rooms(&mut seen, &user, vec![id.to_owned()], reader).await;
        }
        Ok(seen)
    }

    fn reaches(&self, _subject: &Subject, seen: &Snapshot) -> Vec<Subject> {
        UserId::parse(user(seen)).into_iter().map(Subject::User).collect()
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let (has, default) = (level(seen, HAS), level(seen, DEFAULT));
        Question {
            title: Line::new()
                .plain("Take the power of ")
                .code(user(seen))
                .plain(" in ")
                .code(subject)
                .plain(format!(" back from {has} to {default}, which everybody has there")),
            goes: vec![
                "the way back: only somebody with more power there can give it that again".into(),
            ],
            stays: vec![
                "its place in the room, and the power of everybody else".into(),
                "its account and its devices".into(),
            ],
        }
    }

    fn warnings(&self, _subject: &Subject, seen: &Snapshot) -> Vec<Line> {
        let Ok(user) = UserId::parse(user(seen)) else { return Vec::new() };
        holes::warnings_of_demotion(&Subject::User(user), seen)
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        if !seen.is("exists") {
            return Err(Skip::not_found(known::unknown(subject)));
        }
        is_possible(seen)?;
        let user = user(seen);
        let room = subject.segment();
        let Some(by) = seen.fact(BY).and_then(Value::as_str) else {
            return Err(self.nobody(subject, seen));
        };
        let content = levels::without(seen.extra.get(CONTENT).unwrap_or(&Value::Null), user);
        if levels::has_a_slot(&content) {
            return Err(Skip::refused(
                "the power levels of the room contain something that I cannot send back as it is, so \
                 somebody in the room has to change them",
            ));
        }
        let path = Path::client(["v3", "rooms", &room, "state", power::LEVELS]);
        let deed = Step::new(Method::Put, path, content);
        let steps = match UserId::parse(user) {
            Ok(user) if by == user => {
                can_act(seen)?;
                as_account(&user, seen.noted_now(), vec![deed])
            }
            _ => vec![deed],
        };
        let mut wanted = FactMap::from([(HAS.to_owned(), json!(level(seen, DEFAULT)))]);
        if level(seen, DEFAULT) < level(seen, NEEDED) {
            wanted.insert("room admin".to_owned(), json!(false));
        }
        Ok(Change { steps, wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let user = user(after);
        let (had, has) = (level(before, HAS), level(after, HAS));
        let title = Line::new().code(user).plain(format!(" has the power {has} in ")).code(subject);
        let title = title.plain(format!(", as everybody there; it had {had}"));
        let undo = if after.extra.get(GIVEN) == Some(&json!(had)) && after.is("local") {
            let room = subject.typed();
            Undo::Command(account::words(["room", "make-admin", &room, "--user-id", user]))
        } else {
            Undo::None(format!(
                "somebody with enough power in the room can give it {had} again; nothing that I can send \
                 gives just that"
            ))
        };
        let facts: Vec<Fact> = after.shown_as(&["Name"]).collect();
        let outcome = Outcome::done(title, undo).facts(facts).facts(before.shown_as(&[HOW]));
        match levels::crossed(before, after) {
            None => outcome,
            Some(lost) => Outcome {
                status: Status::DoneInPart,
                remains: vec![(
                    "Look at who has power there now".into(),
                    account::words(["room", "power-levels", &subject.typed()]),
                )],
                ..outcome.facts([("Mind", lost)])
            },
        }
    }
}

const HOW: &str = "How";
/// Under this it is kept in whose name it is done.
const BY: &str = "in the name of";
/// Under these are kept the level that the account has, the one that everybody has, and the one that it
/// takes to change levels.
const HAS: &str = "level";
const DEFAULT: &str = "default level";
const NEEDED: &str = "level needed";
/// Under this is kept the event of the levels, and what stands in it.
const EVENT: &str = "power levels";
const CONTENT: &str = "levels";
/// Under this is kept the event that that one replaced.
const REPLACED: &str = "levels replaced";
/// Under this is kept the level that `room make-admin` would give.
const GIVEN: &str = "make-admin gives";
/// Why the account itself can do nothing.
const STATES: [(&str, &str, &str); 2] = [
    (
        "suspended",
        " is suspended, and while it is, nobody can change power in its name",
        "unsuspend",
    ),
    (
        "shadow-banned",
        " is shadow-banned, and the homeserver drops whatever it does",
        "shadow-ban --unban",
    ),
];

impl Demote {
    /// Notes in whose name its power is lowered, where anybody can do that.
    async fn look_for_actor(
        &self,
        seen: &mut Snapshot,
        (user, room): (&OwnedUserId, &RoomId),
        reader: &Reader,
    ) -> Result<(), Stop> {
        let keeper = Keeper::over(user, room, reader).await?;
        let inside = reader.joined_rooms(user).await?.iter().any(|joined| joined == room);
        if seen.is("local")
            && let Some(account) = reader.account(user).await?
        {
            let mut bind = |key: &str, is| seen.preconditions.insert(key.to_owned(), json!(is));
            bind("locked", account.locked);
            bind("suspended", account.suspended.unwrap_or(false));
            bind("shadow-banned", account.shadow_banned);
        }
        self.note_actor(seen, user, &keeper, inside);
        Ok(())
    }

    fn note_actor(&self, seen: &mut Snapshot, user: &UserId, keeper: &Keeper, inside: bool) {
        keeper.note(seen);
        let (by, how) = if keeper.may_lower(level(seen, NEEDED)) {
            let how = Line::from("as ").code(&keeper.id);
            let how = how.plain(", the account of my admin token; everybody there sees that");
            (keeper.id.as_str(), how)
        } else if seen.is("local")
            && inside
            && self.as_user
            && level(seen, HAS) >= level(seen, NEEDED)
        {
            (user.as_str(), keeper::in_its_own_name("lower its power with it"))
        } else {
            return;
        };
        seen.preconditions.insert(BY.to_owned(), json!(by));
        seen.display.push((HOW, how));
    }

    /// The refusal where nobody can lower its power.
    fn nobody(&self, subject: &Subject, seen: &Snapshot) -> Skip {
        let (user, room) = (user(seen), subject.typed());
        let (has, needed) = (level(seen, HAS), level(seen, NEEDED));
        let why = keeper::why_not_lower(seen, user, &room, needed);
        let why = if !seen.is("local") || !self.as_user {
            why
        } else if has < needed {
            why.plain(format!(
                ". Nor can {user} lower its own power: it has {has}, and changing power there needs {needed}"
            ))
        } else {
            why.plain(". Nor can it lower its own power, since it is not in the room")
        };
        let skip = Skip::refused(why).or(format!("room make-admin {room}"));
        if !self.as_user && seen.is("local") && has >= needed {
            return skip.or(format!("room demote {room} {user} --as-user"));
        }
        skip
    }
}

/// Why its power cannot be lowered whoever does it, or need not be.
fn is_possible(seen: &Snapshot) -> Result<(), Skip> {
    let user = user(seen);
    let of = |why: String| Line::new().code(user).plain(why);
    if seen.is("creator") {
        return Err(Skip::refused(of(
            " is a creator of the room. In rooms of version 12 and later creators have more power \
             than any level, for good, and nobody can take it from them"
                .to_owned(),
        )));
    }
    if seen.fact(EVENT).is_none() {
        return Err(Skip::refused(
            "the room has no event of power levels that the homeserver knows, so there is none to \
             change",
        ));
    }
    let (has, default) = (level(seen, HAS), level(seen, DEFAULT));
    if has < default {
        return Err(Skip::refused(of(format!(
            " has {has} there, which is less than the {default} of everybody: it is no admin or \
             moderator"
        ))));
    }
    if has == default {
        let why = format!(" has {has} there, as everybody has: it is no admin or moderator");
        return Err(Skip::already(of(why)));
    }
    Ok(())
}

/// Why the account itself cannot do it, although its power is enough.
fn can_act(seen: &Snapshot) -> Result<(), Skip> {
    let user = user(seen);
    if seen.is("locked") {
        return Err(keeper::locked(user).or(format!("user unlock {user}")));
    }
    for (state, why, end) in STATES {
        if seen.is(state) {
            let skip = Skip::refused(Line::new().code(user).plain(why));
            let (verb, option) = end.split_once(' ').unwrap_or((end, ""));
            return Err(skip.or(format!("user {verb} {user} {option}").trim_end()));
        }
    }
    Ok(())
}

/// Notes the power of `user` and the event that gives it.
fn note(seen: &mut Snapshot, user: &UserId, holders: &Holders, levels: Option<&Levels>) {
    let power = holders.power(user);
    let mut bind = |key: &str, is: Value| seen.preconditions.insert(key.to_owned(), is);
    bind("creator", json!(power == Level::Creator));
    bind("room admin", json!(power.is_enough()));
    let mut display = vec![("Account", Line::new().code(user))];
    if let Level::Level { has, needed } = power {
        bind(HAS, json!(has));
        bind(NEEDED, json!(needed));
        display.push(("Its power", format!("{has}; changing power needs {needed}").into()));
    }
    if let Some(levels) = levels {
        bind(EVENT, json!(levels.event_id));
        bind(DEFAULT, json!(levels.default()));
        display.push(("Everybody's power", levels.default().to_string().into()));
        seen.extra.insert(CONTENT.to_owned(), levels.content.clone());
        seen.extra.insert(REPLACED.to_owned(), json!(levels.replaced()));
    }
    seen.display.extend(display);
}

fn level(seen: &Snapshot, key: &str) -> i64 {
    seen.fact(key).and_then(Value::as_i64).unwrap_or_default()
}

fn user(seen: &Snapshot) -> &str {
    seen.preconditions.get("user").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
