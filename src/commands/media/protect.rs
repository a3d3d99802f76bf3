//! `media protect`: a file cannot be quarantined.

use async_trait::async_trait;
use clap::ArgGroup;
use serde_json::json;

use super::{
    file::{self, FILE_GONE},
    several::Several,
};
use crate::commands::refusals::Meaning;
use crate::{
    change::{Method, Path, Skip, Snapshot, Step, Subject},
    commands::{
        Ask, Does, Spec,
        switch::{Switch, Wording},
        user::account::words,
    },
    error::Stop,
    reply::{Fact, Line},
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

/// Protect files of this server from being quarantined
///
/// Use it for files that many people use, such as stickers. A file that is already in quarantine stays
/// there. Protected files can still be deleted, by id or with all files of their uploader. `media
/// unprotect` ends the protection.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(["files", "mxc_uri", "media_id"])))]
struct Protect {
    #[command(flatten)]
    files: Several,
}

impl From<Protect> for Ask {
    fn from(typed: Protect) -> Self {
        Protection { files: typed.files }.turn(true)
    }
}

/// The protection of files (`POST /_synapse/admin/v1/media/(un)protect/{media_id}`).
#[derive(Debug)]
pub(super) struct Protection {
    /// The files.
    pub(super) files: Several,
}

static SET: Wording = Wording {
    verb: "media protect",
    did: "protected",
    asked: ("Protect ", " from quarantine"),
    already: " is already protected",
    said: " protected from quarantine",
    back: |file| words(["media", "unprotect", file]),
};

static END: Wording = Wording {
    verb: "media unprotect",
    did: "unprotected",
    asked: ("End the protection of ", ""),
    already: " is not protected",
    said: " is no longer protected",
    back: |file| words(["media", "protect", file]),
};

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    Meaning::new(
        404,
        "M_UNKNOWN",
        "No row found",
        "the file no longer exists; it did when I looked",
    ),
    FILE_GONE,
];

#[async_trait]
impl Switch for Protection {
    fn key(&self) -> &'static str {
        "protected"
    }

    fn wording(&self, on: bool) -> &'static Wording {
        if on { &SET } else { &END }
    }

    fn refusals(&self) -> &'static [Meaning] {
        REFUSALS
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        self.files.subjects(reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        file::snapshot(subject, reader).await
    }

    fn exists(&self, subject: &Subject, seen: &Snapshot) -> Result<(), Skip> {
        let line = Line::new().code(subject);
        Err(match subject {
            Subject::Media(..) if !seen.is("local") => Skip::refused(
                line.plain(" is from another server; only files of this server can be protected"),
            ),
            Subject::Media(..) if !seen.is("exists") => {
                Skip::not_found(line.plain(": this homeserver has no such file"))
            }
            Subject::Media(..) => return Ok(()),
            _ => Skip::refused(line.plain(" is not a file")),
        })
    }

    fn step(&self, subject: &Subject, _seen: &Snapshot, on: bool) -> Step {
        let verb = if on { "protect" } else { "unprotect" };
        let path = Path::admin(["v1", "media", verb, &subject.segment()]);
        Step::new(Method::Post, path, json!({}))
    }

    fn facts(&self, after: &Snapshot, _on: bool) -> Vec<Fact> {
        after.shown_as(&["Name", "Uploaded by"]).collect()
    }

    fn remains(&self, subject: &Subject, after: &Snapshot, on: bool) -> Vec<(Line, Vec<String>)> {
        let stays = || {
            let end = words(["media", "unquarantine", &subject.typed()]);
            (Line::from("It is still in quarantine"), end)
        };
        (on && after.is("quarantined")).then(stays).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::file::testing::{cat, seen},
        *,
    };
    use crate::{
        change::{Class, FactMap, Power},
        commands::{Action as _, switch::Turn, user::testing},
        reply::Status,
    };

    fn verb(protect: bool) -> Turn<Protection> {
        let typed: Protect = testing::parse(&["mxc://example.org/cat"]).unwrap();
        Turn { switch: Protection { files: typed.files }, on: protect }
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
            assert_eq!(change.wanted, FactMap::from([("protected".to_owned(), json!(protect))]));
            let same = seen(json!({"safe_from_quarantine": protect}), None);
            assert_eq!(verb.change(&cat(), &same).unwrap_err().status, Status::NothingChanged);
        }
        assert!(testing::parse::<Protect>(&[]).is_err());
    }

    #[test]
    fn what_is_not_here_cannot_be_protected() {
        let now = testing::now();
        let skip = |seen: &Snapshot| testing::skip(&verb(true).change(&cat(), seen).unwrap_err());
        assert!(skip(&file::seen(true, None, None, now)).contains("no such file"));
        assert!(skip(&file::seen(false, None, None, now)).contains("another server"));
    }

    #[test]
    fn a_quarantine_that_stays_is_said() {
        let after = seen(json!({"quarantined_by": "@moe:example.org"}), None);
        assert_eq!(
            testing::outcome(&verb(true).outcome(&cat(), &after, &[], &after)),
            "Done · `mxc://example.org/cat` protected from quarantine\n\
             Name: “cat.png”\nUploaded by: `@ann:example.org`\n\
             It is still in quarantine: !media unquarantine mxc://example.org/cat\n\
             Undo: !media unprotect mxc://example.org/cat"
        );
    }
}
