//! Registration tokens: words with which strangers may make themselves an account here.

use super::Group;

mod delete;
mod details;
mod list;
mod new;
mod token;
mod update;

/// The verbs about registration tokens.
pub const GROUP: Group = Group {
    name: "regtok",
    about: "Create, change and delete registration tokens",
    verbs: &[list::SPEC, details::SPEC, new::SPEC, update::SPEC, delete::SPEC],
};
