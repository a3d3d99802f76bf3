//! `user unlock`: the end of a lock.

use super::{flag::Flagged, lock::LOCKED};
use crate::commands::{Ask, Delegated, Does, Spec, Specified, arguments::UserRef, switch::Turn};

pub(super) const SPEC: Spec =
    Spec::of::<Unlock>(Does::Change, "unlock", &["user unlock @ann:example.org"])
        .since(1, 93)
        .delegated(Delegated::There)
        .specified(Specified::Lock);

/// Unlock an account: its devices work again as before
#[derive(Debug, clap::Args)]
struct Unlock {
    /// The accounts, one or several: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
}

impl From<Unlock> for Turn<Flagged> {
    fn from(typed: Unlock) -> Self {
        LOCKED.turn(typed.users, false)
    }
}

impl From<Unlock> for Ask {
    fn from(typed: Unlock) -> Self {
        Turn::from(typed).into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::flag::testing::{holds, seen, told, typed},
        *,
    };
    use crate::{commands::Action as _, commands::user::testing::ann};

    #[test]
    fn it_unlocks_and_names_the_way_back() {
        let verb = typed::<Unlock>(&["ann"]);
        holds(&verb);
        let change = verb.change(&ann(), &seen(&verb, true, false)).unwrap();
        assert_eq!(change.steps[0].body, json!({"locked": false}));
        assert!(told(&verb).ends_with("Undo: !user lock @ann:example.org"), "{}", told(&verb));
    }
}
