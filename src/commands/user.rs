//! Accounts.

use super::Group;

mod account;
mod deactivate;
mod details;
mod login;
mod password;
mod suspend;
#[cfg(test)]
pub(super) mod testing;
mod unsuspend;

/// The verbs about accounts.
pub const GROUP: Group = Group {
    name: "user",
    about: "Look at accounts and act on them",
    verbs: &[
        details::SPEC,
        deactivate::SPEC,
        password::SPEC,
        login::SPEC,
        suspend::SPEC,
        unsuspend::SPEC,
    ],
};
