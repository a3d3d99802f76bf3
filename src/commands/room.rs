//! Rooms.

use super::Group;

mod block;
mod block_status;
mod details;
mod known;
mod make_admin;
mod power;
mod unblock;

/// The verbs about rooms.
pub const GROUP: Group = Group {
    name: "room",
    about: "Look at rooms and act on them",
    verbs: &[details::SPEC, block::SPEC, unblock::SPEC, block_status::SPEC, make_admin::SPEC],
};
