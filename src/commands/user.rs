//! Accounts.

use super::Group;

pub(super) mod account;
pub(super) mod account_data;
mod activity;
mod admin;
mod approve;
mod auth_provider;
mod available;
mod count;
mod cross_signing_reset;
mod deactivate;
mod deactivate_regex;
mod details;
mod experimental;
pub(super) mod fits;
mod flag;
mod invites;
mod joins;
mod kept;
mod list;
mod lock;
mod login;
mod logout;
pub(super) mod media;
mod membership;
mod modify;
pub(crate) mod newest;
pub(crate) mod nth_newest;
mod page;
mod password;
mod prune_devices;
mod pushers;
mod ratelimit;
mod reactivate;
mod redact;
pub(super) mod redact_status;
mod register;
mod search;
mod shadow_ban;
mod specified;
mod suspend;
#[cfg(test)]
pub(crate) mod testing;
mod threepid;
mod unlock;
mod unsuspend;
mod validity;
pub(super) mod whois;

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
        threepid::SPEC,
        auth_provider::SPEC,
        pushers::SPEC,
        account_data::SPEC,
        invites::SPEC,
        joins::SPEC,
        available::SPEC,
        register::SPEC,
        modify::SPEC,
        deactivate::SPEC,
        deactivate_regex::SPEC,
        reactivate::SPEC,
        approve::SPEC,
        password::SPEC,
        login::SPEC,
        logout::SPEC,
        prune_devices::SPEC,
        cross_signing_reset::SPEC,
        admin::SPEC,
        suspend::SPEC,
        unsuspend::SPEC,
        lock::SPEC,
        unlock::SPEC,
        shadow_ban::SPEC,
        validity::SPEC,
        ratelimit::SPEC,
        experimental::SPEC,
        redact::SPEC,
        redact_status::SPEC,
    ],
};
