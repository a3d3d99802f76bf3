//! Devices of accounts.

use super::Group;

mod list;

/// The verbs about devices.
pub const GROUP: Group =
    Group { name: "device", about: "Look at the devices of accounts", verbs: &[list::SPEC] };
