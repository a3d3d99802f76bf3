//! Background updates: the homeserver's work on its own database.

use super::Group;

mod pause;
mod resume;
mod run;
mod status;
mod updates;

/// The verbs about background updates.
pub const GROUP: Group = Group {
    name: "background",
    about: "Look at the homeserver's work on its own database, pause it and start it",
    verbs: &[status::SPEC, pause::SPEC, resume::SPEC, run::SPEC],
};
