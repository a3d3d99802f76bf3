//! `user reactivate`: a deactivated account is open again.

use async_trait::async_trait;
use serde_json::json;

use super::{
    account::{self, words},
    kept,
};
use crate::commands::refusals::{self, Meaning};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{Action, Delegated, Spec, arguments::UserRef},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec =
    Spec::action::<Reactivate>("reactivate", &["user reactivate @gone:example.org"])
        .since(1, 99)
        .delegated(Delegated::There);

/// Reactivate deactivated accounts
///
/// What an account lost when it was deactivated does not come back: sessions, keys, password,
/// addresses, settings and rooms. It needs a new password before anybody can log in.
#[derive(Debug, clap::Args)]
struct Reactivate {
    /// The accounts: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
}

#[async_trait]
impl Action for Reactivate {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(refusals::ACCOUNT)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subjects(&self.users, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let (mut seen, account) = account::snapshot(subject, reader).await?;
        if let Some(account) = account {
            seen.preconditions.insert("erased".to_owned(), json!(account.erased));
            kept::note(&mut seen, &account, reader).await?;
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let hidden = "the hiding of its messages from people who join a room later";
        Question {
            title: Line::new().plain("Open ").code(subject).plain(" again"),
            goes: seen.is("erased").then(|| hidden.into()).into_iter().collect(),
            stays: vec!["lost: its sessions, keys, password, addresses, settings and rooms".into()],
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        if !seen.is("deactivated") {
            return Err(account::already(subject, "is not deactivated"));
        }
        let step = if let Some(id) = kept::id(seen) {
            kept::step(id, "reactivate")
        } else {
            let path = Path::admin(["v2", "users", &subject.segment()]);
            Step::new(Method::Put, path, json!({ "deactivated": false }))
        };
        let step = step.idempotent();
        let wanted = FactMap::from([("deactivated".to_owned(), json!(false))]);
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(&self, subject: &Subject, _: &Snapshot, _: &[Answer], after: &Snapshot) -> Outcome {
        let id = &subject.typed();
        // The service does not lose it.
        let password = match kept::id(after) {
            Some(_) => "It has its former password, unless you set another",
            None => "It has no password yet",
        };
        let mut remains = vec![(Line::from(password), words(["user", "password", id]))];
        if after.is("admin") {
            remains.push((
                "It is still a server admin".into(),
                words(["user", "admin", "revoke", id]),
            ));
        }
        Outcome::done(
            Line::new().code(subject).plain(" reactivated"),
            Undo::None("user deactivate deactivates it again".to_owned()),
        )
        .facts(kept::told(after))
        .remains(remains)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{super::testing, *};
    use crate::commands::user::testing::{account, ann};

    fn seen(other: Value) -> Snapshot {
        let account = account(other);
        let mut preconditions = account::facts_that_bind(true, Some(&account));
        preconditions.insert("erased".to_owned(), json!(account.erased));
        Snapshot { preconditions, ..Snapshot::default() }
    }

    fn verb() -> Reactivate {
        testing::parse(&["ann"]).unwrap()
    }

    #[test]
    fn only_a_deactivated_account_is_opened() {
        assert_eq!((verb().class(1), verb().power()), (Class::Disruptive, Power::Account));
        let change = verb().change(&ann(), &seen(json!({"deactivated": true}))).unwrap();
        assert_eq!(change.steps[0].body, json!({"deactivated": false}));
        assert_eq!(change.wanted, FactMap::from([("deactivated".to_owned(), json!(false))]));
        assert_eq!(
            testing::skip(&verb().change(&ann(), &seen(json!({}))).unwrap_err()),
            "Nothing changed · `@ann:example.org` is not deactivated\n\
             Try !user details @ann:example.org"
        );
    }

    #[test]
    fn the_words_say_what_does_not_come_back_and_what_is_still_so() {
        let erased = seen(json!({"deactivated": true, "erased": true}));
        let asked = testing::question(&verb().question(&ann(), &erased));
        assert!(asked.contains("Lost:\n- the hiding of its messages"), "{asked}");
        let after = seen(json!({"admin": true}));
        assert_eq!(
            testing::outcome(&verb().outcome(&ann(), &erased, &[], &after)),
            "Done · `@ann:example.org` reactivated\n\
             It has no password yet: !user password @ann:example.org\n\
             It is still a server admin: !user admin revoke @ann:example.org\n\
             No undo: user deactivate deactivates it again"
        );
    }
}
