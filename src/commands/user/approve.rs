//! `user approve`: a new account may be used, on a homeserver where each has to be approved first.

use async_trait::async_trait;
use serde_json::json;

use super::account::{self, words};
use crate::commands::refusals::{ACCOUNT_GONE, Meaning, NO_ROW, NOT_LOCAL, OTHER_VALUE};
use crate::{
    change::{Method, Path, Skip, Snapshot, Step, Subject},
    commands::{
        Ask, Delegated, Does, Spec,
        arguments::UserRef,
        switch::{Switch, Wording},
    },
    error::Stop,
    reply::{Fact, Line},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::of::<Approve>(
    Does::Change,
    "approve",
    &["user approve @ann:example.org", "user approve @ann:example.org --withdraw"],
)
.since(1, 69)
.delegated(Delegated::Nothing);

/// Approve a new account: it can log in, on a homeserver where each has to be approved first
///
/// Such a homeserver has `msc3866` in its `experimental_features`; another one has no approvals, and I say
/// so. The command `approve` alone is something else: it says yes to what another operator has asked for.
#[derive(Debug, clap::Args)]
struct Approve {
    /// The accounts, one or several: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
    /// Withdraw an approval: the account cannot log in any more
    #[arg(short, long)]
    withdraw: bool,
}

impl From<Approve> for Ask {
    fn from(typed: Approve) -> Self {
        Approval { users: typed.users }.turn(!typed.withdraw)
    }
}

/// The approval of these accounts (`PUT /_synapse/admin/v2/users/{user_id}`).
#[derive(Debug)]
struct Approval {
    users: Vec<UserRef>,
}

/// The fact whether an account is approved. It is missing where the homeserver has no approvals.
const APPROVED: &str = "approved";

static SET: Wording = Wording {
    verb: "user approve",
    did: "approved",
    asked: ("Approve ", ""),
    already: " is already approved",
    said: " is approved",
    back: |user| words(["user", "approve", user, "--withdraw"]),
};

static END: Wording = Wording {
    verb: "user approve",
    did: "withdrew the approval of",
    asked: ("Withdraw the approval of ", ""),
    already: " is not approved",
    said: " is no longer approved",
    back: |user| words(["user", "approve", user]),
};

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[ACCOUNT_GONE, NO_ROW, NOT_LOCAL, OTHER_VALUE];

#[async_trait]
impl Switch for Approval {
    fn key(&self) -> &'static str {
        APPROVED
    }

    fn wording(&self, on: bool) -> &'static Wording {
        if on { &SET } else { &END }
    }

    fn refusals(&self) -> &'static [Meaning] {
        REFUSALS
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subjects(&self.users, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let (mut seen, account) = account::snapshot(subject, reader).await?;
        if let Some(approved) = account.and_then(|account| account.approved) {
            seen.preconditions.insert(APPROVED.to_owned(), json!(approved));
        }
        Ok(seen)
    }

    fn exists(&self, subject: &Subject, seen: &Snapshot) -> Result<(), Skip> {
        account::exists(subject, seen)?;
        if seen.preconditions.contains_key(APPROVED) {
            return Ok(());
        }
        // It would answer with success, and do nothing.
        Err(Skip::refused(
            Line::from("this homeserver has no approvals of new accounts: it has them with ")
                .code("msc3866: {enabled: true}")
                .plain(" under ")
                .code("experimental_features")
                .plain(" in ")
                .code("homeserver.yaml"),
        ))
    }

    fn possible(&self, subject: &Subject, seen: &Snapshot, on: bool) -> Result<(), Skip> {
        if on && seen.is("deactivated") {
            let why = "is deactivated, so an approval would have no effect";
            return Err(account::already(subject, why));
        }
        Ok(())
    }

    fn shown_by(&self, subject: &Subject) -> Option<String> {
        Some(account::details(subject))
    }

    fn step(&self, subject: &Subject, _seen: &Snapshot, on: bool) -> Step {
        let path = Path::admin(["v2", "users", &subject.segment()]);
        Step::new(Method::Put, path, json!({ APPROVED: on }))
    }

    fn facts(&self, after: &Snapshot, on: bool) -> Vec<Fact> {
        let name = after.shown_as(&["Name"]);
        let may = ("It may", Line::from("log in"));
        let stays = ("Stays", Line::from("the sessions that it has; it cannot log in anew"));
        name.chain([if on { may } else { stays }]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::{
        change::{Class, FactMap, Power},
        commands::{
            Action,
            switch::Turn,
            user::testing::{account, ann},
        },
        reply::Status,
    };

    fn verb(on: bool) -> Turn<Approval> {
        let words: &[&str] = if on { &["ann"] } else { &["ann", "--withdraw"] };
        let typed = testing::parse::<Approve>(words).unwrap();
        assert_eq!(typed.withdraw, !on);
        Turn { switch: Approval { users: typed.users }, on }
    }

    /// Ann's account where approvals are as they are said, or there are none.
    fn seen(approved: Option<bool>, deactivated: bool) -> Snapshot {
        let mut seen = testing::snapshot_of(&account(json!({ "deactivated": deactivated })));
        if let Some(approved) = approved {
            seen.preconditions.insert(APPROVED.to_owned(), json!(approved));
        }
        seen
    }

    #[test]
    fn one_request_approves_an_account_or_withdraws_that() {
        for on in [true, false] {
            let verb = verb(on);
            assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Moderate));
            assert_eq!(verb.class(2), Class::Disruptive);
            let change = verb.change(&ann(), &seen(Some(!on), false)).unwrap();
            let [step] = change.steps.as_slice() else { panic!("one request") };
            assert_eq!((step.method, &step.body), (Method::Put, &json!({ "approved": on })));
            assert_eq!(step.path, Path::admin(["v2", "users", "@ann:example.org"]));
            assert_eq!(change.wanted, FactMap::from([(APPROVED.to_owned(), json!(on))]));
            let already = verb.change(&ann(), &seen(Some(on), false)).unwrap_err();
            assert_eq!(already.status, Status::NothingChanged);
        }
        let deactivated = verb(true).change(&ann(), &seen(Some(false), true)).unwrap_err();
        assert_eq!(deactivated.status, Status::NothingChanged);
        assert!(verb(false).change(&ann(), &seen(Some(true), true)).is_ok());
    }

    #[test]
    fn where_there_are_no_approvals_nothing_is_sent_and_that_is_said() {
        for on in [true, false] {
            let refused = verb(on).change(&ann(), &seen(None, false)).unwrap_err();
            assert_eq!(refused.status, Status::Refused);
            assert!(testing::line(&refused.why).contains("msc3866"), "{refused:?}");
        }
    }

    #[test]
    fn each_way_names_the_other() {
        let told = |on| {
            let (verb, before, after) = (verb(on), seen(Some(!on), false), seen(Some(on), false));
            testing::question(&verb.question(&ann(), &before))
                + testing::outcome(&verb.outcome(&ann(), &before, &[], &after)).as_str()
        };
        assert_eq!(
            told(true),
            "Approve `@ann:example.org`\n\
             Done · `@ann:example.org` is approved\n\
             Name: “Ann Lee”\n\
             It may: log in\n\
             Undo: !user approve @ann:example.org --withdraw"
        );
        assert!(told(false).contains("Stays: the sessions that it has"), "{}", told(false));
        assert!(told(false).ends_with("Undo: !user approve @ann:example.org"), "{}", told(false));
    }
}
