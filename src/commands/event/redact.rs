//! `event redact`: one event is made empty for everybody, and no other.
//!
//! The homeserver redacts what somebody sent within a span of time. Asked for the one millisecond of the
//! event, it takes just that; what the same account sent in the same millisecond it cannot tell from it.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::{EventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::content::{Event, EventRef};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Progress, Question, Skip,
        Snapshot, Step, Subject,
    },
    commands::{
        Action, Spec,
        refusals::{Meaning, OTHER_BODY},
    },
    error::Stop,
    reply::{Hostile, Line},
    synapse::{Error, Reader},
};

mod actor;
mod ended;
mod moment;
mod task;

use actor::Actor;
use moment::{Moment, TYPES};
use task::Task;

pub(super) const SPEC: Spec = Spec::action::<Redact>(
    "redact",
    &[
        "event redact $TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go",
        "event redact $TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go --reason Spam",
    ],
)
.since(1, 157);

/// Redact one event, a message or a join: it stays in place, but empty
///
/// What somebody of this server sent is removed in their own name. For somebody of another server the
/// account of my admin token must have been in the room, with the power to redact, when it was sent.
/// Reactions, stickers and settings of a room cannot be redacted this way. Redaction is not erasure: the
/// homeserver keeps the content for a while, and other servers may ignore it. `user redact` redacts all
/// that somebody wrote.
#[derive(Debug, clap::Args)]
struct Redact {
    /// The event: its id, which begins with $, or a link to it
    event: EventRef,
    /// The reason to give; everybody in the room can read it
    #[arg(long)]
    reason: Option<String>,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    Meaning::new(
        400,
        "M_UNKNOWN",
        "already in progress",
        "the homeserver is redacting other messages of its sender, and does one after the other; send \
        this again in a minute",
    ),
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "",
        "the homeserver does not accept the time of this event, so it cannot redact it alone",
    ),
    OTHER_BODY,
    Meaning::new(404, "M_NOT_FOUND", "", "the homeserver no longer knows the room; look again"),
];

/// What is kept of an event between the look and the words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Noted {
    room: Option<OwnedRoomId>,
    kind: String,
    membership: Option<String>,
    is_state: bool,
    /// When it was sent, in Unix milliseconds.
    sent: Option<i64>,
    redacted_by: Option<String>,
    /// The ids of what would be redacted with it.
    others: Vec<String>,
    /// How many events the homeserver finds in its millisecond.
    same: usize,
    /// Whether all that could be of its millisecond was looked at.
    complete: bool,
    /// The ids of what its sender sent before and after it and is not redacted.
    around: Vec<String>,
    /// The ids of what its sender sent in its millisecond, before and after it, and is redacted.
    gone: Vec<String>,
    /// The id of the newest event that replaces what it says.
    edit: Option<String>,
    actor: Option<Actor>,
    task: Option<Task>,
}

/// Under this it is kept what is noted of an event.
const NOTED: &str = "event";

impl Noted {
    fn of(seen: &Snapshot) -> Self {
        let noted = seen.extra.get(NOTED).and_then(|noted| Self::deserialize(noted).ok());
        noted.unwrap_or_default()
    }

    fn new(room: OwnedRoomId, moment: &Moment) -> Self {
        let Moment { event, same, around, complete } = moment;
        let (gone, around): (Vec<&Event>, Vec<&Event>) =
            around.iter().partition(|one| one.redacted_by().is_some());
        let gone = gone.into_iter().chain(same.iter().filter(|one| one.redacted_by().is_some()));
        let ids =
            |events: &mut dyn Iterator<Item = &Event>| events.map(|one| one.id.clone()).collect();
        Self {
            room: Some(room),
            kind: event.kind.raw().to_owned(),
            membership: event.membership().map(str::to_owned),
            is_state: event.state_key.is_some(),
            sent: event.sent.map(Timestamp::as_millisecond),
            redacted_by: event.redacted_by().map(str::to_owned),
            others: ids(&mut moment.others()),
            same: same.len(),
            complete: *complete,
            around: ids(&mut around.into_iter()),
            gone: ids(&mut gone.into_iter()),
            edit: event.edit().map(str::to_owned),
            actor: None,
            task: None,
        }
    }

    fn is_join(&self) -> bool {
        self.kind == "m.room.member"
    }

    /// Keeps it, with what binds: what the event is never changes, and what was sent in its millisecond
    /// would be redacted too.
    fn keep(&self, seen: &mut Snapshot) {
        seen.preconditions.insert("redacted".to_owned(), json!(self.redacted_by.is_some()));
        seen.preconditions.insert("sent_at_the_same_time".to_owned(), json!(self.others));
        seen.extra.insert(NOTED.to_owned(), json!(self));
    }
}

/// Where an event is and who sent it: `GET /_synapse/admin/v1/fetch_event/{event_id}`.
#[derive(Debug, Deserialize)]
struct Placed {
    room_id: OwnedRoomId,
    sender: OwnedUserId,
}

async fn placed(event: &EventId, reader: &Reader) -> Result<Option<Placed>, Error> {
    #[derive(Deserialize)]
    struct FetchedEvent {
        event: Placed,
    }
    let path = Path::admin(["v1", "fetch_event", event.as_str()]);
    let found = reader.find::<FetchedEvent>(&path, &[]).await?;
    Ok(found.map(|fetched| fetched.event))
}

/// Looks at an event.
async fn look(subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
    let Subject::Event(sender, event) = subject else {
        return Err(Stop::refused(Line::new().code(subject).plain(" is not an event")));
    };
    let mut seen = Snapshot::default();
    let found = match placed(event, reader).await? {
        Some(Placed { room_id: room, .. }) => {
            let sets_time = !reader.is_local(sender) || is_bridged(sender, reader).await?;
            let moment = Moment::of(event, &room, sender, sets_time, reader).await?;
            moment.map(|moment| (room, moment))
        }
        None => None,
    };
    seen.preconditions.insert("exists".to_owned(), json!(found.is_some()));
    let Some((room, moment)) = found else { return Ok(seen) };
    let mut noted = Noted::new(room.clone(), &moment);
    seen.display = vec![("Type", moment.event.kind())];
    seen.display.extend(moment.event.sent());
    seen.display.push(("Room", Line::new().code(&room)));
    seen.display.extend(moment.event.about(reader.now()));
    if noted.redacted_by.is_none() && moment::is_redacted_for_others(&moment.event) {
        let actor = Actor::of(sender, event, &room, reader).await?;
        seen.display.push(("In the name of", actor.line()));
        noted.actor = Some(actor);
    }
    noted.keep(&mut seen);
    Ok(seen)
}

async fn is_bridged(user: &OwnedUserId, reader: &Reader) -> Result<bool, Error> {
    let account = reader.account(user).await?;
    // Accounts of a bridge need not be on file.
    Ok(account.is_none_or(|account| account.appservice_id.is_some()))
}

/// Why the homeserver does not redact an event of this kind for others.
fn not_redacted_for_others(subject: &Subject, noted: &Noted) -> Result<(), Skip> {
    let line = Line::new().code(subject);
    let kind = Hostile::new(noted.kind.as_str());
    let only = ", and the homeserver redacts only messages and joins for others";
    let why =
        match noted.membership.as_deref() {
            Some("join") if noted.is_join() => return Ok(()),
            Some(membership) if noted.is_join() => line
                .plain(" is a change of membership, ")
                .hostile(&Hostile::new(membership))
                .plain(only)
                .plain(". It stays, as the room's own list of who came and went"),
            _ if TYPES.contains(&noted.kind.as_str()) && !noted.is_join() => return Ok(()),
            _ if noted.kind == "m.room.redaction" => {
                line.plain(" is a redaction itself, and what it has redacted does not come back")
            }
            _ if noted.is_state => line
                .plain(" sets ")
                .hostile(&kind)
                .plain(" of the room")
                .plain(only)
                .plain(". Somebody with the power for that in the room can set it anew"),
            _ => line.plain(" is ").hostile(&kind).plain(only).plain(
                ". Somebody with the power to redact in the room can remove it in their client",
            ),
        };
    Err(who_else(Skip::refused(why), noted))
}

/// The same, with the command that shows who has power in the room.
fn who_else(skip: Skip, noted: &Noted) -> Skip {
    match &noted.room {
        Some(room) => skip.or(format!("room power-levels {room}")),
        None => skip,
    }
}

#[async_trait]
impl Action for Redact {
    fn class(&self, _many: usize) -> Class {
        Class::Irreversible
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn amounts_to(&self) -> Vec<&str> {
        vec!["user redact"]
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        let event = &self.event.0;
        let Some(Placed { room_id, sender }) = placed(event, reader).await? else {
            let why = Line::new().plain("this homeserver has no event ").code(event);
            return Err(Stop::not_found(why));
        };
        reader.may_tell_of([room_id.as_str(), sender.as_str()])?;
        Ok(vec![Subject::Event(sender, event.clone())])
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        look(subject, reader).await
    }

    async fn snapshot_after(
        &self,
        subject: &Subject,
        answers: &[Answer],
        reader: &Reader,
    ) -> Result<Snapshot, Stop> {
        let task = match task::begun_by(answers) {
            Some(id) => Some(Task::ended(&id, reader).await?),
            None => None,
        };
        let mut seen = look(subject, reader).await?;
        let noted = Noted { task, ..Noted::of(&seen) };
        seen.extra.insert(NOTED.to_owned(), json!(noted));
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let noted = Noted::of(seen);
        let mut title = Line::new().plain("Redact ").code(subject);
        if let Some(user) = subject.user() {
            title = title.plain(" by ").code(user);
        }
        if let Some(room) = &noted.room {
            title = title.plain(" in ").code(room);
        }
        if !noted.others.is_empty() {
            title = title.plain(", and with it ").strong(ended::others(noted.others.len()));
        }
        let mut goes: Vec<Line> = vec![if noted.is_join() {
            "the name and picture that it showed when it joined, for everybody".into()
        } else {
            "its content, for everybody".into()
        }];
        goes.extend(noted.others.iter().map(|other| {
            let line = Line::new().plain("the same of ").code(other);
            line.plain(", sent in the same millisecond: the homeserver cannot tell them apart")
        }));
        let mut stays: Vec<Line> = vec![
            "redaction is not erasure: the homeserver keeps the content for a while, and other \
             servers and clients may keep it for good"
                .into(),
            "the event itself: who sent it, and when".into(),
        ];
        stays.push(if noted.is_join() {
            "the membership: nobody leaves the room by it".into()
        } else {
            "a file that it links to, which `media delete` deletes".into()
        });
        stays.extend(noted.edit.iter().map(|edit| {
            Line::new().plain("what it says since it was edited: that is the event ").code(edit)
        }));
        Question { title, goes, stays }
    }

    fn warnings(&self, _subject: &Subject, seen: &Snapshot) -> Vec<Line> {
        let noted = Noted::of(seen);
        let unseen = noted.room.is_some() && !noted.complete;
        let line = Line::new()
            .plain("its sender has sent so much to this room that I have not looked through all of it: ")
            .plain("if something else has the very same time, that may be redacted ")
            .strong("in its place");
        unseen.then_some(line).into_iter().collect()
    }

    fn reaches(&self, _subject: &Subject, seen: &Snapshot) -> Vec<Subject> {
        Noted::of(seen).room.map(Subject::Room).into_iter().collect()
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        let noted = Noted::of(seen);
        let line = || Line::new().code(subject);
        let (true, Some(room)) = (seen.is("exists"), &noted.room) else {
            let why = line().plain(" is in no room here, or not any more");
            return Err(Skip::not_found(why));
        };
        if let Some(by) = &noted.redacted_by {
            return Err(Skip::already(line().plain(" is already redacted, by ").code(by)));
        }
        not_redacted_for_others(subject, &noted)?;
        if let Some(Actor { user, hindered: Some(hindered), .. }) = &noted.actor {
            let why = Line::new().code(user).line(hindered.line(room));
            let why = why.plain(". Somebody with the power to redact in the room can remove it");
            return Err(who_else(Skip::refused(why), &noted));
        }
        // None and 0 are no time at all to the homeserver, and it would redact whatever is newest.
        let Some(sent) = noted.sent.filter(|sent| *sent != 0) else {
            let why = " has no time by which the homeserver could tell it from others";
            return Err(who_else(Skip::refused(line().plain(why)), &noted));
        };
        let mut body = Map::new();
        body.insert("rooms".to_owned(), json!([room]));
        // Both count with the moment itself.
        body.insert("after_ts".to_owned(), json!(sent));
        body.insert("before_ts".to_owned(), json!(sent));
        // Never more than was seen and said, whatever else the homeserver may find there.
        body.insert("limit".to_owned(), json!(noted.same + 1));
        body.extend(self.reason.iter().map(|reason| ("reason".to_owned(), json!(reason))));
        let user = subject.user().map(ToString::to_string).unwrap_or_default();
        let path = Path::admin(["v1", "user", &user, "redact"]);
        // What of it is found afterwards is said by the outcome: the homeserver may still be at it.
        let step = Step::new(Method::Post, path, Value::Object(body));
        Ok(Change { steps: vec![step], wanted: FactMap::new() })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        ended::outcome(subject, Some(&Noted::of(before)), &Noted::of(after))
    }

    fn begins(
        &self,
        _subject: &Subject,
        answers: &[Answer],
        after: Option<&Snapshot>,
    ) -> Option<String> {
        let over = after.and_then(|after| Noted::of(after).task).is_some_and(|task| task.is_over());
        if over { None } else { task::begun_by(answers) }
    }

    async fn progress(
        &self,
        subject: &Subject,
        work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop> {
        let task = Task::look(work, reader).await?;
        if !task.is_over() {
            return Ok(Progress::Goes(task.facts()));
        }
        let noted = Noted { task: Some(task), ..Noted::of(&look(subject, reader).await?) };
        Ok(Progress::Over(ended::outcome(subject, None, &noted)))
    }
}

#[cfg(test)]
mod tests;
