//! The history of rooms.

use super::Group;

mod kept;
mod purge;
mod purge_status;

/// The verbs about the history of rooms.
pub const GROUP: Group = Group {
    name: "history",
    about: "Delete old messages of rooms from this server",
    verbs: &[purge::SPEC, purge_status::SPEC],
};
