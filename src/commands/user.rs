//! Accounts.

use super::Group;

mod account;
mod deactivate;
mod details;
#[cfg(test)]
pub(super) mod testing;

/// The verbs about accounts.
pub const GROUP: Group = Group {
    name: "user",
    about: "Look at accounts and act on them",
    verbs: &[details::SPEC, deactivate::SPEC],
};
