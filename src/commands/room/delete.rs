//! `room delete`: everybody here is put out of a room, and this server forgets it.

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use ruma::{RoomId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    deletion::{self, Deletion},
    holes, known,
};
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Progress, Question, Skip,
        Snapshot, Step, Subject, Undo,
    },
    commands::{
        Action, Spec,
        arguments::{RoomRef, UserRef},
        media::files_of::OfRoom,
        user::account::how_many,
    },
    error::Stop,
    reply::{Line, Status},
    synapse::{Reader, wire::flag},
};

pub(super) const SPEC: Spec = Spec::action::<Delete>(
    "delete",
    &[
        "room delete !OGEhHVWSdvArJzumhm:example.org",
        "room delete #lobby:example.org --block --quarantine-media",
        "room delete #lobby:example.org --new-room-user-id @bob:example.org --message Moved",
    ],
);

/// Delete a room: everybody of this server is put out of it, and this server forgets it
///
/// It takes its time; I watch it and say when it is through. Other servers keep the room and
/// everything in it. Files stay, unless they are put into quarantine with --quarantine-media. With
/// --new-room-user-id it takes a higher role: an account is made to speak, and people are put into
/// a room.
#[derive(Debug, clap::Args)]
struct Delete {
    /// The rooms, one or several: an id, !abc:example.org or !abc, or an alias, #lobby:example.org
    #[arg(required = true, num_args = 1.., value_name = "ROOM")]
    rooms: Vec<RoomRef>,
    #[command(flatten)]
    how: How,
    /// Put those who are put out into a new room, made by this account of this server, and let it
    /// speak there
    #[arg(short = 'u', long, value_name = "USER")]
    new_room_user_id: Option<UserRef>,
    /// The name of that room
    #[arg(short = 'n', long, value_name = "NAME", requires = "new_room_user_id")]
    room_name: Option<String>,
    /// What is said in that room
    #[arg(short = 'm', long, value_name = "TEXT", requires = "new_room_user_id")]
    message: Option<String>,
}

// How a room is deleted. No doc comment: it would become the verb's help.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
pub(super) struct How {
    /// Block it too, so that nobody here joins it again
    #[arg(short, long)]
    pub(super) block: bool,
    /// Put its files into quarantine first, as far as this server knows them
    #[arg(long)]
    pub(super) quarantine_media: bool,
    /// Only put everybody out, and keep the room
    #[arg(long, conflicts_with = "force_purge")]
    pub(super) no_purge: bool,
    /// Forget the room even where somebody could not be put out of it
    #[arg(long)]
    pub(super) force_purge: bool,
    /// Makes no difference: I always take the way that holds nothing up, and watch it
    #[arg(long = "v1")]
    pub(super) first_version: bool,
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
        "it is being deleted already; `!room delete-status` shows how far that is",
    )
    .nothing_to_do(),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "must be our own",
        "whoever is to make the new room is to the homeserver an account of another server",
    ),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "legal room",
        "to the homeserver this is no id of a room; look for a slip in it",
    ),
    Meaning::new(
        400,
        "M_BAD_JSON",
        "",
        "this version of the homeserver takes it in another way; `!server version` shows which it is",
    ),
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "a module of the homeserver does not let this room be deleted; whoever runs the homeserver knows which",
    ),
    Meaning::new(404, "M_NOT_FOUND", "", "the room is not known any more; look again"),
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
                let why = Line::new().code(&user).plain(" is no account of this server");
                return Err(Stop::refused(why.plain(", so it cannot make the new room")));
            }
            seen.display.push(("New room", Line::from("made by ").code(&user)));
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

    fn begins(
        &self,
        _subject: &Subject,
        answers: &[Answer],
        _after: Option<&Snapshot>,
    ) -> Option<String> {
        task(answers)
    }

    async fn progress(
        &self,
        subject: &Subject,
        work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop> {
        self.how.progress(subject, work, reader).await
    }
}

/// Looks at a room that may be deleted.
pub(super) async fn snapshot(subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
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
        let line = Line::from("the homeserver is at work on it, as ").code(&task.id);
        seen.display.push(("Deletion", line));
        seen.extra.insert("running".to_owned(), json!(task.id));
    }
    seen.display.push(("Files", files(id, reader).await));
    if let Some(room) = known::room(id, reader).await? {
        holes::note_of_room(&mut seen, id, &room, reader).await?;
    }
    Ok(seen)
}

/// How many files of a room are looked up, so that a question does not wait for thousands.
const LOOKED_UP: usize = 100;

/// How many of them at once.
const AT_ONCE: usize = 8;

/// How many files of a room are not in quarantine, as far as the homeserver can tell.
async fn files(room: &RoomId, reader: &Reader) -> Line {
    let Ok(listed) = OfRoom::get(room, reader).await else {
        return "cannot be counted now".into();
    };
    let all: Vec<String> = listed.each_once().into_iter().map(|(_, mxc)| mxc).collect();
    let total = all.len();
    let looks =
        all.into_iter().take(LOOKED_UP).map(|mxc| async move { is_free(&mxc, reader).await });
    let found: Vec<Option<bool>> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    let free = found.iter().filter(|free| **free == Some(true)).count() as u64;
    let counted = match (total, total > LOOKED_UP) {
        (0, _) => "none that this server can see".to_owned(),
        (_, false) => {
            let free = how_many(Some(free), "is not in quarantine", "are not in quarantine");
            format!("{total}, of which {free}")
        }
        (_, true) => format!(
            "{total}; of the first {LOOKED_UP} of them {free} are not in quarantine, the others are \
             not counted"
        ),
    };
    Line::from(format!("{counted}. What was sent encrypted cannot be counted"))
}

/// Of how many files it is noted whether a quarantine takes them, so that it can be taken back.
const NOTED: usize = 200;

/// Under this it is noted which files of a room are not in quarantine and would be.
const FREE: &str = "free";

/// The files of a room that are given out and not protected from quarantine; `None` where they are
/// too many to tell.
async fn free_files(room: &RoomId, reader: &Reader) -> Result<Option<Vec<String>>, Stop> {
    let listed = OfRoom::get(room, reader).await?.each_once();
    if listed.len() > NOTED {
        return Ok(None);
    }
    let all: Vec<String> = listed.into_iter().map(|(_, mxc)| mxc).collect();
    let looks = all.into_iter().map(|mxc| async move {
        let takes = is_free(&mxc, reader).await.unwrap_or_default();
        takes.then_some(mxc)
    });
    let found: Vec<Option<String>> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    Ok(Some(found.into_iter().flatten().collect()))
}

/// Whether the homeserver has this file and gives it out; `None` where that cannot be told.
async fn is_free(mxc: &str, reader: &Reader) -> Option<bool> {
    #[derive(Deserialize)]
    struct MediaInfo {
        media_info: Info,
    }
    #[derive(Deserialize)]
    struct Info {
        quarantined_by: Option<String>,
        #[serde(default, deserialize_with = "flag")]
        safe_from_quarantine: bool,
    }
    let (server, id) = mxc.strip_prefix("mxc://")?.split_once('/')?;
    let found = reader.find::<MediaInfo>(&Path::admin(["v1", "media", server, id]), &[]).await;
    let info = found.ok().flatten()?.media_info;
    Some(info.quarantined_by.is_none() && !info.safe_from_quarantine)
}

impl How {
    /// Notes which files a quarantine would take, where there is to be one.
    pub(super) async fn note_free_files(
        &self,
        subject: &Subject,
        seen: &mut Snapshot,
        reader: &Reader,
    ) -> Result<(), Stop> {
        if self.quarantine_media && seen.is("exists") {
            let free = free_files(known::id(subject)?, reader).await?;
            seen.extra.insert(FREE.to_owned(), json!(free));
        }
        Ok(())
    }

    /// How what it does besides is taken back: just what it has changed.
    pub(super) fn undo(&self, subject: &Subject, before: &Snapshot) -> Undo {
        let mut ways = Vec::new();
        let mut rest = GONE.to_owned();
        if self.block && !before.is("blocked") {
            ways.push(vec!["room".to_owned(), "unblock".to_owned(), subject.typed()]);
        }
        if self.quarantine_media {
            match before.extra.get(FREE).and_then(Value::as_array) {
                Some(free) => {
                    let free = free.iter().filter_map(Value::as_str).map(str::to_owned);
                    let words = ["media", "unquarantine"].map(str::to_owned).into_iter();
                    let words: Vec<String> = words.chain(free).collect();
                    ways.extend((words.len() > 2).then_some(words));
                }
                None => rest.push_str(
                    "; its files were too many to note which of them it has put into quarantine",
                ),
            }
        }
        if ways.is_empty() { Undo::None(rest) } else { Undo::Parts(ways, rest) }
    }

    /// The verbs that it amounts to besides.
    pub(super) fn amounts_to(&self) -> Vec<&'static str> {
        [(self.block, "room block"), (self.quarantine_media, "media quarantine")]
            .into_iter()
            .filter_map(|(asked, verb)| asked.then_some(verb))
            .collect()
    }

    /// The text of the question.
    pub(super) fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let verb = if self.no_purge { "Put everybody of this server out of " } else { "Delete " };
        let mut question = Question {
            title: Line::new().plain(verb).code(subject),
            goes: vec!["everybody of this server who is in it is put out".into()],
            stays: vec!["the room and everything in it on other servers".into()],
        };
        if self.no_purge {
            question.stays.push("what this server has of it".into());
        } else {
            question.goes.push("what this server has of it: messages, state, aliases".into());
        }
        if self.quarantine_media {
            question.goes.push("its files go into quarantine, with every copy of them".into());
        } else {
            question.stays.push(
                Line::from("its files: with ")
                    .code("--quarantine-media")
                    .plain(" nobody gets them"),
            );
        }
        let blocked = self.block || seen.is("blocked");
        question.stays.push(if blocked {
            Line::new().strong("BLOCKED").plain(" afterwards: nobody here joins it again")
        } else {
            Line::new()
                .strong("NOT BLOCKED")
                .plain(" afterwards: whoever is invited joins it again; with ")
                .code("--block")
                .plain(" nobody does")
        });
        question
    }

    /// The requests: `POST /_synapse/admin/v1/room/{room_id}/media/quarantine` where that is
    /// wanted, and `DELETE /_synapse/admin/v2/rooms/{room_id}`. With whom makes a new room, its
    /// name and its message.
    pub(super) fn change(
        &self,
        subject: &Subject,
        seen: &Snapshot,
        [new_room_user_id, room_name, message]: [Option<Value>; 3],
    ) -> Result<Change, Skip> {
        if !seen.is("exists") {
            // The homeserver would take it, and call it complete.
            let why = known::unknown(subject).plain(", so there is nothing to delete");
            return Err(Skip::refused(why).or(format!("room block {}", subject.typed())));
        }
        if let Some(task) = seen.extra.get("running").and_then(Value::as_str) {
            let mut skip = known::already(subject, "is being deleted already");
            skip.instead = vec![format!("room delete-status -d {task}")];
            return Err(skip);
        }
        let id = subject.segment();
        let mut steps = Vec::new();
        if self.quarantine_media {
            let path = Path::admin(["v1", "room", &id, "media", "quarantine"]);
            steps.push(Step::new(Method::Post, path, json!({})).idempotent());
        }
        let body = deletion::body([
            ("block", Some(json!(self.block))),
            ("purge", Some(json!(!self.no_purge))),
            ("force_purge", self.force_purge.then_some(json!(true))),
            ("new_room_user_id", new_room_user_id),
            ("room_name", room_name),
            ("message", message),
        ]);
        let path = Path::admin(["v2", "rooms", &id]);
        // Not twice: what was begun and goes on would be refused, and told as if it had failed.
        steps.push(Step::new(Method::Delete, path, body));
        Ok(Change { steps, wanted: FactMap::new() })
    }

    /// How far the homeserver is, and at the end the state of the room.
    pub(super) async fn progress(
        &self,
        subject: &Subject,
        work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop> {
        let id = known::id(subject)?;
        let Some(found) = deletion::by_id(work, reader).await? else {
            return Ok(Progress::Over(ended(
                Status::Unknown,
                deletion::unknown(work).plain(". Look at the room"),
            )));
        };
        if found.goes_on() {
            return Ok(Progress::Goes(found.facts()));
        }
        let blocked = known::blocked(id, reader).await?.block;
        let there = known::room(id, reader).await?;
        let mut facts = found.facts();
        facts.retain(|(label, _)| *label != "State");
        facts.push(("Blocked", if blocked { "BLOCKED".into() } else { "NOT BLOCKED".into() }));
        facts.push(deletion::whether_there(there.as_ref()));
        let line = Line::new().code(subject);
        let mut outcome = if found.status.raw() == "complete" {
            let gone = self.no_purge || there.is_none();
            match (gone && found.failed() == 0, self.no_purge) {
                (true, true) => {
                    ended(Status::Done, line.plain(": everybody of this server is out"))
                }
                (true, false) => ended(Status::Done, line.plain(" is deleted from this server")),
                (false, _) if found.failed() > 0 => {
                    let why = ": the homeserver is through, and could not put everybody out";
                    ended(Status::DoneInPart, line.plain(why))
                }
                (false, _) => {
                    let why = ": the homeserver says that it is through, and still has it";
                    ended(Status::DoneInPart, line.plain(why))
                }
            }
        } else {
            let why = deletion::why(id, work, reader).await?;
            let line = line.plain(": it could not be deleted: ").line(why);
            failed(line, &self.parts(&found, blocked))
        };
        outcome.facts = facts;
        Ok(Progress::Over(outcome))
    }
}

impl How {
    /// What of a deletion that failed was done all the same.
    fn parts(&self, found: &Deletion, blocked: bool) -> Vec<String> {
        let out = found.put_out() as u64;
        let out = (out > 0)
            .then(|| format!("{} put out", how_many(Some(out), "member is", "members are")));
        [
            (self.block && blocked).then(|| "it is blocked".to_owned()),
            self.quarantine_media.then(|| "its files are in quarantine".to_owned()),
            out,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The end of a deletion that failed.
fn failed(line: Line, parts: &[String]) -> Outcome {
    if parts.is_empty() {
        return ended(Status::Refused, line.plain(". Nothing was done to it"));
    }
    ended(Status::DoneInPart, line.plain(format!(". Done all the same: {}", parts.join(", "))))
}

/// The id of the task that the homeserver has begun.
pub(super) fn task(answers: &[Answer]) -> Option<String> {
    let id = answers.last()?.body.get("delete_id")?.as_str()?;
    Some(id.to_owned())
}

/// What is told as soon as the homeserver has begun.
pub(super) fn begun(subject: &Subject, answers: &[Answer], after: &Snapshot) -> Outcome {
    let title = Line::new()
        .code(subject)
        .plain(": the homeserver has begun; I watch it, and say here when it is through");
    let mut outcome = ended(Status::Done, title);
    if let Some(id) = task(answers) {
        outcome.facts.push(("Task", Line::new().code(&id)));
        let words = ["room", "delete-status", "-d", &id].map(str::to_owned).to_vec();
        outcome.remains.push(("See how far it is".into(), words));
    }
    let members = after.display.iter().filter(|(label, _)| *label == "Members");
    outcome.facts.extend(members.cloned());
    outcome
}

/// What comes nearest to an undo of the deletion itself.
const GONE: &str = "what was deleted does not come back; where others still have the room, somebody \
                    can be invited to it again";

fn ended(status: Status, title: Line) -> Outcome {
    let undo = Undo::None(GONE.to_owned());
    Outcome { status, title, facts: Vec::new(), remains: Vec::new(), undo }
}

#[cfg(test)]
mod tests {
    use super::{super::known::testing::lobby, *};
    use crate::commands::user::testing;

    fn verb(typed: &[&str]) -> Delete {
        testing::parse(typed).unwrap()
    }

    fn seen(exists: bool, blocked: bool) -> Snapshot {
        let preconditions = [("exists", exists), ("blocked", blocked)];
        let preconditions = preconditions.map(|(key, value)| (key.to_owned(), json!(value)));
        Snapshot { preconditions: preconditions.into(), ..Snapshot::default() }
    }

    fn body(typed: &[&str], seen: &Snapshot) -> Value {
        let change = verb(typed).change(&lobby(), seen).unwrap();
        assert!(
            change.steps.iter().all(|step| step.reveals.is_empty()) && change.wanted.is_empty()
        );
        change.steps.last().unwrap().body.clone()
    }

    #[test]
    fn it_purges_unless_told_not_to_and_says_nothing_of_a_room_that_is_not_wanted() {
        let there = seen(true, false);
        for (typed, wanted) in [
            (&["!lobby:example.org"][..], json!({ "block": false, "purge": true })),
            (&["!lobby:example.org", "--v1", "-b"], json!({ "block": true, "purge": true })),
            (&["#lobby:example.org", "--no-purge"], json!({ "block": false, "purge": false })),
            (
                &["!lobby:example.org", "--force-purge"],
                json!({ "block": false, "purge": true, "force_purge": true }),
            ),
        ] {
            assert_eq!(body(typed, &there), wanted, "{typed:?}");
        }
        for typed in [
            &[][..],
            &["lobby"],
            &["!lobby:example.org", "--no-purge", "--force-purge"],
            &["!lobby:example.org", "-m", "bye"],
            &["!lobby:example.org", "-n", "Closed"],
        ] {
            assert!(testing::parse::<Delete>(typed).is_err(), "{typed:?}");
        }
        let verb = verb(&["!lobby:example.org"]);
        assert_eq!((verb.class(1), verb.power()), (Class::Irreversible, Power::Moderate));
        assert!(verb.phrase());
    }

    #[test]
    fn a_new_room_has_a_neutral_message_unless_another_is_typed() {
        let mut there = seen(true, false);
        there.extra.insert("new_room_user_id".to_owned(), json!("@ann:example.org"));
        let typed = ["!lobby:example.org", "-u", "ann"];
        let neutral = body(&typed, &there);
        assert_eq!(neutral["message"], MESSAGE);
        assert_eq!(
            (&neutral["room_name"], &neutral["new_room_user_id"]),
            (&json!(NAME), &json!("@ann:example.org"))
        );
        let maker = verb(&typed);
        assert_eq!(maker.power(), Power::Account, "somebody else is made to speak");
        assert_eq!(maker.amounts_to(), ["room join", "notice send"]);
        assert_eq!(maker.reaches(&lobby(), &there), [testing::ann()], "the gate hears of them");
        let own = body(&[&typed[..], &["-m", "bye", "-n", "Gone"]].concat(), &there);
        assert_eq!((&own["message"], &own["room_name"]), (&json!("bye"), &json!("Gone")));
    }

    #[test]
    fn files_go_into_quarantine_before_the_room_goes() {
        let typed = ["!lobby:example.org", "--quarantine-media"];
        let change = verb(&typed).change(&lobby(), &seen(true, false)).unwrap();
        let paths: Vec<_> = change.steps.iter().map(|step| step.path.parts().join("/")).collect();
        assert_eq!(
            paths,
            [
                "_synapse/admin/v1/room/!lobby:example.org/media/quarantine",
                "_synapse/admin/v2/rooms/!lobby:example.org"
            ]
        );
        assert_eq!(change.steps[1].method, Method::Delete);
        assert!(!change.steps[1].idempotent, "begun twice it would be told as failed");
    }

    #[test]
    fn what_it_does_besides_has_a_way_back_and_takes_back_nothing_else() {
        let undo = |typed: &[&str], free: Value, blocked| {
            let mut before = seen(true, blocked);
            before.extra.insert(FREE.to_owned(), free);
            verb(&[&["!lobby:example.org"], typed].concat()).how.undo(&lobby(), &before)
        };
        let ways = |undo: &Undo| -> Vec<String> {
            undo.commands().iter().map(|words| words.join(" ")).collect()
        };
        let all = undo(&["-b", "--quarantine-media"], json!(["mxc://a/1", "mxc://b/2"]), false);
        let unblock = "room unblock !lobby:example.org";
        assert_eq!(ways(&all), [unblock, "media unquarantine mxc://a/1 mxc://b/2"]);
        assert!(matches!(&all, Undo::Parts(_, rest) if rest.contains("does not come back")));
        // What was so before stays so.
        assert!(ways(&undo(&["-b"], Value::Null, true)).is_empty());
        assert!(ways(&undo(&["--quarantine-media"], json!([]), false)).is_empty());
        assert!(ways(&undo(&[], json!(["mxc://a/1"]), false)).is_empty());
        let many = undo(&["-b", "--quarantine-media"], Value::Null, false);
        assert_eq!(ways(&many), [unblock]);
        assert!(matches!(&many, Undo::Parts(_, rest) if rest.contains("too many")), "{many:?}");
    }

    #[test]
    fn what_is_not_there_or_goes_already_is_not_deleted() {
        let verb = verb(&["!lobby:example.org"]);
        let unknown = verb.change(&lobby(), &seen(false, false)).unwrap_err();
        assert_eq!(unknown.status, Status::Refused);
        assert_eq!(unknown.instead, ["room block !lobby:example.org"]);
        let mut goes = seen(true, false);
        goes.extra.insert("running".to_owned(), json!("OYlTuHpFZrIgClwz"));
        let goes = verb.change(&lobby(), &goes).unwrap_err();
        assert_eq!(goes.status, Status::NothingChanged);
        assert_eq!(goes.instead, ["room delete-status -d OYlTuHpFZrIgClwz"]);
    }

    #[test]
    fn the_question_says_whether_it_will_be_blocked_and_what_stays() {
        let asked = |typed: &[&str], blocked| {
            testing::question(&verb(typed).question(&lobby(), &seen(true, blocked)))
        };
        let bare = asked(&["!lobby:example.org"], false);
        assert!(bare.contains("NOT BLOCKED") && bare.contains("--quarantine-media"), "{bare}");
        assert!(bare.contains("on other servers"), "{bare}");
        for (typed, blocked) in
            [(&["!lobby:example.org", "-b"][..], false), (&["!lobby:example.org"], true)]
        {
            let text = asked(typed, blocked);
            assert!(text.contains("BLOCKED") && !text.contains("NOT BLOCKED"), "{text}");
        }
        let put_out = asked(&["!lobby:example.org", "--no-purge"], false);
        assert!(put_out.starts_with("Put everybody of this server out of"), "{put_out}");
    }

    #[test]
    fn of_what_failed_each_part_is_told() {
        let deletion = |done: Value| -> Deletion {
            let answered = json!({ "delete_id": "abc", "status": "failed", "shutdown_room": done });
            serde_json::from_value(answered).unwrap()
        };
        let nobody = json!({ "kicked_users": [], "failed_to_kick_users": ["@eve:example.org"] });
        let some = json!({ "kicked_users": ["@ann:example.org"], "failed_to_kick_users": [] });
        for (typed, done, blocked, said) in [
            (&[][..], &Value::Null, false, &["Refused · ", "Nothing was done to it"][..]),
            // It was blocked before.
            (&[], &nobody, true, &["Refused · ", "Nothing was done to it"]),
            (&["-b"], &Value::Null, true, &["Done in part · ", "all the same: it is blocked"]),
            (&["-b"], &nobody, true, &["Done in part · ", "all the same: it is blocked"]),
            (&["-b"], &nobody, false, &["Refused · "]),
            (&["--quarantine-media"], &nobody, false, &["Done in part · ", "are in quarantine"]),
            (&["-b"], &some, true, &["Done in part · ", "it is blocked, 1 member is put out"]),
        ] {
            let how = verb(&[&["!lobby:example.org"], typed].concat()).how;
            let parts = how.parts(&deletion(done.clone()), blocked);
            let told = testing::outcome(&failed(Line::from("it failed"), &parts));
            for part in said {
                assert!(told.contains(part), "{typed:?} {done}: {told}");
            }
        }
    }

    #[test]
    fn what_was_begun_is_watched_by_its_task() {
        let answers = [Answer { status: 200, body: json!({ "delete_id": "OYlTuHpFZrIgClwz" }) }];
        let verb = verb(&["!lobby:example.org"]);
        assert_eq!(verb.begins(&lobby(), &answers, None).as_deref(), Some("OYlTuHpFZrIgClwz"));
        assert_eq!(verb.begins(&lobby(), &[], None), None);
        let told = testing::outcome(&verb.outcome(
            &lobby(),
            &seen(true, false),
            &answers,
            &seen(true, false),
        ));
        assert!(told.contains("has begun; I watch it"), "{told}");
        assert!(told.contains("!room delete-status -d OYlTuHpFZrIgClwz"), "{told}");
        assert!(told.contains("No undo:"), "{told}");
    }
}
