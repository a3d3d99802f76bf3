//! `user shadow-ban`: an account talks, and nobody hears it.

use serde_json::{Value, json};

use super::{
    account::words,
    flag::{Flag, Flagged},
};
use crate::{
    change::{Method, Path, Step},
    commands::{
        Ask, Does, Spec,
        arguments::UserRef,
        switch::{Turn, Wording},
    },
};

pub(super) const SPEC: Spec = Spec::of::<ShadowBan>(
    Does::Change,
    "shadow-ban",
    &["user shadow-ban @ann:example.org", "user shadow-ban @ann:example.org --unban"],
)
.ending();

/// An account whose messages reach nobody
/// (`POST` and `DELETE /_synapse/admin/v1/users/{user_id}/shadow_ban`).
static SHADOW_BANNED: Flag = Flag {
    key: "shadow-banned",
    of: |account| account.shadow_banned,
    step: |user, on| {
        let path = Path::admin(["v1", "users", user, "shadow_ban"]);
        if on {
            Step::new(Method::Post, path, json!({}))
        } else {
            Step::new(Method::Delete, path, Value::Null)
        }
    },
    specified: None,
    elsewhere: None,
    set: Wording {
        verb: "user shadow-ban",
        did: "shadow-banned",
        asked: ("Shadow-ban ", ""),
        already: " is already shadow-banned",
        said: " is shadow-banned",
        back: |user| words(["user", "shadow-ban", user, "--unban"]),
    },
    end: Wording {
        verb: "user shadow-ban",
        did: "ended the shadow-ban of",
        asked: ("End the shadow-ban of ", ""),
        already: " is not shadow-banned",
        said: " is no longer shadow-banned",
        back: |user| words(["user", "shadow-ban", user]),
    },
    may: [
        "apparently do everything, but nobody receives what it sends from now on",
        "send messages again; what it sent meanwhile is not delivered",
    ],
    moot: "is deactivated, so there is nothing to ban",
    leaves_holes: false,
};

/// Shadow-ban an account: it can keep writing, but nobody receives its messages
///
/// The homeserver reports success to it, so it does not notice at once. Some clients get confused by
/// that; `user suspend` is the honest way. --unban undoes it.
#[derive(Debug, clap::Args)]
struct ShadowBan {
    /// The accounts, one or several: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
    /// End a shadow-ban: its messages are delivered again
    #[arg(short, long)]
    unban: bool,
}

impl From<ShadowBan> for Turn<Flagged> {
    fn from(typed: ShadowBan) -> Self {
        SHADOW_BANNED.turn(typed.users, !typed.unban)
    }
}

impl From<ShadowBan> for Ask {
    fn from(typed: ShadowBan) -> Self {
        Turn::from(typed).into()
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
    fn a_ban_is_posted_and_its_end_deletes_it() {
        for (words, on, method) in [
            (&["ann"][..], true, Method::Post),
            (&["ann", "-u"], false, Method::Delete),
            (&["ann", "--unban"], false, Method::Delete),
        ] {
            let verb = typed::<ShadowBan>(words);
            holds(&verb);
            let change = verb.change(&ann(), &seen(&verb, !on, false)).unwrap();
            assert_eq!(change.steps[0].method, method, "{words:?}");
        }
    }

    #[test]
    fn each_way_names_the_other() {
        let there = told(&typed::<ShadowBan>(&["ann"]));
        assert!(there.contains("nobody receives what it sends from now on"), "{there}");
        assert!(there.ends_with("Undo: !user shadow-ban @ann:example.org --unban"), "{there}");
        let back = told(&typed::<ShadowBan>(&["ann", "--unban"]));
        assert!(back.ends_with("Undo: !user shadow-ban @ann:example.org"), "{back}");
    }
}
