//! Events.

use super::Group;

pub(crate) mod content;
mod details;

/// The verbs about events.
pub const GROUP: Group =
    Group { name: "event", about: "Look at one event by its id", verbs: &[details::SPEC] };
