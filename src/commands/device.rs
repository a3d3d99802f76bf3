//! Devices of accounts.

use super::Group;

mod create;
pub(super) mod delete;
mod details;
mod list;
mod rename;

/// The verbs about devices.
pub const GROUP: Group = Group {
    name: "device",
    about: "List devices (signed-in sessions) of accounts, rename them, and log them out",
    verbs: &[list::SPEC, details::SPEC, create::SPEC, rename::SPEC, delete::SPEC],
};
