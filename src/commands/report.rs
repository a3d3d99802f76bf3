//! Reports of events and of accounts.

use super::Group;

mod details;
mod dismiss;
mod list;
mod reports;

/// The verbs about reports.
pub const GROUP: Group = Group {
    name: "report",
    about: "Read and dismiss reports",
    verbs: &[list::SPEC, details::SPEC, dismiss::SPEC],
};
