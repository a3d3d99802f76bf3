//! `media quarantine`: nobody gets a file from this server any more.

use async_trait::async_trait;
use clap::ArgGroup;
use serde_json::{Value, json};

use super::{
    file::{self, FILE_GONE},
    files_of,
    several::Several,
};
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Ask, Does, Spec,
        arguments::{RoomRef, UserRef},
    },
    error::Stop,
    reply::{Fact, Line, Status},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::of::<Quarantine>(
    Does::Change,
    "quarantine",
    &[
        "media quarantine mxc://example.org/abcdefghijklmnopqrstuvwx",
        "media quarantine -i abcdefghijklmnopqrstuvwx",
        "media quarantine -i abcdefghijklmnopqrstuvwx -s elsewhere.example",
        "media quarantine --user-id @ann:example.org",
        "media quarantine --room-id #lobby:example.org",
    ],
)
.since(1, 140);

/// Quarantine files: nobody can download them from this server any more
///
/// Name files, or an event that has some by its id, or take all that an account has uploaded, or all of a
/// room. The homeserver compares the
/// content: every copy of a file is quarantined too, whoever uploaded it, here or elsewhere, and also
/// later uploads of the same content. Clients keep what they have already downloaded. `media
/// unquarantine` releases a file and all its copies; `undo` releases all files that were quarantined
/// together.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(
    ["files", "mxc_uri", "media_id", "room_id", "user_id"]
)))]
struct Quarantine {
    #[command(flatten)]
    files: Several,
    /// Every file of this room instead, except those in encrypted messages, which the homeserver cannot see
    #[arg(short, long, value_name = "ROOM",
          conflicts_with_all = ["files", "mxc_uri", "media_id", "server_name"])]
    room_id: Option<RoomRef>,
    /// Every file that this account has uploaded instead
    #[arg(short, long, value_name = "USER",
          conflicts_with_all = ["files", "mxc_uri", "media_id", "server_name", "room_id"])]
    user_id: Option<UserRef>,
}

impl From<Quarantine> for Ask {
    fn from(typed: Quarantine) -> Self {
        let which = match (typed.room_id, typed.user_id) {
            (Some(room), _) => Which::OfRoom(room),
            (None, Some(user)) => Which::OfAccount(user),
            (None, None) => Which::These(typed.files),
        };
        Self::Change(Box::new(SetQuarantine { which, quarantine: true }))
    }
}

/// Which files. Those of a room or an account are collected and then taken one by one: the
/// homeserver's own way to take them all (`POST /_synapse/admin/v1/room/{room_id}/media/quarantine`,
/// `…/v1/user/{user_id}/media/quarantine`) says only how many it took, and has no way back.
#[derive(Debug)]
pub(super) enum Which {
    /// Those that are named.
    These(Several),
    /// All of a room that are not in encrypted messages.
    OfRoom(RoomRef),
    /// All that an account has uploaded.
    OfAccount(UserRef),
}

impl Which {
    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        let (subjects, whose) = match self {
            Self::These(files) => return files.found(reader).await,
            Self::OfRoom(room) => {
                let room = reader.room_id(room).await?;
                (files_of::of_room(&room, reader).await?, room.to_string())
            }
            Self::OfAccount(user) => {
                let user = reader.user_id(user)?;
                (files_of::of_account(&user, reader).await?, user.to_string())
            }
        };
        if subjects.is_empty() {
            let why = " has no file that this homeserver can see";
            let line = Line::new().code(whose).plain(why);
            return Err(Stop::ending(Status::NothingChanged, line));
        }
        Ok(subjects)
    }
}

/// Puts a file into quarantine or takes it out
/// (`POST /_synapse/admin/v1/media/(un)quarantine/{server_name}/{media_id}`).
#[derive(Debug)]
pub(super) struct SetQuarantine {
    /// The files.
    pub(super) which: Which,
    /// Whether they are put into quarantine.
    pub(super) quarantine: bool,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[FILE_GONE];

#[async_trait]
impl Action for SetQuarantine {
    fn class(&self, many: usize) -> Class {
        // Which file an event has is not what was typed, so it is shown first.
        let shown_first = matches!(&self.which, Which::These(files) if files.names_an_event());
        if many > 1 || shown_first { Class::Disruptive } else { Class::Reversible }
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn did(&self) -> Option<&'static str> {
        Some(if self.quarantine { "quarantined" } else { "released from quarantine" })
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        self.which.subjects(reader).await
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        file::snapshot(subject, reader).await
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let title = if self.quarantine {
            Line::new().plain("Quarantine ").code(subject)
        } else {
            Line::new().plain("Take ").code(subject).plain(" out of quarantine")
        };
        let mut stays = vec!["copies that clients have".into()];
        if matches!(self.which, Which::OfRoom(_)) {
            stays.push("files in encrypted messages: the homeserver cannot see those".into());
        }
        let stays = if self.quarantine { stays } else { Vec::new() };
        Question { title, stays, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        let Subject::Media(server, id) = subject else {
            return Err(skip(Status::Refused, subject, " is not a file"));
        };
        if !seen.is("exists") {
            // The homeserver would answer with success, and do nothing.
            let why = if seen.is("local") {
                ": this homeserver has no such file"
            } else {
                ": this homeserver has no copy of it, so there is nothing to change"
            };
            return Err(skip(Status::NotFound, subject, why));
        }
        match (self.quarantine, seen.is("quarantined")) {
            (true, true) => {
                return Err(skip(Status::NothingChanged, subject, " is already in quarantine"));
            }
            (false, false) => {
                return Err(skip(Status::NothingChanged, subject, " is not in quarantine"));
            }
            (true, false) if seen.is("protected") => {
                let why = " is protected from quarantine, so the homeserver would not change it";
                return Err(skip(Status::Refused, subject, why));
            }
            _ => {}
        }
        let verb = if self.quarantine { "quarantine" } else { "unquarantine" };
        let path = Path::admin(["v1", "media", verb, server.as_str(), id]);
        let step = Step::new(Method::Post, path, json!({})).idempotent();
        let wanted = FactMap::from([("quarantined".to_owned(), json!(self.quarantine))]);
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(&self, subject: &Subject, before: &Snapshot, _: &[Answer], _: &Snapshot) -> Outcome {
        let (said, back) = if self.quarantine {
            (" quarantined: nobody can download it from this server any more", "unquarantine")
        } else {
            (" released from quarantine", "quarantine")
        };
        let back = ["media", back, &subject.typed()].map(str::to_owned).to_vec();
        let undo = if !self.quarantine && before.is("protected") {
            let nearest = "it is now protected from quarantine; to quarantine it again, send media \
                unprotect first";
            Undo::None(nearest.to_owned())
        } else {
            Undo::Command(back)
        };
        Outcome::done(Line::new().code(subject).plain(said), undo)
            .facts(before.shown_as(&["Name", "Uploaded by"]).chain([self.copies(before)]))
    }
}

impl SetQuarantine {
    /// What else has the same content, as far as that is known.
    fn copies(&self, before: &Snapshot) -> Fact {
        let known = match before.extra.get("copies").and_then(Value::as_u64) {
            Some(0) | None => String::new(),
            Some(copies) => format!("{copies} more by the same account, and "),
        };
        let text = if self.quarantine {
            "every other copy with the same content, here and from other servers, and what is \
             uploaded with it from now on"
        } else {
            "every other copy with the same content, here and from other servers"
        };
        let label = if self.quarantine { "Quarantined with it" } else { "Released with it" };
        (label, format!("{known}{text}").into())
    }
}

fn skip(status: Status, subject: &Subject, why: &str) -> Skip {
    Skip { status, why: Line::new().code(subject).plain(why), instead: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::{
        super::file::testing::{cat, seen},
        *,
    };
    use crate::commands::user::testing;

    fn verb() -> SetQuarantine {
        let typed = testing::parse::<Quarantine>(&["mxc://example.org/cat"]).unwrap();
        SetQuarantine { which: Which::These(typed.files), quarantine: true }
    }

    #[test]
    fn it_is_of_files_of_a_room_or_of_an_account_and_of_one_of_these_only() {
        for typed in [
            &["mxc://example.org/cat", "-i", "dog"][..],
            &["-U", "mxc://example.org/cat"],
            &["-i", "cat", "-s", "elsewhere.example"],
            &["-r", "#lobby:example.org"],
            &["-u", "ann"],
        ] {
            assert!(testing::parse::<Quarantine>(typed).is_ok(), "{typed:?}");
        }
        for typed in [
            &[][..],
            &["-s", "elsewhere.example"],
            &["-s", "elsewhere.example", "-u", "ann"],
            &["-r", "!abc", "-u", "ann"],
            &["cat", "-u", "ann"],
            &["-U", "mxc://example.org/cat", "-r", "!abc"],
        ] {
            assert!(testing::parse::<Quarantine>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn of_a_room_it_says_what_nobody_can_see() {
        let of_room =
            SetQuarantine { which: Which::OfRoom("!abc".parse().unwrap()), quarantine: true };
        let stays = of_room.question(&cat(), &Snapshot::default()).stays;
        assert!(stays.iter().any(|line| line.text().contains("encrypted")), "{stays:?}");
        assert_eq!(verb().question(&cat(), &Snapshot::default()).stays.len(), 1);
    }

    #[test]
    fn one_file_runs_at_once_and_wants_the_quarantine() {
        let verb = verb();
        assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Moderate));
        assert_eq!(verb.class(2), Class::Disruptive);
        let typed = testing::parse::<Quarantine>(&["$event"]).unwrap();
        let of_event = SetQuarantine { which: Which::These(typed.files), quarantine: true };
        assert_eq!(of_event.class(1), Class::Disruptive, "which file it is, is shown first");
        let free = seen(json!({}), None);
        let change = verb.change(&cat(), &free).unwrap();
        assert_eq!(change, verb.change(&cat(), &free).unwrap());
        assert_eq!(
            change.steps[0].path.parts(),
            ["_synapse", "admin", "v1", "media", "quarantine", "example.org", "cat"]
        );
        assert_eq!(change.wanted, FactMap::from([("quarantined".to_owned(), json!(true))]));
    }

    #[test]
    fn what_the_homeserver_would_answer_200_to_and_not_do_is_not_sent() {
        let skip = |seen: &Snapshot| testing::skip(&verb().change(&cat(), seen).unwrap_err());
        let already = skip(&seen(json!({"quarantined_by": "@moe:example.org"}), None));
        assert_eq!(already, "Nothing changed · `mxc://example.org/cat` is already in quarantine");
        let protected = skip(&seen(json!({"safe_from_quarantine": true}), None));
        assert!(protected.starts_with("Refused ·") && protected.contains("protected"));
        let now = testing::now();
        let unknown = skip(&file::seen(true, None, None, now));
        assert!(
            unknown.starts_with("Not found ·") && unknown.contains("no such file"),
            "{unknown}"
        );
        let remote = skip(&file::seen(false, None, None, now));
        assert!(remote.contains("no copy of it"), "{remote}");
    }

    #[test]
    fn the_outcome_says_that_copies_go_with_it_and_how_many_are_known() {
        let told = |copies| {
            let before = seen(json!({}), copies);
            testing::outcome(&verb().outcome(&cat(), &before, &[], &before))
        };
        assert_eq!(
            told(Some(2)),
            "Done · `mxc://example.org/cat` quarantined: nobody can download it from this server \
             any more\nName: “cat.png”\nUploaded by: `@ann:example.org`\nQuarantined with it: 2 \
             more by the same account, and every other copy with the same content, here and from \
             other servers, and what is uploaded with it from now on\nUndo: !media unquarantine \
             mxc://example.org/cat"
        );
        for copies in [None, Some(0)] {
            assert!(told(copies).contains("Quarantined with it: every other copy"));
        }
    }
}
