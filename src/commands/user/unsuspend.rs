//! `user unsuspend`: the end of a suspension.

use async_trait::async_trait;

use super::{account, suspend};
use crate::{
    change::{Answer, Change, Class, Outcome, Power, Question, Seen, Skip, Subject},
    commands::{Action, Spec, arguments::UserRef},
    error::Stop,
    synapse::Reader,
};

pub(super) const SPEC: Spec =
    Spec::action::<Unsuspend>("unsuspend", &["user unsuspend @ann:example.org"]);

/// Take the suspension of an account back: it can do everything again
#[derive(Debug, clap::Args)]
struct Unsuspend {
    /// The account: @ann:example.org, or ann for one of this server
    user: UserRef,
}

#[async_trait]
impl Action for Unsuspend {
    fn class(&self, many: usize) -> Class {
        suspend::class(many)
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subject(&self.user, reader)
    }

    async fn see(&self, subject: &Subject, reader: &Reader) -> Result<Seen, Stop> {
        suspend::see(account::id(subject)?, reader).await
    }

    fn question(&self, subject: &Subject, _seen: &Seen) -> Question {
        suspend::question(subject, false)
    }

    fn change(&self, subject: &Subject, seen: &Seen) -> Result<Change, Skip> {
        suspend::change(subject, seen, false)
    }

    fn outcome(&self, subject: &Subject, _: &Seen, _: &[Answer], after: &Seen) -> Outcome {
        suspend::outcome(subject, after, false)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing, *};
    use crate::commands::user::testing::ann;

    #[test]
    fn it_ends_a_suspension_and_nothing_else() {
        let verb: Unsuspend = testing::parse(&["ann"]).unwrap();
        assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Moderate));
        let account = testing::account(json!({"suspended": true}));
        let mut seen =
            Seen { binds: account::facts_that_bind(true, Some(&account)), ..Seen::default() };
        seen.binds.insert("suspended".to_owned(), json!(true));
        let change = verb.change(&ann(), &seen).unwrap();
        assert_eq!(change.steps[0].body, json!({"suspend": false}));
        seen.binds.insert("suspended".to_owned(), json!(false));
        assert!(verb.change(&ann(), &seen).is_err());
        insta::assert_snapshot!(testing::question(&verb.question(&ann(), &seen)), @"End the suspension of `@ann:example.org`");
    }
}
