//! `user suspend`: an account may read, and do nothing else.

use async_trait::async_trait;
use ruma::UserId;
use serde_json::json;

use super::account::{self, words};
use crate::{
    change::{
        Answer, Binds, Change, Class, Method, Outcome, Path, Power, Question, Seen, Skip, Step,
        Subject, Undo,
    },
    commands::{Action, Spec, arguments::UserRef},
    error::Stop,
    reply::{Line, Word},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Suspend>(
    "suspend",
    &["user suspend @ann:example.org", "user suspend @ann:example.org --unsuspend"],
);

/// Suspend an account: it can still read, and cannot write, join, invite or change its profile
///
/// It stays logged in and may remove its own messages. `user unsuspend` takes it back.
#[derive(Debug, clap::Args)]
struct Suspend {
    /// The account: @ann:example.org, or ann for one of this server
    user: UserRef,
    /// Take a suspension back, as `user unsuspend` does
    #[arg(short = 'U', long)]
    unsuspend: bool,
}

#[async_trait]
impl Action for Suspend {
    fn class(&self, many: usize) -> Class {
        class(many)
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subject(&self.user, reader)
    }

    async fn see(&self, subject: &Subject, reader: &Reader) -> Result<Seen, Stop> {
        see(account::id(subject)?, reader).await
    }

    fn question(&self, subject: &Subject, _seen: &Seen) -> Question {
        question(subject, !self.unsuspend)
    }

    fn change(&self, subject: &Subject, seen: &Seen) -> Result<Change, Skip> {
        change(subject, seen, !self.unsuspend)
    }

    fn outcome(&self, subject: &Subject, _: &Seen, _: &[Answer], after: &Seen) -> Outcome {
        outcome(subject, after, !self.unsuspend)
    }
}

/// One account is put back as it was by the other verb; many are more than one sees at a glance.
pub(super) fn class(many: usize) -> Class {
    if many > 1 { Class::Disruptive } else { Class::Reversible }
}

/// Looks at an account and whether it is suspended.
pub(super) async fn see(user: &UserId, reader: &Reader) -> Result<Seen, Stop> {
    let (mut seen, account) = account::see(user, reader).await?;
    if let Some(account) = account {
        let suspended = account.suspended.unwrap_or(false);
        seen.binds.insert("suspended".to_owned(), json!(suspended));
    }
    Ok(seen)
}

pub(super) fn question(subject: &Subject, suspend: bool) -> Question {
    let title = if suspend {
        Line::new().plain("Suspend ").code(subject)
    } else {
        Line::new().plain("End the suspension of ").code(subject)
    };
    Question { title, ..Question::default() }
}

pub(super) fn change(subject: &Subject, seen: &Seen, suspend: bool) -> Result<Change, Skip> {
    if let Some(skip) = account::absent(subject, seen) {
        return Err(skip);
    }
    match (suspend, seen.is("suspended")) {
        (true, true) => return Err(account::already(subject, "is suspended already")),
        (false, false) => return Err(account::already(subject, "is not suspended")),
        (true, false) if seen.is("deactivated") => {
            return Err(account::already(subject, "is deactivated, so nothing is left to suspend"));
        }
        _ => {}
    }
    let path = Path::admin(["v1", "suspend", &subject.to_string()]);
    let step = Step::new(Method::Put, path, json!({ "suspend": suspend })).idempotent();
    let wanted = Binds::from([("suspended".to_owned(), json!(suspend))]);
    Ok(Change { steps: vec![step], wanted })
}

pub(super) fn outcome(subject: &Subject, after: &Seen, suspend: bool) -> Outcome {
    let id = &subject.to_string();
    let (said, means, back) = if suspend {
        (" is suspended", "read, and remove its own messages; nothing else", "unsuspend")
    } else {
        (" is not suspended any more", "do everything again", "suspend")
    };
    let name = after.shown.iter().find(|(label, _)| *label == "Name").cloned();
    Outcome {
        word: Word::Done,
        title: Line::new().code(subject).plain(said),
        facts: name.into_iter().chain([("It may", means.into())]).collect(),
        remains: Vec::new(),
        undo: Undo::Command(words(["user", back, id])),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::commands::user::testing::{account, ann, now};

    fn seen(suspended: bool, deactivated: bool) -> Seen {
        let account = account(json!({ "suspended": suspended, "deactivated": deactivated }));
        let mut seen = Seen {
            shown: account::facts(&account, now()),
            binds: account::facts_that_bind(true, Some(&account)),
            ..Seen::default()
        };
        seen.binds.insert("suspended".to_owned(), json!(suspended));
        seen
    }

    fn verb(typed: &[&str]) -> Suspend {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn both_spellings_of_unsuspend_unsuspend() {
        for (typed, suspend) in
            [(&["ann"][..], true), (&["ann", "-U"], false), (&["ann", "--unsuspend"], false)]
        {
            let verb = verb(typed);
            let change = verb.change(&ann(), &seen(!suspend, false)).unwrap();
            assert_eq!(change.steps[0].body, json!({ "suspend": suspend }), "{typed:?}");
            assert_eq!(change.wanted, Binds::from([("suspended".to_owned(), json!(suspend))]));
            assert_eq!(change, verb.change(&ann(), &seen(!suspend, false)).unwrap());
        }
    }

    #[test]
    fn one_runs_at_once_and_many_ask() {
        let verb = verb(&["ann"]);
        assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Moderate));
        assert_eq!(verb.class(2), Class::Disruptive);
    }

    #[test]
    fn what_is_so_already_is_said_and_not_sent() {
        let skip = |typed: &[&str], seen: &Seen| {
            testing::skip(&verb(typed).change(&ann(), seen).unwrap_err())
        };
        insta::assert_snapshot!(skip(&["ann"], &seen(true, false)), @r"
        Nothing changed · `@ann:example.org` is suspended already
        Try !user details @ann:example.org
        ");
        insta::assert_snapshot!(skip(&["ann", "-U"], &seen(false, false)), @r"
        Nothing changed · `@ann:example.org` is not suspended
        Try !user details @ann:example.org
        ");
        insta::assert_snapshot!(skip(&["ann"], &seen(false, true)), @r"
        Nothing changed · `@ann:example.org` is deactivated, so nothing is left to suspend
        Try !user details @ann:example.org
        ");
        // What stands in the way of coming back can be cleared away even then.
        assert!(verb(&["ann", "-U"]).change(&ann(), &seen(true, true)).is_ok());
    }

    #[test]
    fn the_outcome_names_the_way_back() {
        let (active, suspended) = (seen(false, false), seen(true, false));
        let text = |typed: &[&str], before: &Seen, after: &Seen| {
            testing::outcome(&verb(typed).outcome(&ann(), before, &[], after))
        };
        insta::assert_snapshot!(text(&["ann"], &active, &suspended), @r"
        Done · `@ann:example.org` is suspended
        Name: “Ann Lee”
        It may: read, and remove its own messages; nothing else
        Undo: !user unsuspend @ann:example.org
        ");
        insta::assert_snapshot!(text(&["ann", "-U"], &suspended, &active), @r"
        Done · `@ann:example.org` is not suspended any more
        Name: “Ann Lee”
        It may: do everything again
        Undo: !user suspend @ann:example.org
        ");
        insta::assert_snapshot!(testing::question(&verb(&["ann"]).question(&ann(), &active)), @"Suspend `@ann:example.org`");
    }
}
