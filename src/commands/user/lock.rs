//! `user lock`: an account stays logged in and can do nothing.

use serde_json::json;

use super::{
    account::words,
    flag::{Elsewhere, Flag, Flagged},
};
use crate::{
    change::{Method, Path, Step},
    commands::{
        Ask, Delegated, Does, Spec, Specified,
        arguments::UserRef,
        notice::tell::{Tell, Then},
        switch::{Turn, Wording},
    },
};

pub(super) const SPEC: Spec = Spec::of::<Lock>(
    Does::Change,
    "lock",
    &[
        "user lock @ann:example.org",
        "user lock @ann:example.org --tell \"Write to abuse@example.org to get it back\"",
    ],
)
.ending()
.since(1, 93)
.delegated(Delegated::There)
.specified(Specified::Lock);

/// An account that can do nothing (`PUT /_synapse/admin/v2/users/{user_id}`, or
/// `POST /api/admin/v1/users/{id}/lock` and `/unlock` of the authentication service).
pub(super) static LOCKED: Flag = Flag {
    key: "locked",
    of: |account| account.locked,
    step: |user, on| {
        Step::new(Method::Put, Path::admin(["v2", "users", user]), json!({ "locked": on }))
    },
    specified: Some("lock"),
    elsewhere: Some(Elsewhere { of: |kept| kept.locked, does: ["lock", "unlock"] }),
    set: Wording {
        verb: "user lock",
        did: "locked",
        asked: ("Lock ", ""),
        already: " is already locked",
        said: " is locked",
        back: |user| words(["user", "unlock", user]),
    },
    end: Wording {
        verb: "user unlock",
        did: "unlocked",
        asked: ("Unlock ", ""),
        already: " is not locked",
        said: " is no longer locked",
        back: |user| words(["user", "lock", user]),
    },
    may: [
        "do nothing, not even read; its devices stay, for when it is unlocked",
        "do everything again, on its devices",
    ],
    moot: "is deactivated, so there is nothing to lock",
    leaves_holes: true,
};

/// Lock an account: it can do nothing until it is unlocked, not even read
///
/// Its devices keep their sessions, and work again after `user unlock`. Its messages and rooms stay as
/// they are.
#[derive(Debug, clap::Args)]
struct Lock {
    /// The accounts, one or several: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
    #[command(flatten)]
    tell: Tell,
}

impl From<Lock> for Turn<Flagged> {
    fn from(typed: Lock) -> Self {
        LOCKED.turn(typed.users, true)
    }
}

impl From<Lock> for Ask {
    fn from(mut typed: Lock) -> Self {
        let tell = std::mem::take(&mut typed.tell);
        Turn::from(typed).after(tell, Then::Locked)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::flag::testing::{holds, seen, told, typed},
        *,
    };
    use crate::{commands::Action as _, commands::user::testing::ann};

    #[test]
    fn it_locks_and_names_the_way_back() {
        let verb = typed::<Lock>(&["ann"]);
        holds(&verb);
        let change = verb.change(&ann(), &seen(&verb, false, false)).unwrap();
        assert_eq!(change.steps[0].body, json!({"locked": true}), "and no other field");
        assert_eq!(
            told(&verb),
            "Lock `@ann:example.org`\n\
             Done · `@ann:example.org` is locked\n\
             Name: “Ann Lee”\n\
             It may: do nothing, not even read; its devices stay, for when it is unlocked\n\
             Undo: !user unlock @ann:example.org"
        );
    }
}
