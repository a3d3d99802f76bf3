//! `room join`: accounts of this server are put into a room.

use std::collections::BTreeSet;

use async_trait::async_trait;
use ruma::{OwnedServerName, RoomId};
use serde_json::{Value, json};

use super::{
    known::{self, Room},
    make_admin::membership,
};
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
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Join>(
    "join",
    &[
        "room join #lobby:example.org @ann:example.org",
        "room join #lobby:example.org @ann:example.org @bob:example.org",
        "room join !OGEhHVWSdvArJzumhm:example.org @ann:example.org --server-name remote.example",
    ],
);

/// Make accounts of this server join a room, without asking them
///
/// If the room is not open to everybody, the homeserver invites them first, as the account of my admin
/// token: that account must be in the room with the power to invite. `room make-admin` gives it the
/// power.
#[derive(Debug, clap::Args)]
struct Join {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    /// The accounts: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
    /// A server that is in the room, if nobody on this server is. Can be repeated
    #[arg(short, long, value_name = "SERVER")]
    server_name: Vec<OwnedServerName>,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    refusals::BANNED,
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "the room does not let it in: it is not open to everybody, and the account of my admin \
        token is not in it or may not invite. `!room make-admin` gives that account the power",
    ),
    Meaning::new(
        403,
        "M_UNKNOWN",
        "blocked",
        "the room is blocked on this server; `!room unblock` lets people join it",
    ),
    Meaning::new(
        403,
        "M_USER_SUSPENDED",
        "",
        "it is suspended, so it cannot join a room; `!user unsuspend` ends that",
    ),
    refusals::NO_INVITATIONS,
    Meaning::new(
        404,
        "M_NOT_FOUND",
        "no servers",
        "none of the named servers is in the room; name one with --server-name",
    ),
    Meaning::new(
        404,
        "M_UNKNOWN",
        "no servers",
        "none of the named servers is in the room; name one with --server-name",
    ),
    Meaning::new(404, "M_NOT_FOUND", "", "the account or the room is no longer known; look again"),
    refusals::NOT_LOCAL,
    Meaning::new(
        400,
        "M_UNKNOWN",
        "",
        "the homeserver cannot join it: the room or its servers cannot be used from here",
    )
    .failed(),
    Meaning::new(
        400,
        "M_INCOMPATIBLE_ROOM_VERSION",
        "",
        "the room has a version that this homeserver does not know; it needs a newer Synapse",
    )
    .failed(),
    Meaning::new(
        400,
        "M_UNSUPPORTED_ROOM_VERSION",
        "",
        "the room has a version that this homeserver does not know; it needs a newer Synapse",
    )
    .failed(),
];

#[async_trait]
impl Action for Join {
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
        let users: Result<BTreeSet<_>, Stop> =
            self.users.iter().map(|user| reader.user_id(user)).collect();
        Ok(users?.into_iter().map(Subject::User).collect())
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let user = account::id(subject)?;
        let id = reader.room_id(&self.room).await?;
        let (mut seen, account) = account::snapshot(subject, reader).await?;
        let (room, blocked) = tokio::join!(known::room(&id, reader), known::blocked(&id, reader));
        let (room, blocked) = (room?, blocked?);
        if let Some(account) = account {
            let suspended = account.suspended.unwrap_or(false);
            seen.preconditions.insert("suspended".to_owned(), json!(suspended));
            let how = membership(user, &id, reader).await?;
            seen.preconditions.insert("member".to_owned(), json!(how.as_deref() == Some("join")));
            seen.preconditions.insert("banned".to_owned(), json!(how.as_deref() == Some("ban")));
        }
        let host = match &room {
            Some(room) if !room.is_open() => {
                let own = reader.caller().await?;
                let how = membership(&own, &id, reader).await?;
                seen.extra.insert("host".to_owned(), json!(own));
                how.as_deref() == Some("join")
            }
            _ => true,
        };
        note(&mut seen, &id, room.as_ref(), JoinState { blocked: blocked.block, host });
        Ok(seen)
    }

    // Nobody is put into a room of the bot's own through it.
    fn reaches(&self, _subject: &Subject, seen: &Snapshot) -> Vec<Subject> {
        RoomId::parse(room(seen)).into_iter().map(Subject::Room).collect()
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let open = seen.is("open");
        let goes = if open {
            vec!["the way back: everybody in the room sees that it has come".into()]
        } else {
            vec![
                "the way back: everybody in the room sees that it was invited, by the account of \
                 my admin token, and has come"
                    .into(),
            ]
        };
        let title = Line::new().plain("Put ").code(subject).plain(" into ").code(room(seen));
        Question { title, goes, stays: Vec::new() }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        let room = room(seen);
        self.possible(subject, seen)?;
        let path = Path::admin(["v1", "join", room]);
        let mut step = Step::new(Method::Post, path, json!({ "user_id": subject.segment() }));
        let via = self.via().into_iter().map(|server| ("server_name".to_owned(), server));
        step.query = via.collect();
        let wanted = FactMap::from([("member".to_owned(), json!(true))]);
        Ok(Change { steps: vec![step.idempotent()], wanted })
    }

    fn outcome(&self, subject: &Subject, _: &Snapshot, _: &[Answer], after: &Snapshot) -> Outcome {
        Outcome::done(
            Line::new().code(subject).plain(" is in ").code(room(after)),
            Undo::None(
                "it can leave by itself, or somebody with power in the room can remove it"
                    .to_owned(),
            ),
        )
        .facts(after.shown_as(&[ROOM]))
    }
}

const ROOM: &str = "Room";

impl Join {
    /// The servers to ask for the room, where this one is not in it.
    fn via(&self) -> Vec<String> {
        let mut via: Vec<String> = self.server_name.iter().map(ToString::to_string).collect();
        if let (RoomRef::Alias(alias), true) = (&self.room, via.is_empty()) {
            via.push(alias.server_name().to_string());
        }
        via
    }

    /// Why the account cannot be put there, or need not be.
    fn possible(&self, subject: &Subject, seen: &Snapshot) -> Result<(), Skip> {
        let room = room(seen);
        let of = |why: &str| Line::new().code(subject).plain(why).code(room);
        if seen.is("member") {
            return Err(Skip::already(of(" is already in "))
                .or(format!("user membership {}", subject.typed())));
        }
        // The homeserver would put them there all the same.
        if seen.is("deactivated") {
            return Err(Skip::refused(Line::new().code(subject).plain(" is deactivated")));
        }
        if seen.is("suspended") {
            let why = Line::new().code(subject).plain(" is suspended, so it cannot join a room");
            return Err(Skip::refused(why).or(format!("user unsuspend {}", subject.typed())));
        }
        if seen.is("banned") {
            return Err(Skip::refused(of(" is banned from ")));
        }
        if seen.is("blocked") {
            let why =
                Line::new().code(room).plain(" is blocked: nobody on this server can join it");
            return Err(Skip::refused(why).or(format!("room unblock {room}")));
        }
        if !seen.is("room known") && self.via().is_empty() {
            let why = known::unknown(room)
                .plain(". If it is on other servers, name one that is in it: ")
                .code("--server-name");
            return Err(Skip::not_found(why));
        }
        if !seen.is("host") {
            let host = seen.extra.get("host").and_then(Value::as_str).unwrap_or_default();
            let why = Line::new()
                .code(room)
                .plain(" is not open to everybody, so the homeserver would invite as ")
                .code(host)
                .plain(
                    ", which is not in it. That account must join first; this invites it, with \
                     power",
                );
            return Err(Skip::refused(why).or(format!("room make-admin {room}")));
        }
        Ok(())
    }
}

/// What decides whether somebody can be put into a room, besides the room itself.
#[derive(Clone, Copy)]
struct JoinState {
    /// Whether the room is blocked here.
    blocked: bool,
    /// Whether the account that would invite is in it.
    host: bool,
}

fn note(seen: &mut Snapshot, id: &RoomId, room: Option<&Room>, state: JoinState) {
    let mut bind = |key: &str, is: bool| seen.preconditions.insert(key.to_owned(), json!(is));
    bind("room known", room.is_some());
    bind("open", room.is_some_and(Room::is_open));
    bind("blocked", state.blocked);
    bind("host", state.host);
    seen.preconditions.insert("room".to_owned(), json!(id));
    let known = room.map(known::in_short).unwrap_or_default();
    let name = known.into_iter().find(|(label, _)| *label == "Name");
    let line = match name {
        Some((_, name)) => name.plain(" ").code(id),
        None => Line::new().code(id).plain(", which this homeserver does not know yet"),
    };
    seen.display.insert(0, (ROOM, line));
}

fn room(seen: &Snapshot) -> &str {
    seen.preconditions.get("room").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{
        room::known::testing,
        user::testing::{ann, line, nowhere, outcome, parse, question, skip},
    };
    use crate::reply::Status;

    fn verb(typed: &[&str]) -> Join {
        parse(&[&["!lobby:example.org", "ann"][..], typed].concat()).unwrap()
    }

    fn seen(known: bool, other: &[(&str, bool)]) -> Snapshot {
        let mut seen = Snapshot::default();
        let room = known.then(|| testing::room(json!({})));
        let id = <&RoomId>::try_from("!lobby:example.org").unwrap();
        note(&mut seen, id, room.as_ref(), JoinState { blocked: false, host: true });
        for (key, is) in [("local", true), ("exists", true)].iter().chain(other) {
            seen.preconditions.insert((*key).to_owned(), json!(is));
        }
        seen
    }

    #[tokio::test]
    async fn it_takes_the_highest_role_and_each_account_once() {
        let verb = verb(&["bob", "@ann:example.org", "-s", "remote.example"]);
        assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Account));
        assert_eq!(verb.subjects(&nowhere()).await.unwrap().len(), 2);
        assert!(parse::<Join>(&["!lobby:example.org"]).is_err());
        let reached = verb.reaches(&ann(), &seen(true, &[]));
        let lobby = Subject::Room("!lobby:example.org".try_into().unwrap());
        assert_eq!(reached, [lobby], "the gate hears of the room");
    }

    #[test]
    fn the_account_and_the_room_are_named_by_id_and_servers_as_typed() {
        let change = verb(&["-s", "a.example", "-s", "b.example"])
            .change(&ann(), &seen(true, &[("member", false)]))
            .unwrap();
        let step = &change.steps[0];
        assert_eq!(step.path.parts()[2..], ["v1", "join", "!lobby:example.org"]);
        assert_eq!(step.body, json!({"user_id": "@ann:example.org"}));
        let servers: Vec<&str> = step.query.iter().map(|(_, server)| server.as_str()).collect();
        assert_eq!(servers, ["a.example", "b.example"]);
        assert_eq!(change.wanted, FactMap::from([("member".to_owned(), json!(true))]));
        let alias: Join = parse(&["#lobby:remote.example", "ann"]).unwrap();
        assert_eq!(alias.via(), ["remote.example"]);
    }

    #[test]
    fn each_hindrance_is_told_before_anything_is_sent() {
        for (facts, word, said) in [
            (&[("member", true)][..], Status::NothingChanged, "is already in"),
            (&[("deactivated", true)], Status::Refused, "is deactivated"),
            (&[("suspended", true)], Status::Refused, "!user unsuspend @ann:example.org"),
            (&[("banned", true)], Status::Refused, "is banned from `!lobby:example.org`"),
            (&[("blocked", true)], Status::Refused, "!room unblock !lobby:example.org"),
            (&[("host", false)], Status::Refused, "!room make-admin !lobby:example.org"),
        ] {
            let found = verb(&[]).change(&ann(), &seen(true, facts)).unwrap_err();
            assert!(found.status == word && skip(&found).contains(said), "{found:?}");
        }
        let unknown = verb(&[]).change(&ann(), &seen(false, &[])).unwrap_err();
        assert!(skip(&unknown).contains("`--server-name`"), "{unknown:?}");
        assert!(verb(&["-s", "remote.example"]).change(&ann(), &seen(false, &[])).is_ok());
    }

    #[test]
    fn the_question_says_who_sees_it_and_the_outcome_that_there_is_no_undo() {
        let open = question(&verb(&[]).question(&ann(), &seen(true, &[])));
        assert!(open.starts_with("Put `@ann:example.org` into `!lobby:example.org`\n"), "{open}");
        let closed = question(&verb(&[]).question(&ann(), &seen(true, &[("open", false)])));
        assert!(closed.contains("was invited"), "{closed}");
        let after = seen(true, &[("member", true)]);
        assert_eq!(line(&after.display[0].1), "“The lobby” `!lobby:example.org`");
        assert_eq!(
            outcome(&verb(&[]).outcome(&ann(), &seen(true, &[]), &[], &after)),
            "Done · `@ann:example.org` is in `!lobby:example.org`\n\
             Room: “The lobby” `!lobby:example.org`\n\
             No undo: it can leave by itself, or somebody with power in the room can remove it"
        );
    }
}
