//! Other servers.

use super::Group;

mod destination;
mod details;
mod list;
mod reset;
mod rooms;

/// The verbs about other servers.
pub const GROUP: Group = Group {
    name: "federation",
    about: "Look at the connections to other servers, and retry them",
    verbs: &[list::SPEC, details::SPEC, rooms::SPEC, reset::SPEC],
};
