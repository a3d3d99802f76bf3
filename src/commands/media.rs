//! Media: files that people here uploaded, and copies of files of other servers.

use super::Group;

mod file;
mod quarantine;
mod unquarantine;

/// The verbs about media.
pub const GROUP: Group = Group {
    name: "media",
    about: "Act on uploaded files and on copies from other servers",
    verbs: &[quarantine::SPEC, unquarantine::SPEC],
};
