//! `history purge`: old messages of rooms are deleted from this server.

use async_trait::async_trait;
use clap::ArgGroup;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    kept::{Kept, Older},
    purge_status::{self, Purged},
};
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Progress, Question, Skip,
        Snapshot, Step, Subject, Undo,
    },
    commands::{
        Action, Spec,
        arguments::{RoomRef, Since},
        event::content::EventRef,
        room::known,
    },
    error::Stop,
    reply::{Line, Status, utc},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Purge>(
    "purge",
    &[
        "history purge #lobby:example.org --before-days 90",
        "history purge !OGEhHVWSdvArJzumhm:example.org --before 2026-01-01 --delete-local",
    ],
);

/// Delete the old messages of a room from this server
///
/// Messages by this server's own users are kept unless you add --delete-local, since no other server
/// may have them. But clients no longer load them when people scroll back that far. The room's state
/// and its last message stay. Other servers keep their copies. It can take long; I watch it and say
/// when it is finished.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("when").required(true).args(
    ["before_event_id", "before_days", "before", "before_ts"]
)))]
struct Purge {
    /// The rooms, one or several: an id, !abc:example.org or !abc, or an alias, #lobby:example.org
    #[arg(required = true, num_args = 1.., value_name = "ROOM")]
    rooms: Vec<RoomRef>,
    /// Everything before this event of the room
    #[arg(short = 'i', long, value_name = "ID")]
    before_event_id: Option<EventRef>,
    /// Everything older than this many days
    #[arg(short = 'd', long, value_name = "DAYS",
          value_parser = clap::value_parser!(u32).range(0..=18_000))]
    before_days: Option<u32>,
    /// Everything from before this date, or older than this age (30d, 2 months)
    #[arg(short = 'b', long, value_name = "DATE|AGE")]
    before: Option<Since>,
    /// Everything from before this time, in milliseconds since 1970
    #[arg(short = 't', long, value_name = "MS", value_parser = clap::value_parser!(i64).range(0..))]
    before_ts: Option<i64>,
    /// Also delete what this server's own users have written; perhaps nobody else has it
    #[arg(long)]
    delete_local: bool,
}

impl Purge {
    /// The moment that is meant when asked at `now`; `None` where an event is.
    fn at(&self, now: Timestamp) -> Option<i64> {
        let days = |days: u32| {
            let age = SignedDuration::from_hours(i64::from(days) * 24);
            now.checked_sub(age).unwrap_or(Timestamp::MIN).as_millisecond()
        };
        let since = || self.before.as_ref().map(|since| since.before(now).as_millisecond());
        self.before_ts.or_else(|| self.before_days.map(days)).or_else(since)
    }

    /// Looks whether the event that was typed is one of this room, and whether anything is older.
    async fn look_for(&self, event: &EventRef, room: &str, reader: &Reader) -> Result<bool, Stop> {
        #[derive(Deserialize)]
        struct FetchedEvent {
            event: Value,
        }
        let id = &event.0;
        let path = Path::admin(["v1", "fetch_event", id.as_str()]);
        let found: Option<FetchedEvent> = match reader.find(&path, &[]).await {
            // Before Synapse 1.140 an event is only found in its room.
            Err(error) if error.is_unknown_route() => {
                let path = Path::admin(["v1", "rooms", room, "context", id.as_str()]);
                reader.find(&path, &[("limit", "1".to_owned())]).await?
            }
            found => found?,
        };
        let Some(FetchedEvent { event }) = found else {
            let why = Line::new().plain("this homeserver has no event ").code(id);
            return Err(Stop::not_found(why));
        };
        // The first event of a room of version 12 or later does not say in which room it is.
        let first = event["type"] == "m.room.create";
        let named = event["room_id"].as_str();
        if named == Some(room) || (first && named.is_none() && is_named_after(room, id.as_str())) {
            return Ok(!first);
        }
        let why = Line::new().code(id).plain(" is not an event of ").code(room);
        Err(Stop::not_found(why))
    }

    /// Notes what is older than the moment that is meant, where the homeserver can say so.
    async fn note_older(
        &self,
        seen: &mut Snapshot,
        before: i64,
        subject: &Subject,
        reader: &Reader,
    ) -> Result<(), Stop> {
        match Older::than(before, known::id(subject)?, reader).await? {
            Older::Nothing => {
                seen.extra.insert(NOTHING.to_owned(), json!(true));
            }
            Older::This(kept) => {
                if let Some(line) = kept.line(reader.now()) {
                    seen.display.push((STAYS, line.plain(": the newest before that moment")));
                }
                seen.extra.insert(KEPT.to_owned(), json!(kept));
            }
            Older::NotKnown => {}
        }
        Ok(())
    }
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    Meaning::new(404, "M_NOT_FOUND", "", "nothing in the room is older than that").nothing_to_do(),
    Meaning::new(400, "M_UNKNOWN", "wrong room", "the event is in another room"),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "",
        "the homeserver finds nothing in the room to delete up to; give another time or event",
    ),
    Meaning::new(400, "M_BAD_JSON", "", "the homeserver does not accept this time"),
];

#[async_trait]
impl Action for Purge {
    fn class(&self, _many: usize) -> Class {
        Class::Irreversible
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn phrase(&self) -> bool {
        true
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        known::subjects(&self.rooms, reader).await
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let id = known::id(subject)?;
        let mut seen = known::snapshot(subject, reader).await?;
        if let Some(event) = &self.before_event_id {
            if seen.is("exists") && !self.look_for(event, id.as_str(), reader).await? {
                seen.extra.insert(NOTHING.to_owned(), json!(true));
            }
            seen.display.push(("Goes", Line::new().plain("what came before ").code(&event.0)));
        } else if let Some(before) = self.at(reader.now()) {
            let moment = Timestamp::from_millisecond(before).ok();
            let line = Line::new().plain("what is from before ").time(moment, reader.now());
            seen.display.push(("Goes", line));
            seen.extra.insert("before".to_owned(), json!(before));
            seen.note_now(reader.now());
            // Of what no event can be older than, the homeserver says so itself.
            if seen.is("exists") && (1..=reader.now().as_millisecond()).contains(&before) {
                self.note_older(&mut seen, before, subject, reader).await?;
            }
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let whose = if self.delete_local {
            "messages of everybody, also of this server's own people, which perhaps nobody else has"
        } else {
            "messages of people of other servers"
        };
        let mut stays = vec![
            "the state of the room, and its last message".into(),
            "everything on other servers, and what clients have kept".into(),
        ];
        if !self.delete_local {
            stays.push(
                "what people of this server have written; but no client gets it any more when it \
                 goes back that far"
                    .into(),
            );
        }
        if let Some(redact) = kept(seen).and_then(|kept| kept.redact(&subject.typed())) {
            stays.push(
                Line::from("the newest message before that moment; this redacts it: ")
                    .command(format!("!{}", redact.join(" "))),
            );
        }
        Question {
            title: Line::new().plain("Delete old messages of ").code(subject),
            goes: vec![whose.into(), "how many they are cannot be counted beforehand".into()],
            stays,
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        if !seen.is("exists") {
            return Err(Skip::not_found(known::unknown(subject)));
        }
        let mut body = Map::new();
        body.insert("delete_local_events".to_owned(), json!(self.delete_local));
        match (&self.before_event_id, seen.extra.get("before").and_then(Value::as_i64)) {
            (Some(event), _) => body.insert("purge_up_to_event_id".to_owned(), json!(event.0)),
            (None, Some(before)) => {
                if before > seen.noted_now().as_millisecond() {
                    return Err(Skip::not_understood(
                        "that time is in the future; to delete everything but the last message, \
                         use --before-days 0",
                    ));
                }
                body.insert("purge_up_to_ts".to_owned(), json!(before))
            }
            (None, None) => {
                return Err(Skip::not_understood("say how old, for example --before-days 90"));
            }
        };
        if seen.extra.contains_key(NOTHING) {
            return Err(Skip::already(nothing_older(subject, seen)));
        }
        let path = Path::admin(["v1", "purge_history", &subject.segment()]);
        // Sent twice it is two tasks, of which the second finds nothing.
        let step = Step::new(Method::Post, path, Value::Object(body)).idempotent();
        Ok(Change { steps: vec![step], wanted: FactMap::new() })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        _: &Snapshot,
    ) -> Outcome {
        let mut outcome = ended(
            Status::Done,
            Line::new()
                .code(subject)
                .plain(": the homeserver has started; I will say here when it is finished"),
        );
        outcome.facts = before.shown_as(&["Goes", STAYS]).collect();
        if let Some(id) = self.begins(subject, answers, None) {
            outcome.facts.push(("Task", Line::new().code(&id)));
            let words = ["history", "purge-status", &id].map(str::to_owned).to_vec();
            outcome.remains.push(("See how far it is".into(), words));
        }
        outcome
    }

    fn begins(
        &self,
        _subject: &Subject,
        answers: &[Answer],
        _after: Option<&Snapshot>,
    ) -> Option<String> {
        Some(answers.first()?.body.get("purge_id")?.as_str()?.to_owned())
    }

    async fn progress(
        &self,
        subject: &Subject,
        work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop> {
        let purged: Purged = purge_status::found(work, reader).await?;
        let line = Line::new().code(subject);
        Ok(match purged.status.raw() {
            "complete" => Progress::Over(self.through(subject, reader).await),
            "failed" => {
                let line = line.plain(": its old messages could not be deleted: ");
                Progress::Over(ended(Status::DoneInPart, line.line(purge_status::why(&purged))))
            }
            _ => Progress::Goes(vec![
                ("Task", Line::new().code(work)),
                ("State", "running, or waiting for others".into()),
            ]),
        })
    }
}

impl Purge {
    /// The end, with the message that stayed.
    async fn through(&self, subject: &Subject, reader: &Reader) -> Outcome {
        let what = ": its old messages were deleted from this server";
        let mut outcome = ended(Status::Done, Line::new().code(subject).plain(what));
        let Some(before) = self.at(reader.now()) else { return outcome };
        let Ok(room) = known::id(subject) else { return outcome };
        // A courtesy: that it is through is known.
        if let Ok(Older::This(kept)) = Older::than(before, room, reader).await
            && let Some(line) = kept.line(reader.now())
        {
            outcome.title = outcome.title.plain(", but for the newest of them");
            outcome.facts.push((STAYS, line));
            let redact = kept.redact(&subject.typed());
            outcome.remains.extend(redact.map(|words| ("This redacts it".into(), words)));
        }
        outcome
    }
}

/// Under this label the message is shown that stays.
const STAYS: &str = "Stays";
/// Under this it is kept that nothing is older.
const NOTHING: &str = "nothing older";
/// Under this it is kept which event stays.
const KEPT: &str = "kept";

fn kept(seen: &Snapshot) -> Option<Kept> {
    Kept::deserialize(seen.extra.get(KEPT)?).ok()
}

/// Whether a room of version 12 or later has this first event: its id is made of it.
fn is_named_after(room: &str, event: &str) -> bool {
    room.strip_prefix('!').is_some_and(|own| event.strip_prefix('$') == Some(own))
}

/// Why there is nothing to delete.
fn nothing_older(subject: &Subject, seen: &Snapshot) -> Line {
    let line = Line::from("nothing in ").code(subject);
    let before = seen.extra.get("before").and_then(Value::as_i64);
    match before.and_then(|before| Timestamp::from_millisecond(before).ok()) {
        Some(at) => line.plain(format!(" is older than {}", utc(at))),
        None => line.plain(" is older than that event, which is the first of the room"),
    }
}

fn ended(status: Status, title: Line) -> Outcome {
    let nearest = "deleted messages come back only if other servers still have them and send them";
    let undo = Undo::None(nearest.to_owned());
    Outcome { status, title, facts: Vec::new(), remains: Vec::new(), undo }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing::{self, now};

    fn lobby() -> Subject {
        Subject::Room("!lobby:example.org".try_into().unwrap())
    }

    fn verb(typed: &[&str]) -> Purge {
        testing::parse(&[&["!lobby:example.org"], typed].concat()).unwrap()
    }

    fn seen(verb: &Purge) -> Snapshot {
        let mut seen = Snapshot::default();
        seen.preconditions.insert("exists".to_owned(), json!(true));
        if let Some(before) = verb.at(now()) {
            seen.extra.insert("before".to_owned(), json!(before));
        }
        seen.note_now(now());
        seen
    }

    fn body(typed: &[&str]) -> Value {
        let verb = verb(typed);
        let change = verb.change(&lobby(), &seen(&verb)).unwrap();
        change.steps[0].body.clone()
    }

    #[test]
    fn each_way_of_saying_when_ends_in_what_the_homeserver_takes() {
        let ms = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        for (typed, before) in [
            (&["-d", "30"][..], ms("2026-10-21T14:03:00Z")),
            (&["--before", "2026-11-01"], ms("2026-11-01T00:00:00Z")),
            (&["-b", "30d"], ms("2026-10-21T14:03:00Z")),
            // Nought is a moment like any other.
            (&["-t", "0"], 0),
        ] {
            let wanted = json!({ "delete_local_events": false, "purge_up_to_ts": before });
            assert_eq!(body(typed), wanted, "{typed:?}");
        }
        let event = body(&["-i", "$abc", "--delete-local"]);
        let wanted = json!({ "delete_local_events": true, "purge_up_to_event_id": "$abc" });
        assert_eq!(event, wanted);
        for typed in [&[][..], &["-d", "3", "-t", "5"], &["-i", "abc"], &["-t", "-5"]] {
            let typed = [&["!lobby:example.org"], typed].concat();
            assert!(testing::parse::<Purge>(&typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn a_moment_to_come_and_a_room_unknown_are_refused() {
        let late = verb(&["--before", "2026-11-22"]);
        let skip = late.change(&lobby(), &seen(&late)).unwrap_err();
        assert_eq!(skip.status, Status::NotUnderstood);
        assert!(skip.why.text().contains("--before-days 0"), "{}", skip.why.text());
        let verb = verb(&["-d", "3"]);
        let mut nowhere = seen(&verb);
        nowhere.preconditions.insert("exists".to_owned(), json!(false));
        let skip = verb.change(&lobby(), &nowhere).unwrap_err();
        assert!(skip.why.text().contains("does not know the room"), "{}", skip.why.text());
        assert_eq!((verb.class(1), verb.phrase()), (Class::Irreversible, true));
    }

    #[test]
    fn where_nothing_is_older_nothing_is_asked() {
        let days = verb(&["-d", "30"]);
        let mut none = seen(&days);
        none.extra.insert(NOTHING.to_owned(), json!(true));
        let skip = testing::skip(&days.change(&lobby(), &none).unwrap_err());
        assert_eq!(
            skip,
            "Nothing changed · nothing in `!lobby:example.org` is older than 2026-10-21 14:03 UTC"
        );
        let event = verb(&["-i", "$first"]);
        let mut none = seen(&event);
        none.extra.insert(NOTHING.to_owned(), json!(true));
        let skip = testing::skip(&event.change(&lobby(), &none).unwrap_err());
        assert!(skip.starts_with("Nothing changed · ") && skip.contains("the first of the room"));
        assert!(is_named_after("!abc", "$abc") && !is_named_after("!abc", "$abd"));
        assert!(!is_named_after("!abc:example.org", "$abc"));
    }

    #[test]
    fn whose_messages_go_is_said() {
        let one = verb(&["-d", "3"]);
        let asked = testing::question(&one.question(&lobby(), &seen(&one)));
        assert!(asked.contains("what people of this server have written"), "{asked}");
        let all = verb(&["-d", "3", "--delete-local"]);
        let asked = testing::question(&all.question(&lobby(), &seen(&all)));
        assert!(asked.contains("also of this server's own people"), "{asked}");
    }
}
