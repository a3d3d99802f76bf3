//! `room extremities`: the loose ends of a room, and the removal of all but the newest.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::RoomId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::known;
use crate::commands::refusals::{Meaning, ROOM_GONE};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Ask, Does, Memory, Query, Spec, Tables, arguments::RoomRef, refusals::looks,
    },
    error::Stop,
    reply::{Block, Line, Record, Reply, Sheet, Status},
    synapse::{Reader, wire::optional_millis},
};

pub(super) const SPEC: Spec = Spec::of::<Extremities>(
    Does::Either,
    "extremities",
    &["room extremities #lobby:example.org", "room extremities #lobby:example.org --delete"],
);

/// Show the forward extremities of a room: the events that no later event follows yet
///
/// One or a few are normal. Many make a room slow; the homeserver removes them by itself as people
/// write. If it does not, --delete removes all but the newest.
#[derive(Debug, clap::Args)]
struct Extremities {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    /// Delete all of them but the newest
    #[arg(long)]
    delete: bool,
}

impl From<Extremities> for Ask {
    fn from(Extremities { room, delete }: Extremities) -> Self {
        if delete {
            Self::Change(Box::new(Delete { room }))
        } else {
            Self::Read(Box::new(Show { room }))
        }
    }
}

#[derive(Debug, Deserialize)]
struct Extremity {
    event_id: String,
    depth: Option<i64>,
    #[serde(default, rename = "received_ts", deserialize_with = "optional_millis")]
    received: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct LooseEnds {
    count: u64,
    results: Vec<Extremity>,
}

fn path(room: &str) -> Path {
    Path::admin(["v1", "rooms", room, "forward_extremities"])
}

/// What the homeserver says of a room that it knows; of any other it says that there are none.
async fn raw(room: &RoomId, reader: &Reader) -> Result<Value, Stop> {
    let path = path(room.as_str());
    let (known, found) = tokio::join!(known::room(room, reader), reader.get::<Value>(&path, &[]));
    if known?.is_none() {
        return Err(Stop::not_found(known::unknown(room)));
    }
    Ok(found?)
}

/// Shows them.
#[derive(Debug)]
struct Show {
    room: RoomRef,
}

#[async_trait]
impl Query for Show {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::ROOM])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let room = reader.room_id(&self.room).await?;
        let unread = |_| Stop::failed("I cannot read the homeserver's answer");
        let found = LooseEnds::deserialize(raw(&room, reader).await?).map_err(unread)?;
        Ok(told(&room, &found, reader.now()))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let room = reader.room_id(&self.room).await?;
        Ok(sheet.object("extremities", &raw(&room, reader).await?)?)
    }
}

/// How many are shown; of more only the number matters.
const SHOWN: usize = 20;

fn told(room: &RoomId, found: &LooseEnds, now: Timestamp) -> Reply {
    let record = |one: &Extremity| Record {
        title: Line::new().code(&one.event_id),
        facts: vec![
            ("Received", Line::new().ago(one.received, now)),
            (
                "Depth",
                one.depth.map_or_else(|| "not known".into(), |depth| depth.to_string().into()),
            ),
        ],
    };
    let title = Line::new().code(room).plain(format!(": {}", ends(found.count)));
    let mut reply = Reply::data(title);
    if !found.results.is_empty() {
        let records = found.results.iter().take(SHOWN).map(record).collect();
        reply = reply.with(Block::Records(records));
    }
    match found.results.len().saturating_sub(SHOWN) {
        0 => reply,
        more => reply.note(format!("And {more} more; -o json shows all of them.")),
    }
}

fn ends(count: u64) -> String {
    if count == 1 { "1 loose end".to_owned() } else { format!("{count} loose ends") }
}

/// Deletes all but the newest
/// (`DELETE /_synapse/admin/v1/rooms/{room_id}/forward_extremities`).
#[derive(Debug)]
struct Delete {
    room: RoomRef,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    ROOM_GONE,
    Meaning::new(
        400,
        "M_UNKNOWN",
        "",
        "the homeserver cannot do it in this room; `!room extremities` shows the state",
    )
    .failed(),
];

#[async_trait]
impl Action for Delete {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Server
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        known::subject(&self.room, reader).await
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let room = known::id(subject)?;
        let path = path(room.as_str());
        let (seen, found) = tokio::join!(known::snapshot(subject, reader), reader.get(&path, &[]));
        Ok(note(seen?, &found?))
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let gone = ends(count(seen).saturating_sub(1));
        Question {
            title: Line::new().plain("Delete ").plain(gone).plain(" of ").code(subject),
            goes: vec![
                "the way back: what hangs on a loose end that goes, is no part of what the room \
                 decides by any more"
                    .into(),
            ],
            stays: vec!["every message, and the newest loose end".into()],
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        // The homeserver has an internal error for a room that it does not know.
        if !seen.is("exists") {
            let why = known::unknown(subject);
            return Err(Skip::not_found(why));
        }
        if count(seen) < 2 {
            return Err(Skip::already(
                Line::new().code(subject).plain(" has no extremities to delete"),
            )
            .or(format!("room extremities {}", subject.typed())));
        }
        let path = path(&subject.segment());
        let step = Step::new(Method::Delete, path, Value::Null).idempotent();
        // People write on meanwhile: how many there are afterwards proves nothing.
        Ok(Change { steps: vec![step], wanted: FactMap::new() })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let deleted = answers.iter().filter_map(|answer| answer.body["deleted"].as_u64()).sum();
        let (status, said) = if deleted == 0 {
            (Status::NothingChanged, ": the homeserver found none to delete".to_owned())
        } else {
            (Status::Done, format!(": {} deleted", ends(deleted)))
        };
        Outcome {
            status,
            title: Line::new().code(subject).plain(said),
            facts: vec![
                ("Before", count(before).to_string().into()),
                ("Now", count(after).to_string().into()),
            ],
            remains: Vec::new(),
            undo: Undo::None(
                "all messages are still there; only their order at the end is lost".to_owned(),
            ),
        }
    }
}

/// Notes how many there are. It changes with every message, so it does not bind.
fn note(mut seen: Snapshot, found: &LooseEnds) -> Snapshot {
    seen.display.push(("Loose ends", found.count.to_string().into()));
    seen.extra.insert("count".to_owned(), json!(found.count));
    seen
}

fn count(seen: &Snapshot) -> u64 {
    seen.extra.get("count").and_then(Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{
        super::known::testing::{lobby, room},
        *,
    };
    use crate::commands::user::testing::{self, now};

    fn found(count: u64) -> LooseEnds {
        let one = |n| {
            json!({"event_id": format!("$e{n}"), "state_group": 8, "depth": 10,
                             "received_ts": 1_795_183_200_000_i64})
        };
        let results: Vec<Value> = (0..count).map(one).collect();
        LooseEnds::deserialize(json!({ "count": count, "results": results })).unwrap()
    }

    fn seen(exists: bool, count: u64) -> Snapshot {
        let mut seen =
            Snapshot { display: known::in_short(&room(json!({}))), ..Snapshot::default() };
        seen.preconditions.insert("exists".to_owned(), json!(exists));
        note(seen, &found(count))
    }

    fn verb() -> Box<dyn Action> {
        match testing::parse::<Extremities>(&["!lobby:example.org", "--delete"]).unwrap().into() {
            Ask::Change(action) => action,
            Ask::Read(query) => panic!("it looks: {query:?}"),
        }
    }

    #[test]
    fn it_looks_unless_it_is_told_to_delete() {
        let ask = testing::parse::<Extremities>(&["!lobby:example.org"]).unwrap().into();
        let Ask::Read(query) = ask else { panic!("it changes something") };
        assert_eq!(query.power(), Power::Look);
        assert_eq!((verb().class(1), verb().power()), (Class::Disruptive, Power::Server));
        let room = <&RoomId>::try_from("!lobby:example.org").unwrap();
        let text = testing::reply(&told(room, &found(1), now()));
        assert_eq!(
            text,
            "`!lobby:example.org`: 1 loose end\n\
             * `$e0`\n  Received: 3 min ago · Depth: 10\n"
        );
        assert!(testing::reply(&told(room, &found(30), now())).contains("(And 10 more"));
    }

    #[test]
    fn nothing_is_sent_for_one_or_for_a_room_that_nobody_knows() {
        let change = verb().change(&lobby(), &seen(true, 3)).unwrap();
        assert_eq!(change, verb().change(&lobby(), &seen(true, 9)).unwrap());
        assert_eq!(change.steps[0].method, Method::Delete);
        assert_eq!(
            change.steps[0].path.parts()[2..],
            ["v1", "rooms", "!lobby:example.org", "forward_extremities"]
        );
        let skip = |seen| testing::skip(&verb().change(&lobby(), &seen).unwrap_err());
        assert!(skip(seen(true, 1)).starts_with("Nothing changed"));
        assert!(skip(seen(false, 0)).contains("does not know the room"));
        assert_eq!(
            seen(true, 3).preconditions,
            seen(true, 9).preconditions,
            "people write all the while"
        );
    }

    #[test]
    fn the_outcome_counts_what_was_deleted() {
        let told = |deleted: u64| {
            let answer = Answer { status: 200, body: json!({ "deleted": deleted }) };
            testing::outcome(&verb().outcome(&lobby(), &seen(true, 3), &[answer], &seen(true, 1)))
        };
        assert_eq!(
            told(2),
            "Done · `!lobby:example.org`: 2 loose ends deleted\n\
             Before: 3\n\
             Now: 1\n\
             No undo: all messages are still there; only their order at the end is lost"
        );
        assert!(told(0).starts_with("Nothing changed · "), "{}", told(0));
        let question = testing::question(&verb().question(&lobby(), &seen(true, 3)));
        assert!(
            question.starts_with("Delete 2 loose ends of `!lobby:example.org`\n"),
            "{question}"
        );
    }
}
