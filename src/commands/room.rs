//! Rooms.

use super::Group;

mod at;
mod block;
mod block_status;
mod blocked;
mod context;
mod delete;
mod delete_status;
mod deletion;
mod demote;
mod details;
mod empty;
mod extremities;
mod hierarchy;
mod holders;
pub(super) mod holes;
mod join;
pub(super) mod keeper;
mod kick;
pub(super) mod known;
mod list;
mod make_admin;
mod members;
mod messages;
mod page;
pub(super) mod power;
mod power_levels;
mod purge_empty;
mod resolve;
mod search;
mod standing;
mod state;
mod unblock;

/// The verbs about rooms.
pub const GROUP: Group = Group {
    name: "room",
    about: "Look at rooms and act on them",
    verbs: &[
        list::SPEC,
        search::SPEC,
        details::SPEC,
        members::SPEC,
        state::SPEC,
        power_levels::SPEC,
        resolve::SPEC,
        hierarchy::SPEC,
        messages::SPEC,
        context::SPEC,
        at::SPEC,
        block::SPEC,
        unblock::SPEC,
        block_status::SPEC,
        blocked::SPEC,
        join::SPEC,
        kick::SPEC,
        make_admin::SPEC,
        demote::SPEC,
        extremities::SPEC,
        delete::SPEC,
        delete_status::SPEC,
        empty::SPEC,
        purge_empty::SPEC,
    ],
};
