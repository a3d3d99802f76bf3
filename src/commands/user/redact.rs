//! `user redact`: what somebody wrote is taken out of rooms.

use async_trait::async_trait;
use ruma::{OwnedRoomId, UserId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    account::{self, how_many, words},
    redact_status,
};
use crate::commands::refusals::{Meaning, OTHER_BODY};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Progress, Question, Skip,
        Snapshot, Step, Subject, Undo,
    },
    commands::{
        Action, Later, Spec,
        arguments::{RoomRef, Since, UserRef},
    },
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Redact>(
    "redact",
    &[
        "user redact @ann:example.org",
        "user redact @ann:example.org --room #lobby:example.org --reason Spam --limit 200",
        "user redact @bob:elsewhere.example",
        "user redact @ann:example.org --after 2d --use-admin",
    ],
)
.since(1, 116)
.later(&[
    Later::new("use_admin", 1, 135),
    Later::new("before", 1, 157),
    Later::new("after", 1, 157),
]);

/// What the homeserver takes in each room where no limit is given.
const LIMIT: u32 = 1000;

/// Redact a person's messages: they stay in place, but empty
///
/// In all rooms that they are in or banned from, or only in named rooms. A room that they have left
/// must be named. Redaction is not erasure: the homeserver keeps the content for a while, and other
/// servers may ignore it.
#[derive(Debug, clap::Args)]
struct Redact {
    /// The accounts, one or several: @ann:example.org, ann for an account of this server, or an account
    /// of another server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
    /// Only in this room; can be repeated
    #[arg(short, long, value_name = "ROOM")]
    room: Vec<RoomRef>,
    /// The reason to give; everybody in those rooms can read it
    #[arg(long)]
    reason: Option<String>,
    /// At most this many messages in each room, newest first; above 100 in steps of 100; 1000 by default
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Only what was sent before this date, or is older than this age (30d, 2 months)
    #[arg(long, value_name = "DATE|AGE")]
    before: Option<Since>,
    /// Only what was sent after this date, or within this age
    #[arg(long, value_name = "DATE|AGE")]
    after: Option<Since>,
    /// Redact as the account of my admin token, as for people on other servers; it needs the power for
    /// that in each room
    #[arg(long)]
    use_admin: bool,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    Meaning::new(
        400,
        "M_UNKNOWN",
        "already in progress",
        "the homeserver is already redacting its \
        messages; `!user redact-status` shows the progress",
    )
    .nothing_to_do(),
    Meaning::new(400, "M_INVALID_PARAM", "", "the homeserver does not accept this limit or time"),
    OTHER_BODY,
    Meaning::new(
        404,
        "M_NOT_FOUND",
        "",
        "the homeserver no longer knows one of the rooms; look \
                                          again",
    ),
];

#[async_trait]
impl Action for Redact {
    fn class(&self, _many: usize) -> Class {
        Class::Irreversible
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subjects(&self.users, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let user = account::id(subject)?;
        let mut seen = account::snapshot(subject, reader).await?.0;
        if seen.is("local") && !seen.is("exists") {
            return Ok(seen);
        }
        if self.room.is_empty() {
            match everywhere(user, reader).await? {
                Everywhere::All(rooms) => note(&mut seen, &rooms),
                Everywhere::Joined(rooms) => {
                    note(&mut seen, &rooms);
                    seen.extra.insert(BANS_UNKNOWN.to_owned(), json!(true));
                }
            }
        } else {
            let rooms = self.named(reader).await?;
            note(&mut seen, &rooms);
            // Where an alias leads to may change meanwhile; the rooms somebody is in may not veto.
            seen.preconditions.insert("rooms".to_owned(), json!(rooms));
        }
        for (key, label, typed) in
            [("after", "Sent after", &self.after), ("before", "Sent before", &self.before)]
        {
            let Some(at) = typed.as_ref().map(|since| since.before(reader.now())) else { continue };
            seen.extra.insert(key.to_owned(), json!(at.as_millisecond()));
            seen.display.push((label, Line::new().time(Some(at), reader.now())));
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let limit = self.limit.unwrap_or(LIMIT);
        let mut stays = vec![
            "redaction is not erasure: the homeserver keeps the content for a while, and other \
             servers and clients may keep it for good"
                .into(),
            "its reactions and stickers, and what it set in the rooms".into(),
        ];
        if self.room.is_empty() {
            stays.push("what it wrote in rooms that it has left".into());
        }
        if seen.extra.contains_key(BANS_UNKNOWN) {
            stays.push(
                "what it wrote in rooms that it is banned from: before Synapse 1.145 a homeserver \
                 does not list them; name them with --room"
                    .into(),
            );
        }
        if !seen.is("local") || self.use_admin {
            stays.push(
                "everything in rooms where the account of my admin token may not redact".into(),
            );
        }
        if self.before.is_some() || self.after.is_some() {
            stays.push("what was sent at another time".into());
        }
        Question {
            title: Line::new()
                .plain("Redact what ")
                .code(subject)
                .plain(format!(" wrote in {}", in_rooms(seen))),
            goes: vec![
                format!("the content of its newest messages, at most {limit} in each room").into(),
            ],
            stays,
        }
    }

    fn reaches(&self, _subject: &Subject, seen: &Snapshot) -> Vec<Subject> {
        let rooms = rooms(seen).into_iter();
        rooms.filter_map(|room| OwnedRoomId::try_from(room).ok()).map(Subject::Room).collect()
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        if seen.is("local") {
            account::exists(subject, seen)?;
        }
        let rooms = rooms(seen);
        let bans_unknown = seen.extra.contains_key(BANS_UNKNOWN);
        if rooms.is_empty() {
            let why = if bans_unknown {
                " is in no room here; to redact messages in rooms that it has left or is banned \
                from, name them with --room"
            } else {
                " is in no room here and banned from none; to redact messages in rooms that it has \
                left, name them with --room"
            };
            return Err(Skip::already(Line::new().code(subject).plain(why))
                .or(format!("user membership {}", subject.typed())));
        }
        let moment = |key: &str| seen.extra.get(key).and_then(Value::as_i64);
        if let (Some(after), Some(before)) = (moment("after"), moment("before"))
            && after >= before
        {
            let why = "no message can be in that range: give --after the earlier time";
            return Err(Skip::not_understood(why));
        }
        let mut body = Map::new();
        // None means all to the homeserver, which looks again when it begins. Where nobody can say
        // which those are, some may be protected.
        let all = self.room.is_empty() && !bans_unknown;
        let named = if all { Vec::new() } else { rooms };
        body.insert("rooms".to_owned(), json!(named));
        if let Some(reason) = &self.reason {
            body.insert("reason".to_owned(), json!(reason));
        }
        if let Some(limit) = self.limit {
            body.insert("limit".to_owned(), json!(limit));
        }
        // Both count for the homeserver with the moment itself, and 0 for it is no moment at all.
        let until = moment("before").map(|before| before.saturating_sub(1));
        let until = until.map(|until| if until == 0 { -1 } else { until });
        for (key, at) in [("after_ts", moment("after")), ("before_ts", until)] {
            if let Some(at) = at {
                body.insert(key.to_owned(), json!(at));
            }
        }
        if self.use_admin {
            body.insert("use_admin".to_owned(), json!(true));
        }
        let path = Path::admin(["v1", "user", &subject.segment(), "redact"]);
        let step = Step::new(Method::Post, path, Value::Object(body));
        Ok(Change { steps: vec![step], wanted: FactMap::new() })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        _: &Snapshot,
    ) -> Outcome {
        let begun = Line::new()
            .code(subject)
            .plain(": the homeserver has started to redact its messages in ")
            .plain(in_rooms(before));
        let id = answers.first().and_then(|answer| answer.body.get("redact_id")?.as_str());
        let mut facts = Vec::new();
        let mut remains = Vec::new();
        match id {
            Some(id) => {
                facts.push(("Task", Line::new().code(id)));
                remains.push(("See how far it is".into(), words(["user", "redact-status", id])));
            }
            None => facts.push(("Task", "the homeserver gave no id".into())),
        }
        facts.push((
            "Mind",
            "redaction is not erasure: the homeserver keeps the content for a while, and other \
             servers may ignore it"
                .into(),
        ));
        Outcome::done(begun, Undo::None("redacted messages are empty for everybody".to_owned()))
            .facts(facts)
            .remains(remains)
    }

    fn begins(
        &self,
        _subject: &Subject,
        answers: &[Answer],
        _after: Option<&Snapshot>,
    ) -> Option<String> {
        Some(answers.first()?.body.get("redact_id")?.as_str()?.to_owned())
    }

    async fn progress(
        &self,
        subject: &Subject,
        work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop> {
        Ok(redact_status::progress(subject, &redact_status::begun(work, reader).await?, work))
    }
}

impl Redact {
    /// The ids of the rooms that are named. One that the homeserver does not know would make it
    /// drop the whole task.
    async fn named(&self, reader: &Reader) -> Result<Vec<OwnedRoomId>, Stop> {
        let mut rooms = Vec::new();
        for room in &self.room {
            let id = reader.room_id(room).await?;
            let path = Path::admin(["v1", "rooms", id.as_str()]);
            if reader.find::<Value>(&path, &[]).await?.is_none() {
                return Err(Stop::not_found(
                    Line::new().plain("this homeserver is not in the room ").code(&id),
                ));
            }
            rooms.push(id);
        }
        rooms.sort();
        rooms.dedup();
        Ok(rooms)
    }
}

/// Under this it is noted that nobody can say from which rooms the account is banned.
const BANS_UNKNOWN: &str = "bans_unknown";

/// The rooms of an account.
enum Everywhere {
    /// Those that the homeserver takes where none is named: it is in them or banned from them.
    All(Vec<OwnedRoomId>),
    /// Those that it is in: it may be banned from others.
    Joined(Vec<OwnedRoomId>),
}

/// The rooms of `user`, as far as this homeserver knows.
async fn everywhere(user: &UserId, reader: &Reader) -> Result<Everywhere, Stop> {
    #[derive(Deserialize)]
    struct Memberships {
        memberships: std::collections::BTreeMap<OwnedRoomId, String>,
    }
    let path = Path::admin(["v1", "users", user.as_str(), "memberships"]);
    let memberships = match reader.get::<Memberships>(&path, &[]).await {
        Ok(listed) => listed.memberships,
        // Before Synapse 1.145 only those that it is in are known.
        Err(error) if error.is_unknown_route() => {
            let mut rooms = reader.joined_rooms(user).await?;
            rooms.sort();
            return Ok(Everywhere::Joined(rooms));
        }
        Err(error) => return Err(error.into()),
    };
    let there = |how: &str| matches!(how, "join" | "ban");
    let rooms = memberships.into_iter().filter(|(_, how)| there(how)).map(|(id, _)| id);
    Ok(Everywhere::All(rooms.collect()))
}

fn note(seen: &mut Snapshot, rooms: &[OwnedRoomId]) {
    seen.extra.insert("rooms".to_owned(), json!(rooms));
    let mut line = Line::new().plain(rooms.len().to_string());
    if let [room] = rooms {
        line = Line::new().code(room);
    }
    seen.display.push(("Rooms", line));
}

fn rooms(seen: &Snapshot) -> Vec<&str> {
    let noted = seen.extra.get("rooms").and_then(Value::as_array);
    noted.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn in_rooms(seen: &Snapshot) -> String {
    how_many(Some(rooms(seen).len() as u64), "room", "rooms")
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::commands::user::testing::ann;
    use crate::reply::Status;

    fn seen(local: bool, rooms: &[&str]) -> Snapshot {
        let account = testing::account(json!({}));
        let known = local.then_some(&account);
        let mut seen = Snapshot {
            display: account::display(&account),
            preconditions: account::facts_that_bind(local, known),
            ..Snapshot::default()
        };
        let rooms: Vec<OwnedRoomId> = rooms.iter().map(|&room| room.try_into().unwrap()).collect();
        note(&mut seen, &rooms);
        seen
    }

    fn verb(typed: &[&str]) -> Redact {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn all_rooms_are_left_to_the_homeserver_and_named_ones_are_sent() {
        let two = seen(true, &["!a:example.org", "!b"]);
        let body = |typed: &[&str]| {
            let change = verb(typed).change(&ann(), &two).unwrap();
            assert_eq!(
                change.steps[0].path.parts(),
                ["_synapse", "admin", "v1", "user", "@ann:example.org", "redact"]
            );
            assert!(!change.steps[0].idempotent, "twice makes two tasks");
            change.steps[0].body.clone()
        };
        assert_eq!(body(&["ann"]), json!({"rooms": []}));
        assert_eq!(
            body(&[
                "ann",
                "-r",
                "!a:example.org",
                "--room",
                "#b:example.org",
                "-l",
                "200",
                "--reason",
                "Spam and more"
            ]),
            json!({"rooms": ["!a:example.org", "!b"], "limit": 200, "reason": "Spam and more"})
        );
        let mut window = two.clone();
        window.extra.insert("after".to_owned(), json!(1000));
        window.extra.insert("before".to_owned(), json!(2000));
        let typed = ["ann", "--after", "3d", "--before", "1d", "--use-admin"];
        let change = verb(&typed).change(&ann(), &window).unwrap();
        assert_eq!(
            change.steps[0].body,
            json!({"rooms": [], "after_ts": 1000, "before_ts": 1999, "use_admin": true})
        );
        window.extra.insert("after".to_owned(), json!(2000));
        let skip = verb(&typed).change(&ann(), &window).unwrap_err();
        assert!(testing::skip(&skip).contains("give --after the earlier time"), "{skip:?}");
        assert!(testing::parse::<Redact>(&["ann", "-l", "0"]).is_err());
        assert!(testing::parse::<Redact>(&["ann", "-r", "lobby"]).is_err());
    }

    #[test]
    fn where_bans_are_not_known_only_the_known_rooms_are_sent() {
        let mut old = seen(true, &["!a:example.org"]);
        old.extra.insert(BANS_UNKNOWN.to_owned(), json!(true));
        let all = verb(&["ann"]);
        let change = all.change(&ann(), &old).unwrap();
        assert_eq!(change.steps[0].body, json!({"rooms": ["!a:example.org"]}));
        let question = testing::question(&all.question(&ann(), &old));
        assert!(question.contains("rooms that it is banned from"), "{question}");
        let mut nowhere = seen(true, &[]);
        nowhere.extra.insert(BANS_UNKNOWN.to_owned(), json!(true));
        let skip = testing::skip(&all.change(&ann(), &nowhere).unwrap_err());
        assert!(skip.contains("or is banned from"), "{skip}");
    }

    #[test]
    fn it_is_irreversible_and_the_gate_hears_of_every_room() {
        let verb = verb(&["ann"]);
        assert_eq!((verb.class(1), verb.power()), (Class::Irreversible, Power::Moderate));
        let reached = verb.reaches(&ann(), &seen(true, &["!a:example.org", "!b"]));
        let reached: Vec<String> = reached.iter().map(ToString::to_string).collect();
        assert_eq!(reached, ["!a:example.org", "!b"]);
    }

    #[test]
    fn somebody_of_another_server_is_redacted_where_somebody_unknown_is_not() {
        let remote = seen(false, &["!a:example.org"]);
        assert!(verb(&["ann"]).change(&ann(), &remote).is_ok());
        let question = testing::question(&verb(&["ann"]).question(&ann(), &remote));
        assert!(question.contains("my admin token may not redact"), "{question}");
        let unknown =
            Snapshot { preconditions: account::facts_that_bind(true, None), ..Snapshot::default() };
        let skip = verb(&["ann"]).change(&ann(), &unknown).unwrap_err();
        assert!(testing::skip(&skip).contains("no such user"), "{skip:?}");
        let nowhere = verb(&["ann"]).change(&ann(), &seen(true, &[])).unwrap_err();
        assert_eq!(nowhere.status, Status::NothingChanged);
        assert!(testing::skip(&nowhere).contains("--room"), "{nowhere:?}");
    }

    #[test]
    fn the_question_says_that_redaction_is_not_erasure() {
        let one = seen(true, &["!a:example.org"]);
        let question = testing::question(&verb(&["ann", "-l", "50"]).question(&ann(), &one));
        assert!(question.starts_with("Redact what `@ann:example.org` wrote in 1 room\n"));
        assert!(question.contains("at most 50 in each room"), "{question}");
        assert!(question.contains("redaction is not erasure"), "{question}");
        assert!(question.contains("rooms that it has left"), "{question}");
        let named = verb(&["ann", "-r", "!a:example.org"]).question(&ann(), &one);
        assert!(!testing::question(&named).contains("rooms that it has left"));
    }

    #[test]
    fn the_outcome_carries_the_command_that_shows_how_far_it_is() {
        let one = seen(true, &["!a:example.org"]);
        let answer = Answer { status: 200, body: json!({"redact_id": "WByXcIMN"}) };
        let told = testing::outcome(&verb(&["ann"]).outcome(&ann(), &one, &[answer], &one));
        assert!(told.contains("Task: `WByXcIMN`"), "{told}");
        assert!(told.contains("See how far it is: !user redact-status WByXcIMN"), "{told}");
        assert!(told.contains("No undo:"), "{told}");
    }
}
