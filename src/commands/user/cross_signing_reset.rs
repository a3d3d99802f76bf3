//! `user cross-signing-reset`: a client may replace an account's cross-signing keys for a while.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::account;
use crate::commands::refusals::{Meaning, NO_ROW};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{Action, Spec, arguments::UserRef},
    error::Stop,
    reply::{Line, Status},
    synapse::Reader,
};

pub(super) const SPEC: Spec =
    Spec::action::<Reset>("cross-signing-reset", &["user cross-signing-reset @ann:example.org"])
        .since(1, 97);

/// Let an account replace its cross-signing keys without its password, for ten minutes
///
/// For people who lost their keys and have no password, for example with single sign-on. Anybody with
/// one of its sessions can do it in that time, so talk to its owner first.
#[derive(Debug, clap::Args)]
struct Reset {
    /// The accounts: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    Meaning::new(
        404,
        "M_NOT_FOUND",
        "",
        "it has no cross-signing keys to replace, or the account no longer exists",
    ),
    NO_ROW,
];

#[async_trait]
impl Action for Reset {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subjects(&self.users, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let (mut seen, _) = account::snapshot(subject, reader).await?;
        seen.note_now(reader.now());
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        Question {
            title: Line::new()
                .plain("Let whoever holds a session of ")
                .code(subject)
                .plain(" replace its cross-signing keys without a password"),
            goes: vec!["once they are replaced: that others have verified it".into()],
            stays: vec!["its present keys, until a client replaces them".into()],
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        if seen.is("deactivated") {
            return Err(account::already(subject, "is deactivated, and has no keys to replace"));
        }
        let path = Path::admin([
            "v1",
            "users",
            &subject.segment(),
            "_allow_cross_signing_replacement_without_uia",
        ]);
        let wanted = FactMap::from([("deactivated".to_owned(), json!(false))]);
        let step = Step::new(Method::Post, path, json!({})).idempotent();
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        _after: &Snapshot,
    ) -> Outcome {
        let until =
            answers.first().and_then(|a| a.body["updatable_without_uia_before_ms"].as_i64());
        let until = until.and_then(|at| Timestamp::from_millisecond(at).ok());
        Outcome {
            status: if until.is_some() { Status::Done } else { Status::Unknown },
            title: Line::new().code(subject).plain(if until.is_some() {
                " may now replace its cross-signing keys; tell its owner to do it now"
            } else {
                ": the homeserver reported success, but does not say until when"
            }),
            facts: until
                .map(|at| ("Until", Line::new().time(Some(at), before.noted_now())))
                .into_iter()
                .collect(),
            remains: Vec::new(),
            undo: Undo::None("it ends by itself in ten minutes".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{super::testing, *};
    use crate::commands::user::testing::{account, ann, now};

    fn seen(other: Value) -> Snapshot {
        let preconditions = account::facts_that_bind(true, Some(&account(other)));
        let mut seen = Snapshot { preconditions, ..Snapshot::default() };
        seen.note_now(now());
        seen
    }

    #[test]
    fn it_opens_an_account_and_so_it_asks() {
        let verb: Reset = testing::parse(&["ann", "bob"]).unwrap();
        assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Account));
        let change = verb.change(&ann(), &seen(json!({}))).unwrap();
        assert_eq!(
            change.steps[0].path.parts().last().map(String::as_str),
            Some("_allow_cross_signing_replacement_without_uia")
        );
        assert!(verb.change(&ann(), &seen(json!({"deactivated": true}))).is_err());
        assert!(testing::parse::<Reset>(&[]).is_err());
    }

    #[test]
    fn the_answer_says_until_when() {
        let verb: Reset = testing::parse(&["ann"]).unwrap();
        let told = |body| {
            let seen = seen(json!({}));
            testing::outcome(&verb.outcome(&ann(), &seen, &[Answer { status: 200, body }], &seen))
        };
        assert_eq!(
            told(json!({"updatable_without_uia_before_ms": 1_795_183_980_000_i64})),
            "Done · `@ann:example.org` may now replace its cross-signing keys; tell its owner to \
            do it now\nUntil: 2026-11-20 14:13 UTC (in 10 min)\nNo undo: it ends by itself in ten \
            minutes"
        );
        assert!(told(json!({})).starts_with("Unknown · "));
    }
}
