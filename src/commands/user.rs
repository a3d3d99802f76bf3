//! Accounts.

use super::Group;

pub(super) mod account;
mod admin;
mod deactivate;
mod details;
mod flag;
mod list;
mod lock;
mod login;
mod logout;
mod media;
mod membership;
mod modify;
mod page;
mod password;
mod ratelimit;
mod redact;
mod redact_status;
mod search;
mod shadow_ban;
mod suspend;
#[cfg(test)]
pub(super) mod testing;
mod unlock;
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
        logout::SPEC,
        admin::SPEC,
        suspend::SPEC,
        unsuspend::SPEC,
        lock::SPEC,
        unlock::SPEC,
        shadow_ban::SPEC,
        ratelimit::SPEC,
        redact::SPEC,
        redact_status::SPEC,
    ],
};
