//! `media delete-user`: everything that an account has uploaded is gone.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::commands::refusals::{ACCOUNT_GONE, Meaning, NOT_LOCAL};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Spec,
        arguments::UserRef,
        user::account::{self, how_many},
    },
    error::Stop,
    reply::{Line, Status},
    synapse::Reader,
};

pub(super) const SPEC: Spec =
    Spec::action::<DeleteUser>("delete-user", &["media delete-user @ann:example.org"]);

/// Delete every file that accounts have uploaded
///
/// Protected and quarantined files and the pictures of people and rooms are deleted too. Other servers
/// and clients keep their copies.
#[derive(Debug, clap::Args)]
struct DeleteUser {
    /// The accounts: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
}

/// How many files one request deletes: the homeserver deletes a page of them, and then the first
/// page is another.
const PAGE: u64 = 500;

/// The name of the fact that binds.
pub(in crate::commands) const HAS_FILES: &str = "has_files";

/// How many files were seen.
pub(in crate::commands) fn files(seen: &Snapshot) -> u64 {
    seen.extra.get("files").and_then(Value::as_u64).unwrap_or_default()
}

/// Notes how many files an account has uploaded.
pub(in crate::commands) fn note(seen: &mut Snapshot, files: u64) {
    // The number itself is its owner's to alter at will.
    seen.preconditions.insert(HAS_FILES.to_owned(), json!(files > 0));
    seen.extra.insert("files".to_owned(), json!(files));
}

/// The requests that delete so many files of an account, and what should be so then.
pub(in crate::commands) fn change(subject: &Subject, files: u64) -> Change {
    let path = Path::admin(["v1", "users", &subject.segment(), "media"]);
    let mut step = Step::new(Method::Delete, path, Value::Null);
    step.query = vec![("limit".to_owned(), PAGE.to_string())];
    let pages = usize::try_from(files.div_ceil(PAGE)).unwrap_or(usize::MAX);
    let wanted = FactMap::from([(HAS_FILES.to_owned(), json!(false))]);
    Change { steps: vec![step; pages], wanted }
}

/// How many files went, as the homeserver answered.
pub(in crate::commands) fn deleted(answers: &[Answer]) -> u64 {
    answers.iter().filter_map(|answer| answer.body["total"].as_u64()).sum()
}

/// What it means where the homeserver refuses it.
pub(in crate::commands) const REFUSALS: &[Meaning] = &[
    NOT_LOCAL,
    ACCOUNT_GONE,
    Meaning::new(
        400,
        "M_UNKNOWN",
        "order",
        "this version of the homeserver cannot sort them this way",
    )
    .failed(),
];

#[async_trait]
impl Action for DeleteUser {
    fn class(&self, _many: usize) -> Class {
        Class::Irreversible
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn amounts_to(&self) -> Vec<&'static str> {
        vec!["media delete"]
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subjects(&self.users, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let user = account::id(subject)?;
        let (mut seen, account) = account::snapshot(subject, reader).await?;
        if account.is_some() {
            let files = reader.media_count(user).await?;
            note(&mut seen, files);
            seen.display.push(("Files", files.to_string().into()));
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let count = how_many(Some(files(seen)), "file", "files");
        Question {
            title: Line::new()
                .plain("Delete everything that ")
                .code(subject)
                .plain(" has uploaded: ")
                .strong(count),
            goes: vec![
                "its files in messages, for everybody".into(),
                "pictures of people and rooms among them, and what is protected or in quarantine"
                    .into(),
            ],
            stays: vec!["copies that clients and other servers have".into()],
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        if !seen.is(HAS_FILES) {
            return Err(Skip::already(Line::new().code(subject).plain(" has no files here")));
        }
        Ok(change(subject, files(seen)))
    }

    fn outcome(
        &self,
        subject: &Subject,
        _before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let deleted = deleted(answers);
        let left = files(after);
        let status = if left == 0 { Status::Done } else { Status::DoneInPart };
        let said = if left == 0 {
            ": no files left here"
        } else {
            " still has files: it is still uploading. Send the command again"
        };
        Outcome {
            status,
            title: Line::new().code(subject).plain(said),
            facts: vec![("Deleted", deleted.to_string().into()), ("Left", left.to_string().into())],
            remains: Vec::new(),
            undo: Undo::None(
                "nobody here has them any more; clients and other servers keep their copies"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing::{self, ann};

    fn seen(files: u64) -> Snapshot {
        let account = testing::account(json!({}));
        let mut seen = Snapshot {
            preconditions: account::facts_that_bind(true, Some(&account)),
            ..Snapshot::default()
        };
        note(&mut seen, files);
        seen
    }

    fn verb() -> DeleteUser {
        testing::parse(&["ann"]).unwrap()
    }

    #[test]
    fn it_goes_on_until_nothing_is_left() {
        assert_eq!((verb().class(1), verb().power()), (Class::Irreversible, Power::Moderate));
        for (files, requests) in [(1, 1), (500, 1), (501, 2), (1700, 4)] {
            let change = verb().change(&ann(), &seen(files)).unwrap();
            assert_eq!(change.steps.len(), requests, "{files}");
            assert!(change.steps.iter().all(|step| step == &change.steps[0]));
            assert_eq!(change.wanted, FactMap::from([("has_files".to_owned(), json!(false))]));
        }
        let change = verb().change(&ann(), &seen(3)).unwrap();
        assert_eq!(change.steps[0].query, [("limit".to_owned(), "500".to_owned())]);
        assert_eq!(
            testing::skip(&verb().change(&ann(), &seen(0)).unwrap_err()),
            "Nothing changed · `@ann:example.org` has no files here"
        );
    }

    #[test]
    fn what_went_and_what_is_left_is_counted() {
        let answer = |total: u64| Answer { status: 200, body: json!({ "total": total }) };
        let told = |left| {
            let verb = verb();
            let answers = [answer(500), answer(20)];
            testing::outcome(&verb.outcome(&ann(), &seen(520), &answers, &seen(left)))
        };
        assert!(
            told(0).starts_with(
                "Done · `@ann:example.org`: no files left here\nDeleted: 520\nLeft: 0\n"
            )
        );
        assert!(told(2).starts_with("Done in part · "), "{}", told(2));
        let asked = testing::question(&verb().question(&ann(), &seen(520)));
        assert!(asked.contains("has uploaded: **520 files**"), "{asked}");
    }
}
