//! `media protect`: a file cannot be quarantined.

use async_trait::async_trait;
use clap::ArgGroup;
use serde_json::json;

use super::{file, several::Several};
use crate::{
    change::{
        Answer, Binds, Change, Class, Method, Outcome, Path, Power, Question, Seen, Skip, Step,
        Subject, Undo,
    },
    commands::{Action, Ask, Does, Spec, user::account::words},
    error::Stop,
    reply::{Line, Word},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::of::<Protect>(
    Does::Change,
    "protect",
    &[
        "media protect mxc://example.org/abcdefghijklmnopqrstuvwx",
        "media protect abcdefghijklmnopqrstuvwx",
    ],
)
.since(1, 140);

/// Protect files of this server from quarantine
///
/// For what many people use, such as stickers. A quarantine that there is stays. Deleting a file
/// by its id or with its uploader's others is still possible. `media unprotect` takes it back.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(["files", "mxc_uri", "media_id"])))]
struct Protect {
    #[command(flatten)]
    files: Several,
}

impl From<Protect> for Ask {
    fn from(typed: Protect) -> Self {
        Self::Change(Box::new(Set { files: typed.files, protect: true }))
    }
}

/// Protects files or ends that (`POST /_synapse/admin/v1/media/(un)protect/{media_id}`).
#[derive(Debug)]
pub(super) struct Set {
    /// The files.
    pub(super) files: Several,
    /// Whether they are protected.
    pub(super) protect: bool,
}

#[async_trait]
impl Action for Set {
    fn class(&self, many: usize) -> Class {
        if many > 1 { Class::Disruptive } else { Class::Reversible }
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        Ok(self.files.subjects(reader))
    }

    async fn see(&self, subject: &Subject, reader: &Reader) -> Result<Seen, Stop> {
        file::see(subject, reader).await
    }

    fn question(&self, subject: &Subject, _seen: &Seen) -> Question {
        let title = if self.protect {
            Line::new().plain("Protect ").code(subject).plain(" from quarantine")
        } else {
            Line::new().plain("End the protection of ").code(subject)
        };
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Seen) -> Result<Change, Skip> {
        let skip = |word, why: &str| {
            let why = Line::new().code(subject).plain(why);
            Err(Skip { word, why, instead: Vec::new() })
        };
        let Subject::Media(_, id) = subject else {
            return skip(Word::Refused, " is not a file");
        };
        if !seen.is("local") {
            return skip(
                Word::Refused,
                " is of another server; only files of this one are protected",
            );
        }
        if !seen.is("exists") {
            return skip(Word::Refused, ": this homeserver has no such file");
        }
        match (self.protect, seen.is("protected")) {
            (true, true) => return skip(Word::NothingChanged, " is protected already"),
            (false, false) => return skip(Word::NothingChanged, " is not protected"),
            _ => {}
        }
        let verb = if self.protect { "protect" } else { "unprotect" };
        let path = Path::admin(["v1", "media", verb, id]);
        let wanted = Binds::from([("protected".to_owned(), json!(self.protect))]);
        let step = Step::new(Method::Post, path, json!({})).idempotent();
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(&self, subject: &Subject, _: &Seen, _: &[Answer], after: &Seen) -> Outcome {
        let (said, back) = if self.protect {
            (" is protected from quarantine", "unprotect")
        } else {
            (" is not protected any more", "protect")
        };
        let about = ["Name", "Uploaded by"];
        let id = &subject.typed();
        let mut remains = Vec::new();
        if self.protect && after.is("quarantined") {
            let line = Line::from("It is still in quarantine");
            remains.push((line, words(["media", "unquarantine", id])));
        }
        Outcome::done(
            Line::new().code(subject).plain(said),
            Undo::Command(words(["media", back, id])),
        )
        .facts(after.shown.iter().filter(|(label, _)| about.contains(label)).cloned())
        .remains(remains)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::file::testing::{cat, seen},
        *,
    };
    use crate::commands::user::testing;

    fn verb(protect: bool) -> Set {
        let typed: Protect = testing::parse(&["mxc://example.org/cat"]).unwrap();
        Set { files: typed.files, protect }
    }

    #[test]
    fn one_file_runs_at_once_and_wants_what_it_says() {
        for protect in [true, false] {
            let verb = verb(protect);
            assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Moderate));
            assert_eq!(verb.class(2), Class::Disruptive);
            let change = verb
                .change(&cat(), &seen(json!({"safe_from_quarantine": !protect}), None))
                .unwrap();
            let word = if protect { "protect" } else { "unprotect" };
            assert_eq!(
                change.steps[0].path.parts(),
                ["_synapse", "admin", "v1", "media", word, "cat"]
            );
            assert_eq!(change.wanted, Binds::from([("protected".to_owned(), json!(protect))]));
            let same = seen(json!({"safe_from_quarantine": protect}), None);
            assert_eq!(verb.change(&cat(), &same).unwrap_err().word, Word::NothingChanged);
        }
        assert!(testing::parse::<Protect>(&[]).is_err());
    }

    #[test]
    fn what_is_not_here_cannot_be_protected() {
        let now = testing::now();
        let skip = |seen: &Seen| testing::skip(&verb(true).change(&cat(), seen).unwrap_err());
        assert!(skip(&file::seen(true, None, None, now)).contains("no such file"));
        assert!(skip(&file::seen(false, None, None, now)).contains("another server"));
    }

    #[test]
    fn a_quarantine_that_stays_is_said() {
        let after = seen(json!({"quarantined_by": "@moe:example.org"}), None);
        assert_eq!(
            testing::outcome(&verb(true).outcome(&cat(), &after, &[], &after)),
            "Done · `mxc://example.org/cat` is protected from quarantine\n\
             Name: “cat.png”\nUploaded by: `@ann:example.org`\n\
             It is still in quarantine: !media unquarantine mxc://example.org/cat\n\
             Undo: !media unprotect mxc://example.org/cat"
        );
    }
}
