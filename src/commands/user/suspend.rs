//! `user suspend`: an account may read, and do nothing else.

use serde_json::json;

use super::{
    account::words,
    flag::{Flag, Flagged},
};
use crate::{
    change::{Method, Path, Step},
    commands::{
        Ask, Does, Spec, Specified,
        arguments::UserRef,
        notice::tell::{Tell, Then},
        switch::{Turn, Wording},
    },
};

pub(super) const SPEC: Spec = Spec::of::<Suspend>(
    Does::Change,
    "suspend",
    &[
        "user suspend @ann:example.org",
        "user suspend @ann:example.org --for 3d --reason \"spam in the lobby\"",
        "user suspend @ann:example.org --tell \"No advertising here, please\"",
        "user suspend @ann:example.org --unsuspend",
    ],
)
.ending()
.since(1, 122)
.specified(Specified::Suspend);

/// An account that may read and nothing else (`PUT /_synapse/admin/v1/suspend/{user_id}`).
pub(super) static SUSPENDED: Flag = Flag {
    key: "suspended",
    of: |account| account.suspended.unwrap_or(false),
    step: |user, on| {
        Step::new(Method::Put, Path::admin(["v1", "suspend", user]), json!({ "suspend": on }))
    },
    specified: Some("suspend"),
    elsewhere: None,
    set: Wording {
        verb: "user suspend",
        did: "suspended",
        asked: ("Suspend ", ""),
        already: " is already suspended",
        said: " is suspended",
        back: |user| words(["user", "unsuspend", user]),
    },
    end: Wording {
        verb: "user unsuspend",
        did: "unsuspended",
        asked: ("End the suspension of ", ""),
        already: " is not suspended",
        said: " is no longer suspended",
        back: |user| words(["user", "suspend", user]),
    },
    may: ["read and remove its own messages, nothing else", "do everything again"],
    moot: "is deactivated, so there is nothing to suspend",
    leaves_holes: false,
};

/// Suspend an account: it can read, but not write, join, invite or change its profile
///
/// It stays logged in and may remove its own messages. `user unsuspend` undoes it.
#[derive(Debug, clap::Args)]
struct Suspend {
    /// The accounts, one or several: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
    /// End a suspension, as `user unsuspend` does
    #[arg(short = 'U', long, conflicts_with = "tell")]
    unsuspend: bool,
    #[command(flatten)]
    tell: Tell,
}

impl From<Suspend> for Turn<Flagged> {
    fn from(typed: Suspend) -> Self {
        SUSPENDED.turn(typed.users, !typed.unsuspend)
    }
}

impl From<Suspend> for Ask {
    fn from(mut typed: Suspend) -> Self {
        let tell = std::mem::take(&mut typed.tell);
        Turn::from(typed).after(tell, Then::Suspended)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            flag::testing::{holds, seen, told, typed},
            testing,
        },
        *,
    };
    use crate::{change::FactMap, commands::Action as _, commands::user::testing::ann};

    fn verb(words: &[&str]) -> Turn<Flagged> {
        typed::<Suspend>(words)
    }

    #[test]
    fn both_spellings_of_unsuspend_unsuspend() {
        for (typed, suspend) in
            [(&["ann"][..], true), (&["ann", "-U"], false), (&["ann", "--unsuspend"], false)]
        {
            let verb = verb(typed);
            holds(&verb);
            let change = verb.change(&ann(), &seen(&verb, !suspend, false)).unwrap();
            assert_eq!(change.steps[0].body, json!({ "suspend": suspend }), "{typed:?}");
            assert_eq!(change.wanted, FactMap::from([("suspended".to_owned(), json!(suspend))]));
        }
    }

    #[test]
    fn what_is_so_already_is_said_and_not_sent() {
        let skip = |typed: &[&str], on, deactivated| {
            let verb = verb(typed);
            let seen = seen(&verb, on, deactivated);
            testing::skip(&verb.change(&ann(), &seen).unwrap_err())
        };
        insta::assert_snapshot!(skip(&["ann"], true, false), @r"
        Nothing changed · `@ann:example.org` is already suspended
        Try !user details @ann:example.org
        ");
        insta::assert_snapshot!(skip(&["ann", "-U"], false, false), @r"
        Nothing changed · `@ann:example.org` is not suspended
        Try !user details @ann:example.org
        ");
        insta::assert_snapshot!(skip(&["ann"], false, true), @r"
        Nothing changed · `@ann:example.org` is deactivated, so there is nothing to suspend
        Try !user details @ann:example.org
        ");
    }

    #[test]
    fn the_outcome_names_the_way_back() {
        insta::assert_snapshot!(told(&verb(&["ann"])), @r"
        Suspend `@ann:example.org`
        Done · `@ann:example.org` is suspended
        Name: “Ann Lee”
        It may: read and remove its own messages, nothing else
        Undo: !user unsuspend @ann:example.org
        ");
        insta::assert_snapshot!(told(&verb(&["ann", "-U"])), @r"
        End the suspension of `@ann:example.org`
        Done · `@ann:example.org` is no longer suspended
        Name: “Ann Lee”
        It may: do everything again
        Undo: !user suspend @ann:example.org
        ");
    }
}
