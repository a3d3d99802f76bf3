//! Accounts.

use super::Group;

/// The verbs about accounts.
pub const GROUP: Group =
    Group { name: "user", about: "Look at accounts and act on them", verbs: &[] };
