//! The homeserver itself.

use super::Group;

mod version;

/// The verbs about the homeserver.
pub const GROUP: Group =
    Group { name: "server", about: "Ask the homeserver about itself", verbs: &[version::SPEC] };
