//! The homeserver's long tasks.

use super::Group;

mod list;
pub mod scheduled;

/// The verbs about tasks.
pub const GROUP: Group =
    Group { name: "task", about: "Look at the homeserver's long tasks", verbs: &[list::SPEC] };
