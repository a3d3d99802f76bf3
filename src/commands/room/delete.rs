//! `room delete`: everybody here is put out of a room, and this server forgets it.

use async_trait::async_trait;
use ruma::UserId;
use serde_json::{Value, json};

use super::{deletion, holes, known};
use crate::commands::refusals::{Meaning, NO_ROOM_ID, OTHER_BODY, ROOM_GONE};
use crate::{
    change::{Answer, Change, Class, FactMap, Outcome, Power, Question, Skip, Snapshot, Subject},
    commands::{
        Action, Later, LongWork, Spec,
        arguments::{RoomRef, UserRef},
    },
    error::Stop,
    reply::Line,
    synapse::Reader,
};

mod files;
mod how;
mod progress;

pub(super) use how::How;
pub(super) use progress::begun;

pub(super) const SPEC: Spec = Spec::action::<Delete>(
    "delete",
    &[
        "room delete !OGEhHVWSdvArJzumhm:example.org",
        "room delete #lobby:example.org --block --quarantine-media",
        "room delete #lobby:example.org --new-room-user-id @bob:example.org --message Moved",
    ],
)
// The files of a room are looked at one by one before the question.
.later(&[Later::new("quarantine_media", 1, 140)]);

/// Delete a room from this server: everybody on this server is removed from it
///
/// It can take long; I watch it and say when it is finished. Other servers keep the room and everything
/// in it. Files stay unless you quarantine them with --quarantine-media. --new-room-user-id needs a
/// higher role, since it speaks as an account and puts people into a room.
#[derive(Debug, clap::Args)]
struct Delete {
    /// The rooms, one or several: an id, !abc:example.org or !abc, or an alias, #lobby:example.org
    #[arg(required = true, num_args = 1.., value_name = "ROOM")]
    rooms: Vec<RoomRef>,
    #[command(flatten)]
    how: How,
    /// Put the removed people into a new room, which this account of this server creates and posts in
    #[arg(short = 'u', long, value_name = "USER")]
    new_room_user_id: Option<UserRef>,
    /// The name of the new room
    #[arg(short = 'n', long, value_name = "NAME", requires = "new_room_user_id")]
    room_name: Option<String>,
    /// The message in the new room
    #[arg(short = 'm', long, value_name = "TEXT", requires = "new_room_user_id")]
    message: Option<String>,
}

/// Under this it is noted who makes the new room.
const MAKER: &str = "new_room_user_id";

/// What is said in a new room where nothing else is wanted: it accuses nobody.
const MESSAGE: &str = "The room that you were in has been closed on this server.";

/// What a new room is called where nothing else is wanted.
const NAME: &str = "Closed room";

/// What it means where the homeserver refuses it.
pub(in crate::commands) const REFUSALS: &[Meaning] = &[
    Meaning::new(
        400,
        "M_UNKNOWN",
        "already in progress",
        "it is already being deleted; `!room delete-status` shows the progress",
    )
    .nothing_to_do(),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "must be our own",
        "the homeserver says that the account for the new room is on another server",
    ),
    NO_ROOM_ID,
    OTHER_BODY,
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "a module of the homeserver forbids deleting this room; ask whoever runs the homeserver",
    ),
    ROOM_GONE,
];

#[async_trait]
impl Action for Delete {
    fn class(&self, _many: usize) -> Class {
        Class::Irreversible
    }

    // Whoever is made to make the room and to speak in it has not asked for it.
    fn power(&self) -> Power {
        if self.new_room_user_id.is_some() { Power::Account } else { Power::Moderate }
    }

    fn amounts_to(&self) -> Vec<&str> {
        let new_room = ["room join", "notice send"];
        let new_room = new_room.into_iter().filter(|_| self.new_room_user_id.is_some());
        self.how.amounts_to().into_iter().chain(new_room).collect()
    }

    fn phrase(&self) -> bool {
        true
    }

    fn reaches(&self, _subject: &Subject, seen: &Snapshot) -> Vec<Subject> {
        let maker = seen.extra.get(MAKER).and_then(Value::as_str);
        maker.and_then(|id| UserId::parse(id).ok()).into_iter().map(Subject::User).collect()
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        known::subjects(&self.rooms, reader).await
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let mut seen = snapshot(subject, reader).await?;
        self.how.note_free_files(subject, &mut seen, reader).await?;
        if let Some(user) = &self.new_room_user_id {
            let user = reader.user_id(user)?;
            let there = reader.is_local(&user) && reader.account(&user).await?.is_some();
            if !there {
                let why = Line::new().code(&user).plain(" is not an account of this server");
                return Err(Stop::not_found(why.plain(", so it cannot create the new room")));
            }
            seen.display.push(("New room", Line::from("created by ").code(&user)));
            seen.extra.insert(MAKER.to_owned(), json!(user));
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let mut question = self.how.question(subject, seen);
        if self.new_room_user_id.is_some() {
            let text = self.message.as_deref().unwrap_or(MESSAGE);
            question.goes.push(
                Line::from(
                    "who is put out is put into a new room, and told there in its maker's name: ",
                )
                .hostile(&crate::reply::Hostile::new(text)),
            );
        }
        question
    }

    fn warnings(&self, subject: &Subject, seen: &Snapshot) -> Vec<Line> {
        holes::warnings_of_room(subject, seen)
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        let with_room = seen.extra.get(MAKER).cloned();
        let text = |typed: &Option<String>, otherwise: &str| {
            with_room.as_ref().map(|_| json!(typed.as_deref().unwrap_or(otherwise)))
        };
        let (name, message) = (text(&self.room_name, NAME), text(&self.message, MESSAGE));
        self.how.change(subject, seen, [with_room, name, message])
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        Outcome { undo: self.how.undo(subject, before), ..begun(subject, answers, after) }
    }

    fn lasting(&self) -> FactMap {
        self.how.lasting()
    }

    fn long_work(&self) -> Option<&dyn LongWork> {
        Some(&self.how)
    }
}

/// Looks at a room that may be deleted.
pub(super) async fn snapshot(subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
    let mut seen = standing(subject, reader).await?;
    if seen.is("exists") {
        seen.display.push(("Files", files::counted(known::id(subject)?, reader).await));
    }
    Ok(seen)
}

/// Looks at a room from which everybody here may be put out: whether it is blocked, what goes on with it,
/// and who stays in it.
pub(super) async fn standing(subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
    let id = known::id(subject)?;
    let mut seen = known::snapshot(subject, reader).await?;
    let blocked = known::blocked(id, reader).await?.block;
    seen.display.push(("Blocked", if blocked { "yes".into() } else { "no".into() }));
    seen.preconditions.insert("blocked".to_owned(), json!(blocked));
    if !seen.is("exists") {
        return Ok(seen);
    }
    let tasks = deletion::of_room(id, reader).await?;
    let running = tasks.iter().find(|task| matches!(task.status.raw(), "scheduled" | "active"));
    if let Some(task) = running {
        let line = Line::from("the homeserver is working on it, as ").code(&task.id);
        seen.display.push(("Deletion", line));
        seen.extra.insert("running".to_owned(), json!(task.id));
    }
    if let Some(room) = known::room(id, reader).await? {
        note_elsewhere(&mut seen, &room);
        holes::note_of_room(&mut seen, id, &room, reader).await?;
    }
    Ok(seen)
}

/// Under this it is noted how many of other servers are in the room.
pub(super) const ELSEWHERE: &str = "elsewhere";

/// Notes how many of other servers are in the room.
pub(super) fn note_elsewhere(seen: &mut Snapshot, room: &known::Room) {
    if let (Some(all), Some(here)) = (room.joined_members(), room.joined_local_members()) {
        seen.extra.insert(ELSEWHERE.to_owned(), json!(all.saturating_sub(here)));
    }
}

#[cfg(test)]
mod tests;
