//! `user unsuspend`: the end of a suspension.

use super::{flag::Flagged, suspend::SUSPENDED};
use crate::commands::{Ask, Does, Spec, Specified, arguments::UserRef, switch::Turn};

pub(super) const SPEC: Spec =
    Spec::of::<Unsuspend>(Does::Change, "unsuspend", &["user unsuspend @ann:example.org"])
        .since(1, 122)
        .specified(Specified::Suspend);

/// End the suspension of an account: it can do everything again
#[derive(Debug, clap::Args)]
struct Unsuspend {
    /// The accounts, one or several: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
}

impl From<Unsuspend> for Turn<Flagged> {
    fn from(typed: Unsuspend) -> Self {
        SUSPENDED.turn(typed.users, false)
    }
}

impl From<Unsuspend> for Ask {
    fn from(typed: Unsuspend) -> Self {
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
    fn it_ends_a_suspension_and_nothing_else() {
        let verb = typed::<Unsuspend>(&["ann"]);
        holds(&verb);
        let change = verb.change(&ann(), &seen(&verb, true, false)).unwrap();
        assert_eq!(change.steps[0].body, json!({"suspend": false}));
        assert!(told(&verb).starts_with("End the suspension of `@ann:example.org`"));
    }
}
