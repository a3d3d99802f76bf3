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
    about: "Look at the devices of accounts, name them, and log them out",
    verbs: &[list::SPEC, details::SPEC, create::SPEC, rename::SPEC, delete::SPEC],
};
