//! Media: files that people here uploaded, and copies of files of other servers.

use super::Group;

mod before;
mod changes;
mod delete;
pub(super) mod delete_user;
mod details;
mod file;
pub(in crate::commands) mod files_of;
mod list;
mod protect;
mod purge;
mod quarantine;
mod several;
mod unprotect;
mod unquarantine;

/// The verbs about media.
pub const GROUP: Group = Group {
    name: "media",
    about: "Act on uploaded files and on copies from other servers",
    verbs: &[
        list::SPEC,
        details::SPEC,
        quarantine::SPEC,
        unquarantine::SPEC,
        protect::SPEC,
        unprotect::SPEC,
        changes::SPEC,
        delete::SPEC,
        delete_user::SPEC,
        purge::SPEC,
    ],
};
