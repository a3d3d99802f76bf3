//! Events.

use super::Group;

pub(crate) mod content;
mod details;
mod redact;

/// The verbs about events.
pub const GROUP: Group = Group {
    name: "event",
    about: "Look at one event by its id, and redact it",
    verbs: &[details::SPEC, redact::SPEC],
};
