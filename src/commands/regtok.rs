//! Registration tokens: words with which strangers may make themselves an account here.

use super::Group;

mod delete;
mod details;
mod disable;
mod list;
mod new;
mod not_stopped;
mod there;
mod token;
mod update;

pub(crate) use disable::{Disable, states};
pub(crate) use not_stopped::{Ways, not_stopped};
pub(crate) use token::completed;

/// The verbs about registration tokens.
pub const GROUP: Group = Group {
    name: "regtok",
    about: "Create, change and delete registration tokens",
    verbs: &[list::SPEC, details::SPEC, new::SPEC, update::SPEC, delete::SPEC],
};
