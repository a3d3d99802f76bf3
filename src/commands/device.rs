//! Devices of accounts.

use super::Group;

mod delete;
mod list;

/// The verbs about devices.
pub const GROUP: Group = Group {
    name: "device",
    about: "Look at the devices of accounts, and log them out",
    verbs: &[list::SPEC, delete::SPEC],
};
