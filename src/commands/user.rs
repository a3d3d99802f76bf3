//! Accounts.

use super::Group;

pub(super) mod account;
mod deactivate;
mod details;
mod list;
mod login;
mod media;
mod membership;
mod modify;
mod page;
mod password;
mod search;
mod suspend;
#[cfg(test)]
pub(super) mod testing;
mod unsuspend;
mod whois;

/// The verbs about accounts.
pub const GROUP: Group = Group {
    name: "user",
    about: "Look at accounts and act on them",
    verbs: &[
        list::SPEC,
        search::SPEC,
        details::SPEC,
        whois::SPEC,
        membership::SPEC,
        media::SPEC,
        modify::SPEC,
        deactivate::SPEC,
        password::SPEC,
        login::SPEC,
        suspend::SPEC,
        unsuspend::SPEC,
    ],
};
