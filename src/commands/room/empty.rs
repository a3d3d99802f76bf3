//! `room empty`: everybody of this server is taken out of a room, which stays as it is.

use std::collections::BTreeSet;

use async_trait::async_trait;
use ruma::{RoomId, UserId};
use serde_json::{Value, json};

use super::{
    delete::{self, How},
    holes,
    known::{self, Room},
    members,
};
use crate::{
    change::{Answer, Change, Class, Outcome, Power, Question, Skip, Snapshot, Subject, Undo},
    commands::{
        Action, LongWork, Meaning, Spec, arguments::RoomRef, arguments::spoken,
        user::account::how_many,
    },
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Empty>(
    "empty",
    &["room empty #lobby:example.org", "room empty !OGEhHVWSdvArJzumhm:example.org"],
);

/// Remove everybody on this server from a room, and keep the room
///
/// The room is neither deleted nor blocked: what this server has of it stays. Invitations to accounts of
/// this server are declined too. If the room is open to everybody and people on other servers stay in it,
/// the removed people can join it again, and the undo puts them back; if it is not open, they need an
/// invitation. If nobody stays, nobody can ever join it again. It can take long; I watch it and say when
/// it is finished.
#[derive(Debug, clap::Args)]
struct Empty {
    /// The rooms, one or several: an id, !abc:example.org or !abc, or an alias, #lobby:example.org
    #[arg(required = true, num_args = 1.., value_name = "ROOM")]
    rooms: Vec<RoomRef>,
}

/// How many members of this server are noted, so that they can be put back.
const NOTED: u64 = 200;

/// How many other servers are named to those who are put back.
const SERVERS: usize = 3;

/// Under this it is noted who of this server is in the room.
const MEMBERS: &str = "members here";

/// Under this it is noted by which servers they can join again.
const VIA: &str = "other servers";

/// Under this it is noted whether everybody may join the room.
const OPEN: &str = "open";

/// Under this it is noted how many are of this server.
const HERE: &str = "here";

/// How it is done: as the homeserver deletes a room, but for the deletion.
static HOW: How = How::only_remove();

#[async_trait]
impl Action for Empty {
    fn class(&self, _many: usize) -> Class {
        Class::Irreversible
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn amounts_to(&self) -> Vec<&str> {
        vec!["room delete"]
    }

    fn phrase(&self) -> bool {
        true
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(delete::REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        known::subjects(&self.rooms, reader).await
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let id = known::id(subject)?;
        let mut seen = delete::standing(subject, reader).await?;
        if let Some(room) = known::room(id, reader).await? {
            note(&mut seen, &room);
            if is_put_back(&seen) {
                note_members(&mut seen, id, reader).await?;
            }
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let title = Line::from("Put everybody of this server out of ").code(subject);
        let here = how_many(count(seen, HERE), "member", "members");
        let mut goes =
            vec![format!("the place of {here} of this server in it, and open invitations").into()];
        let mut stays = vec!["the room, its messages, its aliases, its files".into()];
        match (elsewhere(seen), seen_open(seen)) {
            (Some(0), _) => goes.push(
                "the room for good, as nobody stays in it: nobody can join it or be invited to it \
                 any more"
                    .into(),
            ),
            (others, open) => {
                let others = how_many(others, "person", "people");
                stays.push(format!("{others} on other servers in it").into());
                if open {
                    stays.push(
                        Line::new().strong("OPEN").plain(": whoever is put out can join it again"),
                    );
                } else {
                    goes.push(
                        "the way back: the room is not open to everybody, so somebody who stays \
                         must invite them"
                            .into(),
                    );
                }
            }
        }
        if seen.is("blocked") {
            stays.push(
                Line::new().strong("BLOCKED").plain(" as before: nobody here can join it again"),
            );
        }
        Question { title, goes, stays }
    }

    fn warnings(&self, subject: &Subject, seen: &Snapshot) -> Vec<Line> {
        holes::warnings_of_room(subject, seen)
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        if seen.is("exists") && count(seen, HERE) == Some(0) {
            return Err(known::already(subject, "has no members on this server"));
        }
        HOW.change(subject, seen, [None, None, None])
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        Outcome { undo: undo(subject, before), ..delete::begun(subject, answers, after) }
    }

    fn long_work(&self) -> Option<&dyn LongWork> {
        Some(&HOW)
    }
}

/// Notes what decides who can come back.
fn note(seen: &mut Snapshot, room: &Room) {
    seen.extra.insert(OPEN.to_owned(), json!(room.is_open()));
    seen.extra.insert(HERE.to_owned(), json!(room.joined_local_members()));
}

/// How many are in the room, of other servers.
fn elsewhere(seen: &Snapshot) -> Option<u64> {
    count(seen, delete::ELSEWHERE)
}

fn seen_open(seen: &Snapshot) -> bool {
    seen.extra.get(OPEN).and_then(Value::as_bool).unwrap_or(false)
}

fn count(seen: &Snapshot, key: &str) -> Option<u64> {
    seen.extra.get(key).and_then(Value::as_u64)
}

/// Whether whoever is put out can be put back: the room lets everybody in, and somebody stays who can
/// answer for it. So many that they are not noted cannot.
fn is_put_back(seen: &Snapshot) -> bool {
    let some = elsewhere(seen).is_some_and(|others| others > 0);
    let few = count(seen, HERE).is_some_and(|here| here <= NOTED);
    some && few && seen_open(seen) && !seen.is("blocked")
}

/// Notes who of this server is in the room, and servers that stay in it.
async fn note_members(seen: &mut Snapshot, room: &RoomId, reader: &Reader) -> Result<(), Stop> {
    let listed = members::joined(room, reader).await?;
    let ids = listed.iter().filter_map(|row| row["user_id"].as_str());
    let ids: BTreeSet<_> = ids.filter_map(|id| UserId::parse(id).ok()).collect();
    let (here, others): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| reader.is_local(id));
    let servers: BTreeSet<&str> = others.iter().map(|id| id.server_name().as_str()).collect();
    let via: Vec<&str> = servers.into_iter().take(SERVERS).collect();
    seen.extra.insert(MEMBERS.to_owned(), json!(here));
    seen.extra.insert(VIA.to_owned(), json!(via));
    Ok(())
}

/// How whoever was put out is put back, where the room lets them in.
fn undo(subject: &Subject, before: &Snapshot) -> Undo {
    let noted = |key| {
        let noted: Option<&Vec<Value>> = before.extra.get(key).and_then(Value::as_array);
        let noted = noted.into_iter().flatten().filter_map(Value::as_str);
        noted.collect::<Vec<&str>>()
    };
    let (here, via) = (noted(MEMBERS), noted(VIA));
    if here.is_empty() || via.is_empty() {
        return Undo::None(without_undo(before).to_owned());
    }
    let room = subject.typed();
    let places: Vec<&str> = std::iter::once(room.as_str()).chain(here).collect();
    let options = via.iter().flat_map(|server| ["--server-name", server]).map(str::to_owned);
    let words = spoken(&["room", "join"], &places, options.collect());
    Undo::Parts(
        vec![words],
        "Invitations that were open\n\
         What the room has seen: that they left, and that they are put back"
            .to_owned(),
    )
}

/// Why nobody can be put back, and what comes nearest.
fn without_undo(before: &Snapshot) -> &'static str {
    match elsewhere(before) {
        Some(0) => {
            "Members: nobody is left in the room, so nobody can join it again\n\
             Messages: they stay on this server, and `!room messages` shows them"
        }
        _ if seen_open(before) => {
            "Members: they can join the room again by themselves, or by `!room join` with \
             --server-name; who was put out is in the task for a week, see `!room delete-status` \
             with -o json"
        }
        _ => {
            "Members: somebody who is still in the room must invite them; who was put out is in the \
             task for a week, see `!room delete-status` with -o json"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::known::testing::{lobby, room},
        *,
    };
    use crate::commands::user::testing;

    fn verb() -> Empty {
        testing::parse(&["!lobby:example.org"]).unwrap()
    }

    /// A room with so many members, of whom so many are of this server.
    fn seen(all: u64, here: u64, rule: &str) -> Snapshot {
        let preconditions = [("exists", true), ("blocked", false)];
        let preconditions = preconditions.map(|(key, value)| (key.to_owned(), json!(value)));
        let mut seen = Snapshot { preconditions: preconditions.into(), ..Snapshot::default() };
        let room = room(json!({
            "joined_members": all, "joined_local_members": here, "join_rules": rule,
        }));
        note(&mut seen, &room);
        delete::note_elsewhere(&mut seen, &room);
        seen
    }

    #[test]
    fn it_neither_blocks_nor_deletes_the_room() {
        let change = verb().change(&lobby(), &seen(5, 2, "public")).unwrap();
        let step = change.steps.first().unwrap();
        assert_eq!((change.steps.len(), step.idempotent), (1, false));
        assert_eq!(step.path.parts()[2..], ["v2", "rooms", "!lobby:example.org"]);
        assert_eq!(step.body, json!({ "block": false, "purge": false }));
        assert_eq!((verb().class(1), verb().power()), (Class::Irreversible, Power::Moderate));
        assert!(verb().phrase());
        assert_eq!(verb().amounts_to(), ["room delete"]);
    }

    #[test]
    fn a_room_without_anybody_here_is_left_alone() {
        let skip = verb().change(&lobby(), &seen(3, 0, "public")).unwrap_err();
        let told = testing::skip(&skip);
        assert!(
            told.starts_with("Nothing changed · `!lobby:example.org` has no members"),
            "{told}"
        );
        let mut gone = seen(0, 0, "public");
        gone.preconditions.insert("exists".to_owned(), json!(false));
        let told = testing::skip(&verb().change(&lobby(), &gone).unwrap_err());
        assert!(told.starts_with("Not found · "), "{told}");
    }

    #[test]
    fn the_question_says_who_can_come_back() {
        let asked = |seen: &Snapshot| testing::question(&verb().question(&lobby(), seen));
        assert_eq!(
            asked(&seen(5, 2, "public")),
            "Put everybody of this server out of `!lobby:example.org`\n\
             Lost:\n\
             - the place of 2 members of this server in it, and open invitations\n\
             Stays:\n\
             - the room, its messages, its aliases, its files\n\
             - 3 people on other servers in it\n\
             - **OPEN**: whoever is put out can join it again\n"
        );
        let closed = asked(&seen(5, 2, "invite"));
        assert!(
            closed.contains("- the way back: the room is not open") && !closed.contains("OPEN")
        );
        let last = asked(&seen(2, 2, "public"));
        assert!(last.contains("- the room for good, as nobody stays"), "{last}");
        let mut blocked = seen(5, 2, "public");
        blocked.preconditions.insert("blocked".to_owned(), json!(true));
        assert!(asked(&blocked).contains("**BLOCKED** as before"));
    }

    #[test]
    fn the_undo_puts_back_whom_an_open_room_lets_in() {
        let mut before = seen(5, 2, "public");
        assert!(is_put_back(&before));
        before.extra.insert(MEMBERS.to_owned(), json!(["@ann:example.org", "@bob:example.org"]));
        before.extra.insert(VIA.to_owned(), json!(["elsewhere.example"]));
        let told = testing::outcome(&verb().outcome(&lobby(), &before, &[], &before));
        assert!(
            told.contains(
                "Undo: !room join !lobby:example.org @ann:example.org @bob:example.org \
                 --server-name elsewhere.example\nNot undone: Invitations"
            ),
            "{told}"
        );
        for (all, here, rule, said) in [
            (5, 2, "invite", "must invite them"),
            (2, 2, "public", "nobody is left in the room"),
            (900, 500, "public", "`!room join`"),
        ] {
            let before = seen(all, here, rule);
            assert!(!is_put_back(&before), "{rule}");
            let told = testing::outcome(&verb().outcome(&lobby(), &before, &[], &before));
            assert!(told.contains("No undo: Members: ") && told.contains(said), "{told}");
        }
    }
}
