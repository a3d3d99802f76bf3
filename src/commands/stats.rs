//! Statistics.

use super::Group;

mod media;
mod rooms;

/// The verbs about statistics.
pub const GROUP: Group = Group {
    name: "stats",
    about: "See what uses the most space",
    verbs: &[media::SPEC, rooms::SPEC],
};
